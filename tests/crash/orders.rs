//! The orders example as a process: built, started, watched, killed and audited.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// What takes longer than this hangs.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often a condition of another process is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// The program, built once: a test binary alone does not make cargo build an example.
pub fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        // target/<profile>/deps/crash-<hash>
        let test = std::env::current_exe().unwrap();
        let profile = test.parent().and_then(Path::parent).unwrap();
        let mut cargo = Command::new(env!("CARGO"));
        cargo
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            // The whole workspace's choice of features, so that no dependency is built twice.
            .args(["build", "--quiet", "--workspace", "--example", "orders"])
            .arg("--target-dir")
            .arg(profile.parent().unwrap());
        if !cfg!(debug_assertions) {
            cargo.arg("--release");
        }
        assert!(cargo.status().unwrap().success(), "the example must build");
        profile.join("examples").join("orders")
    })
}

/// A directory with an input and a data directory.
pub struct Shop {
    pub dir: tempfile::TempDir,
}

impl Shop {
    /// A shop with so many orders.
    pub fn with_orders(count: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let sample = Command::new(program())
            .args(["make-sample", &count.to_string()])
            .output()
            .unwrap();
        assert!(sample.status.success());
        fs::write(dir.path().join("orders.jsonl"), sample.stdout).unwrap();
        Self { dir }
    }

    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    pub fn input(&self) -> PathBuf {
        self.dir.path().join("orders.jsonl")
    }

    /// The command line on another data directory.
    pub fn command_on(&self, data: &Path) -> Command {
        let mut command = Command::new(program());
        command
            .arg("--input")
            .arg(self.input())
            .arg("--data")
            .arg(data);
        command
    }

    /// Starts the main job, as a user would.
    pub fn start(&self) -> Running {
        let log = fs::File::options()
            .append(true)
            .create(true)
            .open(self.dir.path().join("log"))
            .unwrap();
        let child = self
            .command_on(&self.data())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        Running { child }
    }

    /// What all processes have printed.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// Runs to the end.
    pub fn finish(&self) {
        let status = self.start().wait();
        assert!(status.success(), "{status}\n{}", self.log());
    }

    pub fn audit(&self) -> Output {
        self.audit_of(&self.data())
    }

    pub fn audit_of(&self, data: &Path) -> Output {
        let mut command = Command::new(program());
        command.arg("audit").arg("--input").arg(self.input());
        command.arg("--data").arg(data);
        command.output().unwrap()
    }

    /// Audits a copy of what a killed process left, so that the next one finds it untouched.
    pub fn audit_copy(&self) -> Output {
        let copy = self.dir.path().join("copy");
        copy_tree(&self.data(), &copy);
        let output = self.audit_of(&copy);
        fs::remove_dir_all(copy).unwrap();
        output
    }

    /// How long the ledger is, in bytes.
    pub fn ledger_len(&self) -> u64 {
        fs::metadata(self.data().join("ledger.jsonl")).map_or(0, |meta| meta.len())
    }

    /// The ledger's lines about steps.
    pub fn ledger(&self) -> Vec<serde_json::Value> {
        let text = fs::read_to_string(self.data().join("ledger.jsonl")).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
        lines
            .filter(|line: &serde_json::Value| line.get("task").is_some())
            .collect()
    }
}

/// Asserts that an audit found nothing, and gives what it said.
#[track_caller]
pub fn assert_clean(output: &Output, shop: &Shop) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success() && text.contains("clean: nothing is lost, nothing is doubled"),
        "{text}{}\nthe processes said:\n{}",
        String::from_utf8_lossy(&output.stderr),
        shop.log()
    );
    text
}

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// A running process; killed when the test gives up.
pub struct Running {
    child: Child,
}

impl Running {
    /// Waits until a condition holds or the process ends. Answers whether it still runs.
    #[expect(
        clippy::disallowed_methods,
        reason = "a pause between two looks, with a deadline"
    )]
    pub fn until(&mut self, mut condition: impl FnMut() -> bool) -> bool {
        let began = Instant::now();
        loop {
            if self.child.try_wait().unwrap().is_some() {
                return false;
            }
            if condition() {
                return true;
            }
            assert!(began.elapsed() < PATIENCE, "it neither works nor ends");
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Waits for a moment that nothing but chance has chosen.
    pub fn for_a_moment(&mut self, moment: Duration) -> bool {
        let began = Instant::now();
        self.until(|| began.elapsed() >= moment)
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to stop, as an init system does.
    pub fn terminate(&mut self) {
        let status = Command::new("kill")
            .args(["-TERM", &self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(status.success());
    }

    pub fn wait(&mut self) -> ExitStatus {
        self.until(|| false);
        self.child.wait().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended in all but failing tests.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Quiet output of a child, for commands whose output does not matter.
pub fn quiet(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
