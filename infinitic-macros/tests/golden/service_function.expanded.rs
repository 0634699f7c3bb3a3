#[allow(clippy::type_complexity)]
/// Charges a card.
pub fn charge(
    card: Card,
    amount: Cents,
) -> ::infinitic::__private::Tagged<
    charge,
    impl ::core::future::Future<
        Output = Result<Receipt, PaymentError>,
    > + ::core::marker::Send,
> {
    let __body0 = {
        #[tracing::instrument]
        async fn charge(mut card: Card, amount: Cents) -> Result<Receipt, PaymentError> {
            card.normalise();
            bank::charge(card, amount).await
        }
        charge
    };
    ::infinitic::__private::Tagged::new(__body0(card, amount))
}
#[automatically_derived]
impl ::infinitic::__private::ServiceFunction for charge {
    type Output = Result<Receipt, PaymentError>;
    fn policy() -> ::infinitic::__private::TaskPolicy {
        ::infinitic::__private::TaskPolicy {
            retry: ::infinitic::__private::RetrySetting::Unset,
            timeout_ms: ::core::option::Option::Some(30000u64),
            grace_ms: ::core::option::Option::None,
        }
    }
    fn finish(__returned: Self::Output) -> ::infinitic::__private::TaskResult {
        ::infinitic::__private::assert_value::<Receipt>();
        ::infinitic::__private::finish_result(
            __returned,
            ::infinitic::__private::error_codec!(PaymentError),
        )
    }
}
///Calls the tasks of the service `charge`.
#[allow(non_camel_case_types)]
#[derive(::core::clone::Clone, ::core::fmt::Debug)]
pub struct charge {
    __stub: ::infinitic::__private::ServiceStub,
}
#[automatically_derived]
impl ::infinitic::__private::ServiceProxy for charge {
    type Marker = ::infinitic::__private::FunctionMarker<charge>;
    const CONTRACT: &'static ::infinitic::__private::ServiceContract = &::infinitic::__private::ServiceContract {
        name: "charge",
        tasks: &[
            ::infinitic::__private::TaskContract {
                method: "charge",
                name: "charge",
                arguments: &["card", "amount"],
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
impl charge {
    /// Charges a card.
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
}
const _: () = {
    #[allow(dead_code)]
    fn __travels() {
        {
            ::infinitic::__private::assert_value::<Receipt>();
        }
    }
};
