/// Moves money.
pub trait Payments {
    /// Takes money from a card.
    fn charge(
        &self,
        card: Card,
        amount: Cents,
    ) -> impl ::core::future::Future<
        Output = Result<Receipt, PaymentError>,
    > + ::core::marker::Send;
    fn refund(
        &self,
        receipt: Receipt,
    ) -> impl ::core::future::Future<Output = Result<()>> + ::core::marker::Send;
    #[cfg(feature = "audit")]
    fn r#match(
        &self,
    ) -> impl ::core::future::Future<Output = u32> + ::core::marker::Send;
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
                method: "charge",
                name: "charge",
                arguments: &["card", "amount"],
                timeout_ms: ::core::option::Option::None,
            },
            ::infinitic::__private::TaskContract {
                method: "refund",
                name: "give-back",
                arguments: &["receipt"],
                timeout_ms: ::core::option::Option::Some(120000u64),
            },
            #[cfg(feature = "audit")]
            ::infinitic::__private::TaskContract {
                method: "match",
                name: "match",
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
    /// Takes money from a card.
    #[track_caller]
    pub fn charge(
        &self,
        card: Card,
        amount: Cents,
    ) -> ::infinitic::__private::Call<Receipt, PaymentError> {
        ::infinitic::__private::assert_argument::<Card>();
        ::infinitic::__private::assert_argument::<Cents>();
        self.__stub
            .call(
                ::infinitic::__private::task_contract(
                    <Self as ::infinitic::__private::ServiceProxy>::CONTRACT,
                    "charge",
                ),
                {
                    fn __encode<
                        A0: ::infinitic::__private::Argument,
                        A1: ::infinitic::__private::Argument,
                    >(
                        __a0: &A0,
                        __a1: &A1,
                    ) -> ::core::result::Result<
                        ::infinitic::__private::Payload,
                        ::infinitic::__private::Undecodable,
                    > {
                        ::infinitic::__private::encode_args(&(__a0, __a1))
                    }
                    __encode(&card, &amount)
                },
                ::infinitic::__private::error_codec!(PaymentError),
            )
    }
    ///Calls `refund`.
    #[track_caller]
    pub fn refund(
        &self,
        receipt: Receipt,
    ) -> ::infinitic::__private::Call<
        <Result<()> as ::infinitic::__private::ResultParts>::Value,
        <Result<()> as ::infinitic::__private::ResultParts>::Error,
    > {
        ::infinitic::__private::assert_argument::<Receipt>();
        self.__stub
            .call(
                ::infinitic::__private::task_contract(
                    <Self as ::infinitic::__private::ServiceProxy>::CONTRACT,
                    "refund",
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
                    __encode(&receipt)
                },
                ::infinitic::__private::error_codec!(
                    < Result < () > as ::infinitic::__private::ResultParts > ::Error
                ),
            )
    }
    #[cfg(feature = "audit")]
    ///Calls `match`.
    #[track_caller]
    pub fn r#match(
        &self,
    ) -> ::infinitic::__private::Call<u32, ::infinitic::__private::Never> {
        self.__stub
            .call(
                ::infinitic::__private::task_contract(
                    <Self as ::infinitic::__private::ServiceProxy>::CONTRACT,
                    "match",
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
            ::infinitic::__private::assert_value::<Receipt>();
        }
        {
            ::infinitic::__private::assert_value::<
                <Result<()> as ::infinitic::__private::ResultParts>::Value,
            >();
        }
        #[cfg(feature = "audit")]
        {
            ::infinitic::__private::assert_value::<u32>();
        }
    }
    #[cfg(feature = "audit")]
    const _: () = {
        #[allow(unused_imports)]
        use ::infinitic::__private::NotResult as _;
        ::core::assert!(
            ! ::infinitic::__private::ReturnProbe:: < u32 > ::IS_RESULT,
            "this is a `Result` behind a name that does not say so, which hides its error from the macro; accepted: `Result<T, E>`, or an alias that is named `Result`; write: the `Result` itself"
        )
    };
};
