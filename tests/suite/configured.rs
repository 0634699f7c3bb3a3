//! Workers and clients made from a configuration: the same program on each backend that a file can
//! name, and all that a file says of what the program hosts.

use std::future::pending;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use infinitic::config::{Config, ConfigError};
use infinitic::prelude::*;
use tempfile::TempDir;

use crate::env::{assert_says, failed, until, until_status};
use crate::logs;

/// What a program hosts, and a file runs otherwise.
#[derive(Clone, Default)]
struct Bench {
    attempts: Arc<AtomicU32>,
}

#[service]
#[retry(none)]
impl Bench {
    /// Ends well at the third attempt.
    async fn third(&self) -> Result<u32> {
        match self.attempts.fetch_add(1, Ordering::SeqCst) {
            attempt @ 2.. => Ok(attempt),
            attempt => Err(Error::msg(format!("attempt {attempt}"))),
        }
    }

    #[timeout("1h", grace = "10ms")]
    async fn hangs(&self) -> Result<()> {
        pending().await
    }

    /// Tells who runs it.
    async fn whose(&self) -> Result<String> {
        Ok(task::worker())
    }
}

#[workflow]
#[derive(Default)]
struct Benched;

#[workflow]
impl Benched {
    async fn run(&self) -> Result<(u32, String)> {
        let bench = new_service::<BenchStub>();
        let hung = bench.hangs().await.unwrap_err();
        assert!(hung.to_string().contains("limit"), "{hung}");
        Ok((bench.third().await?, bench.whose().await?))
    }
}

/// Panics at its first turns.
#[workflow]
struct Shaky {
    left: Arc<AtomicU32>,
}

#[workflow]
impl Shaky {
    async fn run(&self) -> Result<u32> {
        let left = self.left.load(Ordering::SeqCst);
        self.left.store(left.saturating_sub(1), Ordering::SeqCst);
        assert_eq!(left, 0, "not yet");
        Ok(7)
    }
}

const HOSTED: &str = "
name: told
worker: { retention: 1d, maxDeliveries: 2, warmInstances: 3 }
services:
  - name: Bench
    executor:
      timeoutSeconds: 0.05
      retry: { minimumSeconds: 0.001, maximumRetries: 2 }
  - name: Elsewhere
workflows:
  - name: Shaky
    executor: { retry: { minimumSeconds: 0.001 } }
";

fn write(dir: &TempDir, name: &str, text: &str) -> PathBuf {
    let path = dir.path().join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

fn run(body: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let ended = runtime.block_on(async { tokio::time::timeout(LIMIT, body).await });
    assert!(ended.is_ok(), "the test did not end within {LIMIT:?}");
}

const LIMIT: Duration = Duration::from_secs(50);

/// The program: what a file says of its services and workflows wins over their code.
async fn check(worker: Worker, client: impl AsyncFnOnce() -> Client) {
    let panics = Arc::new(AtomicU32::new(2));
    let shaky = move || Shaky {
        left: Arc::clone(&panics),
    };
    let worker = worker
        .service(Bench::default())
        .workflow(Benched::default)
        .workflow(shaky);
    let body = async {
        let client = client().await;
        let benched = client.new_workflow::<BenchedClient>().run().await.unwrap();
        assert_eq!(benched, (2, "told".to_owned()));
        let shaky = client.new_workflow::<ShakyClient>().run().await.unwrap();
        assert_eq!(shaky, 7);
    };
    worker.run_until(body).await.unwrap();
}

#[test]
fn memory_from_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = write(
        &dir,
        "a.yml",
        &format!("transport: {{ inMemory: }}{HOSTED}"),
    );
    run(async {
        let worker = Worker::from_config(&file).unwrap();
        let client = worker.client();
        check(worker, async || client).await;
        let error = failed(Client::from_config(&file).await);
        assert_says(error, &["a.yml", "worker.client()"]);
    });
}

