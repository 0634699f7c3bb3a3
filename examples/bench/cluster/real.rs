//! Real servers: where they are, and what a run makes and removes there.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::sync::Arc;

use infinitic_runtime::cluster::store::SharedStore;
use infinitic_runtime::cluster::transport::Transport;
use infinitic_runtime::pulsar::{PulsarSettings, PulsarTransport};
use infinitic_runtime::store::mysql::MysqlStore;
use infinitic_runtime::store::postgres::PostgresStore;
use infinitic_runtime::store::redis::{RedisSettings, RedisStore};
use infinitic_runtime::store::sql::SqlSettings;

use crate::Failed;
use crate::options::Database;

/// A broker and a database.
pub(crate) struct Real {
    pulsar: PulsarSettings,
    database: Database,
    url: String,
    name: String,
}

impl Real {
    /// Takes the addresses from the environment; `name` is the namespace and schema of the run.
    pub(crate) fn new(database: Database, name: &str) -> Result<Self, Failed> {
        let variable = match database {
            Database::Postgres => "INFINITIC_POSTGRES_URL",
            Database::Mysql => "INFINITIC_MYSQL_URL",
            Database::Redis => "INFINITIC_REDIS_URL",
        };
        let mut pulsar = PulsarSettings::new(
            address("INFINITIC_PULSAR_URL")?,
            address("INFINITIC_PULSAR_ADMIN_URL")?,
        );
        name.clone_into(&mut pulsar.namespace);
        Ok(Self {
            pulsar,
            database,
            url: address(variable)?,
            name: name.to_owned(),
        })
    }

    pub(crate) async fn transport(&self) -> Result<Arc<dyn Transport>, Failed> {
        let transport = PulsarTransport::connect(self.pulsar.clone()).await?;
        Ok(Arc::new(transport))
    }

    pub(crate) async fn store(&self) -> Result<Arc<dyn SharedStore>, Failed> {
        let sql = SqlSettings::new(&self.url).schema(&self.name);
        Ok(match self.database {
            Database::Postgres => Arc::new(PostgresStore::open(&sql).await?),
            Database::Mysql => Arc::new(MysqlStore::open(&sql).await?),
            Database::Redis => {
                let settings = RedisSettings::new(&self.url).prefix(&self.name);
                Arc::new(RedisStore::open(&settings).await?)
            }
        })
    }

    /// The ports of broker and database, when both are on this machine.
    pub(crate) fn ports(&self) -> [Option<u16>; 2] {
        [&self.pulsar.broker_url, &self.url].map(|url| {
            let (host, port) = Address::of(url)?.host_and_port()?;
            matches!(host, "127.0.0.1" | "localhost" | "::1").then_some(port)
        })
    }

    /// Removes namespaces and tables; what is left is told.
    pub(crate) async fn remove(&self) {
        for namespace in [self.name.clone(), self.pulsar.transient_namespace()] {
            if let Err(error) = self.remove_namespace(&namespace) {
                eprintln!("namespace {namespace} was not removed from the broker: {error}");
            }
        }
        if let Err(error) = self.remove_tables() {
            eprintln!("{} was not removed from the database: {error}", self.name);
        }
    }

    fn remove_namespace(&self, namespace: &str) -> Result<(), Failed> {
        let place = Address::of(&self.pulsar.admin_url).ok_or("its address is not understood")?;
        let tenant = &self.pulsar.tenant;
        let mut stream = TcpStream::connect(place.place)?;
        write!(
            stream,
            "DELETE /admin/v2/namespaces/{tenant}/{namespace}?force=true HTTP/1.1\r\n\
             Host: {}\r\nConnection: close\r\n\r\n",
            place.place
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let status = answer.lines().next().unwrap_or_default();
        match status.split(' ').nth(1) {
            Some("204" | "200" | "404") => Ok(()),
            _ => Err(status.to_owned().into()),
        }
    }

    /// With the programs that come with the databases: this one knows no driver.
    fn remove_tables(&self) -> Result<(), Failed> {
        let name = &self.name;
        match self.database {
            Database::Postgres => {
                let drop = format!("DROP SCHEMA IF EXISTS \"{name}\" CASCADE");
                let quiet = ["-X", "-q", "-v", "ON_ERROR_STOP=1", "-c"];
                run(Command::new("psql").arg(&self.url).args(quiet).arg(drop)).map(drop_text)
            }
            Database::Mysql => {
                let address = Address::of(&self.url).ok_or("its address is not understood")?;
                let (host, port) = address.host_and_port().ok_or("its address has no port")?;
                let drop = format!("DROP DATABASE IF EXISTS `{name}`");
                let mut command = Command::new("mysql");
                command.args(["--protocol=tcp", "-h", host, "-P", &port.to_string()]);
                command.args(["-u", address.user, "-e", &drop]);
                run(command.env("MYSQL_PWD", address.password)).map(drop_text)
            }
            Database::Redis => {
                let client = || {
                    let mut command = Command::new("redis-cli");
                    command.args(["-u", &self.url]);
                    command
                };
                let pattern = format!("*{name}[:/]*");
                let keys = run(client().args(["--scan", "--pattern", &pattern]))?;
                let keys: Vec<&str> = keys.lines().collect();
                for some in keys.chunks(1_000) {
                    run(client().arg("UNLINK").args(some))?;
                }
                Ok(())
            }
        }
    }
}

fn drop_text(_: String) {}

fn address(variable: &str) -> Result<String, Failed> {
    std::env::var(variable).map_err(|_| {
        format!("{variable} is not set: `scripts/servers env` prints the addresses").into()
    })
}

/// Runs a program; gives what it says.
fn run(command: &mut Command) -> Result<String, Failed> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned().into())
}

/// The parts of `scheme://user:password@host:port/path`.
struct Address<'a> {
    user: &'a str,
    password: &'a str,
    /// Host and port.
    place: &'a str,
}

impl<'a> Address<'a> {
    fn of(url: &'a str) -> Option<Self> {
        let (_, rest) = url.split_once("://")?;
        let rest = rest.split(['/', '?']).next()?;
        let (who, place) = rest.rsplit_once('@').unwrap_or(("", rest));
        let (user, password) = who.split_once(':').unwrap_or((who, ""));
        Some(Self {
            user,
            password,
            place,
        })
    }

    fn host_and_port(&self) -> Option<(&'a str, u16)> {
        let (host, port) = self.place.rsplit_once(':')?;
        Some((host.trim_matches(['[', ']']), port.parse().ok()?))
    }
}
