impl<B: Bank> Payments for Stripe<B> {
    async fn charge(&self, card: Card, amount: Cents) -> Result<Receipt, PaymentError> {
        self.bank.charge(card, amount).await
    }
    async fn refund(&self, _: Receipt) -> Result<()> {
        Ok(())
    }
    async fn ping(&self) -> u32 {
        7
    }
}
#[automatically_derived]
#[allow(deprecated)]
impl<
    B: Bank,
> ::infinitic::__private::Service<
    (
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
    ),
> for Stripe<B>
where
    Self: ::core::marker::Send + ::core::marker::Sync + 'static,
{
    fn contract() -> &'static ::infinitic::__private::ServiceContract {
        <Self as Payments>::__CONTRACT
    }
    fn tasks() -> ::std::vec::Vec<::infinitic::__private::TaskHandler<Self>> {
        ::std::vec::Vec::from([
            ::infinitic::__private::TaskHandler::<Self> {
                method: "charge",
                policy: ::infinitic::__private::TaskPolicy {
                    retry: ::infinitic::__private::RetrySetting::Exponential(::infinitic::__private::ExponentialRetry {
                        max_attempts: 5u32,
                        initial_ms: 1000u64,
                        max_ms: ::core::option::Option::Some(60000u64),
                        jitter: 0.5f64,
                        coefficient: 2f64,
                    }),
                    timeout_ms: ::core::option::Option::Some(30000u64),
                    grace_ms: ::core::option::Option::Some(5000u64),
                },
                run: |__service, __args| {
                    let mut __args = ::infinitic::__private::ArgReader::new(
                        __args,
                        2usize,
                    )?;
                    ::infinitic::__private::assert_argument::<Card>();
                    let __a0: Card = __args.next("card")?;
                    ::infinitic::__private::assert_argument::<Cents>();
                    let __a1: Cents = __args.next("amount")?;
                    ::core::result::Result::Ok(
                        ::std::boxed::Box::pin(async move {
                            let __returned = <Self as Payments>::charge(
                                    &__service,
                                    __a0,
                                    __a1,
                                )
                                .await;
                            ::infinitic::__private::assert_value::<Receipt>();
                            ::infinitic::__private::finish_result(
                                __returned,
                                ::infinitic::__private::error_codec!(PaymentError),
                            )
                        }),
                    )
                },
            },
            ::infinitic::__private::TaskHandler::<Self> {
                method: "refund",
                policy: ::infinitic::__private::TaskPolicy {
                    retry: ::infinitic::__private::RetrySetting::Exponential(::infinitic::__private::ExponentialRetry {
                        max_attempts: 3u32,
                        initial_ms: 1000u64,
                        max_ms: ::core::option::Option::None,
                        jitter: 0.5f64,
                        coefficient: 2f64,
                    }),
                    timeout_ms: ::core::option::Option::None,
                    grace_ms: ::core::option::Option::None,
                },
                run: |__service, __args| {
                    let mut __args = ::infinitic::__private::ArgReader::new(
                        __args,
                        1usize,
                    )?;
                    ::infinitic::__private::assert_argument::<Receipt>();
                    let __a0: Receipt = __args.next("_")?;
                    ::core::result::Result::Ok(
                        ::std::boxed::Box::pin(async move {
                            let __returned = <Self as Payments>::refund(&__service, __a0)
                                .await;
                            ::infinitic::__private::assert_value::<
                                <Result<()> as ::infinitic::__private::ResultParts>::Value,
                            >();
                            ::infinitic::__private::finish_result(
                                __returned,
                                ::infinitic::__private::error_codec!(
                                    < Result < () > as ::infinitic::__private::ResultParts >
                                    ::Error
                                ),
                            )
                        }),
                    )
                },
            },
            ::infinitic::__private::TaskHandler::<Self> {
                method: "ping",
                policy: ::infinitic::__private::TaskPolicy {
                    retry: ::infinitic::__private::RetrySetting::Custom(|| ::std::boxed::Box::new(Patient {
                        limit: 3,
                    })),
                    timeout_ms: ::core::option::Option::None,
                    grace_ms: ::core::option::Option::None,
                },
                run: |__service, __args| {
                    let _ = ::infinitic::__private::ArgReader::new(__args, 0)?;
                    ::core::result::Result::Ok(
                        ::std::boxed::Box::pin(async move {
                            let __returned = <Self as Payments>::ping(&__service).await;
                            ::infinitic::__private::assert_value::<u32>();
                            ::infinitic::__private::finish_value(__returned)
                        }),
                    )
                },
            },
        ])
    }
}
