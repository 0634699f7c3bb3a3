//! What a connection to Pulsar needs to know.

use std::fmt;
use std::path::PathBuf;

use super::auth::Auth;

/// How to reach a Pulsar, and what to make there. Start from [`PulsarSettings::new`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PulsarSettings {
    /// `pulsar://host:6650`, or `pulsar+ssl://host:6651`.
    pub broker_url: String,
    /// Of the REST interface: `http://host:8080`, or `https://host:8443`.
    pub admin_url: String,
    /// Made when it is missing and the role may.
    pub tenant: String,
    /// Made when it is missing and the role may, with [`PulsarSettings::policies`].
    pub namespace: String,
    /// For topics that go when their reader does: answers to clients, messages to members,
    /// cancels. `<namespace>-transient` when none. Made when it is missing and the role may.
    pub transient_namespace: Option<String>,
    /// The clusters of a tenant that is made here. All that the broker names when none.
    pub allowed_clusters: Option<Vec<String>>,
    /// Roles that may administer a tenant that is made here.
    pub admin_roles: Vec<String>,
    /// Of a namespace that is made here.
    pub policies: Policies,
    /// Who we are.
    pub auth: Auth,
    /// PEM file with the certificates that sign the broker's, beside the well-known ones.
    pub ca_file: Option<PathBuf>,
    /// Put before each topic's name, with a `.`: lets several fleets share a namespace.
    pub prefix: Option<String>,
    /// Name of the subscriptions.
    pub subscription: String,
    /// The broker's `maxMessageSize`. Asked from the broker when none; 5 MiB when it does not say.
    pub max_message_bytes: Option<usize>,
    /// Messages under way to the broker, over all topics, after which `ready` waits.
    pub in_flight_messages: usize,
    /// Bytes under way to the broker, over all topics, after which `ready` waits.
    pub in_flight_bytes: usize,
}

impl PulsarSettings {
    /// A broker without authentication, tenant `infinitic`, namespace `default`, and defaults for
    /// the rest: 10,000 messages and 64 MiB under way.
    #[must_use]
    pub fn new(broker_url: impl Into<String>, admin_url: impl Into<String>) -> Self {
        Self {
            broker_url: broker_url.into(),
            admin_url: admin_url.into(),
            tenant: "infinitic".to_owned(),
            namespace: "default".to_owned(),
            transient_namespace: None,
            allowed_clusters: None,
            admin_roles: Vec::new(),
            policies: Policies::default(),
            auth: Auth::None,
            ca_file: None,
            prefix: None,
            subscription: "infinitic".to_owned(),
            max_message_bytes: None,
            in_flight_messages: 10_000,
            in_flight_bytes: 64 * 1024 * 1024,
        }
    }

    /// The namespace of topics that go when their reader does.
    #[must_use]
    pub fn transient_namespace(&self) -> String {
        match &self.transient_namespace {
            Some(name) => name.clone(),
            None => format!("{}-transient", self.namespace),
        }
    }

    /// Says what is wrong with the texts, if anything.
    ///
    /// # Errors
    /// The first fault: what is wrong, and what to write.
    pub fn check(&self) -> Result<(), InvalidSettings> {
        let scheme = |field, url: &str, accepted: [&str; 2]| {
            if accepted.iter().any(|one| {
                url.strip_prefix(one)
                    .is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['/', ':']))
            }) {
                return Ok(());
            }
            Err(InvalidSettings(format!(
                "`{field}` is `{url}`; write `{}host:port` or `{}host:port`",
                accepted[0], accepted[1]
            )))
        };
        scheme(
            "broker_url",
            &self.broker_url,
            ["pulsar://", "pulsar+ssl://"],
        )?;
        scheme("admin_url", &self.admin_url, ["http://", "https://"])?;
        let transient = self.transient_namespace();
        let prefix = self.prefix.as_deref().unwrap_or("any");
        for (field, text) in [
            ("tenant", self.tenant.as_str()),
            ("namespace", &self.namespace),
            ("transient_namespace", &transient),
            ("subscription", &self.subscription),
            ("prefix", prefix),
        ] {
            let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            if text.is_empty() || !text.chars().all(fits) {
                return Err(InvalidSettings(format!(
                    "`{field}` is `{text}`; write ASCII letters, digits, `-`, `_` and `.`"
                )));
            }
        }
        if transient == self.namespace {
            return Err(InvalidSettings(format!(
                "`transient_namespace` is `{transient}`, as `namespace` is; write another: its \
                 topics are deleted when nobody reads them"
            )));
        }
        Ok(())
    }
}

/// Settings that cannot be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidSettings(String);

impl fmt::Display for InvalidSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InvalidSettings {}

/// Policies of a namespace that is made here. One that exists keeps its own; where they differ, a
/// warning says so.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Policies {
    /// How long acknowledged messages are kept, in minutes: 7 days. Only people read them.
    pub retention_minutes: i64,
    /// How much of them is kept for each topic, in MiB: 1024.
    pub retention_mb: i64,
    /// After how many seconds a message that nobody acknowledged is dropped: 14 days. A fleet that
    /// stands still for longer loses tasks and starts. 0 is never.
    pub message_ttl_seconds: u32,
    /// The same in the namespace of transient topics: 1 hour. A client repeats its question long
    /// before.
    pub transient_ttl_seconds: u32,
    /// After how many seconds a transient topic without reader and backlog is deleted: 10 minutes.
    /// Works when the broker has `brokerDeleteInactiveTopicsEnabled`, its default.
    pub transient_inactive_seconds: u32,
}

impl Default for Policies {
    fn default() -> Self {
        Self {
            retention_minutes: 10_080,
            retention_mb: 1_024,
            message_ttl_seconds: 1_209_600,
            transient_ttl_seconds: 3_600,
            transient_inactive_seconds: 600,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> PulsarSettings {
        PulsarSettings::new("pulsar://localhost:6650", "http://localhost:8080")
    }

    fn fault(change: impl FnOnce(&mut PulsarSettings)) -> String {
        let mut settings = settings();
        change(&mut settings);
        let fault = settings.check().expect_err("these settings are wrong");
        fault.to_string()
    }

    #[test]
    fn accepts_the_usual() {
        let mut usual = settings();
        assert_eq!(usual.check(), Ok(()));
        usual.broker_url = "pulsar+ssl://broker.example:6651".to_owned();
        usual.admin_url = "https://broker.example/".to_owned();
        usual.prefix = Some("blue".to_owned());
        assert_eq!(usual.check(), Ok(()));
    }

    #[test]
    fn says_what_is_wrong_and_what_to_write() {
        assert_eq!(
            fault(|s| s.broker_url = "http://localhost:8080".to_owned()),
            "`broker_url` is `http://localhost:8080`; write `pulsar://host:port` or \
             `pulsar+ssl://host:port`"
        );
        assert_eq!(
            fault(|s| s.admin_url = "localhost:8080".to_owned()),
            "`admin_url` is `localhost:8080`; write `http://host:port` or `https://host:port`"
        );
        assert_eq!(
            fault(|s| s.tenant = "a/b".to_owned()),
            "`tenant` is `a/b`; write ASCII letters, digits, `-`, `_` and `.`"
        );
        assert!(fault(|s| s.transient_namespace = Some("default".to_owned())).contains("another"));
        assert!(fault(|s| s.broker_url = "pulsar://".to_owned()).contains("host:port"));
    }
}
