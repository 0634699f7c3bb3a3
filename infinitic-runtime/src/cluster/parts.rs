//! How many partitions the workflows have.

use std::collections::HashMap;
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
}

impl PartCounts {
    /// `wanted` is how many a workflow gets that has none yet.
    pub(crate) fn new(transport: Arc<dyn Transport>, wanted: u16) -> Arc<Self> {
        Arc::new(Self {
            transport,
            wanted,
            known: Mutex::default(),
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

    /// Asks once.
    pub(crate) async fn try_ask(&self, workflow: &WorkflowName) -> Result<u16, TransportError> {
        if let Some(parts) = self.known(workflow) {
            return Ok(parts);
        }
        let parts = self.transport.inboxes(workflow, self.wanted).await?;
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
