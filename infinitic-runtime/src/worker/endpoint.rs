//! The local endpoint: other processes reach an embedded worker through it.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use infinitic_core::codec;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::error::WorkerError;
use crate::client::protocol::{
    ASK, BODY_BYTES_MAX, GREETING, HELLO, Request, Response, STREAMS_MAX,
};
use crate::client::{ClientError, Link, Target};

/// Where a worker listens.
#[derive(Clone, Debug)]
pub(crate) struct Listen {
    pub(crate) address: String,
    pub(crate) token: Option<String>,
}

impl Listen {
    /// Opens the socket. Anything but a loopback address needs a token: who reaches it may start
    /// and cancel everything.
    pub(crate) async fn bind(&self) -> Result<TcpListener, WorkerError> {
        let refused = |reason: String| WorkerError::Listen {
            address: self.address.clone(),
            reason,
        };
        let addresses: Vec<SocketAddr> = tokio::net::lookup_host(&self.address)
            .await
            .map_err(|error| refused(format!("{error}; write `127.0.0.1:9070`")))?
            .collect();
        if self.token.is_none() && addresses.iter().any(|address| !address.ip().is_loopback()) {
            return Err(refused(
                "it can be reached from other machines; use a loopback address such as \
                 127.0.0.1:9070, or set a token with `.listen_with_token(…)`"
                    .to_owned(),
            ));
        }
        TcpListener::bind(&addresses[..])
            .await
            .map_err(|error| refused(error.to_string()))
    }
}

struct Endpoint {
    link: Arc<dyn Link>,
    token: Option<String>,
    name: String,
}

/// Serves until `stopping` says so; then the requests that wait are told to ask again later.
pub(crate) async fn serve(
    listener: TcpListener,
    link: Arc<dyn Link>,
    token: Option<String>,
    name: String,
    stopping: watch::Receiver<bool>,
) {
    let endpoint = Arc::new(Endpoint { link, token, name });
    loop {
        let mut until = stopping.clone();
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = until.wait_for(|stopping| *stopping) => return,
        };
        match accepted {
            Ok((stream, _)) => {
                stream.set_nodelay(true).ok();
                let endpoint = Arc::clone(&endpoint);
                tokio::spawn(endpoint.connection(TokioIo::new(stream), stopping.clone()));
            }
            // Out of file handles, say: the next accept may work.
            Err(error) => {
                tracing::warn!("a connection was not accepted: {error}");
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        }
    }
}

impl Endpoint {
    async fn connection(
        self: Arc<Self>,
        stream: TokioIo<tokio::net::TcpStream>,
        stopping: watch::Receiver<bool>,
    ) {
        let mut until = stopping.clone();
        // The guard of what was waited for must not live on: it may not cross threads.
        let stop = async move { drop(until.wait_for(|stopping| *stopping).await) };
        let mut server = auto::Builder::new(TokioExecutor::new());
        server.http2().max_concurrent_streams(STREAMS_MAX);
        let service = service_fn(move |request| {
            let (endpoint, stopping) = (Arc::clone(&self), stopping.clone());
            async move {
                let response = endpoint.answer(request, stopping).await;
                Ok::<_, std::convert::Infallible>(response)
            }
        });
        let mut connection = std::pin::pin!(server.serve_connection(stream, service));
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = stop => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!("a client's connection ended: {error}");
        }
    }

    async fn answer(
        &self,
        request: hyper::Request<Incoming>,
        stopping: watch::Receiver<bool>,
    ) -> hyper::Response<Full<Bytes>> {
        if !self.is_allowed(&request) {
            return text(
                StatusCode::UNAUTHORIZED,
                "this worker wants its token".to_owned(),
            );
        }
        match (request.method(), request.uri().path()) {
            (&Method::GET, HELLO) => {
                text(StatusCode::OK, format!("{GREETING} worker {}\n", self.name))
            }
            (&Method::POST, ASK) => self.ask(request.into_body(), stopping).await,
            (_, path) => text(
                StatusCode::NOT_FOUND,
                format!("nothing is at {path}; there are GET {HELLO} and POST {ASK}"),
            ),
        }
    }

    fn is_allowed(&self, request: &hyper::Request<Incoming>) -> bool {
        let Some(token) = &self.token else {
            return true;
        };
        let given = request.headers().get(hyper::header::AUTHORIZATION);
        let given = given.and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
        // All bytes are compared, so that the time tells nothing about how many were right.
        given.is_some_and(|given| {
            given.len() == token.len()
                && given
                    .iter()
                    .zip(token.as_bytes())
                    .fold(0, |diff, (a, b)| diff | (a ^ b))
                    == 0
        })
    }

    async fn ask(
        &self,
        body: Incoming,
        mut stopping: watch::Receiver<bool>,
    ) -> hyper::Response<Full<Bytes>> {
        let body = match Limited::new(body, BODY_BYTES_MAX).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) => return text(StatusCode::PAYLOAD_TOO_LARGE, error.to_string()),
        };
        let Request { to, ask } = match codec::decode_value(&body) {
            Ok(request) => request,
            Err(error) => return text(StatusCode::BAD_REQUEST, error.to_string()),
        };
        // Ids from elsewhere may have been sent before.
        let asked = self.link.ask(Target::of(to, &ask), ask);
        let response = tokio::select! {
            answer = asked => match answer {
                Ok(answer) => Response::Answer(answer),
                Err(ClientError::Closed) => Response::Stopping,
                Err(error) => return text(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
            },
            _ = stopping.wait_for(|stopping| *stopping) => Response::Stopping,
        };
        hyper::Response::new(Full::new(Bytes::from(codec::encode_value(&response))))
    }
}

fn text(status: StatusCode, text: String) -> hyper::Response<Full<Bytes>> {
    let mut response = hyper::Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response
}
