//! Another process: this test binary again, with a role to play.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

const ROLE: &str = "HOSTILE_ROLE";
const DIR: &str = "HOSTILE_DIR";
/// What the child says is told apart from what its test harness says.
const SAYS: &str = "child: ";

/// The program and arguments of a child that plays a role in a directory.
pub(crate) fn command(role: &str, dir: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["child::plays_its_role", "--exact", "--nocapture"])
        .env(ROLE, role)
        .env(DIR, dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    command
}

/// Nothing, unless this process is a child.
#[test]
fn plays_its_role() {
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    let dir = PathBuf::from(std::env::var_os(DIR).unwrap());
    match role.as_str() {
        "digger" => crate::deadly::digger(&dir, false),
        "late digger" => crate::deadly::digger(&dir, true),
        "killer" => crate::deadly::killer(&dir),
        "holder" => crate::directories::holder(&dir),
        "opener" => crate::directories::opener(&dir),
        "full disk" => crate::full_disk::full_disk(&dir),
        other => panic!("nobody plays `{other}`"),
    }
}

/// Says something to the parent.
pub(crate) fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n{SAYS}{line}").unwrap();
    out.flush().unwrap();
}

/// Waits until the parent has closed its end.
pub(crate) fn wait_for_parent() {
    std::io::stdin().lines().for_each(drop);
}

/// What a child says.
pub(crate) struct Heard(std::io::Lines<BufReader<ChildStdout>>);

impl Heard {
    pub(crate) fn of(child: &mut Child) -> Self {
        Self(BufReader::new(child.stdout.take().unwrap()).lines())
    }

    /// The next line; none when the child has ended.
    pub(crate) fn next(&mut self) -> Option<String> {
        self.0
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix(SAYS).map(str::to_owned))
    }
}
