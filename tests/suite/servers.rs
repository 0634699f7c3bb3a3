//! What a test has on real servers: topics, tables and keys that begin with a word of its own, and
//! go when it ends well.

use std::io::Write as _;
use std::sync::{Arc, Once};

use infinitic_runtime::clock::random_bits;
use infinitic_runtime::cluster::store::SharedStore;
use infinitic_runtime::cluster::transport::Transport;
use infinitic_runtime::pulsar::{PulsarSettings, PulsarTransport};
use infinitic_runtime::store::mysql::MysqlStore;
use infinitic_runtime::store::postgres::PostgresStore;
use infinitic_runtime::store::redis::{RedisSettings, RedisStore};
use infinitic_runtime::store::sql::SqlSettings;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Connections of one worker to its database: many workers run at the same time.
const CONNECTIONS: u32 = 3;
/// Topics that are removed at the same time.
const REMOVED_TOGETHER: usize = 8;

/// A kind of database beside the broker.
#[derive(Clone, Copy, Debug)]
enum Database {
    Postgres,
    Mysql,
    Redis,
}

/// A broker and a database, and the word with which all begins that one test has there.
#[derive(Debug)]
pub(crate) struct Servers {
    broker: String,
    admin: String,
    database: Database,
    url: String,
    word: String,
}

impl Servers {
    /// Those of a backend; none when the environment does not name them, which is said loudly.
    pub(crate) fn of(backend: &str) -> Option<Self> {
        let (database, variable) = match backend {
            "pulsar_postgres" => (Database::Postgres, "INFINITIC_POSTGRES_URL"),
            "pulsar_mysql" => (Database::Mysql, "INFINITIC_MYSQL_URL"),
            "pulsar_redis" => (Database::Redis, "INFINITIC_REDIS_URL"),
            _ => unreachable!("no such backend: {backend}"),
        };
        let variables = [
            "INFINITIC_PULSAR_URL",
            "INFINITIC_PULSAR_ADMIN_URL",
            variable,
        ];
        let urls = variables.map(|name| std::env::var(name).unwrap_or_default());
        if urls.iter().any(String::is_empty) {
            left_out(backend, database, &variables);
            return None;
        }
        let [broker, admin, url] = urls;
        Some(Self {
            broker,
            admin,
            database,
            url,
            word: format!("t{:08x}", random_bits() as u32),
        })
    }

    /// A connection to the broker, as another process would have.
    pub(crate) async fn transport(&self) -> Arc<dyn Transport> {
        let transport = Box::pin(PulsarTransport::connect(self.pulsar())).await;
        Arc::new(transport.unwrap())
    }

    /// The same to the database.
    pub(crate) async fn store(&self) -> Arc<dyn SharedStore> {
        match self.database {
            Database::Postgres => Arc::new(PostgresStore::open(&self.sql()).await.unwrap()),
            Database::Mysql => Arc::new(MysqlStore::open(&self.sql()).await.unwrap()),
            Database::Redis => Arc::new(RedisStore::open(&self.redis()).await.unwrap()),
        }
    }

    fn pulsar(&self) -> PulsarSettings {
        let mut settings = PulsarSettings::new(&self.broker, &self.admin);
        settings.tenant = "infinitic-tests".to_owned();
        settings.namespace = "suite".to_owned();
        settings.prefix = Some(self.word.clone());
        settings
    }

    fn sql(&self) -> SqlSettings {
        SqlSettings::new(&self.url)
            .prefix(format!("{}_", self.word))
            .connections(CONNECTIONS)
    }

    fn redis(&self) -> RedisSettings {
        RedisSettings::new(&self.url).prefix(&self.word)
    }

    /// Removes all that the test has left. What a test that failed has left stays to be looked at.
    pub(crate) async fn erase(&self) {
        match self.database {
            Database::Postgres => {
                let store = PostgresStore::open(&self.sql()).await.unwrap();
                store.erase().await.unwrap();
            }
            Database::Mysql => {
                let store = MysqlStore::open(&self.sql()).await.unwrap();
                store.erase().await.unwrap();
            }
            Database::Redis => {
                let store = RedisStore::open(&self.redis()).await.unwrap();
                store.erase().await.unwrap();
            }
        }
        self.remove_topics().await;
    }

    async fn remove_topics(&self) {
        let settings = self.pulsar();
        let mut paths = Vec::new();
        for namespace in [&settings.namespace, &settings.transient_namespace()] {
            let base = format!("persistent/{}/{namespace}", settings.tenant);
            for kind in ["/partitioned", ""] {
                let names = self.ask("GET", &format!("{base}{kind}")).await;
                let names: Vec<String> = serde_json::from_str(&names).unwrap();
                let start = format!(
                    "persistent://{}/{namespace}/{}.",
                    settings.tenant, self.word
                );
                let mine = names.iter().filter(|name| name.starts_with(&start));
                // The partitions of a topic go with it.
                let whole = mine.filter(|name| !name.contains("-partition-"));
                paths.extend(whole.map(|name| {
                    let local = name.rsplit('/').next().unwrap().replace(':', "%3A");
                    format!(
                        "{base}/{local}{}",
                        match kind {
                            "" => "?force=true",
                            _ => "/partitions?force=true",
                        }
                    )
                }));
            }
        }
        for some in paths.chunks(REMOVED_TOGETHER) {
            // One that was removed by itself in the meantime is not missed.
            let removed = some.iter().map(|path| self.ask("DELETE", path));
            futures::future::join_all(removed).await;
        }
    }

    /// Asks the broker's REST interface, and gives the body of its answer.
    async fn ask(&self, method: &str, path: &str) -> String {
        let place = self
            .admin
            .trim_start_matches("http://")
            .trim_end_matches('/');
        let mut stream = TcpStream::connect(place).await.unwrap();
        // With this version the answer comes in one piece, and its end is the connection's.
        let request = format!("{method} /admin/v2/{path} HTTP/1.0\r\nHost: {place}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        body.to_owned()
    }
}

/// Says once, and even when all tests pass, that a backend was not tested.
fn left_out(backend: &str, database: Database, variables: &[&str]) {
    static TOLD: [Once; 3] = [const { Once::new() }; 3];
    TOLD[database as usize].call_once(|| {
        // The harness would hold back what `eprintln!` writes.
        let variables = variables.join(", ");
        let text = format!("\nLEFT OUT: no test on {backend} has run; set {variables}\n");
        std::io::stderr().write_all(text.as_bytes()).unwrap();
    });
}
