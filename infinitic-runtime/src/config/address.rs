//! The addresses of databases, as drivers take them.

use super::secret::Secret;
use super::storage::{RedisConfig, SqlConfig, SslMode, StorageConfig};

impl StorageConfig {
    /// The address as its driver takes it: the one that was given, or one that is built from host,
    /// user and the rest, with special characters escaped. None for memory.
    #[must_use]
    pub fn url(&self) -> Option<Secret> {
        match self {
            Self::Postgres(sql) => Some(sql.address("postgres", &POSTGRES)),
            Self::Mysql(sql) => Some(sql.address("mysql", &MYSQL)),
            Self::Redis(redis) => Some(redis.address()),
            Self::InMemory => None,
        }
    }
}

/// How a driver calls the settings of encryption.
struct SslWords {
    mode: &'static str,
    authority: &'static str,
    word: fn(SslMode) -> &'static str,
}

const POSTGRES: SslWords = SslWords {
    mode: "sslmode",
    authority: "sslrootcert",
    word: |mode| match mode {
        SslMode::Disable => "disable",
        SslMode::Prefer => "prefer",
        SslMode::Require => "require",
        SslMode::VerifyCa => "verify-ca",
        SslMode::VerifyFull => "verify-full",
    },
};

const MYSQL: SslWords = SslWords {
    mode: "ssl-mode",
    authority: "ssl-ca",
    word: |mode| match mode {
        SslMode::Disable => "DISABLED",
        SslMode::Prefer => "PREFERRED",
        SslMode::Require => "REQUIRED",
        SslMode::VerifyCa => "VERIFY_CA",
        SslMode::VerifyFull => "VERIFY_IDENTITY",
    },
};

impl SqlConfig {
    fn address(&self, scheme: &str, words: &SslWords) -> Secret {
        if let Some(url) = &self.url {
            return url.clone();
        }
        let user = user(Some(&self.username), self.password.as_ref());
        let place = place(&self.host, self.port);
        let database = escaped(&self.database);
        let mode = self
            .ssl
            .map(|mode| (words.mode, (words.word)(mode).to_owned()));
        let authority = self.ssl_ca_file.as_ref().map(|path| {
            let path = escaped(&path.to_string_lossy());
            (words.authority, path)
        });
        let settings: Vec<String> = mode
            .into_iter()
            .chain(authority)
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        let mark = if settings.is_empty() { "" } else { "?" };
        let settings = settings.join("&");
        Secret::new(format!(
            "{scheme}://{user}{place}/{database}{mark}{settings}"
        ))
    }
}

impl RedisConfig {
    fn address(&self) -> Secret {
        if let Some(url) = &self.url {
            return url.clone();
        }
        let scheme = if self.ssl { "rediss" } else { "redis" };
        let user = user(self.username.as_deref(), self.password.as_ref());
        let place = place(&self.host, self.port);
        Secret::new(format!("{scheme}://{user}{place}/{}", self.database))
    }
}

fn user(name: Option<&str>, password: Option<&Secret>) -> String {
    let name = escaped(name.unwrap_or_default());
    match password {
        Some(password) => format!("{name}:{}@", escaped(password.reveal())),
        None if name.is_empty() => String::new(),
        None => format!("{name}@"),
    }
}

fn place(host: &str, port: u16) -> String {
    if host.contains(':') && !host.starts_with('[') {
        // An address of IPv6.
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

/// All but letters, digits and `-._~` as `%xx`.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}
