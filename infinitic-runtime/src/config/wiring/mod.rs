//! Workers and clients made from a configuration.
//!
//! All that a configuration says is applied here, refused with the reason, or noted as without
//! effect. Nothing is connected: a worker connects when it runs. What concerns hosted services is
//! kept until then too, since they are hosted after the worker is made.

mod broker;
mod client;
mod database;
mod hosted;
mod worker;

use super::{Config, ConfigError, Fault};
use crate::cluster::ClusterSettings;
pub(crate) use hosted::Tuning;

impl Config {
    /// One mistake that no line alone has.
    fn wrong(&self, message: impl Into<String>) -> ConfigError {
        ConfigError::of(self.sources.join(", "), message)
    }

    /// Says which cargo feature a setting needs.
    #[allow(dead_code, reason = "nothing is missing when all features are there")]
    fn needs_feature(&self, setting: &str, feature: &str) -> ConfigError {
        self.wrong(format!(
            "`{setting}` needs the cargo feature `{feature}`, which this program was built \
             without; build it with it: `infinitic = {{ version = \"…\", features = \
             [\"{feature}\"] }}`, or `cargo … --features {feature}`"
        ))
    }

    /// Says in the log what has no effect.
    fn log_notes(&self, more: Vec<String>) {
        let source = self.sources.join(", ");
        let more = more.into_iter().map(|message| Fault {
            source: source.clone(),
            place: None,
            message,
        });
        for note in self.notes.iter().cloned().chain(more) {
            tracing::warn!("configuration: {note}");
        }
    }

    fn cluster_settings(&self) -> ClusterSettings {
        let (worker, default) = (&self.worker, ClusterSettings::default());
        // A lone setting was compared with the other one's default when it was read.
        ClusterSettings {
            partitions: worker.partitions.unwrap_or(default.partitions),
            tasks_at_home: worker.tasks_at_home.unwrap_or(default.tasks_at_home),
            beat_every: worker.beat.unwrap_or(default.beat_every),
            lease: worker.lease.unwrap_or(default.lease),
        }
    }
}
