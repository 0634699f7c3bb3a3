//! The processes of the orders example: workers, and the client that starts orders.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use super::servers::Servers;

/// What does not end within this time after the trouble hangs.
const PATIENCE: Duration = Duration::from_secs(240);
/// How often something is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// Lines of each log that a failure shows.
const LOG_LINES: usize = 60;

/// A process that may be killed and started again.
#[derive(Debug)]
pub struct Process {
    program: PathBuf,
    arguments: Vec<String>,
    variables: Vec<(String, String)>,
    log: PathBuf,
    child: Option<Child>,
}

impl Process {
    pub fn start(&mut self) {
        let mut log = fs::File::options();
        let log = log.append(true).create(true).open(&self.log).unwrap();
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).envs(self.variables.clone());
        command.stdout(log.try_clone().unwrap()).stderr(log);
        self.child = Some(command.spawn().unwrap());
    }

    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Stops it as an init system does, and waits.
    pub fn terminate(&mut self) {
        self.signal("-TERM");
        let mut child = self.child.take().unwrap();
        let began = Instant::now();
        while child.try_wait().unwrap().is_none() {
            assert!(began.elapsed() < PATIENCE, "{:?} does not stop", self.log);
            pause(LOOK_EVERY);
        }
    }

    pub fn freeze(&mut self, time: Duration) {
        self.signal("-STOP");
        pause(time);
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let id = self.child.as_ref().unwrap().id().to_string();
        let status = Command::new("kill").args([signal, &id]).status();
        assert!(status.unwrap().success());
    }

    /// The most memory that it has taken since it was started last, in bytes.
    pub fn peak_memory(&self) -> u64 {
        let id = self.child.as_ref().unwrap().id();
        let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().next());
        kilobytes.unwrap().parse::<u64>().unwrap() << 10
    }

    /// Whether it has ended well; none while it runs.
    fn ended(&mut self) -> Option<bool> {
        let status = self.child.as_mut()?.try_wait().unwrap()?;
        Some(status.success())
    }

    fn log(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let from = lines.len().saturating_sub(LOG_LINES);
        format!("{}:\n{}\n", self.log.display(), lines[from..].join("\n"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

/// A directory with an input, and the processes that work on it.
#[derive(Debug)]
pub struct Shop {
    dir: tempfile::TempDir,
    pub workers: Vec<Process>,
    pub client: Process,
}

impl Shop {
    /// Starts the workers.
    pub fn open(servers: &Servers, workers: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        // A copy: another test may build the example with other features.
        let program = dir.path().join("orders");
        fs::copy(build(), &program).unwrap();
        let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/orders/cluster.yml");
        let process = |name: &str, first: &[&str]| {
            let mut arguments: Vec<String> = first.iter().map(ToString::to_string).collect();
            for (flag, path) in [
                ("--config", config.clone()),
                ("--data", dir.path().join("data")),
                ("--input", dir.path().join("orders.jsonl")),
            ] {
                arguments.extend([flag.to_owned(), path.display().to_string()]);
            }
            Process {
                program: program.clone(),
                arguments,
                variables: servers.variables.clone(),
                log: dir.path().join(format!("{name}.log")),
                child: None,
            }
        };
        let mut workers: Vec<Process> = (0..workers)
            .map(|number| {
                let mut worker = process(&format!("worker-{number}"), &["worker"]);
                // As in the middle of an upgrade: neighbours write formats that differ by one.
                let format = (number % 2 + 1).to_string();
                worker.variables.push(("ORDERS_FORMAT".to_owned(), format));
                worker
            })
            .collect();
        workers.iter_mut().for_each(Process::start);
        let client = process("client", &[]);
        Self {
            dir,
            workers,
            client,
        }
    }

    /// Starts the client on so many orders, of which earlier ones have ended.
    pub fn order(&mut self, count: u64) {
        let mut make = Command::new(self.dir.path().join("orders"));
        let sample = make.args(["make-sample", &count.to_string()]).output();
        fs::write(self.dir.path().join("orders.jsonl"), sample.unwrap().stdout).unwrap();
        self.client.start();
    }

    /// Waits until services have written so many lines more, or the client has ended.
    pub fn until_written(&mut self, lines: u64) {
        let wanted = self.written() + lines;
        self.until(|shop| shop.written() >= wanted || shop.client.ended().is_some());
    }

    fn written(&self) -> u64 {
        let Ok(entries) = fs::read_dir(self.dir.path().join("data")) else {
            return 0;
        };
        let ledgers = entries.map(|entry| entry.unwrap().path());
        let ledgers = ledgers.filter(|path| path.to_string_lossy().contains("ledger"));
        let lines = ledgers.map(|path| fs::read_to_string(path).unwrap().lines().count());
        lines.sum::<usize>() as u64
    }

    /// Waits until the client has ended, which it does when all orders have.
    pub fn until_ended(&mut self) {
        self.until(|shop| match shop.client.ended() {
            // It may have met no broker at its start.
            Some(false) => {
                shop.client.start();
                false
            }
            Some(true) => true,
            None => false,
        });
        self.client.child = None;
    }

    fn until(&mut self, mut condition: impl FnMut(&mut Self) -> bool) {
        let began = Instant::now();
        while !condition(self) {
            // As an init system does: one that met no broker at its start is started again.
            for worker in self.workers.iter_mut().filter_map(|worker| {
                let is_gone = worker.ended().is_some();
                is_gone.then_some(worker)
            }) {
                eprintln!("started again: {}", worker.log.display());
                worker.start();
            }
            assert!(began.elapsed() < PATIENCE, "it hangs\n{}", self.log());
            pause(LOOK_EVERY);
        }
    }

    /// What the audit says.
    pub fn audit(&self) -> String {
        let mut command = Command::new(&self.client.program);
        command.arg("audit").args(&self.client.arguments);
        let output = command.envs(self.client.variables.clone()).output();
        let output = output.unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        said + &String::from_utf8_lossy(&output.stderr)
    }

    /// Ends the workers in good order.
    pub fn close(mut self) {
        self.workers.iter_mut().for_each(Process::terminate);
    }

    /// What the processes said last.
    pub fn log(&self) -> String {
        let logs = self.workers.iter().chain([&self.client]);
        logs.map(Process::log).collect()
    }
}

/// Builds the example with what a cluster needs: a test alone does not make cargo build it.
fn build() -> PathBuf {
    // target/<profile>/deps/cluster-<hash>
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        // The features of the whole run, so that no dependency is built twice.
        .args(["build", "--quiet", "--workspace", "--features", "cluster"])
        .args(["--example", "orders", "--target-dir"])
        .arg(profile.parent().unwrap());
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    assert!(cargo.status().unwrap().success(), "the example must build");
    profile.join("examples").join("orders")
}

#[expect(
    clippy::disallowed_methods,
    reason = "time in which something fails, and pauses between looks with a deadline"
)]
pub fn pause(time: Duration) {
    std::thread::sleep(time);
}
