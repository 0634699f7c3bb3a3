//! `transport`: what a program runs on.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::keys::{EMBEDDED, NOTHING, PULSAR, TRANSPORT};
use super::pulsar::PulsarConfig;
use super::reader::Section;
use super::secret::Secret;

/// The keys of which one is chosen.
const KINDS: [&[&str]; 3] = [&["pulsar"], &["embedded"], &["inMemory"]];

/// How messages travel.
#[derive(Clone, Debug)]
pub struct TransportConfig {
    /// The kind, and its settings.
    pub kind: TransportKind,
    /// `shutdownGracePeriodSeconds`: how long a stopping worker waits for running attempts.
    pub shutdown_grace: Option<Duration>,
}

/// The kinds of transport.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one of it in a process")]
pub enum TransportKind {
    /// A broker, with a database beside it.
    Pulsar(PulsarConfig),
    /// A directory of this machine.
    Embedded(EmbeddedConfig),
    /// The memory of this process.
    InMemory,
}

/// `transport.embedded`.
#[derive(Clone, Debug)]
pub struct EmbeddedConfig {
    /// The directory.
    pub path: PathBuf,
    /// The address of the endpoint for clients in other processes: host and port. Without a token
    /// it is no address that other machines reach, as far as a look at it tells.
    pub listen: Option<String>,
    /// What clients must show.
    pub token: Option<Secret>,
    /// Where such clients find the worker: `http://host:port`. Derived from `listen` when it was
    /// not given; none when there is neither.
    pub connect: Option<String>,
}

impl TransportConfig {
    /// Reads the section; none when nothing, or not one thing, is chosen.
    pub(super) fn read(top: &Section<'_>) -> Option<Self> {
        top.require("transport");
        let section = top.section("transport", &TRANSPORT)?;
        let shutdown_grace = section.seconds_or_zero("shutdownGracePeriodSeconds");
        let chosen = section.one_of(&KINDS);
        // All that is there is read, also when too much is: for its mistakes.
        let pulsar = section
            .section("pulsar", &PULSAR)
            .map(|section| TransportKind::Pulsar(PulsarConfig::read(&section)));
        let embedded = section
            .section("embedded", &EMBEDDED)
            .map(|section| TransportKind::Embedded(EmbeddedConfig::read(&section)));
        let memory = section
            .section("inMemory", &NOTHING)
            .map(|_| TransportKind::InMemory);
        let kind = match chosen? {
            0 => pulsar,
            1 => embedded,
            _ => memory,
        };
        Some(Self {
            kind: kind?,
            shutdown_grace,
        })
    }
}

impl EmbeddedConfig {
    fn read(section: &Section<'_>) -> Self {
        section.require("path");
        let listen = section.text_if("listen", is_host_and_port);
        let token = section.secret("token");
        if let Some(address) = &listen
            && !section.has("token")
            && is_public(address)
        {
            let message = format!(
                "`{}` can be reached from other machines, and who reaches it may start and cancel \
                 everything; write a loopback address such as 127.0.0.1:9070, or set `token`",
                section.path_of("listen")
            );
            section.fault("listen", message);
        }
        let connect = section.text_if("connect", is_http);
        let derived = || listen.as_ref().map(|address| format!("http://{address}"));
        Self {
            path: section.text("path").unwrap_or_default().into(),
            connect: connect.or_else(derived),
            listen,
            token,
        }
    }
}

fn is_host_and_port(text: &str) -> bool {
    let parts = text.rsplit_once(':');
    parts.is_some_and(|(host, port)| {
        let host_is_one = !host.is_empty() && !host.contains(['/', ' ', '@']);
        host_is_one && port.parse::<u16>().is_ok()
    })
}

/// Whether other machines reach an address. Of a name only its lookup would tell: the worker does.
fn is_public(address: &str) -> bool {
    let address: Option<SocketAddr> = address.parse().ok();
    address.is_some_and(|address| !address.ip().is_loopback())
}

fn is_http(text: &str) -> bool {
    let rest = text.strip_prefix("http://");
    rest.is_some_and(|rest| is_host_and_port(rest.trim_end_matches('/')))
}
