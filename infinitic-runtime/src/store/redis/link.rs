//! The connection: made anew when it broke, and given up when it hangs.
//!
//! All calls share one connection and are pipelined on it. A call that gets no answer in time takes
//! the connection with it: a half-open one would never say so by itself. Its calls may still reach
//! the server later; scripts recognise what is too old.

use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{AsyncConnectionConfig, Client, Cmd, Pipeline, RedisError, ServerErrorKind, Value};
use tokio::sync::Mutex;

use super::error::{self, Moment};
use super::scripts::Scripts;
use crate::backend::StoreError;

/// Calls that may wait inside the crate for their turn to be sent.
const QUEUED_MAX: usize = 1_000;

/// A server, reached or not.
pub(super) struct Link {
    client: Client,
    pub(super) scripts: Scripts,
    pub(super) address: String,
    pub(super) timeout: Duration,
    state: Mutex<State>,
    /// Attempts to connect that have ended.
    attempts: AtomicU64,
    round_trips: AtomicU64,
}

#[derive(Default)]
struct State {
    live: Option<Live>,
    /// How the last attempt to connect failed.
    failed: Option<StoreError>,
    connected: u64,
    closed: bool,
}

#[derive(Clone)]
struct Live {
    connection: MultiplexedConnection,
    number: u64,
}

impl Link {
    pub(super) fn new(client: Client, timeout: Duration) -> Self {
        Self {
            address: client.get_connection_info().addr().to_string(),
            client,
            scripts: Scripts::new(),
            timeout,
            state: Mutex::default(),
            attempts: AtomicU64::new(0),
            round_trips: AtomicU64::new(0),
        }
    }

    pub(super) fn round_trips(&self) -> u64 {
        self.round_trips.load(Ordering::Relaxed)
    }

    /// Calls made at once, in order, with an answer for each; some may have failed.
    pub(super) async fn ask(&self, calls: Vec<Cmd>) -> Result<Vec<Value>, StoreError> {
        self.ask_at(calls, Moment::Running).await
    }

    /// One call.
    pub(super) async fn ask_one(&self, call: Cmd) -> Result<Value, StoreError> {
        let mut answers = self.ask(vec![call]).await?;
        Ok(answers.pop().unwrap_or(Value::Nil))
    }

    pub(super) async fn ask_at(
        &self,
        calls: Vec<Cmd>,
        moment: Moment,
    ) -> Result<Vec<Value>, StoreError> {
        if calls.is_empty() {
            return Ok(Vec::new());
        }
        let live = self.live(moment).await?;
        let mut answers = self.send(&live, &calls, moment).await?;
        let forgotten: Vec<usize> = (0..answers.len())
            .filter(|&at| is_forgotten(&answers[at]))
            .collect();
        if !forgotten.is_empty() {
            self.send(&live, &self.scripts.load(), moment).await?;
            let again: Vec<Cmd> = forgotten.iter().map(|&at| calls[at].clone()).collect();
            let repeated = self.send(&live, &again, moment).await?;
            for (at, answer) in forgotten.into_iter().zip(repeated) {
                answers[at] = answer;
            }
        }
        if let Some(error) = refusal(&answers) {
            // A replica that was a primary, a password that was changed: a new connection may lead
            // elsewhere.
            if matches!(error.code(), Some("READONLY" | "NOAUTH" | "MASTERDOWN")) {
                self.drop_live(&live).await;
            }
            return Err(error::explain(&error, &self.address, moment));
        }
        Ok(answers)
    }

    /// A call that a user may not be allowed to make, or a server not know: nothing then.
    pub(super) async fn ask_if_allowed(&self, call: Cmd) -> Result<Option<Value>, StoreError> {
        let live = self.live(Moment::Opening).await?;
        let mut answers = self.send(&live, &[call], Moment::Opening).await?;
        let answer = answers.pop();
        Ok(answer.filter(|answer| !matches!(answer, Value::ServerError(_))))
    }

    async fn send(
        &self,
        live: &Live,
        calls: &[Cmd],
        moment: Moment,
    ) -> Result<Vec<Value>, StoreError> {
        let mut pipeline = Pipeline::with_capacity(calls.len());
        for call in calls {
            pipeline.add_command(call.clone());
        }
        self.round_trips.fetch_add(1, Ordering::Relaxed);
        let mut connection = live.connection.clone();
        let answers = connection.send_packed_commands(&pipeline, 0, calls.len());
        match self.in_time(answers).await {
            Some(Ok(answers)) => Ok(answers),
            Some(Err(error)) => {
                self.drop_live(live).await;
                Err(error::explain(&error, &self.address, moment))
            }
            None => {
                self.drop_live(live).await;
                Err(error::hung(&self.address, self.timeout))
            }
        }
    }

    async fn in_time<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::time::timeout(self.timeout, work).await.ok()
    }

    async fn live(&self, moment: Moment) -> Result<Live, StoreError> {
        let seen = self.attempts.load(Ordering::Acquire);
        let mut state = self.state.lock().await;
        if state.closed {
            return Err(StoreError::Io(
                "the store was closed; open it again to use it".to_owned(),
            ));
        }
        if let Some(live) = &state.live {
            return Ok(live.clone());
        }
        // Whoever waited while somebody else failed does not wait as long again.
        if seen != self.attempts.load(Ordering::Acquire)
            && let Some(failed) = &state.failed
        {
            return Err(failed.clone());
        }
        let connection = self.connect(moment).await;
        self.attempts.fetch_add(1, Ordering::Release);
        match connection {
            Ok(connection) => {
                state.connected += 1;
                let number = state.connected;
                let live = Live { connection, number };
                state.live = Some(live.clone());
                state.failed = None;
                Ok(live)
            }
            Err(error) => {
                state.failed = Some(error.clone());
                Err(error)
            }
        }
    }

    async fn connect(&self, moment: Moment) -> Result<MultiplexedConnection, StoreError> {
        let settings = AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(None)
            .set_pipeline_buffer_size(QUEUED_MAX);
        let connecting = async {
            let client = &self.client;
            let mut connection = client
                .get_multiplexed_async_connection_with_config(&settings)
                .await?;
            let scripts = self.scripts.load();
            let mut load = Pipeline::with_capacity(scripts.len());
            for script in scripts {
                load.add_command(script);
            }
            self.round_trips.fetch_add(1, Ordering::Relaxed);
            let answers = connection
                .send_packed_commands(&load, 0, load.len())
                .await?;
            match refusal(&answers) {
                Some(error) => Err(error),
                None => Ok(connection),
            }
        };
        match self.in_time(connecting).await {
            Some(Ok(connection)) => Ok(connection),
            Some(Err(error)) => Err(error::explain(&error, &self.address, moment)),
            None => Err(error::unreachable(&self.address, self.timeout)),
        }
    }

    async fn drop_live(&self, dead: &Live) {
        let mut state = self.state.lock().await;
        let current = state.live.as_ref().map(|live| live.number);
        if current == Some(dead.number) {
            state.live = None;
        }
    }

    pub(super) async fn close(&self) {
        let mut state = self.state.lock().await;
        state.live = None;
        state.closed = true;
    }
}

/// The first of some answers that is none.
fn refusal(answers: &[Value]) -> Option<RedisError> {
    answers.iter().find_map(|answer| match answer {
        Value::ServerError(error) => Some(RedisError::from(error.clone())),
        _ => None,
    })
}

fn is_forgotten(answer: &Value) -> bool {
    matches!(answer, Value::ServerError(error) if error.kind() == Some(ServerErrorKind::NoScript))
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("address", &self.address)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