#[test]
fn a_directory_from_files_with_a_client_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    let address = free_address();
    let data = dir.path().join("data");
    let transport = format!(
        "transport: {{ embedded: {{ path: {}, listen: \"{address}\", token: s3cret }} }}\n",
        data.display()
    );
    let files = [
        write(&dir, "a.yml", &transport),
        write(&dir, "b.yml", HOSTED),
    ];
    run(async {
        let worker = Worker::from_configs(&files).unwrap();
        let connected = async || loop {
            match Client::from_configs(&files).await {
                Ok(client) => return client,
                Err(ClientError::Unreachable { .. }) => tokio::task::yield_now().await,
                Err(error) => panic!("{error}"),
            }
        };
        Box::pin(check(worker, connected)).await;
        assert!(data.is_dir());
    });
}

#[test]
fn a_client_needs_to_know_where_its_worker_is() {
    let config = Config::parse_yaml("transport: { embedded: { path: d } }").unwrap();
    run(async {
        let error = failed(Client::with_config(config).await);
        assert_says(error, &["yaml", "`listen: 127.0.0.1:9070`"]);
    });
}

#[test]
fn mistakes_are_told_as_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let file = write(&dir, "a.yml", "transport: { memory: }\n");
    let error = failed(Worker::from_config(&file).map(|_| ()));
    assert!(matches!(&error, WorkerError::Config(ConfigError { .. })));
    assert_says(error, &["a.yml:1:", "`memory` in `transport`"]);
    run(async {
        let error = failed(Client::from_config(&file).await.map(|_| ()));
        assert_says(error, &["a.yml:1:", "`memory` in `transport`"]);
    });
}

#[test]
fn a_worker_that_does_half_is_refused() {
    for (part, transport) in [("executor", "inMemory:"), ("stateEngine", "inMemory: {}")] {
        let text = format!(
            "transport: {{ {transport} }}\nworkflows: [{{ name: W, {part}: {{ concurrency: 0 }} }}]"
        );
        let config = Config::parse_yaml(&text).unwrap();
        let error = failed(Worker::with_config(config).map(|_| ()));
        assert_says(error, &[&format!("`{part}.concurrency` of workflow `W`")]);
    }
}

#[test]
fn a_service_at_zero_is_not_run_here() {
    let text =
        "transport: { inMemory: }\nservices: [{ name: Bench, executor: { concurrency: 0 } }]";
    run(async {
        let worker = Worker::with_config(Config::parse_yaml(text).unwrap()).unwrap();
        let bench = Bench::default();
        let attempts = Arc::clone(&bench.attempts);
        let worker = worker.service(bench).workflow(thirds);
        let client = worker.client();
        let body = async {
            let run = client.new_workflow::<thirds>().thirds().dispatch().await;
            until_status(&run.unwrap(), Status::Running).await;
        };
        worker.run_until(body).await.unwrap();
        assert_eq!(attempts.load(Ordering::SeqCst), 0);
    });
}

#[workflow]
async fn thirds() -> Result<u32> {
    Ok(new_service::<BenchStub>().third().await?)
}

#[test]
fn the_program_has_the_last_word_on_numbers() {
    let text = "transport: { inMemory: }\nservices: [{ name: Bench, executor: { concurrency: 0, \
                retry: { minimumSeconds: 0.001 } } }]";
    run(async {
        let worker = Worker::with_config(Config::parse_yaml(text).unwrap()).unwrap();
        let worker = worker.concurrency_of("Bench", 1);
        let worker = worker.service(Bench::default()).workflow(thirds);
        let client = worker.client();
        let body = async { client.new_workflow::<thirds>().thirds().await };
        let mut ended = None;
        worker
            .run_until(async { ended = Some(body.await) })
            .await
            .unwrap();
        assert_eq!(ended.unwrap().unwrap(), 2);
    });
}

