//! temp
use super::HostedServices;
use crate::workflow::StepJob;
use infinitic_core::*;
use std::collections::HashMap;
use std::sync::Arc;
#[derive(Debug, Default)]
pub struct ExecutorSettings {
    pub concurrency: usize,
    pub overrides: HashMap<String, usize>,
}
#[derive(Debug)]
pub struct Executor;
impl Executor {
    pub fn new(
        _h: tokio::runtime::Handle,
        _s: HostedServices,
        _e: ExecutorSettings,
        _o: Arc<dyn Fn(InstanceId, Message) + Send + Sync>,
    ) -> Arc<Self> {
        Arc::new(Self)
    }
    pub fn dispatch(&self, _a: Vec<TaskAttempt>) {}
    pub fn run_step(&self, _a: StepAttempt, _j: StepJob) {}
    pub fn cancel(&self, _i: CommandId) {}
    pub async fn drain(&self, _d: std::time::Duration) {}
}
