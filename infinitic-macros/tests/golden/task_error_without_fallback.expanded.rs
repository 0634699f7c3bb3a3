#[automatically_derived]
impl ::infinitic::__private::TaskError for StockError {
    fn retry_hint(&self) -> ::infinitic::__private::RetryHint {
        #[allow(unreachable_patterns)]
        match self {
            Self::Empty { .. } => ::infinitic::__private::RetryHint::Never,
            _ => ::infinitic::__private::RetryHint::Policy,
        }
    }
    fn failure(&self) -> ::core::option::Option<&::infinitic::__private::Failure> {
        #[allow(unreachable_patterns)]
        match self {
            _ => ::core::option::Option::None,
        }
    }
}
#[automatically_derived]
impl<__E> ::core::convert::From<::infinitic::__private::Failure<__E>> for StockError
where
    Self: ::infinitic::__private::FromFailure<__E>,
{
    fn from(failure: ::infinitic::__private::Failure<__E>) -> Self {
        ::infinitic::__private::FromFailure::from_failure(failure)
    }
}
