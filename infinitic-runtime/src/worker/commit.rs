//! What a round of a shard gives: rows to write, and what leaves when they are durable.

use infinitic_core::names::ServiceName;
use infinitic_core::{Answer, CommandId, InstanceId, Message, RequestId, StepAttempt, TaskAttempt};

use super::elsewhere::TurnAway;
use super::layout;
use super::resting::Which;
use crate::backend::{HistoryRow, RowOp};
use crate::workflow::StepJob;

/// Something that leaves a shard once its commit is durable.
#[derive(Debug)]
pub enum Outgoing {
    /// An attempt for a service.
    Task(Box<TaskAttempt>),
    /// An attempt of a step, with what it runs.
    Step(Box<StepAttempt>, StepJob),
    /// An attempt that is no longer wanted.
    CancelAttempt(CommandId, Which, Option<ServiceName>),
    /// Something to tell a client.
    Answer(RequestId, Answer),
    /// A turn, or a step, for a worker that hosts the instance's version.
    Turn(Box<TurnAway>),
    /// A message that the shard sends to itself once what it wrote is durable.
    Message(InstanceId, Message),
}

/// What one round wrote and sends.
#[derive(Debug)]
pub struct Commit {
    /// The shard.
    pub shard: u16,
    /// The number of this commit in its shard.
    pub number: u64,
    /// The history rows that it appends: at most one of each instance.
    pub history: Vec<HistoryRow>,
    /// All other rows.
    pub ops: Vec<RowOp>,
    /// What leaves when the rows are durable.
    pub outgoing: Vec<Outgoing>,
}

impl Commit {
    /// All rows, for a store that belongs to one process and need not compare; and what leaves.
    #[must_use]
    pub fn into_rows(self) -> (Vec<RowOp>, Vec<Outgoing>) {
        let mut ops: Vec<RowOp> = self.history.into_iter().map(layout::put_history).collect();
        ops.extend(self.ops);
        (ops, self.outgoing)
    }
}
