//! Workflow-as-code: durable business processes as ordinary `async` Rust.

pub use infinitic_core::{
    CommandId, FailureKind, InstanceId, InstanceState, Position, Status, TaskId, Timestamp,
};
#[doc(hidden)]
pub use infinitic_runtime::__private;
pub use infinitic_runtime::backend::{StoreCounters, StoreMeter};
pub use infinitic_runtime::client::{self, Client, ClientError, Run, Start, WorkflowProxy};
#[cfg(feature = "config")]
pub use infinitic_runtime::config;
pub use infinitic_runtime::failure::{Error, Failure, Never, Result, TaskError};
pub use infinitic_runtime::macros::{TaskError, join, select, service, workflow};
pub use infinitic_runtime::service::{ExponentialRetry, RetryPolicy, TurnRetries, task};
pub use infinitic_runtime::worker::{Replay, Worker, WorkerError, shutdown_signal};
pub use infinitic_runtime::workflow::{
    Call, Deferred, DeferredStatus, Property, ServiceProxy, all, any, inline, new_service, now,
    random, step, timer, timer_at, uuid, workflow,
};

/// What almost every program needs: `use infinitic::prelude::*`.
pub mod prelude {
    pub use super::*;
}

/// The pages for people, compiled by the tests.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../README.md")]
    struct Readme;
    #[doc = include_str!("../docs/guide.md")]
    struct Guide;
    #[cfg(feature = "config")]
    #[doc = include_str!("../docs/configuration.md")]
    struct Configuration;
}
