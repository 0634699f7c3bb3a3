//! `Client::from_config`.

use std::path::Path;

use super::broker::broker;
use crate::client::{Client, ClientError};
use crate::cluster::connection::Connection;
use crate::config::{Config, EmbeddedConfig, Secret, TransportKind};

impl Client {
    /// A client as a configuration file says, and connected: to the broker of `transport.pulsar`,
    /// or to the endpoint of the worker of `transport.embedded`. It may be the workers' own file:
    /// clients skip what is for workers, but for `worker.partitions`, and need no `storage`.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), infinitic_runtime::client::ClientError> {
    /// use infinitic_runtime::client::Client;
    /// let client = Client::from_config("infinitic.yml").await?;
    /// # drop(client); Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ClientError::Config`] with all that is wrong with the file, when it needs a cargo feature
    /// that is not there, or says nothing that a client could connect to;
    /// [`ClientError::Unreachable`] when nobody answers.
    ///
    /// **Cancellation:** nothing has happened when the future is dropped.
    pub async fn from_config(path: impl AsRef<Path>) -> Result<Self, ClientError> {
        Self::with_config(Config::load([path])?).await
    }

    /// The same with several files, of which an earlier one wins; see [`Config::load`].
    ///
    /// # Errors
    /// As [`Client::from_config`].
    ///
    /// **Cancellation:** nothing has happened when the future is dropped.
    pub async fn from_configs<P: AsRef<Path>>(
        paths: impl IntoIterator<Item = P>,
    ) -> Result<Self, ClientError> {
        Self::with_config(Config::load(paths)?).await
    }

    /// The same with a configuration that is read already.
    ///
    /// # Errors
    /// As [`Client::from_config`].
    ///
    /// **Cancellation:** nothing has happened when the future is dropped.
    pub async fn with_config(config: Config) -> Result<Self, ClientError> {
        match &config.transport.kind {
            TransportKind::Pulsar(pulsar) => {
                let connection = Connection::new(broker(&config, pulsar)?, None);
                let reached = connection.transport().await;
                reached.map_err(|error| ClientError::Unreachable {
                    address: pulsar.broker_url.clone(),
                    reason: error.to_string(),
                })?;
                let partitions = config.cluster_settings().partitions;
                Ok(Self::of_cluster(connection, partitions))
            }
            TransportKind::Embedded(embedded) => Self::at_endpoint(&config, embedded).await,
            TransportKind::InMemory => Err(config
                .wrong(
                    "a worker on `transport.inMemory` is reached from its own process only: take \
                     `worker.client()` there, or choose `transport.embedded` with `listen`",
                )
                .into()),
        }
    }

    async fn at_endpoint(config: &Config, embedded: &EmbeddedConfig) -> Result<Self, ClientError> {
        let Some(address) = &embedded.connect else {
            return Err(config
                .wrong(
                    "`transport.embedded` says nowhere where its worker is reached; write \
                     `listen: 127.0.0.1:9070` for both, or `connect: http://127.0.0.1:9070` for \
                     the client, or take `worker.client()` in the worker's process",
                )
                .into());
        };
        let token = embedded.token.as_ref().map(Secret::reveal);
        Self::connect_with_token(address, token).await
    }
}
