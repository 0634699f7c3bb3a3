//! `Worker::from_config`.

use std::path::Path;

use infinitic_core::names::WorkflowName;

use super::broker::broker;
use super::database::database;
use super::hosted::Tuning;
use crate::cluster::connection::Connection;
use crate::config::{Config, ConfigError, EmbeddedConfig, PulsarConfig, Setting, TransportKind};
use crate::worker::{ShardSettings, Worker, WorkerError};

impl Worker {
    /// A worker as a configuration file says: on a broker and a database, on a directory of this
    /// machine, or in memory. `docs/configuration.md` tells all keys, `infinitic.example.yml`
    /// explains them.
    ///
    /// What the file says of a service wins over its code's attributes. What the program says with
    /// the methods of this type wins over the file, as it is said later. A directory is opened at
    /// once; a broker and a database are connected when the worker runs.
    ///
    /// ```no_run
    /// # fn example() -> Result<(), infinitic_runtime::worker::WorkerError> {
    /// use infinitic_runtime::worker::Worker;
    /// let worker = Worker::from_config("infinitic.yml")?;
    /// # drop(worker); Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`WorkerError::Config`] with all that is wrong with the file, or when it needs a cargo
    /// feature that is not there; [`WorkerError::Open`] when a directory cannot be used.
    pub fn from_config(path: impl AsRef<Path>) -> Result<Self, WorkerError> {
        Self::with_config(Config::load([path])?)
    }

    /// The same with several files, of which an earlier one wins; see [`Config::load`].
    ///
    /// # Errors
    /// As [`Worker::from_config`].
    pub fn from_configs<P: AsRef<Path>>(
        paths: impl IntoIterator<Item = P>,
    ) -> Result<Self, WorkerError> {
        Self::with_config(Config::load(paths)?)
    }

    /// The same with a configuration that is read already.
    ///
    /// # Errors
    /// As [`Worker::from_config`].
    pub fn with_config(config: Config) -> Result<Self, WorkerError> {
        config.check_workflows()?;
        let worker = match &config.transport.kind {
            TransportKind::Pulsar(pulsar) => Self::on_broker(&config, pulsar)?,
            TransportKind::Embedded(embedded) => Self::on_directory(&config, embedded)?,
            TransportKind::InMemory => Self::in_memory(),
        };
        config.log_notes(config.without_effect());
        Ok(worker.set(config))
    }

    fn on_broker(config: &Config, pulsar: &PulsarConfig) -> Result<Self, ConfigError> {
        let storage = config.storage.as_ref();
        let storage = storage
            .map(|storage| database(config, storage))
            .transpose()?;
        let connection = Connection::new(broker(config, pulsar)?, storage);
        Ok(Self::connected(connection, config.cluster_settings()))
    }

    #[cfg(feature = "embedded")]
    fn on_directory(_: &Config, embedded: &EmbeddedConfig) -> Result<Self, WorkerError> {
        let worker = Self::embedded(&embedded.path)?;
        Ok(match (&embedded.listen, &embedded.token) {
            (Some(address), Some(token)) => worker.listen_with_token(address, token.reveal()),
            (Some(address), None) => worker.listen(address),
            (None, _) => worker,
        })
    }

    #[cfg(not(feature = "embedded"))]
    fn on_directory(config: &Config, _: &EmbeddedConfig) -> Result<Self, WorkerError> {
        Err(config
            .needs_feature("transport.embedded", "embedded")
            .into())
    }

    /// Applies what is the same on every backend.
    fn set(mut self, config: Config) -> Self {
        let default = ShardSettings::default();
        let settings = config.worker;
        if let Some(name) = config.name {
            self = self.name(name);
        }
        if let Some(attempts) = settings.concurrency {
            self = self.concurrency(attempts);
        }
        if let Some(shards) = settings.shards {
            self = self.shards(shards);
        }
        if let Some(times) = settings.max_deliveries {
            self = self.max_deliveries(times);
        }
        if let Some(retention) = settings.retention {
            self = self.retention(retention);
        }
        if let Some(limit) = settings.turn_limit {
            self = self.turn_limit(limit);
        }
        if let Some(format) = settings.write_format {
            self = self.write_format(format);
        }
        if let Some(grace) = config.transport.shutdown_grace {
            self = self.grace(grace);
        }
        let warm = settings.warm_instances.unwrap_or(default.warm_max);
        let cached = settings.cached_instances.unwrap_or(default.cached_max);
        self = self.memory(warm, cached);
        for workflow in config.workflows {
            let policy = match workflow.retry {
                Setting::Unset => continue,
                Setting::Off => None,
                Setting::To(retry) => Some(retry.into()),
            };
            // It was read as a valid name.
            if let Ok(name) = WorkflowName::parse(&workflow.name) {
                self = self.retry_turns_of(name, policy);
            }
        }
        self.tuned(Tuning::new(config.services))
    }
}

impl Config {
    /// Refuses what no worker of this version does.
    fn check_workflows(&self) -> Result<(), ConfigError> {
        let is_shared = matches!(self.transport.kind, TransportKind::Pulsar(_));
        let reason = match is_shared {
            true => "not available yet in this version: a worker that hosts a workflow does both",
            false => "a worker without a broker does both, as there is no other one",
        };
        for workflow in &self.workflows {
            let name = &workflow.name;
            for (is_on, part) in [
                (workflow.runs_turns, "executor"),
                (workflow.owns_instances, "stateEngine"),
            ] {
                if !is_on {
                    return Err(self.wrong(format!(
                        "`{part}.concurrency` of workflow `{name}` is 0: {reason}; remove it, or \
                         host the workflow in another program"
                    )));
                }
            }
        }
        Ok(())
    }

    /// What is said and changes nothing on the chosen transport.
    fn without_effect(&self) -> Vec<String> {
        let worker = &self.worker;
        let on_broker = matches!(self.transport.kind, TransportKind::Pulsar(_));
        let (transport, settings): (_, &[(&str, bool)]) = match on_broker {
            true => (
                "transport.pulsar",
                &[("worker.shards", worker.shards.is_some())],
            ),
            false => (
                "a transport without a broker",
                &[
                    ("worker.partitions", worker.partitions.is_some()),
                    ("worker.tasksAtHome", worker.tasks_at_home.is_some()),
                    ("worker.beat", worker.beat.is_some()),
                    ("worker.lease", worker.lease.is_some()),
                ],
            ),
        };
        let said = settings.iter().filter(|(_, is_said)| *is_said);
        said.map(|(key, _)| format!("`{key}` has no effect on {transport}"))
            .collect()
    }
}
