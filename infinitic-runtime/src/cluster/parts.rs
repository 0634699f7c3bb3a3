//! How many partitions the workflows have.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use infinitic_core::names::WorkflowName;

use super::transport::{Transport, TransportError};

/// Pause before the broker is asked again.
const PAUSE: Duration = Duration::from_millis(500);

/// Asks the broker once for each workflow name.
#[derive(Debug)]
pub(crate) struct PartCounts {
    transport: Arc<dyn Transport>,
    wanted: u16,
    known: Mutex<HashMap<WorkflowName, u16>>,
    asking: tokio::sync::Mutex<Asked>,
    /// Questions that have been answered, well or not.
    answered: AtomicU64,
}

/// How the last question ended, for those who waited meanwhile.
#[derive(Debug, Default)]
struct Asked(Option<TransportError>);

impl PartCounts {
    /// `wanted` is how many a workflow gets that has none yet.
    pub(crate) fn new(transport: Arc<dyn Transport>, wanted: u16) -> Arc<Self> {
        Arc::new(Self {
            transport,
            wanted,
            known: Mutex::default(),
            asking: tokio::sync::Mutex::default(),
            answered: AtomicU64::new(0),
        })
    }

    pub(crate) fn known(&self, workflow: &WorkflowName) -> Option<u16> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(workflow).copied()
    }

    /// Notes what somebody else has asked.
    pub(crate) fn note(&self, workflow: &WorkflowName, parts: u16) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(workflow.clone(), parts);
    }

    /// Asks once, and together with all that ask meanwhile: each question costs the broker a call
    /// for each partition, and a client may begin with a thousand asks.
    pub(crate) async fn try_ask(&self, workflow: &WorkflowName) -> Result<u16, TransportError> {
        if let Some(parts) = self.known(workflow) {
            return Ok(parts);
        }
        let seen = self.answered.load(Ordering::SeqCst);
        let mut asked = self.asking.lock().await;
        if let Some(parts) = self.known(workflow) {
            return Ok(parts);
        }
        let is_newer = self.answered.load(Ordering::SeqCst) > seen;
        if let (true, Asked(Some(error))) = (is_newer, &*asked) {
            return Err(error.clone());
        }
        let answer = self.transport.inboxes(workflow, self.wanted).await;
        asked.0 = answer.clone().err();
        self.answered.fetch_add(1, Ordering::SeqCst);
        let parts = answer?;
        self.note(workflow, parts);
        Ok(parts)
    }

    /// Asks until there is an answer.
    pub(crate) async fn ask(&self, workflow: &WorkflowName) -> u16 {
        let mut told = false;
        loop {
            match self.try_ask(workflow).await {
                Ok(parts) => return parts,
                Err(error) => {
                    if !told {
                        tracing::error!("the inboxes of {workflow} cannot be reached: {error}");
                    }
                    told = true;
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}
