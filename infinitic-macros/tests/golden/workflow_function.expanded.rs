#[allow(clippy::type_complexity)]
fn hello(
    name: String,
) -> ::infinitic::__private::Tagged<
    hello,
    impl ::core::future::Future<Output = Result<String, Error>> + ::core::marker::Send,
> {
    let __body0 = {
        async fn hello(name: String) -> Result<String, Error> {
            Ok(greet(name).await?)
        }
        hello
    };
    ::infinitic::__private::Tagged::new(__body0(name))
}
#[automatically_derived]
impl ::infinitic::__private::WorkflowFunction for hello {
    type Output = Result<String, Error>;
    const VERSION: u32 = 3u32;
    fn finish(__returned: Self::Output) -> ::infinitic::__private::TaskResult {
        ::infinitic::__private::assert_value::<String>();
        ::infinitic::__private::finish_result(
            __returned,
            ::infinitic::__private::error_codec!(Error),
        )
    }
}
///Starts and steers instances of the workflow `greeting`.
#[allow(non_camel_case_types)]
#[derive(::core::clone::Clone, ::core::fmt::Debug)]
struct hello {
    __handle: ::infinitic::__private::WorkflowHandle,
}
#[automatically_derived]
impl ::infinitic::__private::WorkflowProxy for hello {
    type Marker = ::infinitic::__private::FunctionMarker<hello>;
    const CONTRACT: &'static ::infinitic::__private::WorkflowContract = &::infinitic::__private::WorkflowContract {
        name: "greeting",
        methods: &[
            ::infinitic::__private::MethodContract {
                method: "hello",
                name: "hello",
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
impl hello {
    ///Calls `hello`.
    #[track_caller]
    pub fn hello(&self, name: String) -> ::infinitic::__private::Start<String, Error> {
        ::infinitic::__private::assert_argument::<String>();
        self.__handle
            .start(
                ::infinitic::__private::method_contract(
                    <Self as ::infinitic::__private::WorkflowProxy>::CONTRACT,
                    "hello",
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
                ::infinitic::__private::error_codec!(Error),
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
};
