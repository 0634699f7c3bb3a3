pub trait Orders {
    fn start(
        &self,
        order: Order,
    ) -> impl ::core::future::Future<
        Output = Result<Receipt, OrderError>,
    > + ::core::marker::Send;
    fn change(
        &self,
        change: Change,
    ) -> impl ::core::future::Future<Output = ()> + ::core::marker::Send;
    #[doc(hidden)]
    const __CONTRACT: &'static ::infinitic::__private::WorkflowContract = <OrdersClient as ::infinitic::__private::WorkflowProxy>::CONTRACT;
}
///Starts and steers instances of the workflow `orders`.
#[derive(::core::clone::Clone, ::core::fmt::Debug)]
pub struct OrdersClient {
    __handle: ::infinitic::__private::WorkflowHandle,
}
#[automatically_derived]
impl ::infinitic::__private::WorkflowProxy for OrdersClient {
    type Marker = (
        ::infinitic::__private::C<'O'>,
        (
            ::infinitic::__private::C<'r'>,
            (
                ::infinitic::__private::C<'d'>,
                (
                    ::infinitic::__private::C<'e'>,
                    (
                        ::infinitic::__private::C<'r'>,
                        (::infinitic::__private::C<'s'>, ()),
                    ),
                ),
            ),
        ),
    );
    const CONTRACT: &'static ::infinitic::__private::WorkflowContract = &::infinitic::__private::WorkflowContract {
        name: "orders",
        methods: &[
            ::infinitic::__private::MethodContract {
                method: "start",
                name: "start",
                arguments: &["order"],
                timeout_ms: ::core::option::Option::None,
            },
            ::infinitic::__private::MethodContract {
                method: "change",
                name: "change",
                arguments: &["change"],
                timeout_ms: ::core::option::Option::Some(5400000u64),
            },
        ],
    };
    fn __new(handle: ::infinitic::__private::WorkflowHandle) -> Self {
        Self { __handle: handle }
    }
    fn __handle(&mut self) -> &mut ::infinitic::__private::WorkflowHandle {
        &mut self.__handle
    }
    fn __handle_ref(&self) -> &::infinitic::__private::WorkflowHandle {
        &self.__handle
    }
}
#[allow(private_interfaces, clippy::too_many_arguments, clippy::type_complexity)]
impl OrdersClient {
    ///Calls `start`.
    #[track_caller]
    pub fn start(
        &self,
        order: Order,
    ) -> ::infinitic::__private::Start<Receipt, OrderError> {
        ::infinitic::__private::assert_argument::<Order>();
        self.__handle
            .start(
                ::infinitic::__private::method_contract(
                    <Self as ::infinitic::__private::WorkflowProxy>::CONTRACT,
                    "start",
                ),
                {
                    fn __encode<A0: ::infinitic::__private::Argument>(
                        __a0: &A0,
                    ) -> ::core::result::Result<
                        ::infinitic::__private::Payload,
                        ::infinitic::__private::Undecodable,
                    > {
                        ::infinitic::__private::encode_args(&(__a0,))
                    }
                    __encode(&order)
                },
                ::infinitic::__private::error_codec!(OrderError),
            )
    }
    ///Calls `change`.
    #[track_caller]
    pub fn change(
        &self,
        change: Change,
    ) -> ::infinitic::__private::Start<(), ::infinitic::__private::Never> {
        ::infinitic::__private::assert_argument::<Change>();
        self.__handle
            .start(
                ::infinitic::__private::method_contract(
                    <Self as ::infinitic::__private::WorkflowProxy>::CONTRACT,
                    "change",
                ),
                {
                    fn __encode<A0: ::infinitic::__private::Argument>(
                        __a0: &A0,
                    ) -> ::core::result::Result<
                        ::infinitic::__private::Payload,
                        ::infinitic::__private::Undecodable,
                    > {
                        ::infinitic::__private::encode_args(&(__a0,))
                    }
                    __encode(&change)
                },
                ::infinitic::__private::ErrorCodec::never(),
            )
    }
}
const _: () = {
    #[allow(dead_code)]
    fn __travels() {
        {
            ::infinitic::__private::assert_value::<Receipt>();
        }
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