#[test]
fn what_has_no_effect_is_logged() {
    let text =
        "transport: { inMemory: }\nworker: { beat: 1s, shards: 1 }\nlogs: { beautify: true }";
    run(async {
        let log = logs::read().await;
        let config = Config::parse_yaml(text).unwrap();
        drop(Worker::with_config(config).unwrap());
        until("both are told", async || {
            !log.lines_with("`worker.beat` has no effect").is_empty()
                && !log.lines_with("`logs.beautify`").is_empty()
        })
        .await;
        assert!(log.lines_with("`worker.shards`").is_empty());
    });
}

#[cfg(not(feature = "pulsar"))]
#[test]
fn a_missing_feature_is_named() {
    let text = "transport: { pulsar: { brokerServiceUrl: \"pulsar://h:1\", webServiceUrl: \
                \"http://h:2\", tenant: t, namespace: n } }";
    let error = failed(Worker::with_config(Config::parse_yaml(text).unwrap()).map(|_| ()));
    assert_says(
        error,
        &["`transport.pulsar` needs the cargo feature `pulsar`"],
    );
}

#[cfg(feature = "cluster")]
mod on_servers {
    use super::*;

    /// The file for a broker and a database, if the environment says where they are.
    fn file(dir: &TempDir, kind: &str) -> Option<PathBuf> {
        let variable = format!("INFINITIC_{}_URL", kind.to_uppercase());
        let needed = [
            "INFINITIC_PULSAR_URL",
            "INFINITIC_PULSAR_ADMIN_URL",
            &variable,
        ];
        if needed.iter().any(|name| std::env::var_os(name).is_none()) {
            eprintln!(
                "LEFT OUT: a configured cluster on {kind}; set {}",
                needed.join(", ")
            );
            return None;
        }
        // Names of their own: these servers are shared with other tests.
        let own = format!("configured{}", std::process::id());
        let prefix = match kind {
            "redis" => format!("keyPrefix: {own}"),
            _ => format!("tablePrefix: {own}_"),
        };
        let text = format!(
            "transport:
  pulsar:
    brokerServiceUrl: ${{INFINITIC_PULSAR_URL}}
    webServiceUrl: ${{INFINITIC_PULSAR_ADMIN_URL}}
    tenant: infinitic-tests
    namespace: configured
    topicPrefix: {own}-{kind}
    policies: {{ retentionTimeMinutes: 0, retentionSizeMB: 0 }}
storage: {{ {kind}: {{ url: \"${{{variable}}}\", {prefix} }} }}{HOSTED}"
        );
        let text = text.replace("warmInstances: 3", "warmInstances: 3, partitions: 2");
        Some(write(dir, "cluster.yml", &text))
    }

    fn on(kind: &str) {
        let dir = tempfile::tempdir().unwrap();
        let Some(file) = file(&dir, kind) else { return };
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let worker = Worker::from_config(&file).unwrap();
            let connected = async || Client::from_config(&file).await.unwrap();
            let checked = Box::pin(tokio::time::timeout(LIMIT, check(worker, connected))).await;
            assert!(checked.is_ok(), "the test did not end within {LIMIT:?}");
        });
    }

    #[test]
    fn postgres() {
        on("postgres");
    }

    #[test]
    fn mysql() {
        on("mysql");
    }

    #[test]
    fn redis() {
        on("redis");
    }

    #[test]
    fn a_worker_that_hosts_workflows_needs_a_database() {
        let dir = tempfile::tempdir().unwrap();
        let Some(file) = file(&dir, "postgres") else {
            return;
        };
        let text = std::fs::read_to_string(&file).unwrap();
        let lines = text.lines().filter(|line| !line.starts_with("storage:"));
        let file = write(&dir, "none.yml", &lines.collect::<Vec<_>>().join("\n"));
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let worker = Worker::from_config(&file).unwrap().workflow(thirds);
            let error = failed(worker.run().await);
            assert_says(error, &["no storage is configured", "`storage`"]);
        });
    }
}
