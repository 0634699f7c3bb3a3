//! Vocabulary, engine, histories and wire formats of infinitic. No I/O, no clock, no randomness.
//!
//! Read in this order: [`message`] (what arrives), [`entry`] (what is stored), [`effect`] (what is
//! asked of the world), [`engine`] (how one leads to the others), [`codec`] (bytes).

pub mod codec;
pub mod command;
pub mod effect;
pub mod engine;
pub mod entry;
pub mod failure;
pub mod history;
pub mod ids;
pub mod instance;
pub mod message;
pub mod names;
mod open;
pub mod outcome;
pub mod payload;
pub mod time;

pub use command::{CallOptions, Command, RunResult, Target};
pub use effect::{Answer, Effect, InstanceState, StepAttempt, TaskAttempt};
pub use entry::{Entry, KeptCommand, Steering};
pub use failure::{FailureKind, FailureRecord, Origin};
pub use history::{DeliveredOutcome, History, RunHistory};
pub use ids::{
    Attempt, CommandId, InstanceId, InvalidId, Position, Reopening, RequestId, RunNo, Sequence,
    TaskId,
};
pub use instance::{Instance, Status};
pub use message::{AttemptResult, Cut, Message, Start, TimerKey, TimerKind, TurnReport};
pub use outcome::Outcome;
pub use payload::Payload;
pub use time::Timestamp;
