//! Runs the body of a test on a backend: opens workers over one store, again and again, and waits
//! for conditions with a deadline.

use std::fmt::{Debug, Display};
use std::future::pending;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use infinitic::prelude::*;
use infinitic_runtime::backend::memory::MemoryStore;
use infinitic_runtime::cluster::ClusterSettings;
use infinitic_runtime::cluster::memory::store::MemorySharedStore;
use infinitic_runtime::cluster::memory::transport::MemoryBroker;
use infinitic_runtime::cluster::transport::Transport;
use tempfile::TempDir;
use tokio::sync::watch;

#[cfg(feature = "cluster")]
use crate::servers::Servers;

/// A test that takes longer hangs. On real servers a worker alone takes a second to start.
const TEST_LIMIT: Duration = match cfg!(feature = "cluster") {
    true => Duration::from_secs(120),
    false => Duration::from_secs(50),
};
/// What does not happen within this time does not happen.
const PATIENCE: Duration = Duration::from_secs(20);
/// Pause between two looks at something that cannot be waited for.
const LOOK_EVERY: Duration = Duration::from_millis(3);
/// Attempts that end do so within this time.
const GRACE: Duration = Duration::from_secs(5);

/// Names variants of a test, each with its backend and how it replays.
macro_rules! variants {
    ($test:ident: $($variant:ident $backend:literal $replay:literal),* $(,)?) => {
        $(#[test]
        fn $variant() {
            $crate::env::check($backend, $replay, super::$test);
        })*
    };
}

/// Names the variants of a test on clusters: in memory and, if built for it, on real servers.
macro_rules! cluster_variants {
    ($test:ident) => {
        variants! { $test:
            cluster "cluster" "warm",
            cluster_replayed "cluster" "always",
        }
        #[cfg(feature = "cluster")]
        variants! { $test:
            pulsar_postgres "pulsar_postgres" "warm",
            pulsar_postgres_replayed "pulsar_postgres" "always",
            pulsar_mysql "pulsar_mysql" "warm",
            pulsar_redis "pulsar_redis" "warm",
        }
    };
}

/// Names tests whose one body runs on all backends, warm and replayed.
macro_rules! on_all_backends {
    ($($name:ident),* $(,)?) => {
        $(mod $name {
            variants! { $name:
                memory "memory" "warm",
                memory_replayed "memory" "always",
                embedded "embedded" "warm",
                embedded_replayed "embedded" "always",
            }
            cluster_variants!($name);
        })*
    };
}

/// Names tests that need several workers: on clusters only.
macro_rules! on_a_cluster {
    ($($name:ident),* $(,)?) => {
        $(mod $name {
            cluster_variants!($name);
        })*
    };
}

/// Runs the body of a test on a backend, unless the environment leaves that out.
pub(crate) fn check(backend: &str, replay: &str, body: impl AsyncFnOnce(&Env)) {
    let is_left_out = |variable, name| {
        std::env::var(variable).is_ok_and(|names| !names.split(',').any(|wanted| wanted == name))
    };
    if is_left_out("INFINITIC_BACKENDS", backend) || is_left_out("INFINITIC_REPLAY", replay) {
        return;
    }
    let Some(store) = Store::of(backend) else {
        return;
    };
    let env = Env {
        store,
        replay: match replay {
            "always" => Replay::Always,
            _ => Replay::WhenEvicted,
        },
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let ended = runtime.block_on(async { tokio::time::timeout(TEST_LIMIT, body(&env)).await });
    assert!(ended.is_ok(), "the test did not end within {TEST_LIMIT:?}");
    #[cfg(feature = "cluster")]
    if let Store::Servers(servers) = &env.store {
        runtime.block_on(servers.erase());
    }
}

/// A directory with an empty store. Making one takes some hundred syncs of the disk, so it is made
/// once and copied.
fn empty_store() -> TempDir {
    static EMPTY: OnceLock<TempDir> = OnceLock::new();
    let empty = EMPTY.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let worker = Worker::embedded(dir.path().join("data")).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let runs = worker.run_until(std::future::ready(()));
        runtime.unwrap().block_on(runs).unwrap();
        dir
    });
    let dir = tempfile::tempdir().unwrap();
    copy(&empty.path().join("data"), &dir.path().join("data"));
    dir
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// A store that outlives its workers, and how they replay.
pub(crate) struct Env {
    store: Store,
    replay: Replay,
}

enum Store {
    Memory(Arc<MemoryStore>),
    Cluster(MemoryBroker, MemorySharedStore),
    Embedded(TempDir),
    #[cfg(feature = "cluster")]
    Servers(Servers),
}

impl Store {
    /// An empty one; none when the environment does not name its servers.
    fn of(backend: &str) -> Option<Self> {
        Some(match backend {
            "memory" => Self::Memory(Arc::default()),
            "cluster" => Self::Cluster(MemoryBroker::new(), MemorySharedStore::default()),
            "embedded" => Self::Embedded(empty_store()),
            #[cfg(feature = "cluster")]
            servers => Self::Servers(Servers::of(servers)?),
            #[cfg(not(feature = "cluster"))]
            unknown => unreachable!("no such backend: {unknown}"),
        })
    }
}

