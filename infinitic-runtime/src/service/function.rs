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
                    const COUNT: usize = { const NAMES: &[&str] = &[$(stringify!($arg)),*]; NAMES.len() };
                    let names = Contract::CONTRACT.tasks.first().map_or(&[][..], |task| task.arguments);
                    let name = |index: usize| names.get(index).copied().unwrap_or("?");
                    let mut args = ArgReader::new(args, COUNT)?;
                    let _ = (&mut args, &name);
                    $(let $value: $arg = args.next(name($index))?;)*
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
