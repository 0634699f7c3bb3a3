//! What configurations say, and what is wrong with others.
//!
//! A test is an input and what is expected: the settings, or the whole text of the error.

mod environment;
mod example;
mod formats;
mod hosting;
mod merging;
mod mistakes;
mod pulsar;
mod secrets;
mod storage;
mod transport;

use super::{Config, Sources};

/// The shortest configuration, to which tests add.
const MEMORY: &str = "transport: { inMemory: {} }\n";

/// A broker, to which tests add.
const PULSAR: &str = "\
transport:
  pulsar:
    brokerServiceUrl: pulsar://localhost:6650
    webServiceUrl: http://localhost:8080
    tenant: infinitic
    namespace: dev
";

/// Reads a text of YAML with the variables `SET` (`held`), `PORT` (`5433`), `EMPTY` and `PASSWORD`.
fn yaml(text: &str) -> Result<Config, String> {
    read(Sources::new().yaml("a.yml", text))
}

fn toml(text: &str) -> Result<Config, String> {
    read(Sources::new().toml("a.toml", text))
}

fn read(sources: Sources) -> Result<Config, String> {
    let read = sources.environment(variable).read();
    read.map_err(|error| {
        let lines: Vec<String> = error.faults.iter().map(ToString::to_string).collect();
        lines.join("\n")
    })
}

fn variable(name: &str) -> Option<String> {
    let held = match name {
        "SET" => "held",
        "PORT" => "5433",
        "EMPTY" => "",
        "PASSWORD" => "hunter2",
        _ => return None,
    };
    Some(held.to_owned())
}

#[track_caller]
fn good(text: &str) -> Config {
    yaml(text).unwrap_or_else(|faults| panic!("refused:\n{faults}"))
}

/// A configuration is refused with these mistakes, one a line.
#[track_caller]
fn refused(text: &str, expected: &str) {
    assert_same(yaml(text), expected);
}

#[track_caller]
fn assert_same(read: Result<Config, String>, expected: &str) {
    let faults = read.expect_err("there is a mistake in it");
    assert_eq!(faults, expected.trim_end(), "got:\n{faults}\n");
}
