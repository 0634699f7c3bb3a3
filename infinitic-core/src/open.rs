//! Commands without an outcome: what an instance waits for, and where its attempts stand.

use crate::command::{CallOptions, Command};
use crate::entry::Entry;
use crate::failure::FailureRecord;
use crate::ids::{Attempt, Reopening, Sequence};
use crate::instance::keep_previous;
use crate::names::{ServiceName, StepName, TaskName};
use crate::payload::Payload;
use crate::time::Timestamp;

/// A command without an outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// The reopening in which it was asked; part of its id.
    pub reopening: Reopening,
    /// How often it was started anew by hand.
    pub sequence: Sequence,
    /// What it is.
    pub kind: OpenKind,
}

/// What an open command waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpenKind {
    /// A task of a service.
    Task(OpenTask),
    /// A step.
    Step(OpenStep),
    /// A point in time.
    Timer {
        /// When.
        due: Timestamp,
    },
}

/// A task that has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenTask {
    /// Its service.
    pub service: ServiceName,
    /// Its name.
    pub task: TaskName,
    /// The arguments.
    pub args: Payload,
    /// Tags, limits, and meta as the attempts have left it.
    pub options: CallOptions,
    /// When the caller's limit runs out.
    pub deadline: Option<Timestamp>,
    /// Where its attempts stand.
    pub attempts: Attempts,
}

/// A step that has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenStep {
    /// Its name.
    pub name: StepName,
    /// Key and value pairs that its attempts have left.
    pub meta: Vec<(String, String)>,
    /// Where its attempts stand.
    pub attempts: Attempts,
}

/// Where the attempts of a task or step stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attempts {
    /// The current attempt, or the next one during a pause.
    pub current: Attempt,
    /// When the current one was or will be due; nothing for the first, which is due at once.
    pub due: Option<Timestamp>,
    /// How often the current one was given out again after the process died.
    pub redeliveries: u32,
    /// How the last one failed.
    pub last_failure: Option<Box<FailureRecord>>,
    /// How earlier ones failed, in words, oldest first.
    pub previous: Vec<String>,
}

impl OpenKind {
    /// What stays open after a command was asked; nothing for those that are done at once.
    #[must_use]
    pub fn of(command: &Command, now: Timestamp) -> Option<Self> {
        match command {
            Command::CallTask {
                service,
                task,
                args,
                options,
            } => Some(Self::Task(OpenTask {
                service: service.clone(),
                task: task.clone(),
                args: args.clone(),
                options: options.clone(),
                deadline: options
                    .timeout_ms
                    .map(|ms| now + std::time::Duration::from_millis(ms)),
                attempts: Attempts::default(),
            })),
            Command::Step { name } => Some(Self::Step(OpenStep {
                name: name.clone(),
                meta: Vec::new(),
                attempts: Attempts::default(),
            })),
            Command::StartTimer { due } => Some(Self::Timer { due: *due }),
            Command::StartChild { .. }
            | Command::CallMethod { .. }
            | Command::SendSignal { .. }
            | Command::OpenReceive { .. }
            | Command::Inline { .. }
            | Command::SetProperty { .. }
            | Command::Cancel { .. }
            | Command::RegisterCompensation { .. }
            | Command::Patch { .. }
            | Command::ContinueWith { .. }
            | Command::End { .. } => None,
        }
    }

    /// Whether it goes on when the run that asked for it has ended, and holds the instance open.
    pub(crate) fn outlives_its_run(&self) -> bool {
        match self {
            Self::Task(_) => true,
            Self::Step(_) | Self::Timer { .. } => false,
        }
    }

    /// The attempts of a task or step.
    #[must_use]
    pub fn attempts(&self) -> Option<&Attempts> {
        match self {
            Self::Task(task) => Some(&task.attempts),
            Self::Step(step) => Some(&step.attempts),
            Self::Timer { .. } => None,
        }
    }

    pub(crate) fn attempts_mut(&mut self) -> Option<&mut Attempts> {
        match self {
            Self::Task(task) => Some(&mut task.attempts),
            Self::Step(step) => Some(&mut step.attempts),
            Self::Timer { .. } => None,
        }
    }

    /// Takes in what an entry says of its attempts.
    pub(crate) fn attempted(&mut self, entry: &Entry) {
        if let Entry::MetaChanged { meta, .. } = entry {
            self.set_meta(meta);
        }
        let Some(attempts) = self.attempts_mut() else {
            return;
        };
        if let Entry::AttemptFailed {
            attempt,
            failure,
            due,
            ..
        } = entry
        {
            attempts.failed(*attempt, failure, *due);
        } else if let Entry::AttemptRedelivered { .. } = entry {
            attempts.redeliveries += 1;
        }
    }

    fn set_meta(&mut self, meta: &[(String, String)]) {
        match self {
            Self::Task(task) => task.options.meta = meta.to_vec(),
            Self::Step(step) => step.meta = meta.to_vec(),
            Self::Timer { .. } => {}
        }
    }

    /// What it waits for, in words.
    #[must_use]
    pub fn describe(&self) -> String {
        let attempts = |attempts: &Attempts| match attempts.due {
            None => format!("attempt {}", attempts.current),
            Some(due) => format!("attempt {} at {due}", attempts.current),
        };
        match self {
            Self::Task(t) => format!("task {}.{}, {}", t.service, t.task, attempts(&t.attempts)),
            Self::Step(s) => format!("step {}, {}", s.name, attempts(&s.attempts)),
            Self::Timer { due } => format!("timer at {due}"),
        }
    }
}

impl Attempts {
    /// When the pause before the current attempt ends; nothing when it was given out.
    ///
    /// No entry says that a pause is over: the time does.
    #[must_use]
    pub fn pause_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.due.filter(|due| *due > now)
    }

    fn failed(&mut self, attempt: Attempt, failure: &FailureRecord, due: Timestamp) {
        keep_previous(&mut self.previous, &failure.message);
        self.last_failure = Some(Box::new(failure.clone()));
        self.current = attempt.next();
        self.due = Some(due);
        self.redeliveries = 0;
    }
}
