//! A live run: its future, kept warm between turns, and the turns themselves.
//!
//! A turn delivers one outcome and polls until no future has woken itself. Replay is the same thing
//! done for each recorded outcome in recorded order, so any deterministic combinator finds the same
//! winner again.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use infinitic_core::{
    Command, FailureKind, FailureRecord, Outcome, Position, RunHistory, Timestamp, TurnReport,
};

use super::hosted::{HostedWorkflow, StartError};
use super::recorder::{Recorder, RootWaker, RunInfo, divergence};
use super::step::StepJob;
use crate::contract::{TaskFuture, TaskResult};
use crate::failure::converted;
use crate::panics;

/// A run whose future is in memory.
pub(crate) struct LiveRun {
    future: Option<Pin<Box<dyn Future<Output = TaskResult> + Send>>>,
    recorder: Arc<Recorder>,
    root: Arc<RootWaker>,
    waker: Waker,
    /// The failure that `?` took apart last: the cause, if the method ends with its error.
    noted: Option<Arc<FailureRecord>>,
}

impl std::fmt::Debug for LiveRun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LiveRun")
            .field("recorder", &self.recorder)
            .finish_non_exhaustive()
    }
}

impl Drop for LiveRun {
    fn drop(&mut self) {
        self.recorder.close();
    }
}

/// A run that was built from its history, and what its last turn asked.
pub(crate) struct Replayed {
    pub(crate) run: LiveRun,
    pub(crate) report: TurnReport,
}

impl LiveRun {
    /// Builds a run from its history and brings it to where the history ends. A new run is one
    /// without commands and outcomes.
    pub(crate) fn replay(
        workflow: &HostedWorkflow,
        info: RunInfo,
        history: RunHistory,
        on_foreign: Box<dyn Fn() + Send + Sync>,
    ) -> Replayed {
        let RunHistory {
            method,
            args,
            started_at,
            reopening,
            commands,
            outcomes,
            result: _,
        } = history;
        let root = RootWaker::new(on_foreign);
        let recorder = Recorder::new(info, Arc::clone(&root), reopening, commands, started_at);
        let waker = Waker::from(Arc::clone(&root));
        let mut run = Self {
            future: None,
            recorder,
            root,
            waker,
            noted: None,
        };
        match run.begin(workflow, &method, &args) {
            Ok(future) => run.future = Some(future),
            Err(report) => return Replayed { run, report },
        }
        let mut report = run.turn(None);
        for delivered in outcomes {
            if is_over(&report) {
                break;
            }
            let next = run.turn(Some((delivered.position, delivered.outcome, delivered.at)));
            report.commands.extend(next.commands);
            report.stopped = next.stopped;
        }
        run.check_left_over(&mut report);
        Replayed { run, report }
    }

    /// How many commands the code had asked when it had seen the first `outcomes` outcomes; or why
    /// it does not come that far.
    pub(crate) fn commands_after(
        workflow: &HostedWorkflow,
        info: RunInfo,
        mut history: RunHistory,
        outcomes: u32,
    ) -> Result<u32, String> {
        history.outcomes.truncate(outcomes as usize);
        let all = history.commands.len();
        let Replayed { run, report } = Self::replay(workflow, info, history, Box::new(|| {}));
        if let Some(explanation) = report.stopped {
            return Err(explanation.message);
        }
        let asked = run.recorder.commands_asked();
        Ok(u32::try_from(all).unwrap_or(u32::MAX).min(asked))
    }

    fn begin(
        &self,
        workflow: &HostedWorkflow,
        method: &infinitic_core::names::MethodName,
        args: &infinitic_core::Payload,
    ) -> Result<TaskFuture, TurnReport> {
        let _in_turn = self.recorder.enter();
        let begun = panics::capture(|| workflow.start(method, args, &self.recorder));
        match begun {
            Ok(Ok(future)) => Ok(future),
            Ok(Err(StartError::Undecodable(failure))) => Err(ended(Err(failure))),
            Ok(Err(StartError::UnknownMethod)) => Err(stopped(format!(
                "no worker here hosts the method `{method}` of this workflow; deploy code that has \
                 it"
            ))),
            Err(panic) => Err(stopped(format!(
                "making the workflow's value panicked: {}",
                panic.into_record().message
            ))),
        }
    }

