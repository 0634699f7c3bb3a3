//! Words that code may say in few places only.
//!
//! Tokens are compared, so that comments and texts may say what they like, and the insides of
//! macros are seen.

use proc_macro2::{TokenStream, TokenTree};

use crate::Fault;
use crate::source::{Kind, Source};

/// Reads a clock or draws chance. Time and chance come in through one door, so that simulation can
/// take their place.
const CLOCKS: [&str; 5] = [
    "Instant::now",
    "SystemTime::now",
    "getrandom::",
    "rand::",
    "Uuid::new_v4",
];

/// Waits for time to pass, where a condition should be waited for.
const SLEEPS: [&str; 4] = ["thread::sleep", "time::sleep", "park_timeout", "sleep_ms"];

/// Path (or its beginning), word, reason.
type Exception = (&'static str, &'static str, &'static str);

const CLOCK_EXCEPTIONS: &[Exception] = &[
    ("infinitic-runtime/src/clock.rs", "Instant::now", "the door"),
    (
        "infinitic-runtime/src/clock.rs",
        "SystemTime::now",
        "the door",
    ),
    ("infinitic-runtime/src/clock.rs", "getrandom::", "the door"),
];

const SLEEP_EXCEPTIONS: &[Exception] = &[
    (
        "tests/crash/orders.rs",
        "thread::sleep",
        "between two looks at another process, which tells nobody how far it is",
    ),
    (
        "examples/orders/services.rs",
        "time::sleep",
        "what stands for a call of the outside world takes time",
    ),
    (
        "infinitic-runtime/src/embedded/engine.rs",
        "park_timeout",
        "the store tells nobody when a flush has ended",
    ),
    (
        "infinitic-runtime/src/worker/committer.rs",
        "park_timeout",
        "a pause before a failed write is tried again, on the committer's own thread",
    ),
    (
        "infinitic-runtime/src/worker/node.rs",
        "park_timeout",
        "the watchdog's period; unparked to stop",
    ),
    (
        "infinitic-runtime/src/cluster/stuck.rs",
        "park_timeout",
        "threads tell nobody when they have ended",
    ),
    (
        "infinitic-runtime/src/worker/endpoint.rs",
        "time::sleep",
        "a pause before connections are accepted again when handles have run out",
    ),
    (
        "infinitic-runtime/src/pulsar/backoff.rs",
        "time::sleep",
        "a pause before a broker is asked again, and limits of what is waited for",
    ),
    (
        "infinitic-runtime/tests/pulsar/",
        "time::sleep",
        "how long a broker is away is what is tested; looks at its REST interface",
    ),
    (
        "infinitic-runtime/src/worker/load.rs",
        "park_timeout",
        "a pause before a failed read is tried again, on the shard's own thread",
    ),
    (
        "infinitic-runtime/src/client/remote.rs",
        "time::sleep",
        "a pause before a worker that is away is asked again",
    ),
    (
        "tests/cluster/processes.rs",
        "thread::sleep",
        "trouble comes at random moments, and outages last",
    ),
    (
        "examples/orders/run.rs",
        "time::sleep",
        "a pause before a cluster that cannot be reached is asked again",
    ),
    (
        "examples/bench/cluster/mod.rs",
        "time::sleep",
        "a pause between two looks at who owns the partitions, with a deadline",
    ),
    (
        "infinitic-runtime/src/cluster/",
        "time::sleep",
        "the period of beats, and pauses before a broker or database that is away is asked again",
    ),
    (
        "infinitic-runtime/tests/store_damage.rs",
        "park_timeout",
        "a pause between two looks at files that the store is still writing",
    ),
    (
        "infinitic-runtime/tests/store_disk.rs",
        "park_timeout",
        "a pause before a busy file system is mounted anew",
    ),
    (
        "tests/hostile/main.rs",
        "time::sleep",
        "a pause between two looks at what nobody tells, with a deadline",
    ),
    (
        "tests/hostile/full_disk.rs",
        "time::sleep",
        "a pause between two looks at a log, with a deadline",
    ),
    (
        "tests/hostile/threads.rs",
        "time::sleep",
        "an attempt that blocks its thread must outlast its limit on the machine's clock",
    ),
    (
        "tests/suite/env.rs",
        "time::sleep",
        "a pause between two looks at what nobody tells, with a deadline",
    ),
    (
        "tests/suite/timers.rs",
        "time::sleep",
        "a timer must come due on the machine's clock while no worker runs",
    ),
];

/// A rule about the direction of modules: files under the first may not say any of the words.
type Direction = (&'static str, &'static [&'static str], &'static str);

const DIRECTIONS: &[Direction] = &[
    (
        "infinitic-core/src/",
        &[
            "std::fs",
            "std::net",
            "std::thread",
            "std::process",
            "std::env",
            "Instant",
            "SystemTime",
        ],
        "the core does no I/O, and time comes in as a value",
    ),
    (
        "infinitic-core/src/",
        &["HashMap", "HashSet"],
        "the core takes no order from a hasher; use `BTreeMap` or `BTreeSet`",
    ),
    (
        "infinitic-core/src/",
        &["infinitic_runtime", "infinitic_macros"],
        "the core knows nobody",
    ),
    (
        "infinitic-runtime/src/",
        &["bincode"],
        "only `infinitic_core::codec` knows how bytes are written",
    ),
    (
        "infinitic-runtime/src/embedded/",
        &[
            "crate::worker",
            "crate::client",
            "crate::service",
            "crate::workflow",
        ],
        "a driver stores rows, and knows neither loops nor clients",
    ),
    (
        "infinitic-runtime/src/backend/",
        &[
            "crate::worker",
            "crate::client",
            "crate::service",
            "crate::workflow",
        ],
        "a backend stores rows, and knows neither loops nor clients",
    ),
    (
        "infinitic-runtime/src/worker/",
        &["crate::embedded", "fjall"],
        "loops know the backend's traits, never a driver",
    ),
    (
        "infinitic-runtime/src/client/",
        &["crate::embedded", "fjall"],
        "clients know no driver",
    ),
    (
        "infinitic-runtime/src/workflow/",
        &["crate::embedded", "crate::worker", "fjall"],
        "what workflow code touches knows neither drivers nor loops",
    ),
    (
        "infinitic-runtime/src/service/",
        &["crate::embedded", "crate::worker", "fjall"],
        "what task code touches knows neither drivers nor loops",
    ),
];

/// The files of the loops that name drivers: where a user chooses one, and is told why it fails.
const CHOOSE_DRIVERS: [&str; 2] = [
    "infinitic-runtime/src/worker/builder.rs",
    "infinitic-runtime/src/worker/error.rs",
];

/// Clocks are read and chance is drawn in one file. Tests and examples may measure themselves.
pub(crate) fn clocks(sources: &[Source]) -> Vec<Fault> {
    let concerns = |source: &Source, line| source.kind == Kind::Code && !source.is_test(line);
    let reason = "time and chance come from `clock.rs` alone; take a `Timestamp` or a `Clock`";
    banned(sources, &CLOCKS, CLOCK_EXCEPTIONS, reason, concerns)
}

/// Nothing waits for time to pass where it could wait for what it needs, tests least of all.
pub(crate) fn sleeps(sources: &[Source]) -> Vec<Fault> {
    let reason = "waits for time; wait for a condition, a channel or virtual time instead";
    banned(sources, &SLEEPS, SLEEP_EXCEPTIONS, reason, |_, _| true)
}

fn banned(
    sources: &[Source],
    words: &[&str],
    exceptions: &[Exception],
    reason: &str,
    concerns: impl Fn(&Source, usize) -> bool,
) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut needed = vec![false; exceptions.len()];
    for source in sources {
        for (word, line) in said(source, words) {
            let excepted = exceptions
                .iter()
                .position(|(path, excepted, _)| source.path.starts_with(path) && *excepted == word);
            if let Some(index) = excepted {
                needed[index] = true;
            } else if concerns(source, line) {
                faults.push(Fault::new(source, line, format!("`{word}`: {reason}")));
            }
        }
    }
    for ((path, word, _), needed) in exceptions.iter().zip(needed) {
        if !needed {
            faults.push(Fault::stale(path, word));
        }
    }
    faults
}

/// Modules use what lies below them only.
pub(crate) fn directions(source: &Source) -> Vec<Fault> {
    let mut faults = Vec::new();
    if CHOOSE_DRIVERS.contains(&source.path.as_str()) || source.kind != Kind::Code {
        return faults;
    }
    for (beginning, words, reason) in DIRECTIONS {
        if !source.path.starts_with(beginning) {
            continue;
        }
        for (word, line) in said(source, words) {
            if !source.is_test(line) {
                faults.push(Fault::new(source, line, format!("`{word}`: {reason}")));
            }
        }
    }
    faults
}

/// Where a file says one of the words.
fn said<'a>(source: &Source, words: &[&'a str]) -> Vec<(&'a str, usize)> {
    // Most files say none of them, and comparing texts is quicker than reading tokens.
    let last = |word: &str| {
        word.rsplit("::")
            .find(|part| !part.is_empty())
            .map(str::to_owned)
    };
    let may_say = |word: &&str| last(word).is_some_and(|last| source.text.contains(&last));
    if !source.is_code() || !words.iter().any(may_say) {
        return Vec::new();
    }
    let tokens = flatten(&source.text);
    let mut found = Vec::new();
    for word in words {
        let wanted: Vec<String> = flatten(word).into_iter().map(|(text, _)| text).collect();
        for window in tokens.windows(wanted.len()) {
            if window.iter().map(|(text, _)| text).eq(wanted.iter()) {
                found.push((*word, window[0].1));
            }
        }
    }
    found.sort_by_key(|(_, line)| *line);
    found
}

