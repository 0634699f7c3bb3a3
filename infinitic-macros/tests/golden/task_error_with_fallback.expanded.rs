#[automatically_derived]
impl ::infinitic::__private::TaskError for PaymentError {
    fn retry_hint(&self) -> ::infinitic::__private::RetryHint {
        #[allow(unreachable_patterns)]
        match self {
            Self::Declined { .. } => ::infinitic::__private::RetryHint::Never,
            Self::Busy { .. } => ::infinitic::__private::RetryHint::AfterMs(10000u64),
            _ => ::infinitic::__private::RetryHint::Policy,
        }
    }
    fn failure(&self) -> ::core::option::Option<&::infinitic::__private::Failure> {
        #[allow(unreachable_patterns)]
        match self {
            #[cfg(feature = "calls")]
            Self::Call { source: failure, .. } => ::core::option::Option::Some(failure),
            _ => ::core::option::Option::None,
        }
    }
}
#[automatically_derived]
impl ::core::convert::From<StockError> for PaymentError {
    fn from(source: StockError) -> Self {
        Self::Stock { 0: source }
    }
}
#[automatically_derived]
impl ::core::convert::From<::infinitic::__private::Failure<StockError>>
for PaymentError {
    fn from(failure: ::infinitic::__private::Failure<StockError>) -> Self {
        #[allow(unreachable_patterns, unreachable_code)]
        match ::infinitic::__private::own_error(failure) {
            ::core::result::Result::Ok(error) => Self::Stock { 0: error },
            ::core::result::Result::Err(failure) => Self::Call { source: failure },
        }
    }
}
#[cfg(feature = "calls")]
#[automatically_derived]
impl ::core::convert::From<Failure> for PaymentError {
    fn from(source: Failure) -> Self {
        Self::Call { source: source }
    }
}
#[automatically_derived]
impl ::core::convert::From<::infinitic::__private::Failure<PaymentError>>
for PaymentError {
    fn from(failure: ::infinitic::__private::Failure<PaymentError>) -> Self {
        #[allow(unreachable_patterns, unreachable_code)]
        match ::infinitic::__private::own_error(failure) {
            ::core::result::Result::Ok(error) => error,
            ::core::result::Result::Err(failure) => Self::Call { source: failure },
        }
    }
}
#[automatically_derived]
impl ::core::convert::From<
    ::infinitic::__private::Failure<::infinitic::__private::Never>,
> for PaymentError {
    fn from(
        failure: ::infinitic::__private::Failure<::infinitic::__private::Never>,
    ) -> Self {
        #[allow(unreachable_patterns, unreachable_code)]
        match ::infinitic::__private::own_error(failure) {
            ::core::result::Result::Ok(error) => match error {}
            ::core::result::Result::Err(failure) => Self::Call { source: failure },
        }
    }
}
