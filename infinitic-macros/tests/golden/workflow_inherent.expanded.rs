impl Greeter {
    async fn greet(&self, name: String) -> String {
        self.phrase(&name)
    }
    fn phrase(&self, name: &str) -> String {
        format!("hello {name}")
    }
}
///Starts and steers instances of the workflow `Greeter`.
#[derive(::core::clone::Clone, ::core::fmt::Debug)]
pub struct GreeterClient {
    __handle: ::infinitic::__private::WorkflowHandle,
}
#[automatically_derived]
impl ::infinitic::__private::WorkflowProxy for GreeterClient {
    type Marker = (
        ::infinitic::__private::C<'G'>,
        (
            ::infinitic::__private::C<'r'>,
            (
                ::infinitic::__private::C<'e'>,
                (
                    ::infinitic::__private::C<'e'>,
                    (
                        ::infinitic::__private::C<'t'>,
                        (
                            ::infinitic::__private::C<'e'>,
                            (::infinitic::__private::C<'r'>, ()),
                        ),
                    ),
                ),
            ),
        ),
    );
    const CONTRACT: &'static ::infinitic::__private::WorkflowContract = &::infinitic::__private::WorkflowContract {
        name: "Greeter",
        methods: &[
            ::infinitic::__private::MethodContract {
                method: "greet",
                name: "greet",
                arguments: &["name"],
                timeout_ms: ::core::option::Option::None,
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
impl GreeterClient {
    ///Calls `greet`.
    #[track_caller]
    pub fn greet(
        &self,
        name: String,
    ) -> ::infinitic::__private::Start<String, ::infinitic::__private::Never> {
        ::infinitic::__private::assert_argument::<String>();
        self.__handle
            .start(
                ::infinitic::__private::method_contract(
                    <Self as ::infinitic::__private::WorkflowProxy>::CONTRACT,
                    "greet",
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
                    __encode(&name)
                },
                ::infinitic::__private::ErrorCodec::never(),
            )
    }
}
const _: () = {
    #[allow(dead_code)]
    fn __travels() {
        {
            ::infinitic::__private::assert_value::<String>();
        }
    }
    const _: () = {
        #[allow(unused_imports)]
        use ::infinitic::__private::NotResult as _;
        ::core::assert!(
            ! ::infinitic::__private::ReturnProbe:: < String > ::IS_RESULT,
            "this is a `Result` behind a name that does not say so, which hides its error from the macro; accepted: `Result<T, E>`, or an alias that is named `Result`; write: the `Result` itself"
        )
    };
};
#[automatically_derived]
#[allow(deprecated)]
impl ::infinitic::__private::Workflow<
    (
        ::infinitic::__private::C<'G'>,
        (
            ::infinitic::__private::C<'r'>,
            (
                ::infinitic::__private::C<'e'>,
                (
                    ::infinitic::__private::C<'e'>,
                    (
                        ::infinitic::__private::C<'t'>,
                        (
                            ::infinitic::__private::C<'e'>,
                            (::infinitic::__private::C<'r'>, ()),
                        ),
                    ),
                ),
            ),
        ),
    ),
> for Greeter {
    fn contract() -> &'static ::infinitic::__private::WorkflowContract {
        <GreeterClient as ::infinitic::__private::WorkflowProxy>::CONTRACT
    }
    fn methods() -> ::std::vec::Vec<::infinitic::__private::MethodHandler<Self>> {
        ::std::vec::Vec::from([
            ::infinitic::__private::MethodHandler::<Self> {
                method: "greet",
                run: |__workflow, __args| {
                    let mut __args = ::infinitic::__private::ArgReader::new(
                        __args,
                        1usize,
                    )?;
                    ::infinitic::__private::assert_argument::<String>();
                    let __a0: String = __args.next("name")?;
                    ::core::result::Result::Ok(
                        ::std::boxed::Box::pin(async move {
                            let __returned = Self::greet(&__workflow, __a0).await;
                            ::infinitic::__private::assert_value::<String>();
                            ::infinitic::__private::finish_value(__returned)
                        }),
                    )
                },
            },
        ])
    }
}
