//! Every key: what it takes, and the keys of the JVM version that have no meaning here, with the
//! reason.
//!
//! The one list of keys. The reader knows from it what is unknown, errors quote it, the table in
//! `docs/configuration.md` is made from it, and a test compares the example file with it.

mod hosting;
mod pulsar;
mod storage;
mod top;

pub(super) use hosting::{
    RETRY, SERVICE, SERVICE_EXECUTOR, STATE_ENGINE, TURN_RETRY, WORKER, WORKFLOW, WORKFLOW_EXECUTOR,
};
pub(super) use pulsar::{AUTHENTICATION, CLIENT, CONSUMER, POLICIES, PRODUCER, PULSAR};
pub(super) use storage::{MYSQL, NOTHING, POSTGRES, REDIS, STORAGE};
pub(super) use top::{EMBEDDED, LOGS, TOP, TRANSPORT};

/// The keys of one section.
#[derive(Debug)]
pub(super) struct Keys {
    /// The section's path; empty for the top level.
    pub(super) section: &'static str,
    /// Keys that are taken.
    pub(super) taken: &'static [Taken],
    /// Keys that are not, each with the reason and what to use instead.
    pub(super) refused: &'static [(&'static str, &'static str)],
}

/// A key that is taken.
#[derive(Debug)]
pub(super) struct Taken {
    /// The key.
    pub(super) key: &'static str,
    /// What it takes, as in "it takes a whole number, such as 3".
    pub(super) takes: &'static str,
    /// What holds without it.
    pub(super) default: &'static str,
    /// What it sets.
    pub(super) sets: &'static str,
}

const fn key(
    key: &'static str,
    takes: &'static str,
    default: &'static str,
    sets: &'static str,
) -> Taken {
    Taken {
        key,
        takes,
        default,
        sets,
    }
}

impl Keys {
    /// What is known of a key.
    pub(super) fn find(&self, key: &str) -> Option<&'static Taken> {
        self.taken.iter().find(|taken| taken.key == key)
    }

    /// Why a key is refused.
    pub(super) fn refusal(&self, key: &str) -> Option<&'static str> {
        let found = self.refused.iter().find(|(refused, _)| *refused == key);
        found.map(|(_, reason)| *reason)
    }

    /// The full path of a key of this section, as the table shows it.
    pub(super) fn path(&self, key: &str) -> String {
        if self.section.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.section)
        }
    }
}

/// Every section, in the order of the table.
pub(super) const ALL: [&Keys; 22] = [
    &TOP,
    &TRANSPORT,
    &EMBEDDED,
    &PULSAR,
    &CLIENT,
    &AUTHENTICATION,
    &POLICIES,
    &PRODUCER,
    &CONSUMER,
    &STORAGE,
    &POSTGRES,
    &MYSQL,
    &REDIS,
    &WORKER,
    &SERVICE,
    &SERVICE_EXECUTOR,
    &RETRY,
    &WORKFLOW,
    &WORKFLOW_EXECUTOR,
    &TURN_RETRY,
    &STATE_ENGINE,
    &LOGS,
];
