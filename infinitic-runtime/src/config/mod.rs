//! Configuration from YAML and TOML: what a worker or a client runs on, and how.
//!
//! [`Config`] is a plain value. Reading it opens nothing and connects to nothing; `Worker` and
//! `Client` do that with it. Every mistake of every source is told at once, with its place, what is
//! accepted and what to write. The keys are those of the JVM version where they have a meaning;
//! each of its others is refused with the reason. `infinitic.example.yml` explains every key.
//!
//! Several sources are merged, and what an earlier one says wins:
//!
//! ```
//! use infinitic_runtime::config::{Sources, TransportKind};
//!
//! let config = Sources::new()
//!     .yaml("mine", "worker: { concurrency: 8 }")
//!     .yaml("common", "transport: { embedded: { path: \"${DATA:-./data}\" } }")
//!     .environment(|_name| None)
//!     .read()?;
//! assert_eq!(config.worker.concurrency, Some(8));
//! let TransportKind::Embedded(embedded) = &config.transport.kind else { unreachable!() };
//! assert_eq!(embedded.path.to_str(), Some("./data"));
//! # Ok::<(), infinitic_runtime::config::ConfigError>(())
//! ```
//!
//! Values may name environment variables: `${NAME}`, or `${NAME:-default}`; `$${` stands for the
//! characters `${`. Passwords and tokens are [`Secret`]s, which are never printed; neither is a
//! wrong value that came from a variable.

mod address;
mod error;
mod hosting;
mod keys;
mod pulsar;
mod reader;
mod reference;
mod secret;
mod source;
mod storage;
mod transport;
mod tree;
mod wiring;

#[cfg(test)]
mod tests;

use std::path::Path;

use infinitic_core::names::ServiceName;

use self::reader::Section;
pub use error::{ConfigError, Fault};
pub use hosting::{LogsConfig, ServiceConfig, WorkerConfig, WorkflowConfig};
pub use pulsar::{
    Authentication, PulsarClientConfig, PulsarConfig, PulsarPolicies, PulsarProducerConfig,
};
pub use reference::reference;
pub use secret::Secret;
pub use source::Sources;
pub use storage::{RedisConfig, SqlConfig, SslMode, StorageConfig};
pub use transport::{EmbeddedConfig, TransportConfig, TransportKind};
pub(crate) use wiring::Tuning;

/// All settings of a worker or a client.
///
/// What is [`None`] was not given: whoever applies it has the default, which the table in
/// `docs/configuration.md` tells.
#[derive(Clone, Debug)]
pub struct Config {
    /// Name of this worker or client.
    pub name: Option<String>,
    /// How messages travel.
    pub transport: TransportConfig,
    /// Where workers keep state; see [`Config::shared_storage`].
    pub storage: Option<StorageConfig>,
    /// Settings of a worker as a whole. A client skips them, but for `partitions`.
    pub worker: WorkerConfig,
    /// Settings of services by name, each name once. A client skips them.
    pub services: Vec<ServiceConfig>,
    /// Settings of workflows by name, each name once. A client skips them.
    pub workflows: Vec<WorkflowConfig>,
    /// How events look in the log.
    pub logs: LogsConfig,
    /// Settings that are accepted and have no effect here, with the reason: to be logged.
    pub notes: Vec<Fault>,
    /// Names of the sources, the one that wins first.
    pub sources: Vec<String>,
}

impl Config {
    /// Reads and merges files; what an earlier one says wins. The format follows from the name:
    /// `.yml`, `.yaml` or `.toml`. Variables are those of this process.
    ///
    /// # Errors
    /// [`ConfigError`] with all that is wrong: files that cannot be read, syntax, unknown and
    /// refused keys, wrong values, missing variables.
    pub fn load<P: AsRef<Path>>(paths: impl IntoIterator<Item = P>) -> Result<Self, ConfigError> {
        let sources = paths.into_iter().fold(Sources::new(), Sources::file);
        sources.read()
    }

    /// Reads one text of YAML, called `yaml` in errors.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse_yaml(text: &str) -> Result<Self, ConfigError> {
        Sources::new().yaml("yaml", text).read()
    }

    /// Reads one text of TOML, called `toml` in errors.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse_toml(text: &str) -> Result<Self, ConfigError> {
        Sources::new().toml("toml", text).read()
    }

    /// The database that a worker on `transport.pulsar` needs when it hosts workflows.
    ///
    /// # Errors
    /// [`ConfigError`] when there is none: clients, and workers that host services only, need none.
    pub fn shared_storage(&self) -> Result<&StorageConfig, ConfigError> {
        self.storage.as_ref().ok_or_else(|| {
            ConfigError::of(
                self.sources.join(", "),
                "`storage` is missing: workers that host workflows on `transport.pulsar` share a \
                 database; it takes a mapping with one of `postgres`, `mysql`, `redis`",
            )
        })
    }

    /// The settings of a service.
    #[must_use]
    pub fn service(&self, name: &str) -> Option<&ServiceConfig> {
        self.services.iter().find(|service| service.name == name)
    }

    /// The settings of a workflow.
    #[must_use]
    pub fn workflow(&self, name: &str) -> Option<&WorkflowConfig> {
        self.workflows.iter().find(|workflow| workflow.name == name)
    }
}

impl Config {
    /// Reads the top level. Mistakes are gathered by the section; then what is answered is not
    /// used.
    fn read(top: &Section<'_>, sources: Vec<String>) -> Self {
        let transport = TransportConfig::read(top);
        let storage = StorageConfig::read(top, transport.as_ref());
        let mut worker = WorkerConfig::read(top);
        if let Some(TransportKind::Pulsar(pulsar)) = transport.as_ref().map(|one| &one.kind) {
            worker.take_redeliveries(top, pulsar.redeliveries_max);
        }
        let stand_in = TransportConfig {
            kind: TransportKind::InMemory,
            shutdown_grace: None,
        };
        Self {
            // Names of workers and of services obey one rule.
            name: top.text_if("name", |text| ServiceName::parse(text).is_ok()),
            transport: transport.unwrap_or(stand_in),
            storage,
            worker,
            services: ServiceConfig::read(top),
            workflows: WorkflowConfig::read(top),
            logs: LogsConfig::read(top),
            notes: Vec::new(),
            sources,
        }
    }
}

/// A setting that may also be switched off, which is more than not setting it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Setting<T> {
    /// Nothing is said: as the code says.
    #[default]
    Unset,
    /// Off, whatever the code says.
    Off,
    /// This, whatever the code says.
    To(T),
}
