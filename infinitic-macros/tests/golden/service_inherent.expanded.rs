impl Emails {
    pub fn new() -> Self {
        Self {}
    }
    pub async fn send(&self, mut mail: Mail) -> Result<(), SendError> {
        self.connect(&mail).await
    }
    async fn connect(&self, mail: &Mail) -> Result<(), SendError> {
        Ok(())
    }
}
///Calls the tasks of the service `mails`.
#[derive(::core::clone::Clone, ::core::fmt::Debug)]
pub struct EmailsStub {
    __stub: ::infinitic::__private::ServiceStub,
}
#[automatically_derived]
impl ::infinitic::__private::ServiceProxy for EmailsStub {
    type Marker = (
        ::infinitic::__private::C<'E'>,
        (
            ::infinitic::__private::C<'m'>,
            (
                ::infinitic::__private::C<'a'>,
                (
                    ::infinitic::__private::C<'i'>,
                    (
                        ::infinitic::__private::C<'l'>,
                        (::infinitic::__private::C<'s'>, ()),
                    ),
                ),
            ),
        ),
    );
    const CONTRACT: &'static ::infinitic::__private::ServiceContract = &::infinitic::__private::ServiceContract {
        name: "mails",
        tasks: &[
            ::infinitic::__private::TaskContract {
                method: "send",
                name: "send",
                arguments: &["mail"],
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
impl EmailsStub {
    ///Calls `send`.
    #[track_caller]
    pub fn send(&self, mail: Mail) -> ::infinitic::__private::Call<(), SendError> {
        ::infinitic::__private::assert_argument::<Mail>();
        self.__stub
            .call(
                ::infinitic::__private::task_contract(
                    <Self as ::infinitic::__private::ServiceProxy>::CONTRACT,
                    "send",
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
                    __encode(&mail)
                },
                ::infinitic::__private::error_codec!(SendError),
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
};
#[automatically_derived]
#[allow(deprecated)]
impl ::infinitic::__private::Service<
    (
        ::infinitic::__private::C<'E'>,
        (
            ::infinitic::__private::C<'m'>,
            (
                ::infinitic::__private::C<'a'>,
                (
                    ::infinitic::__private::C<'i'>,
                    (
                        ::infinitic::__private::C<'l'>,
                        (::infinitic::__private::C<'s'>, ()),
                    ),
                ),
            ),
        ),
    ),
> for Emails {
    fn contract() -> &'static ::infinitic::__private::ServiceContract {
        <EmailsStub as ::infinitic::__private::ServiceProxy>::CONTRACT
    }
    fn tasks() -> ::std::vec::Vec<::infinitic::__private::TaskHandler<Self>> {
        ::std::vec::Vec::from([
            ::infinitic::__private::TaskHandler::<Self> {
                method: "send",
                policy: ::infinitic::__private::TaskPolicy {
                    retry: ::infinitic::__private::RetrySetting::None,
                    timeout_ms: ::core::option::Option::None,
                    grace_ms: ::core::option::Option::None,
                },
                run: |__service, __args| {
                    let mut __args = ::infinitic::__private::ArgReader::new(
                        __args,
                        1usize,
                    )?;
                    ::infinitic::__private::assert_argument::<Mail>();
                    let __a0: Mail = __args.next("mail")?;
                    ::core::result::Result::Ok(
                        ::std::boxed::Box::pin(async move {
                            let __returned = Self::send(&__service, __a0).await;
                            ::infinitic::__private::assert_value::<()>();
                            ::infinitic::__private::finish_result(
                                __returned,
                                ::infinitic::__private::error_codec!(SendError),
                            )
                        }),
                    )
                },
            },
        ])
    }
}
