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
  --backend embedded|memory  where rows go (embedded)
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
}

/// Where rows go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    Embedded,
    Memory,
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
            _ => return Err(format!("`{text}` is no workload")),
        })
    }

    fn default_count(self) -> u64 {
        match self {
            Self::TwoTasks => 20_000,
            Self::FanOut => 20,
            Self::Sequence => 1,
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
        }
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
        };
        while let Some(flag) = arguments.next() {
            let value = arguments
                .next()
                .ok_or_else(|| format!("`{flag}` needs a value"))?;
            options.set(&flag, &value)?;
        }
        let in_process = !matches!(workload, Workload::Recovery);
        if !in_process && options.backend == Backend::Memory {
            return Err("r needs a store that survives; use `--backend embedded`".to_owned());
        }
        Ok(Some(options))
    }

    fn set(&mut self, flag: &str, value: &str) -> Result<(), String> {
        match flag {
            "--backend" => {
                self.backend = match value {
                    "embedded" => Backend::Embedded,
                    "memory" => Backend::Memory,
                    _ => return Err(format!("`{value}` is no backend; write embedded or memory")),
                }
            }
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
