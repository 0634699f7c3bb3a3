//! Services in function form: an `async fn` that is hosted as it is.

use std::future::Future;
use std::sync::Arc;

use infinitic_core::Payload;
use serde::de::DeserializeOwned;

use super::{Service, ServiceProxy, TaskHandler, TaskPolicy};
use crate::contract::{
    ArgReader, FunctionMarker, ServiceContract, Tagged, TaskFuture, TaskResult, Undecodable,
};

/// What `#[service]` writes for a function, on the type that bears its name.
pub trait ServiceFunction: ServiceProxy + 'static {
    /// What the function returns.
    type Output;

    /// Retries and time limit of each attempt.
    fn policy() -> TaskPolicy;

    /// Encodes what the function returned.
    fn finish(output: Self::Output) -> TaskResult;
}

/// The name of an argument of a function.
fn argument<Contract: ServiceProxy>(index: usize) -> &'static str {
    let task = Contract::CONTRACT.tasks.first();
    task.and_then(|task| task.arguments.get(index))
        .copied()
        .unwrap_or("?")
}

macro_rules! hosted_function {
    ($($index:tt: $arg:ident $value:ident),*) => {
        #[diagnostic::do_not_recommend]
        impl<Fun, Contract, Fut, $($arg),*> Service<FunctionMarker<(Contract, $($arg,)*)>> for Fun
        where
            Fun: Fn($($arg),*) -> Tagged<Contract, Fut> + Send + Sync + 'static,
            Contract: ServiceFunction,
            Fut: Future<Output = Contract::Output> + Send + 'static,
            $($arg: DeserializeOwned + Send + 'static,)*
        {
            fn contract() -> &'static ServiceContract {
                Contract::CONTRACT
            }

            fn tasks() -> Vec<TaskHandler<Self>> {
                fn run<Fun, Contract, Fut, $($arg),*>(
                    function: Arc<Fun>,
                    args: &Payload,
                ) -> Result<TaskFuture, Undecodable>
                where
                    Fun: Fn($($arg),*) -> Tagged<Contract, Fut>,
                    Contract: ServiceFunction,
                    Fut: Future<Output = Contract::Output> + Send + 'static,
                    $($arg: DeserializeOwned,)*
                {
                    const NAMES: &[&str] = &[$(stringify!($value)),*];
                    #[allow(unused_mut, unused_variables)] // Without arguments, nothing is read.
                    let mut args = ArgReader::new(args, NAMES.len())?;
                    $(let $value: $arg = args.next(argument::<Contract>($index))?;)*
                    let future = function($($value),*);
                    Ok(Box::pin(async move { Contract::finish(future.await) }))
                }
                let task = Contract::CONTRACT.tasks.first();
                let task = task.expect("a service in function form has one task");
                vec![TaskHandler {
                    method: task.method,
                    policy: Contract::policy(),
                    run: run::<Fun, Contract, Fut, $($arg),*>,
                }]
            }
        }
    };
}

hosted_function!();
hosted_function!(0: A1 a1);
hosted_function!(0: A1 a1, 1: A2 a2);
hosted_function!(0: A1 a1, 1: A2 a2, 2: A3 a3);
hosted_function!(0: A1 a1, 1: A2 a2, 2: A3 a3, 3: A4 a4);
hosted_function!(0: A1 a1, 1: A2 a2, 2: A3 a3, 3: A4 a4, 4: A5 a5);
hosted_function!(0: A1 a1, 1: A2 a2, 2: A3 a3, 3: A4 a4, 4: A5 a5, 5: A6 a6);
hosted_function!(0: A1 a1, 1: A2 a2, 2: A3 a3, 3: A4 a4, 4: A5 a5, 5: A6 a6, 6: A7 a7);
hosted_function!(0: A1 a1, 1: A2 a2, 2: A3 a3, 3: A4 a4, 4: A5 a5, 5: A6 a6, 6: A7 a7, 7: A8 a8);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{TaskContract, finish_value};
    use crate::service::{HostedServices, ServiceStub};

    /// What the macro writes for `async fn add(a: u32, b: u32) -> u32`.
    #[allow(non_camel_case_types)]
    struct add {
        stub: ServiceStub,
    }

    impl ServiceProxy for add {
        type Marker = FunctionMarker<Self>;
        const CONTRACT: &'static ServiceContract = &ServiceContract {
            name: "add",
            tasks: &[TaskContract {
                method: "add",
                name: "add",
                arguments: &["a", "b"],
                timeout_ms: None,
            }],
        };

        fn __new(stub: ServiceStub) -> Self {
            Self { stub }
        }

        fn __stub(&mut self) -> &mut ServiceStub {
            &mut self.stub
        }
    }

    impl ServiceFunction for add {
        type Output = u32;

        fn policy() -> TaskPolicy {
            TaskPolicy::default()
        }

        fn finish(output: u32) -> TaskResult {
            finish_value(output)
        }
    }

    fn add(a: u32, b: u32) -> Tagged<add, impl Future<Output = u32> + Send> {
        Tagged::new(async move { a + b })
    }

    fn handlers<Marker, S: Service<Marker>>(_: &S) -> Vec<TaskHandler<S>> {
        S::tasks()
    }

    #[tokio::test]
    async fn a_function_is_hosted_as_it_is_and_stays_callable() {
        assert_eq!(add(1, 2).await, 3);
        let handler = handlers(&add).pop().expect("it is one task");
        let args = Payload::from_json("[3,4]");
        let future = (handler.run)(Arc::new(add), &args).expect("they decode");
        assert_eq!(future.await.expect("it cannot fail").as_str(), "7");

        let missing = Payload::from_json("[3]");
        let error = (handler.run)(Arc::new(add), &missing)
            .err()
            .expect("one is missing");
        assert!(
            error.to_string().contains("argument `b` of type `u32`"),
            "{error}"
        );

        let mut hosted = HostedServices::new();
        hosted.insert(add).expect("it is the only one");
        assert_eq!(hosted.names()[0].as_str(), "add");
    }
}
