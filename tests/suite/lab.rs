//! A service whose tasks do what the tests of workflows need: answer, wait for the test, fail.

use std::collections::BTreeSet;

use infinitic::prelude::*;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::env::Log;

/// Why a task of the lab fails.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize, TaskError)]
pub(crate) enum Refusal {
    /// Because it was asked to.
    #[error("refused: {0}")]
    Asked(String),
    /// Because its gate is closed.
    #[error("{0} is not there yet")]
    Early(String),
}

/// What workflows of the tests call.
#[service]
pub(crate) trait Lab {
    /// Answers with its argument.
    async fn echo(&self, text: String) -> String;
    /// Answers once the test has opened the gate of that name.
    async fn gated(&self, gate: String) -> String;
    /// Fails.
    async fn refuse(&self, why: String) -> Result<String, Refusal>;
    /// Fails while the gate of that name is closed.
    async fn try_pass(&self, gate: String) -> Result<String, Refusal>;
}

/// The lab as a test holds it: what its tasks did, and the gates that they wait for.
#[derive(Clone, Debug, Default)]
pub(crate) struct TestLab {
    pub(crate) log: Log,
    open: watch::Sender<BTreeSet<String>>,
}

impl TestLab {
    pub(crate) fn open(&self, gate: &str) {
        self.open.send_modify(|open| {
            open.insert(gate.to_owned());
        });
    }

    pub(crate) fn is_open(&self, gate: &str) -> bool {
        self.open.borrow().contains(gate)
    }

    pub(crate) async fn until_open(&self, gate: &str) {
        let mut open = self.open.subscribe();
        open.wait_for(|open| open.contains(gate)).await.unwrap();
    }

    /// Waits until a gated task has begun.
    pub(crate) async fn until_begun(&self, gate: &str) {
        self.log.until(&format!("{gate} begins"), 1).await;
    }
}

#[service]
impl Lab for TestLab {
    async fn echo(&self, text: String) -> String {
        self.log.push(format!("echo {text}"));
        text
    }

    async fn gated(&self, gate: String) -> String {
        self.log.push(format!("{gate} begins"));
        tokio::select! {
            biased;
            () = self.until_open(&gate) => self.log.push(format!("{gate} ends")),
            () = task::cancelled() => self.log.push(format!("{gate} is cancelled")),
        }
        gate
    }

    async fn refuse(&self, why: String) -> Result<String, Refusal> {
        self.log.push(format!("refuse {why}"));
        Err(Refusal::Asked(why))
    }

    async fn try_pass(&self, gate: String) -> Result<String, Refusal> {
        self.log.push(format!("try {gate}"));
        if self.is_open(&gate) {
            Ok(gate)
        } else {
            Err(Refusal::Early(gate))
        }
    }
}

/// A stub of the lab.
pub(crate) fn lab() -> LabStub {
    new_service()
}

/// Names as the tasks take them.
pub(crate) fn name(text: &str) -> String {
    text.to_owned()
}
