//! A broker of our own, to be killed.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::support::Place;

/// A broker that is stopped when this is dropped.
#[derive(Debug)]
pub(crate) struct Broker {
    script: PathBuf,
    data: TempDir,
    pub(crate) place: Place,
}

impl Broker {
    /// Starts one with settings, unless there is no script to do so.
    pub(crate) async fn start(settings: &[&str]) -> Option<Self> {
        Self::start_as(settings, None).await
    }

    /// The same where only those with a token may ask whether it runs.
    pub(crate) async fn start_as(settings: &[&str], token: Option<&str>) -> Option<Self> {
        let Ok(script) = std::env::var("INFINITIC_SERVERS") else {
            eprintln!("LEFT OUT: a test with a Pulsar of its own; set INFINITIC_SERVERS");
            return None;
        };
        let data = TempDir::new().expect("a folder");
        // The server may run under a user of its own.
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(data.path(), open).expect("our own folder");
        if let Some(token) = token {
            let header = format!("header = \"Authorization: Bearer {token}\"\n");
            std::fs::write(data.path().join(".curlrc"), header).expect("our own folder");
        }
        let mut broker = Self {
            script: script.into(),
            data,
            place: Place {
                broker: String::new(),
                admin: String::new(),
            },
        };
        let mut start = vec!["start", "pulsar", "--port", "0"];
        for setting in settings {
            start.extend(["--set", setting]);
        }
        broker.call(&start).await;
        let env = broker.call(&["env", "pulsar"]).await;
        let text = String::from_utf8_lossy(&env.stdout).into_owned();
        let value = |name: &str| {
            let rest = text.split_once(&format!("{name}=")).expect("it is told").1;
            let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
            rest[..end].to_owned()
        };
        broker.place = Place {
            broker: value("INFINITIC_PULSAR_URL"),
            admin: value("INFINITIC_PULSAR_ADMIN_URL"),
        };
        Some(broker)
    }

    /// SIGKILL.
    pub(crate) async fn kill(&self) {
        self.call(&["kill", "pulsar"]).await;
    }

    pub(crate) async fn start_again(&self) {
        self.call(&["start", "pulsar"]).await;
    }

    /// SIGSTOP, or with `go` SIGCONT.
    pub(crate) async fn freeze(&self, go: bool) {
        let file = self.data.path().join("pulsar/pid");
        let pid = std::fs::read_to_string(file).expect("it runs");
        let pid = pid.split_whitespace().next().expect("a number").to_owned();
        signal(&pid, if go { "-CONT" } else { "-STOP" });
    }

    async fn call(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(&self.script);
        command.args(arguments).arg("--data").arg(self.data.path());
        command.env("CURL_HOME", self.data.path());
        let done = tokio::task::spawn_blocking(move || command.output()).await;
        let output = done.expect("no panic").expect("the script runs");
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        output
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let mut command = Command::new(&self.script);
        command
            .args(["kill", "pulsar"])
            .arg("--data")
            .arg(self.data.path());
        let _ = command.output();
    }
}

/// Sends a signal to a process.
pub(crate) fn signal(pid: &str, signal: &str) {
    let done = Command::new("kill").args([signal, pid]).status();
    assert!(done.expect("there is `kill`").success());
}
