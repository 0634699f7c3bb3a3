//! Where the Redis server is, and how it is used.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use ::redis::{Client, IntoConnectionInfo as _, TlsCertificates};

use crate::backend::StoreError;

/// Longest accepted prefix: it stands in every key, and keys fill memory.
const PREFIX_BYTES_MAX: usize = 64;
/// Shorter ones would fail while a loaded server is only slow.
const TIMEOUT_MIN: Duration = Duration::from_millis(100);

/// How to reach a Redis server and what to ask of it.
///
/// ```
/// use infinitic_runtime::store::redis::RedisSettings;
///
/// let settings = RedisSettings::new("redis://:secret@redis.example:6379/0").prefix("shop");
/// assert!(!format!("{settings:?}").contains("secret"));
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RedisSettings {
    /// `redis://[user]:[password]@host:port/database`; `rediss://` for TLS.
    pub url: String,
    /// What every key begins with: several systems may share a database under names of their own.
    pub prefix: String,
    /// How long a call may take before it has failed and is repeated by the worker; connecting may
    /// take as long again.
    pub timeout: Duration,
    /// File with the certificates (PEM) that a server's own must come from; those of the machine
    /// when none. For `rediss://` only.
    pub ca: Option<PathBuf>,
    /// How many replicas must have a commit before it counts as written.
    pub replicas: u16,
    /// Whether a commit counts as written only when the server has synced its log (`WAITAOF`, from
    /// Redis 7.2): what `appendfsync everysec` needs to lose nothing, at a delay of up to a second
    /// a commit. With it, `replicas` counts those that have synced theirs.
    pub wait_aof: bool,
}

impl RedisSettings {
    /// Keys `infinitic…`, five seconds a call, and no waiting for replicas or the log.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            prefix: "infinitic".to_owned(),
            timeout: Duration::from_secs(5),
            ca: None,
            replicas: 0,
            wait_aof: false,
        }
    }

    /// With another prefix.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// With another time that a call may take.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// With certificates of its own.
    #[must_use]
    pub fn ca(mut self, file: impl Into<PathBuf>) -> Self {
        self.ca = Some(file.into());
        self
    }

    /// Waiting for so many replicas.
    #[must_use]
    pub fn replicas(mut self, replicas: u16) -> Self {
        self.replicas = replicas;
        self
    }

    /// Waiting for the log, or not.
    #[must_use]
    pub fn wait_aof(mut self, wait_aof: bool) -> Self {
        self.wait_aof = wait_aof;
        self
    }

    pub(super) fn check(&self) -> Result<(), StoreError> {
        let odd = |c: char| c.is_control() || c.is_whitespace() || "{}/".contains(c);
        if self.prefix.is_empty()
            || self.prefix.len() > PREFIX_BYTES_MAX
            || self.prefix.contains(odd)
        {
            return Err(StoreError::Refused(format!(
                "`{}` cannot be the prefix of keys; accepted are 1 to {PREFIX_BYTES_MAX} bytes \
                 without blanks, control characters, braces and `/`; write a name such as \
                 `infinitic`",
                self.prefix.escape_debug()
            )));
        }
        if self.timeout < TIMEOUT_MIN {
            return Err(StoreError::Refused(format!(
                "a timeout of {:?} is too short; accepted are {TIMEOUT_MIN:?} and more; leave it \
                 out for the usual one",
                self.timeout
            )));
        }
        Ok(())
    }

    /// Reads address and certificates; connects to nothing.
    pub(super) fn client(&self) -> Result<Client, StoreError> {
        self.check()?;
        let info = self.url.as_str().into_connection_info().map_err(|error| {
            // The text as given may hold a password.
            StoreError::Refused(format!(
                "the address of the Redis server cannot be read ({error}); accepted are \
                 redis://, and rediss:// for TLS; write \
                 redis://user:password@host:6379/0, special characters of the password as %xx"
            ))
        })?;
        let ::redis::ConnectionAddr::TcpTls { .. } = info.addr() else {
            return Client::open(info).map_err(|error| refused(&error));
        };
        choose_crypto();
        let root_cert = self.ca.as_ref().map(std::fs::read).transpose();
        let root_cert = root_cert.map_err(|error| {
            StoreError::Refused(format!(
                "the certificates for the Redis server cannot be read from {} ({error}); needed \
                 is a PEM file; correct its path or its rights",
                self.ca.clone().unwrap_or_default().display()
            ))
        })?;
        let certificates = TlsCertificates {
            client_tls: None,
            root_cert,
        };
        Client::build_with_tls(info, certificates).map_err(|error| refused(&error))
    }
}

/// With several TLS crates in one program, the library underneath panics unless one is chosen.
fn choose_crypto() {
    use rustls::crypto::{CryptoProvider, ring};
    if CryptoProvider::get_default().is_none() {
        // Fails when another thread was first, which is as good.
        let _ = ring::default_provider().install_default();
    }
}

fn refused(error: &::redis::RedisError) -> StoreError {
    StoreError::Refused(format!(
        "a client for the Redis server cannot be made ({error}); correct its address or \
         certificates"
    ))
}

impl fmt::Debug for RedisSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let info = self.url.as_str().into_connection_info();
        let address = info.map_or_else(|_| "unreadable".to_owned(), |info| info.addr().to_string());
        f.debug_struct("RedisSettings")
            .field("address", &address)
            .field("prefix", &self.prefix)
            .field("timeout", &self.timeout)
            .field("ca", &self.ca)
            .field("replicas", &self.replicas)
            .field("wait_aof", &self.wait_aof)
            .finish_non_exhaustive()
    }
}
