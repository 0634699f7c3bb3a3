//! Says in one line which real servers the tests of this run leave out, so that green is not taken
//! for more than it is. It tests nothing, and is no harness: those hide what a passing test says.

use std::env;
use std::io::{self, Write};

/// What there are tests for, and what tells where one listens.
const SERVERS: [(&str, &[&str]); 4] = [
    (
        "Pulsar",
        &["INFINITIC_PULSAR_URL", "INFINITIC_PULSAR_ADMIN_URL"],
    ),
    ("PostgreSQL", &["INFINITIC_POSTGRES_URL"]),
    ("MySQL", &["INFINITIC_MYSQL_URL"]),
    ("Redis", &["INFINITIC_REDIS_URL"]),
];

fn main() -> io::Result<()> {
    // Whoever names tests, or lists them, did not ask for all.
    if env::args().len() > 1 {
        return Ok(());
    }
    match left_out() {
        Some(line) => writeln!(io::stderr(), "\n{line}\n"),
        None => Ok(()),
    }
}

fn left_out() -> Option<String> {
    let built = cfg!(feature = "cluster");
    let servers: Vec<&str> = SERVERS
        .iter()
        .filter(|(_, variables)| !built || variables.iter().any(|name| is_empty(name)))
        .map(|(server, _)| *server)
        .collect();
    if servers.is_empty() {
        return None;
    }
    Some(format!(
        "LEFT OUT: what needs real servers ({}). `./verify.sh cluster` starts them and runs it.",
        servers.join(", ")
    ))
}

fn is_empty(variable: &str) -> bool {
    env::var_os(variable).is_none_or(|value| value.is_empty())
}