impl Env {
    /// A worker over the store.
    pub(crate) async fn worker(&self) -> Worker {
        let worker = match &self.store {
            Store::Memory(store) => Worker::over(Arc::clone(store) as _),
            Store::Cluster(broker, store) => Worker::cluster(
                Arc::new(broker.transport()),
                Some(Arc::new(store.clone())),
                quick(),
            ),
            Store::Embedded(dir) => Worker::embedded(dir.path().join("data")).unwrap(),
            #[cfg(feature = "cluster")]
            Store::Servers(servers) => {
                let store = servers.store().await;
                Worker::cluster(servers.transport().await, Some(store), quick())
            }
        };
        worker.replay(self.replay).grace(GRACE)
    }

    /// A way to the broker of a cluster.
    pub(crate) async fn transport(&self) -> Arc<dyn Transport> {
        match &self.store {
            Store::Cluster(broker, _) => Arc::new(broker.transport()),
            #[cfg(feature = "cluster")]
            Store::Servers(servers) => servers.transport().await,
            Store::Memory(_) | Store::Embedded(_) => panic!("on clusters only"),
        }
    }

    /// A worker of a cluster that owns nothing.
    pub(crate) async fn worker_without_store(&self) -> Worker {
        Worker::cluster(self.transport().await, None, quick()).grace(GRACE)
    }

    /// Runs workers while `body` does, then drains them.
    pub(crate) async fn run_all(&self, workers: Vec<Worker>, body: impl Future<Output = ()>) {
        let (stop, _) = watch::channel(false);
        let running: Vec<_> = workers
            .into_iter()
            .map(|worker| {
                let mut stops = stop.subscribe();
                tokio::spawn(
                    worker.run_until(async move { drop(stops.wait_for(|stop| *stop).await) }),
                )
            })
            .collect();
        body.await;
        stop.send_replace(true);
        for worker in running {
            worker.await.unwrap().unwrap();
        }
    }

    /// Runs a worker while `body` does, then drains it.
    pub(crate) async fn run<T>(
        &self,
        host: impl FnOnce(Worker) -> Worker,
        body: impl AsyncFnOnce(&Client) -> T,
    ) -> T {
        let worker = host(self.worker().await);
        let client = worker.client();
        let mut result = None;
        let body = async { result = Some(body(&client).await) };
        worker.run_until(body).await.unwrap();
        result.unwrap()
    }

    /// Runs a worker while `body` does, then drops it: running attempts are cut off.
    pub(crate) async fn cut_off<T>(
        &self,
        host: impl FnOnce(Worker) -> Worker,
        body: impl AsyncFnOnce(&Client) -> T,
    ) -> T {
        let worker = host(self.worker().await);
        let client = worker.client();
        tokio::select! {
            ended = worker.run_until(pending()) => panic!("the worker ended: {ended:?}"),
            result = body(&client) => result,
        }
    }
}

/// A cluster that notices soon when somebody is gone.
fn quick() -> ClusterSettings {
    ClusterSettings {
        partitions: 4,
        beat_every: Duration::from_millis(50),
        lease: Duration::from_millis(1_500),
        ..ClusterSettings::default()
    }
}

/// Waits until `condition` holds.
pub(crate) async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let since = Instant::now();
    while !condition().await {
        assert!(since.elapsed() < PATIENCE, "never came true: {what}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Waits until an instance stands so, and gives its state.
pub(crate) async fn until_status<T, E>(run: &Run<T, E>, wanted: Status) -> InstanceState {
    let since = Instant::now();
    loop {
        let state = run.state().await.unwrap();
        if state.status == wanted {
            return state;
        }
        assert!(since.elapsed() < PATIENCE, "not {wanted:?}: {state:?}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Words that are written here and there, and waited for by tests.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log(watch::Sender<Vec<String>>);

impl Log {
    pub(crate) fn push(&self, line: impl Display) {
        self.0.send_modify(|lines| lines.push(line.to_string()));
    }

    pub(crate) fn all(&self) -> Vec<String> {
        self.0.borrow().clone()
    }

    pub(crate) fn count(&self, line: &str) -> usize {
        self.0
            .borrow()
            .iter()
            .filter(|known| *known == line)
            .count()
    }

    /// Waits for a line to be there so often.
    pub(crate) async fn until(&self, line: &str, times: usize) {
        let come = |lines: &Vec<String>| lines.iter().filter(|l| *l == line).count() >= times;
        let mut lines = self.0.subscribe();
        // What is waited for stays locked while its guard lives.
        let waited = tokio::time::timeout(PATIENCE, lines.wait_for(come));
        let has_come = waited.await.is_ok();
        let all = self.all();
        assert!(has_come, "`{line}` did not come {times} times: {all:?}");
    }
}

/// Asserts that a text holds each of some parts.
#[track_caller]
pub(crate) fn assert_says(text: impl Display, parts: &[&str]) {
    let text = text.to_string();
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in: {text}");
    }
}

/// The words of an error and of all its sources.
pub(crate) fn chain(error: &dyn std::error::Error) -> Vec<String> {
    std::iter::successors(Some(error), |error| error.source())
        .map(ToString::to_string)
        .collect()
}

/// The error of something that must fail.
#[track_caller]
pub(crate) fn failed<T: Debug, E>(result: std::result::Result<T, E>) -> E {
    match result {
        Ok(value) => panic!("it ended well, with {value:?}"),
        Err(error) => error,
    }
}
