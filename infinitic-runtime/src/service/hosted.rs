//! The services that a worker hosts, by their names on the wire, with their types forgotten.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use infinitic_core::Payload;
use infinitic_core::names::{ServiceName, TaskName};

use super::{Service, TaskPolicy};
use crate::contract::{TaskFuture, Undecodable, task_contract};

/// A hosted task: its policy, and what gives the future of one attempt.
pub(crate) struct HostedTask {
    pub(crate) policy: TaskPolicy,
    pub(crate) run: Run,
}

/// Decodes the arguments and gives the future of one attempt.
pub(crate) type Run = Box<dyn Fn(&Payload) -> Result<TaskFuture, Undecodable> + Send + Sync>;

/// The tasks of one service.
pub(crate) type HostedTasks = HashMap<TaskName, Arc<HostedTask>>;

/// The services that a worker hosts.
#[derive(Default)]
pub struct HostedServices {
    services: HashMap<ServiceName, HostedTasks>,
}

/// Why a service cannot be hosted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// Two values host the same task.
    #[error(
        "task `{service}.{task}` is hosted twice: host each service once in a worker, or give one \
         of them another name by `#[service(name = \"…\")]`"
    )]
    Twice {
        /// The service.
        service: ServiceName,
        /// The task.
        task: TaskName,
    },
}

impl HostedServices {
    /// None so far.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Hosts the tasks of a value's contract. A service may be hosted in parts, by several values.
    ///
    /// # Errors
    /// [`HostError::Twice`] when one of its tasks is hosted already; then none of them is added.
    pub fn insert<Marker, S: Service<Marker>>(&mut self, service: S) -> Result<(), HostError> {
        let contract = S::contract();
        let name = ServiceName::known(contract.name);
        let handlers = S::tasks();
        let wire = |method| TaskName::known(task_contract(contract, method).name);
        if let Some(tasks) = self.services.get(&name) {
            let hosted = |task: &TaskName| tasks.contains_key(task);
            if let Some(task) = handlers.iter().map(|h| wire(h.method)).find(hosted) {
                return Err(HostError::Twice {
                    service: name,
                    task,
                });
            }
        }
        let service = Arc::new(service);
        let tasks = self.services.entry(name).or_default();
        for handler in handlers {
            let service = Arc::clone(&service);
            let hosted = HostedTask {
                policy: handler.policy,
                run: Box::new(move |args| (handler.run)(Arc::clone(&service), args)),
            };
            tasks.insert(wire(handler.method), Arc::new(hosted));
        }
        Ok(())
    }

    /// Names of the hosted services, sorted.
    #[must_use]
    pub fn names(&self) -> Vec<ServiceName> {
        let mut names: Vec<_> = self.services.keys().cloned().collect();
        names.sort();
        names
    }

    /// Whether none is hosted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.services.is_empty()
    }

    /// Changes the policies of a service's tasks; false when it is not hosted.
    #[cfg(feature = "config")]
    pub(crate) fn change_policies(
        &mut self,
        service: &str,
        change: impl Fn(&mut TaskPolicy),
    ) -> bool {
        let service = self
            .services
            .iter_mut()
            .find(|(name, _)| name.as_str() == service);
        let Some((_, tasks)) = service else {
            return false;
        };
        for task in tasks.values_mut() {
            let task = Arc::get_mut(task).expect("nothing runs before all is hosted");
            change(&mut task.policy);
        }
        true
    }

    /// Hosts a service no longer.
    #[cfg(feature = "config")]
    pub(crate) fn remove(&mut self, service: &str) {
        self.services.retain(|name, _| name.as_str() != service);
    }

    pub(crate) fn into_services(self) -> HashMap<ServiceName, HostedTasks> {
        self.services
    }
}

impl fmt::Debug for HostedServices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HostedServices")
            .field(&self.names())
            .finish()
    }
}
