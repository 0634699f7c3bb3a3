//! What workflow code touches, and the turns that run it.

mod call;
mod combine;
mod context;
mod deferred;
mod hosted;
mod live;
mod outcome;
mod property;
mod recorder;
mod step;
mod timer;

pub use call::{Call, ServiceStub};
pub use combine::{all, any};
pub use context::{ServiceProxy, inline, new_service, now, random, uuid, workflow};
pub use deferred::{Deferred, DeferredStatus};
pub use hosted::{
    ByFactory, HostWorkflow, HostedWorkflow, MethodHandler, Workflow, WorkflowFunction,
    WorkflowStruct,
};
pub use property::{Binder, Property};
pub use step::{Step, StepJob, step};
pub use timer::{Timer, timer, timer_at};

pub(crate) use hosted::HostedWorkflows;
pub(crate) use live::{LiveRun, Replayed, foreign_explanation, stopped};
pub(crate) use recorder::RunInfo;
