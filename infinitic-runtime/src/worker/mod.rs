//! Workers: they host services and workflows, and drive instances over a store.
//!
//! The data's way: `mailbox` → `shard` (engine, turns) → `committer` (one synced write) →
//! executor, clients, other instances. `node` holds the threads, `builder` is what users touch.

mod builder;
mod cache;
mod checkpoint;
mod commit;
mod committer;
mod effects;
mod elsewhere;
mod endpoint;
mod error;
mod eviction;
pub(crate) mod layout;
mod load;
mod maintenance;
mod node;
mod recovery;
mod resting;
mod resume;
mod ringing;
mod running;
mod settings;
mod shard;
mod signals;
mod suspects;
mod turns;
mod watchdog;

use std::sync::Arc;

pub use builder::Worker;
pub use commit::{Commit, Outgoing};
pub use elsewhere::TurnAway;
pub(crate) use elsewhere::TurnDone;
pub use error::WorkerError;
pub(crate) use layout::{history_end, history_key, parse_history_key};
pub use recovery::{Recovered, recover};
pub(crate) use resting::Place;
pub use resting::Which;
pub use settings::{Replay, ShardSettings};
pub(crate) use shard::unreadable;
pub use shard::{OnForeign, Shard};
pub use signals::shutdown_signal;
pub(crate) use watchdog::{Running, RunningTurn, given_up};

pub use crate::mailbox::shard_of;

use crate::workflow::{HostWorkflow, HostedWorkflows};

/// The workflows that a worker hosts.
#[derive(Clone, Debug, Default)]
pub struct Hosted {
    pub(crate) workflows: Arc<HostedWorkflows>,
}

impl Hosted {
    /// The names of the hosted workflows.
    pub(crate) fn names(&self) -> Vec<infinitic_core::names::WorkflowName> {
        self.workflows.names()
    }

    /// Hosts one more workflow.
    ///
    /// # Errors
    /// When the same workflow is hosted in the same version already.
    pub fn workflow<M>(&self, workflow: impl HostWorkflow<M>) -> Result<(), WorkerError> {
        self.workflows
            .insert(workflow.__host())
            .map_err(|twice| WorkerError::WorkflowTwice {
                workflow: twice.name.to_string(),
                version: twice.version,
            })
    }
}
