//! A broker and a database of this test's own.

use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output};

/// Servers that are killed when this is dropped.
#[derive(Debug)]
pub struct Servers {
    script: String,
    data: tempfile::TempDir,
    /// Where they are, as the example's configuration wants to be told.
    pub variables: Vec<(String, String)>,
}

impl Servers {
    pub fn start(script: &str) -> Self {
        let data = tempfile::tempdir().unwrap();
        // The servers may run under users of their own.
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(data.path(), open).unwrap();
        let mut servers = Self {
            script: script.to_owned(),
            data,
            variables: Vec::new(),
        };
        for server in ["pulsar", "postgres"] {
            servers.call(&["start", server, "--port", "0"]);
        }
        let told = servers.call(&["env", "pulsar", "postgres"]);
        let told = String::from_utf8(told.stdout).unwrap();
        for word in told.split_whitespace().filter(|word| word.contains('=')) {
            let (name, value) = word.split_once('=').unwrap();
            let value = value.trim_matches(|quote| quote == '\'' || quote == '"');
            servers.variables.push((name.to_owned(), value.to_owned()));
        }
        servers
    }

    fn variable(&self, name: &str) -> &str {
        let found = self.variables.iter().find(|(known, _)| known == name);
        &found.expect("the script tells it").1
    }

    pub fn kill(&self, server: &str) {
        self.call(&["kill", server]);
    }

    pub fn start_again(&self, server: &str) {
        self.call(&["start", server]);
    }

    /// Takes all topics from the broker, which takes them back at their next use.
    pub fn unload(&self) {
        let admin = self.variable("INFINITIC_PULSAR_ADMIN_URL");
        for namespace in ["orders", "orders-transient"] {
            let url = format!("{admin}/admin/v2/namespaces/infinitic/{namespace}/unload");
            let mut curl = Command::new("curl");
            run(curl.args(["-fsS", "-X", "PUT", &url]));
        }
    }

    /// Ends all connections to the database, from the database's side.
    pub fn cut_connections(&self) {
        let url = self.variable("INFINITIC_POSTGRES_URL");
        let cut = "select count(pg_terminate_backend(pid)) from pg_stat_activity \
                   where usename = current_user and pid <> pg_backend_pid()";
        run(Command::new("psql").args(["-XqAt", "-d", url, "-c", cut]));
    }

    fn call(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(&self.script);
        run(command.args(arguments).arg("--data").arg(self.data.path()))
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        let mut command = Command::new(&self.script);
        command.args(["kill", "pulsar", "postgres", "--data"]);
        drop(command.arg(self.data.path()).output());
    }
}

fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
    output
}
