//! `services`: how what a program hosts is run. It wins over what the code says.

use crate::config::{ServiceConfig, Setting};
use crate::service::{Concurrency, HostedServices, RetrySetting, TaskPolicy};

/// What is said of services, until they are hosted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tuning {
    services: Vec<ServiceConfig>,
}

impl Tuning {
    pub(super) fn new(services: Vec<ServiceConfig>) -> Self {
        Self { services }
    }

    /// Attempts at the same time, by service; 0: none.
    pub(crate) fn concurrency(&self) -> Vec<(String, usize)> {
        let services = self.services.iter();
        services
            .filter_map(|service| Some((service.name.clone(), service.concurrency?)))
            .collect()
    }

    /// Changes the policies of hosted services, and removes those that are not to run here.
    pub(crate) fn apply(&self, hosted: &mut HostedServices, concurrency: &Concurrency) {
        for service in &self.services {
            let name = &service.name;
            if !hosted.change_policies(name, |policy| change(policy, service)) {
                tracing::info!("configuration: service {name} is not hosted by this program");
            }
            // Not by the number above: the program may have said another one since.
            if concurrency.services.get(name) == Some(&0) {
                tracing::info!("configuration: this worker runs no attempts of service {name}");
                hosted.remove(name);
            }
        }
    }
}

fn change(policy: &mut TaskPolicy, service: &ServiceConfig) {
    match service.timeout {
        Setting::Unset => {}
        Setting::Off => policy.timeout_ms = None,
        Setting::To(limit) => {
            // Parts of a millisecond count as one: no limit becomes none.
            let millis = limit.as_nanos().div_ceil(1_000_000);
            policy.timeout_ms = Some(u64::try_from(millis).unwrap_or(u64::MAX));
        }
    }
    match RetrySetting::from(service.retry) {
        RetrySetting::Unset => {}
        set => policy.retry = set,
    }
}