    /// One turn. `delivery` is nothing at the first one.
    pub(crate) fn turn(&mut self, delivery: Option<(Position, Outcome, Timestamp)>) -> TurnReport {
        let Some(future) = self.future.as_mut() else {
            return TurnReport::default();
        };
        let _in_turn = self.recorder.enter();
        converted::clear();
        if let Some(noted) = self.noted.take() {
            converted::note(&noted);
        }
        if let Some((position, outcome, at)) = delivery {
            self.root.take_woken();
            self.recorder.deliver(position, outcome, at);
            if !self.root.take_woken() && self.recorder.has_open_waits() {
                return TurnReport::default();
            }
        }
        let polled = poll_until_quiet(future, &self.root, &self.waker);
        let report = self.report(polled);
        self.noted = converted::take();
        report
    }

    fn report(&mut self, polled: Result<Poll<TaskResult>, panics::Panic>) -> TurnReport {
        if let Some(explanation) = self.recorder.take_divergence() {
            self.drop_future();
            return TurnReport {
                commands: Vec::new(),
                stopped: Some(explanation),
            };
        }
        let commands = self.recorder.take_new();
        match polled {
            Err(panic) => {
                self.drop_future();
                stopped(format!(
                    "the workflow's code panicked: {}; mend it, and the instance goes on by itself \
                     after the deployment, or with retry_turn",
                    panic.into_record().message
                ))
            }
            Ok(Poll::Ready(result)) => {
                self.drop_future();
                let result = result.map_err(|mut failed| {
                    converted::attach(&mut failed.record);
                    failed.record
                });
                let mut report = TurnReport {
                    commands,
                    stopped: None,
                };
                report.commands.push(Command::End { result });
                report
            }
            Ok(Poll::Pending) if self.recorder.has_open_waits() => TurnReport {
                commands,
                stopped: None,
            },
            Ok(Poll::Pending) => {
                self.drop_future();
                stopped(foreign_explanation())
            }
        }
    }

    /// Destructors of what the code holds may not record, and may panic.
    fn drop_future(&mut self) {
        self.recorder.close();
        let future = self.future.take();
        if panics::capture(move || drop(future)).is_err() {
            tracing::warn!("a destructor in workflow code panicked");
        }
    }

    /// A history that goes on where the code does not: the code lost trailing commands.
    fn check_left_over(&mut self, report: &mut TurnReport) {
        if report.stopped.is_some() {
            return;
        }
        let Some((position, command)) = self.recorder.left_over() else {
            return;
        };
        let has = format!("a {}", command.describe());
        let asks = match report.commands.last() {
            Some(Command::End { .. }) => "the end of the method",
            _ => "no further command",
        };
        self.drop_future();
        *report = TurnReport {
            commands: Vec::new(),
            stopped: Some(divergence(position, &has, asks)),
        };
    }

    pub(crate) fn step(&self, position: Position) -> Option<StepJob> {
        self.recorder.step(position)
    }

    pub(crate) fn has_open_steps(&self) -> bool {
        self.recorder.has_open_steps()
    }
}

fn poll_until_quiet(
    future: &mut Pin<Box<dyn Future<Output = TaskResult> + Send>>,
    root: &Arc<RootWaker>,
    waker: &Waker,
) -> Result<Poll<TaskResult>, panics::Panic> {
    loop {
        root.take_woken();
        let polled = panics::capture(|| future.as_mut().poll(&mut Context::from_waker(waker)))?;
        if polled.is_ready() || !root.take_woken() {
            return Ok(polled);
        }
    }
}

fn is_over(report: &TurnReport) -> bool {
    report.stopped.is_some() || matches!(report.commands.last(), Some(Command::End { .. }))
}

fn ended(result: infinitic_core::RunResult) -> TurnReport {
    TurnReport {
        commands: vec![Command::End { result }],
        stopped: None,
    }
}

pub(crate) fn stopped(why: String) -> TurnReport {
    let record = FailureRecord::new(FailureKind::Stopped, why);
    TurnReport {
        commands: Vec::new(),
        stopped: Some(Box::new(record)),
    }
}

/// Why a wait on something else stops an instance.
pub(crate) fn foreign_explanation() -> String {
    "the workflow's code waits for something that is no call, timer, step or deferred of ours, and \
     that no history could replay; move it into a service or a `step(..)`"
        .to_owned()
}
