//! The way to a worker in another process, over its local endpoint.
//!
//! Asks may be repeated, so a lost connection costs nothing but time: what has no answer is asked
//! again over a new one, until the worker answers or, for all but waits, patience ends.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use infinitic_core::names::WorkflowName;
use infinitic_core::{Answer, InstanceId, codec};
use tokio::net::TcpStream;
use tokio::sync::Mutex;

use super::error::ClientError;
use super::handle::Client;
use super::link::{Answering, Ask, Link, Target};
use super::protocol::{ASK, BODY_BYTES_MAX, GREETING, HELLO, Request, Response};
use crate::clock::{Clock, SystemClock, draw_instance_id, monotonic};

/// Pause before asking again after a lost connection.
const PAUSE_FIRST: Duration = Duration::from_millis(50);
/// Longest such pause.
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// How long an ask that is no wait is repeated while nobody answers.
const PATIENCE: Duration = Duration::from_secs(30);

impl Client {
    /// A client of a worker in another process, which was given `.listen(…)`.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), infinitic_runtime::client::ClientError> {
    /// use infinitic_runtime::client::Client;
    /// let client = Client::connect("http://127.0.0.1:9070").await?;
    /// # drop(client); Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ClientError::Unreachable`] when nobody listens there, [`ClientError::Protocol`] when it is
    /// nobody of ours, or one who wants a token.
    ///
    /// **Cancellation:** nothing has happened when the future is dropped.
    pub async fn connect(address: &str) -> Result<Self, ClientError> {
        Self::connect_with_token(address, None).await
    }

    /// The same, for a worker that wants a token (`Worker::listen_with_token`).
    ///
    /// # Errors
    /// As [`Client::connect`].
    pub async fn connect_with_token(
        address: &str,
        token: Option<&str>,
    ) -> Result<Self, ClientError> {
        let host = address
            .strip_prefix("http://")
            .unwrap_or(address)
            .trim_end_matches('/');
        if host.is_empty() || host.contains('/') {
            return Err(ClientError::Unreachable {
                address: address.to_owned(),
                reason: "not an address; write `http://127.0.0.1:9070`".to_owned(),
            });
        }
        let authorization = token.map(|token| format!("Bearer {token}"));
        let link = RemoteLink {
            host: host.to_owned(),
            authorization,
            connection: Mutex::default(),
        };
        let hello = link.send(hyper::Method::GET, HELLO, Bytes::new()).await?;
        if !hello.starts_with(GREETING.as_bytes()) {
            return Err(ClientError::Protocol(format!(
                "{address} answers, but is no infinitic worker"
            )));
        }
        Ok(Self {
            link: Arc::new(Arc::new(link)),
        })
    }
}

#[derive(Debug)]
struct RemoteLink {
    host: String,
    authorization: Option<String>,
    connection: Mutex<Option<SendRequest<Full<Bytes>>>>,
}

impl RemoteLink {
    async fn connection(&self) -> Result<SendRequest<Full<Bytes>>, ClientError> {
        let mut connection = self.connection.lock().await;
        if let Some(sender) = connection.as_ref().filter(|sender| !sender.is_closed()) {
            return Ok(sender.clone());
        }
        let stream = TcpStream::connect(&self.host)
            .await
            .map_err(|e| self.unreachable(&e))?;
        stream.set_nodelay(true).map_err(|e| self.unreachable(&e))?;
        let (sender, driver) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
                .await
                .map_err(|e| self.unreachable(&e))?;
        tokio::spawn(async move {
            if let Err(error) = driver.await {
                tracing::debug!("a connection to a worker ended: {error}");
            }
        });
        *connection = Some(sender.clone());
        Ok(sender)
    }

    fn unreachable(&self, reason: &dyn std::fmt::Display) -> ClientError {
        ClientError::Unreachable {
            address: self.host.clone(),
            reason: reason.to_string(),
        }
    }

    async fn send(
        &self,
        method: hyper::Method,
        path: &str,
        body: Bytes,
    ) -> Result<Bytes, ClientError> {
        let mut request = hyper::Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.host));
        if let Some(authorization) = &self.authorization {
            request = request.header(hyper::header::AUTHORIZATION, authorization);
        }
        let request = request
            .body(Full::new(body))
            .map_err(|e| ClientError::Protocol(e.to_string()))?;
        let mut sender = self.connection().await?;
        sender.ready().await.map_err(|e| self.unreachable(&e))?;
        let response = sender
            .send_request(request)
            .await
            .map_err(|e| self.unreachable(&e))?;
        let status = response.status();
        let body = Limited::new(response.into_body(), BODY_BYTES_MAX)
            .collect()
            .await
            .map_err(|e| self.unreachable(&e))?
            .to_bytes();
        if status.is_success() {
            return Ok(body);
        }
        let text = String::from_utf8_lossy(&body);
        Err(ClientError::Protocol(format!(
            "{} answered {status}: {text}",
            self.host
        )))
    }

    async fn ask_until_answered(&self, to: InstanceId, ask: Ask) -> Result<Answer, ClientError> {
        let is_wait = matches!(ask, Ask::Wait | Ask::StartAndWait(_));
        let body = Bytes::from(codec::encode_value(&Request { to, ask }));
        let begun = monotonic();
        let mut pause = PAUSE_FIRST;
        loop {
            let error = match self.send(hyper::Method::POST, ASK, body.clone()).await {
                Ok(bytes) => match codec::decode_value(&bytes) {
                    Ok(Response::Answer(answer)) => return Ok(answer),
                    Ok(Response::Stopping) => {
                        // Whoever comes next listens anew.
                        self.connection.lock().await.take();
                        ClientError::Closed
                    }
                    Err(error) => return Err(ClientError::Protocol(error.to_string())),
                },
                Err(error @ ClientError::Unreachable { .. }) => error,
                Err(error) => return Err(error),
            };
            if !is_wait && begun.elapsed() > PATIENCE {
                return Err(error);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }
}

impl Link for Arc<RemoteLink> {
    fn ask(&self, to: Target, ask: Ask) -> Answering {
        let link = Self::clone(self);
        Box::pin(async move { link.ask_until_answered(to.id, ask).await })
    }

    fn ask_new(&self, _: &WorkflowName, ask: Ask) -> (InstanceId, Answering) {
        let id = self.draw_id();
        let workflow = None;
        (id, self.ask(Target { id, workflow }, ask))
    }

    fn draw_id(&self) -> InstanceId {
        draw_instance_id(SystemClock.now())
    }
}
