//! Services: what hosts their tasks, and what runs one attempt after the other.
//!
//! [`Service`] is implemented by the macros for a value with its contract; [`HostedServices`] keeps
//! such values by their names on the wire; [`Executor`] runs attempts of their tasks, as [`policy`]
//! says; [`task`] is what their code can ask. What workflow code touches (stubs and calls) is
//! elsewhere.

pub mod executor;
mod function;
mod hosted;
pub mod policy;
pub mod task;
mod turn_retries;

use std::sync::Arc;

use infinitic_core::Payload;

use crate::contract::{ServiceContract, TaskFuture, Undecodable};

pub use crate::workflow::{ServiceProxy, ServiceStub};
pub use executor::{Concurrency, Executor, OutcomeSink, StepWork, WaitingTasks};
#[doc(hidden)]
pub use executor::{Ended, SpotExecutor};
pub use function::ServiceFunction;
pub use hosted::{HostError, HostedServices};
pub use policy::{ExponentialRetry, RetryPolicy, RetrySetting, TaskPolicy};
pub use turn_retries::TurnRetries;

/// A value that hosts the tasks of a contract. `Marker` stands for the contract, so that one type
/// may host several; `#[service]` writes the implementation.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no service",
    label = "no `#[service]` implementation is known for this type",
    note = "write `#[service]` on `impl Contract for {Self}`, on its inherent `impl`, or on the \
            `async fn`"
)]
pub trait Service<Marker>: Sized + Send + Sync + 'static {
    /// What the service is called and what its tasks are.
    fn contract() -> &'static ServiceContract;

    /// How its tasks are run.
    fn tasks() -> Vec<TaskHandler<Self>>;
}

/// How one task of `S` is run.
#[derive(Debug)]
pub struct TaskHandler<S> {
    /// The method's name in Rust; the contract knows what it is called on the wire.
    pub method: &'static str,
    /// Retries and time limit of each attempt.
    pub policy: TaskPolicy,
    /// Decodes the arguments and gives the future that runs the method.
    pub run: fn(Arc<S>, &Payload) -> Result<TaskFuture, Undecodable>,
}
