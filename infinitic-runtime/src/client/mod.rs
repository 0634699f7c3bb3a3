//! Clients: they start and steer instances, from the worker's own process or from another one.

mod error;
mod handle;
mod link;
pub(crate) mod protocol;
mod remote;
mod replies;

pub use error::ClientError;
pub use handle::{Client, Run, Start, WorkflowHandle, WorkflowProxy};

pub(crate) use link::{Answering, Ask, Link, LocalLink, Target, request_of};
pub(crate) use replies::Replies;
