//! Flags: what to run, how much of it, and where.

use std::path::PathBuf;
use std::time::Duration;

/// How the program is used.
pub(crate) const USAGE: &str = "\
usage: bench WORKLOAD [flags]

workloads
  w2     two no-op tasks one after the other; many instances, some in flight
  f      one workflow that dispatches --tasks tasks and awaits all; --count times
  s      one workflow of --steps tasks in a row; --count times
  t      --count instances that wait for a timer of 5 s: how late are they?
  r      --count waiting instances, kill -9, how long until they go on?
  floor  what w2 writes, and nothing else: three rows of 400 bytes a workflow

flags
  --backend embedded|memory  where rows go (embedded); clusters: pulsar+postgres, pulsar+mysql,
                             pulsar+redis (built with --features cluster, addresses from the
                             environment: scripts/servers env) and cluster-memory
  --workers 1|2              clusters: the second worker is another process (1)
  --tasks-away               clusters: all tasks go over the broker
  --warm N                   clusters: instances before the measuring begins (4096; s, f: 64)
  --partitions N             clusters: partitions of a workflow name (32)
  --count N                  workflows (w2 20000, f 20, s 1, t 10000, r 100000, floor 100000)
  --seconds N                w2 and floor: run so long instead of so many
  --in-flight N              w2 and floor: instances in flight (200)
  --steps N                  s: tasks in a row (1000)
  --tasks N                  f: tasks at once (1000)
  --wait task|timer          r: what the instances wait for (task)
  --ended N                  r: so many ended instances beside them (0)
  --retention SECONDS        how long ended instances are kept (7 days)
  --shards N                 engine threads (half the cores)
  --data DIR                 directory of the embedded store, kept afterwards
                             (default: a new one under ./data, removed afterwards)";

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Workload {
    TwoTasks,
    FanOut,
    Sequence,
    Timers,
    Recovery,
    /// The first process of a recovery: fills the store until it is killed.
    Fill,
    /// The second one: opens the store and measures.
    Recover,
    Floor,
    /// Another worker of a cluster: hosts what its first process says.
    Worker,
}

/// Where rows go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    Embedded,
    Memory,
    /// The loops of a cluster, with broker and database in this process.
    ClusterMemory,
    /// Pulsar, and a database.
    Cluster(Database),
}

/// The database of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Database {
    Postgres,
    Mysql,
    Redis,
}

/// What the instances of a recovery wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WaitFor {
    Task,
    Timer,
}

/// A run.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) workload: Workload,
    pub(crate) backend: Backend,
    pub(crate) count: u64,
    pub(crate) limit: Option<Duration>,
    pub(crate) in_flight: u64,
    pub(crate) steps: u32,
    pub(crate) tasks: u32,
    pub(crate) wait: WaitFor,
    pub(crate) ended: u64,
    pub(crate) retention: Option<Duration>,
    pub(crate) shards: Option<usize>,
    pub(crate) data: Option<PathBuf>,
    pub(crate) workers: usize,
    pub(crate) tasks_away: bool,
    pub(crate) warm: Option<u64>,
    pub(crate) partitions: Option<u16>,
    /// The cluster of another process of this program.
    pub(crate) name: Option<String>,
    /// What another worker hosts.
    pub(crate) hosts: Workload,
}

impl Workload {
    /// Its name on the command line and in the report.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::TwoTasks => "w2",
            Self::FanOut => "f",
            Self::Sequence => "s",
            Self::Timers => "t",
            Self::Recovery | Self::Recover => "r",
            Self::Fill => "fill",
            Self::Floor => "floor",
            Self::Worker => "worker",
        }
    }

    fn parse(text: &str) -> Result<Self, String> {
        Ok(match text {
            "w2" => Self::TwoTasks,
            "f" => Self::FanOut,
            "s" => Self::Sequence,
            "t" => Self::Timers,
            "r" => Self::Recovery,
            "r-fill" => Self::Fill,
            "r-recover" => Self::Recover,
            "floor" => Self::Floor,
            "worker" => Self::Worker,
            _ => return Err(format!("`{text}` is no workload")),
        })
    }

    fn default_count(self) -> u64 {
        match self {
            Self::TwoTasks => 20_000,
            Self::FanOut => 20,
            Self::Sequence | Self::Worker => 1,
            Self::Timers => 10_000,
            Self::Recovery | Self::Fill | Self::Recover | Self::Floor => 100_000,
        }
    }
}

