//! How a worker runs: it starts its threads, waits for the end, and drains.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::builder::{Backend, Ways, Worker};
use super::endpoint::serve;
use super::error::WorkerError;
use super::node::{Node, post};
use super::recovery;
use super::settings::ShardSettings;
use super::signals::shutdown_signal;
use crate::client::Link;
use crate::clock::monotonic;
use crate::cluster::link::ClusterLink;
use crate::cluster::node::{ClusterNode, NodeParts};
use crate::service::Executor;

/// Unclean exits in a row from which recovery is cautious.
const CAUTIOUS_FROM: u32 = 2;

impl Worker {
    /// Runs until SIGTERM or ctrl-c, then drains: running attempts get the grace period, all that
    /// was decided is made durable, the directory is released.
    ///
    /// # Errors
    /// [`WorkerError`] when something was hosted twice or the store cannot be read.
    ///
    /// **Cancellation:** dropping the future stops the worker at once; nothing durable is lost.
    pub async fn run(self) -> Result<(), WorkerError> {
        // Before all else: a signal may come while the store is being recovered.
        let signal = shutdown_signal();
        self.run_until(signal).await
    }

    /// Runs until a future ends, then drains as [`Worker::run`] does.
    ///
    /// # Errors
    /// As [`Worker::run`].
    pub async fn run_until(mut self, stop: impl Future<Output = ()>) -> Result<(), WorkerError> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        if let Backend::Shared { .. } = self.backend {
            return self.run_in_cluster(stop).await;
        }
        let listener = match &self.listen {
            Some(listen) => Some(listen.bind().await?),
            None => None,
        };
        let engine = self.start()?;
        let (stopping, stops) = watch::channel(false);
        if let Some(listener) = listener {
            let token = self.listen.as_ref().and_then(|listen| listen.token.clone());
            tokio::spawn(serve(
                listener,
                Arc::new(self.link()),
                token,
                self.name.clone(),
                stops,
            ));
        }
        let failed = engine.node.failed();
        let has_failed = tokio::select! {
            () = stop => false,
            () = failed => true,
        };
        stopping.send(true).ok();
        tracing::info!("stopping: running attempts have {:?}", self.grace);
        let grace = match has_failed {
            true => Duration::ZERO,
            false => self.grace,
        };
        // A grace period beyond the end of time never ends.
        let until = monotonic().checked_add(grace);
        let dropped = engine.executor.drain(grace).await;
        if dropped > 0 {
            tracing::warn!(
                "{dropped} attempts did not end in time; they are given out again at the next start"
            );
        }
        let node = Arc::clone(&engine.node);
        tokio::task::spawn_blocking(move || node.stop(until))
            .await
            .map_err(|error| WorkerError::System {
                what: "stopping the worker",
                reason: error.to_string(),
            })?;
        if has_failed {
            return Err(WorkerError::System {
                what: "a thread of the worker panicked",
                reason: "this is a fault of infinitic, see the log; what was acknowledged is \
                         durable, and goes on at the next start"
                    .to_owned(),
            });
        }
        Ok(())
    }

    async fn run_in_cluster(mut self, stop: impl Future<Output = ()>) -> Result<(), WorkerError> {
        let listener = match &self.listen {
            Some(listen) => Some(listen.bind().await?),
            None => None,
        };
        let services = self.take_services()?;
        let Backend::Shared {
            connection,
            settings,
        } = self.backend
        else {
            return Ok(());
        };
        let runtime = Threads(Some(task_threads()?));
        let link: Arc<dyn Link> = Arc::new(ClusterLink::new(
            Arc::clone(&connection),
            settings.partitions,
        ));
        let name = self.name.clone();
        let parts = NodeParts {
            connection,
            cluster: settings,
            hosted: self.hosted,
            services,
            concurrency: self.concurrency,
            name: self.name,
            settings: self.settings,
            turn_limit: self.turn_limit,
        };
        let mut stop = std::pin::pin!(stop);
        let handle = runtime.0.as_ref().map(|runtime| runtime.handle().clone());
        let Some(handle) = handle else { return Ok(()) };
        let node = tokio::select! {
            node = ClusterNode::start(parts, handle) => node?,
            () = &mut stop => return Ok(()),
        };
        let (stopping, stops) = watch::channel(false);
        if let Some(listener) = listener {
            let token = self.listen.and_then(|listen| listen.token);
            tokio::spawn(serve(listener, link, token, name, stops));
        }
        let failed = tokio::select! {
            () = stop => false,
            () = node.failed() => true,
        };
        stopping.send(true).ok();
        tracing::info!("stopping: running attempts have {:?}", self.grace);
        let dropped = node.stop(self.grace).await;
        if dropped > 0 {
            tracing::warn!("{dropped} attempts did not end in time; they are given out again");
        }
        if failed {
            return Err(WorkerError::System {
                what: "a thread of the worker panicked",
                reason: "this is a fault of infinitic, see the log; what was acknowledged is \
                         durable, and goes on with the other workers"
                    .to_owned(),
            });
        }
        Ok(())
    }

    fn start(&mut self) -> Result<Engine, WorkerError> {
        let Backend::Own {
            store,
            unclean_exits,
        } = &self.backend
        else {
            return Err(WorkerError::TooLate("run"));
        };
        let (store, unclean_exits) = (Arc::clone(store), *unclean_exits);
        let services = self.take_services()?;
        let runtime = task_threads()?;
        let Ways { mailboxes, replies } = self.ways().clone();
        let outcome = {
            let mailboxes = mailboxes.clone();
            Arc::new(move |to, message| post(&mailboxes, to, message))
        };
        let handle = runtime.handle().clone();
        let executor = Executor::new(handle, services, &self.name, &self.concurrency, outcome);
        let cautious = unclean_exits >= CAUTIOUS_FROM;
        if cautious {
            tracing::warn!(
                "the process died {} times in a row: what was running is given out again with care",
                unclean_exits
            );
        }
        let parts = super::node::NodeParts {
            store,
            hosted: self.hosted.clone(),
            executor: executor.clone(),
            replies,
            mailboxes,
            clock: Arc::clone(&self.clock),
            settings: ShardSettings {
                cautious,
                ..self.settings.clone()
            },
            turn_limit: self.turn_limit,
        };
        let (node, recovery::Recovered { open }) = Node::start(parts)?;
        if open > 0 {
            tracing::info!("{open} open instances go on");
        }
        Ok(Engine {
            node: Arc::new(node),
            executor,
            runtime: Some(runtime),
        })
    }
}

/// The runtime on which tasks run.
fn task_threads() -> Result<tokio::runtime::Runtime, WorkerError> {
    tokio::runtime::Builder::new_multi_thread()
        .thread_name("infinitic-task")
        .enable_all()
        .build()
        .map_err(|error| WorkerError::System {
            what: "starting the threads for tasks",
            reason: error.to_string(),
        })
}

/// Threads that end with the worker, whatever they do.
struct Threads(Option<tokio::runtime::Runtime>);

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// What runs while a worker runs. Dropping it stops it.
struct Engine {
    node: Arc<Node>,
    executor: Executor,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.node.stop(Some(monotonic()));
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
