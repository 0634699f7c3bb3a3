pub trait Payments<T> {
    fn charge(&mut self, card: &Card) -> Result<Receipt, PaymentError>;
    fn refund(&self) -> impl ::core::future::Future<Output = ()> + ::core::marker::Send;
    fn sound(&self) -> impl ::core::future::Future<Output = ()> + ::core::marker::Send;
    #[doc(hidden)]
    const __CONTRACT: &'static ::infinitic::__private::ServiceContract = <PaymentsStub as ::infinitic::__private::ServiceProxy>::CONTRACT;
}
///Calls the tasks of the service `Payments`.
#[derive(::core::clone::Clone, ::core::fmt::Debug)]
pub struct PaymentsStub {
    __stub: ::infinitic::__private::ServiceStub,
}
#[automatically_derived]
impl ::infinitic::__private::ServiceProxy for PaymentsStub {
    type Marker = (
        ::infinitic::__private::C<'P'>,
        (
            ::infinitic::__private::C<'a'>,
            (
                ::infinitic::__private::C<'y'>,
                (
                    ::infinitic::__private::C<'m'>,
                    (
                        ::infinitic::__private::C<'e'>,
                        (
                            ::infinitic::__private::C<'n'>,
                            (
                                ::infinitic::__private::C<'t'>,
                                (::infinitic::__private::C<'s'>, ()),
                            ),
                        ),
                    ),
                ),
            ),
        ),
    );
    const CONTRACT: &'static ::infinitic::__private::ServiceContract = &::infinitic::__private::ServiceContract {
        name: "Payments",
        tasks: &[
            ::infinitic::__private::TaskContract {
                method: "sound",
                name: "sound",
                arguments: &[],
                timeout_ms: ::core::option::Option::None,
            },
        ],
    };
    fn __new(stub: ::infinitic::__private::ServiceStub) -> Self {
        Self { __stub: stub }
    }
    fn __stub(&mut self) -> &mut ::infinitic::__private::ServiceStub {
        &mut self.__stub
    }
}
#[allow(private_interfaces, clippy::too_many_arguments, clippy::type_complexity)]
impl PaymentsStub {
    ///Calls `sound`.
    #[track_caller]
    pub fn sound(
        &self,
    ) -> ::infinitic::__private::Call<(), ::infinitic::__private::Never> {
        self.__stub
            .call(
                ::infinitic::__private::task_contract(
                    <Self as ::infinitic::__private::ServiceProxy>::CONTRACT,
                    "sound",
                ),
                ::infinitic::__private::encode_args(&()),
                ::infinitic::__private::ErrorCodec::never(),
            )
    }
}
const _: () = {
    #[allow(dead_code)]
    fn __travels() {
        {
            ::infinitic::__private::assert_value::<()>();
        }
    }
    const _: () = {
        #[allow(unused_imports)]
        use ::infinitic::__private::NotResult as _;
        ::core::assert!(
            ! ::infinitic::__private::ReturnProbe:: < () > ::IS_RESULT,
            "this is a `Result` behind a name that does not say so, which hides its error from the macro; accepted: `Result<T, E>`, or an alias that is named `Result`; write: the `Result` itself"
        )
    };
};
::core::compile_error! {
    "`nam` is no option of `#[service]`\n  accepted: `name`, `crate`\n  write: `#[service(name = \"orders\")]`"
}
::core::compile_error! {
    "a generic contract has no single form on the wire\n  accepted: traits without parameters\n  write: one trait for each concrete type"
}
::core::compile_error! {
    "`charge` is not async, so it is no task\n  accepted: `async fn name(&self, argument: Type, …) -> Output`\n  write: `async fn charge`"
}
::core::compile_error! {
    "a task cannot take `&mut self`: many run at the same time on one value\n  accepted: `&self`\n  write: `&self`"
}
::core::compile_error! {
    "the argument `card` borrows: it travels to another process and back\n  accepted: owned types\n  write: `Card`"
}
::core::compile_error! {
    "this is no name for a task: it holds a `/` or a control character\n  accepted: 1 to 200 bytes without `/` and control characters\n  write: for instance `\"charge-card\"`"
}