impl Backend {
    /// Its name on the command line and in the report.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Memory => "memory",
            Self::ClusterMemory => "cluster-memory",
            Self::Cluster(Database::Postgres) => "pulsar+postgres",
            Self::Cluster(Database::Mysql) => "pulsar+mysql",
            Self::Cluster(Database::Redis) => "pulsar+redis",
        }
    }

    fn parse(text: &str) -> Result<Self, String> {
        let all = [
            Self::Embedded,
            Self::Memory,
            Self::ClusterMemory,
            Self::Cluster(Database::Postgres),
            Self::Cluster(Database::Mysql),
            Self::Cluster(Database::Redis),
        ];
        let names = || all.map(Self::name).join(", ");
        all.into_iter()
            .find(|backend| backend.name() == text)
            .ok_or_else(|| format!("`{text}` is no backend; write one of {}", names()))
    }

    /// Whether several workers may share it.
    pub(crate) fn is_cluster(self) -> bool {
        matches!(self, Self::ClusterMemory | Self::Cluster(_))
    }
}

impl Options {
    /// Reads the arguments; nothing when help was asked for.
    pub(crate) fn parse(arguments: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let mut arguments = arguments.peekable();
        let first = arguments.next().unwrap_or_else(|| "--help".to_owned());
        if first == "--help" || first == "-h" {
            return Ok(None);
        }
        let workload = Workload::parse(&first)?;
        let mut options = Self {
            workload,
            backend: Backend::Embedded,
            count: workload.default_count(),
            limit: None,
            in_flight: 200,
            steps: 1000,
            tasks: 1000,
            wait: WaitFor::Task,
            ended: 0,
            retention: None,
            shards: None,
            data: None,
            workers: 1,
            tasks_away: false,
            warm: None,
            partitions: None,
            name: None,
            hosts: workload,
        };
        while let Some(flag) = arguments.next() {
            if flag == "--tasks-away" {
                options.tasks_away = true;
                continue;
            }
            let value = arguments
                .next()
                .ok_or_else(|| format!("`{flag}` needs a value"))?;
            options.set(&flag, &value)?;
        }
        options.check()?;
        Ok(Some(options))
    }

    fn check(&self) -> Result<(), String> {
        let is_recovery = matches!(self.workload, Workload::Recovery);
        let forgets = matches!(self.backend, Backend::Memory | Backend::ClusterMemory);
        if is_recovery && forgets {
            return Err("r needs a store that survives; use `--backend embedded`".to_owned());
        }
        if self.workload == Workload::Floor && self.backend.is_cluster() {
            return Err("floor is a workload for `--backend embedded` and `memory`".to_owned());
        }
        let is_alone = is_recovery || !matches!(self.backend, Backend::Cluster(_));
        match self.workers {
            1 => Ok(()),
            2 if !is_alone => Ok(()),
            2 => {
                Err("a second worker needs real servers, and no r: use pulsar+postgres".to_owned())
            }
            _ => Err("`--workers` takes 1 or 2".to_owned()),
        }
    }

    fn set(&mut self, flag: &str, value: &str) -> Result<(), String> {
        match flag {
            "--backend" => self.backend = Backend::parse(value)?,
            "--wait" => {
                self.wait = match value {
                    "task" => WaitFor::Task,
                    "timer" => WaitFor::Timer,
                    _ => return Err(format!("`--wait {value}`: write task or timer")),
                }
            }
            "--count" => self.count = number(flag, value)?,
            "--seconds" => self.limit = Some(Duration::from_secs(number(flag, value)?)),
            "--in-flight" => self.in_flight = number(flag, value)?,
            "--steps" => self.steps = small(flag, value)?,
            "--tasks" => self.tasks = small(flag, value)?,
            "--ended" => {
                self.ended = value
                    .parse()
                    .map_err(|_| format!("`{flag}` takes a number"))?;
            }
            "--retention" => self.retention = Some(Duration::from_secs(number(flag, value)?)),
            "--shards" => {
                self.shards = Some(usize::try_from(small(flag, value)?).unwrap_or(usize::MAX));
            }
            "--workers" => {
                self.workers = usize::try_from(small(flag, value)?).unwrap_or(usize::MAX);
            }
            "--warm" => {
                let warm = value.parse();
                self.warm = Some(warm.map_err(|_| format!("`{flag}` takes a number"))?);
            }
            "--partitions" => {
                let partitions = u16::try_from(number(flag, value)?);
                self.partitions = Some(partitions.map_err(|_| format!("`{flag}`: too many"))?);
            }
            "--name" => self.name = Some(value.to_owned()),
            "--host" => self.hosts = Workload::parse(value)?,
            "--data" => self.data = Some(PathBuf::from(value)),
            _ => return Err(format!("`{flag}` is no flag")),
        }
        Ok(())
    }
}

fn number(flag: &str, value: &str) -> Result<u64, String> {
    let digits = value.replace('_', "");
    match digits.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(format!("`{flag} {value}`: write a number from 1 on")),
    }
}

fn small(flag: &str, value: &str) -> Result<u32, String> {
    u32::try_from(number(flag, value)?).map_err(|_| format!("`{flag} {value}` is too many"))
}
