//! What a Redis server refuses, in words that say what to do.

use ::redis::{ErrorKind, RedisError};

use crate::backend::StoreError;

/// When something was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// While the store was opened: what somebody must change is said at once.
    Opening,
    /// Later. A password may be put right again while workers wait: everything may pass.
    Running,
}

/// Who has to do something.
enum Blame {
    /// Nobody: it passes, or the server's operator sees to it.
    Server,
    /// Whoever wrote the settings, or gives out rights.
    Settings,
    /// Whoever changed our keys.
    Keys,
}

/// Puts an error of the crate into words.
pub(super) fn explain(error: &RedisError, address: &str, moment: Moment) -> StoreError {
    let (blame, advice) = advice(error);
    let text = format!("Redis at {address}: {advice} ({error})");
    match (blame, moment) {
        (Blame::Keys, _) => StoreError::Damaged(text),
        (Blame::Settings, Moment::Opening) => StoreError::Refused(text),
        (Blame::Settings, Moment::Running) | (Blame::Server, _) => StoreError::Io(text),
    }
}

/// An attempt to connect that took too long.
pub(super) fn unreachable(address: &str, timeout: std::time::Duration) -> StoreError {
    StoreError::Io(format!(
        "Redis at {address}: no connection within {timeout:?}; the server hangs, the network is \
         cut, or one side speaks TLS and the other does not; check the address, rediss:// for TLS"
    ))
}

/// A call that took too long.
pub(super) fn hung(address: &str, timeout: std::time::Duration) -> StoreError {
    StoreError::Io(format!(
        "Redis at {address}: no answer within {timeout:?}; the server hangs, is overloaded, or the \
         network is cut; look at its log and load"
    ))
}

fn advice(error: &RedisError) -> (Blame, &'static str) {
    if error.kind() == ErrorKind::AuthenticationFailed {
        return (
            Blame::Settings,
            "it does not accept user and password; give those of an existing user in the address: \
             redis://user:password@host:port/database",
        );
    }
    // Before version 7 the code of an error inside a script stands in the text alone.
    let detail = error.detail().unwrap_or_default();
    let code = error.code().unwrap_or_default();
    for (known, blame, advice) in KNOWN {
        let inside = [format!("-{known} "), format!(": {known} ")];
        if code == known || inside.iter().any(|inside| detail.contains(inside)) {
            return (blame, advice);
        }
    }
    if detail.contains("invalid DB index") || detail.contains("DB index is out of range") {
        return (
            Blame::Settings,
            "it has no database of this number; name another at the end of the address, mostly 0",
        );
    }
    match error.kind() {
        ErrorKind::Io => (
            Blame::Server,
            "it cannot be reached; check that it runs, that the address is right (host and port, \
             rediss:// for TLS), and that no firewall is between",
        ),
        ErrorKind::InvalidClientConfig => (Blame::Settings, "the settings do not fit together"),
        ErrorKind::Parse => (
            Blame::Server,
            "it does not speak the protocol of Redis; check host and port, and rediss:// for TLS",
        ),
        _ => (Blame::Server, "it refused a call"),
    }
}

/// Codes of errors, as the server documents them.
const KNOWN: [(&str, Blame, &str); 17] = [
    (
        "NOAUTH",
        Blame::Settings,
        "it asks for a password; write it into the address: redis://user:password@host:port/0",
    ),
    (
        "WRONGPASS",
        Blame::Settings,
        "it does not know this user and password; correct them in the address",
    ),
    (
        "NOPERM",
        Blame::Settings,
        "the user lacks rights; give it all commands on its keys, for example: \
         ACL SETUSER name ~{prefix}* ~{prefix/* +@all -@dangerous +info +config|get",
    ),
    (
        "LOADING",
        Blame::Server,
        "it is still reading its data after a start; this passes",
    ),
    (
        "MISCONF",
        Blame::Server,
        "it cannot save its data and takes no writes; look at its log, mostly the disk is full or \
         not writable",
    ),
    (
        "OOM",
        Blame::Server,
        "its memory is full; raise maxmemory, or free some: nothing is lost, work goes on then",
    ),
    (
        "READONLY",
        Blame::Server,
        "it is a replica and takes no writes; give the address that leads to the primary",
    ),
    (
        "NOREPLICAS",
        Blame::Server,
        "it takes no writes without enough replicas (min-replicas-to-write); bring them back",
    ),
    (
        "MASTERDOWN",
        Blame::Server,
        "it is a replica without its primary; this passes when a primary is there again",
    ),
    (
        "BUSY",
        Blame::Server,
        "it is busy with somebody's script; see which one, SCRIPT KILL ends it",
    ),
    (
        "CLUSTERDOWN",
        Blame::Server,
        "its cluster is incomplete; bring the missing nodes back",
    ),
    (
        "TRYAGAIN",
        Blame::Server,
        "its cluster is moving these keys; this passes",
    ),
    (
        "MOVED",
        Blame::Settings,
        "it is a node of a cluster that does not hold these keys; give the address of a single \
         server or of a proxy that hides the cluster",
    ),
    (
        "ASK",
        Blame::Server,
        "its cluster is moving these keys; this passes",
    ),
    (
        "CROSSSLOT",
        Blame::Keys,
        "keys of one partition are in several places, which cannot be",
    ),
    (
        "WRONGTYPE",
        Blame::Keys,
        "a key of ours holds something else; give each program a prefix or database of its own",
    ),
    (
        "NOSCRIPT",
        Blame::Server,
        "it forgets scripts as soon as they are loaded; allow SCRIPT LOAD, and send all calls to \
         one server",
    ),
];
