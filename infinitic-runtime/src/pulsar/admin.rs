//! Pulsar's REST interface: one request at a time, with what goes wrong in words.
//!
//! What exists already is no fault (409). Another broker may be the one to ask (307). Trouble of
//! the broker (5xx, 429, no connection) is tried again for some seconds.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{HeaderMap, LOCATION};
use reqwest::{Method, StatusCode};
use serde_json::Value;

use super::auth::{AdminAuth, install_tls};
use super::backoff::Backoff;
use super::settings::PulsarSettings;
use crate::cluster::transport::TransportError;

/// Attempts at one request: some five seconds, the time of a broker's restart behind a balancer.
const ATTEMPTS: u32 = 6;

/// Brokers that send us to another one, before we give up.
const REDIRECTS: u32 = 8;

/// What the broker answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    pub(super) fn is(&self, status: u16) -> bool {
        self.status.as_u16() == status
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The broker's own words, without the traces of its own code.
    fn reason(&self) -> String {
        let reason = self.json();
        let text = match reason.get("reason").and_then(Value::as_str) {
            Some(reason) => reason.to_owned(),
            None => String::from_utf8_lossy(&self.body).into_owned(),
        };
        let text = text.split("Stacktrace:").next().unwrap_or("");
        let words: Vec<&str> = text.split_whitespace().collect();
        words.join(" ").chars().take(300).collect()
    }
}

/// The REST interface of a broker.
pub(super) struct Admin {
    http: reqwest::Client,
    base: String,
    auth: AdminAuth,
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Admin({})", self.base)
    }
}

impl Admin {
    /// # Errors
    /// When the certificates cannot be read.
    pub(super) fn new(settings: &PulsarSettings) -> Result<Self, TransportError> {
        install_tls();
        let mut builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(5))
            .timeout(Duration::from_secs(30));
        if let Some(pem) = read_ca(settings)? {
            let parsed = reqwest::Certificate::from_pem_bundle(&pem);
            let certificates = parsed.map_err(|error| bad_ca(settings, &error))?;
            builder = builder.tls_certs_merge(certificates);
        }
        let http = builder.build().map_err(|error| {
            TransportError::Refused(format!("the HTTP client cannot start: {}", chain(&error)))
        })?;
        Ok(Self {
            http,
            base: format!("{}/admin/v2", settings.admin_url.trim_end_matches('/')),
            auth: settings.auth.for_admin(),
        })
    }

    pub(super) async fn get(&self, path: &str) -> Result<Answer, TransportError> {
        self.ask(Method::GET, path, None).await
    }

    /// Without a body when it is null.
    pub(super) async fn put(&self, path: &str, body: Value) -> Result<Answer, TransportError> {
        let body = Some(body).filter(|body| !body.is_null());
        self.ask(Method::PUT, path, body).await
    }

    pub(super) async fn post(&self, path: &str) -> Result<Answer, TransportError> {
        self.ask(Method::POST, path, None).await
    }

    pub(super) async fn delete(&self, path: &str) -> Result<Answer, TransportError> {
        self.ask(Method::DELETE, path, None).await
    }

    /// The answer to a request, once the broker gives one that is about us.
    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Answer, TransportError> {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2));
        let mut attempt = 1;
        loop {
            let trouble = match self.follow(&method, path, body.as_ref()).await {
                Ok(answer) if passes(answer.status) => {
                    format!("it answers {}: {}", answer.status, answer.reason())
                }
                Ok(answer) => return Ok(answer),
                Err(trouble) => trouble,
            };
            if attempt == ATTEMPTS {
                return Err(TransportError::Unavailable(format!(
                    "Pulsar's REST interface at {} does not work: {trouble}; check `admin_url` \
                     and that the broker runs",
                    self.base
                )));
            }
            attempt += 1;
            backoff.wait().await;
        }
    }

    async fn follow(
        &self,
        method: &Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, String> {
        let mut url = format!("{}/{path}", self.base);
        for _ in 0..REDIRECTS {
            let mut request = self.http.request(method.clone(), &url);
            if let Some(body) = body {
                request = request.json(body);
            }
            let request = self.auth.apply(request).await?;
            let response = request.send().await.map_err(|error| chain(&error))?;
            let (status, headers) = (response.status(), response.headers().clone());
            let elsewhere = headers.get(LOCATION).and_then(|to| to.to_str().ok());
            if let (true, Some(to)) = (status.is_redirection(), elsewhere) {
                url = to.to_owned();
                continue;
            }
            let body = response.bytes().await.map_err(|error| chain(&error))?;
            return Ok(Answer {
                status,
                headers,
                body,
            });
        }
        Err(format!("it sends us on and on, at last to {url}"))
    }

    /// An answer that nothing here expects, as an error.
    pub(super) fn refusal(&self, what: &str, answer: &Answer) -> TransportError {
        let reason = answer.reason();
        let (base, status) = (&self.base, answer.status);
        TransportError::Refused(match status.as_u16() {
            // Both are said for a wrong password and for a role of few rights.
            401 | 403 => format!(
                "Pulsar does not let us {what} ({status}: {reason}); check the authentication, and \
                 give our role that right, or let somebody do it beforehand"
            ),
            404 if reason.is_empty() || reason.starts_with('<') => format!(
                "{base} does not look like Pulsar's REST interface (404 when asked to {what}); \
                 check `admin_url`"
            ),
            _ => format!("Pulsar refuses to {what}: {status}: {reason}"),
        })
    }
}

/// Whether an answer says that we may not.
pub(super) fn denied(answer: &Answer) -> bool {
    answer.is(401) || answer.is(403)
}

/// Whether an answer is trouble that may pass.
fn passes(status: StatusCode) -> bool {
    status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS
}

/// An error with its causes: the outermost of an HTTP client says little.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

/// The certificates of the settings, as they are in the file.
///
/// # Errors
/// When the file cannot be read.
pub(super) fn read_ca(settings: &PulsarSettings) -> Result<Option<Vec<u8>>, TransportError> {
    let Some(path) = &settings.ca_file else {
        return Ok(None);
    };
    let read = std::fs::read(path);
    read.map(Some).map_err(|error| bad_ca(settings, &error))
}

fn bad_ca(settings: &PulsarSettings, error: &dyn std::error::Error) -> TransportError {
    let path = settings.ca_file.as_deref().unwrap_or_else(|| Path::new(""));
    TransportError::Refused(format!(
        "`ca_file` {} holds no certificates in PEM form: {}",
        path.display(),
        chain(error)
    ))
}