/// Tokens with their lines, the insides of groups included; delimiters are left out.
fn flatten(text: &str) -> Vec<(String, usize)> {
    fn collect(stream: TokenStream, found: &mut Vec<(String, usize)>) {
        for tree in stream {
            let line = tree.span().start().line;
            match tree {
                TokenTree::Group(group) => collect(group.stream(), found),
                TokenTree::Literal(_) => found.push((String::new(), line)),
                TokenTree::Ident(_) | TokenTree::Punct(_) => found.push((tree.to_string(), line)),
            }
        }
    }
    let stream: TokenStream = text.parse().expect("the compiler has read it");
    let mut found = Vec::new();
    collect(stream, &mut found);
    found
}

#[cfg(test)]
mod tests {
    //! Planted faults.

    use super::*;

    fn source(path: &str, body: &str) -> Vec<Source> {
        vec![Source::new(path, &format!("//! A.\n\n{body}\n"))]
    }

    fn clocks_in(path: &str, body: &str) -> usize {
        let reason = "";
        let concerns =
            |source: &Source, line: usize| source.kind == Kind::Code && !source.is_test(line);
        banned(&source(path, body), &CLOCKS, &[], reason, concerns).len()
    }

    #[test]
    fn clocks_are_found_in_code_and_in_macros_but_not_in_words() {
        let path = "infinitic-runtime/src/a.rs";
        assert_eq!(
            clocks_in(path, "fn a() { let _ = std::time::Instant::now(); }"),
            1
        );
        assert_eq!(
            clocks_in(path, "fn a() { assert!(SystemTime::now() > x); }"),
            1
        );
        assert_eq!(
            clocks_in(path, "// Instant::now\nconst A: &str = \"rand::\";"),
            0
        );
        let test = "#[cfg(test)]\nmod tests { fn a() { Instant::now(); } }";
        assert_eq!(clocks_in(path, test), 0);
        assert_eq!(clocks_in("examples/a.rs", "fn a() { Instant::now(); }"), 0);
    }

    #[test]
    fn wrong_directions_are_found() {
        let faults = |path, body| directions(&source(path, body)[0]).len();
        let body = "use crate::embedded::EmbeddedStore;";
        assert_eq!(faults("infinitic-runtime/src/worker/shard.rs", body), 1);
        assert_eq!(faults(CHOOSE_DRIVERS[0], body), 0);
        let body = "use std::collections::HashMap;";
        assert_eq!(faults("infinitic-core/src/engine/mod.rs", body), 1);
    }
}
