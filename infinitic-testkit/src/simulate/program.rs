//! Random programs: what a simulated workflow does, as data.
//!
//! A program is the argument of one real workflow (`code`), and the input of a plain model
//! (`model`). Each operation that leaves a trace in the history has a label of its own, by which
//! the model finds it.

use serde::{Deserialize, Serialize};

use super::rng::Rng;

/// An operation of workflow code. Its value is a number, or a failure that ends what it stands in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Op {
    /// Call a task and wait.
    Task(Call),
    /// Run a step and wait.
    Step(Call),
    /// Wait for a duration; one of zero waits for a point in the past.
    Timer { label: u32, ms: u64 },
    /// Record a value.
    Inline { label: u32 },
    /// Change the property.
    Set { label: u32 },
    /// The time of the turn.
    Now,
    /// A random number. At most one in a program, so that the model knows which one it is.
    Draw,
    /// Call a task without waiting.
    Dispatch { call: Call, cancel_on_drop: bool },
    /// Wait for a dispatched task.
    Await { label: u32 },
    /// Cancel a dispatched task.
    Cancel { label: u32 },
    /// One after the other; a failure ends it. Owns what its members dispatch.
    Seq(Vec<Self>),
    /// A failure becomes a value.
    Catch(Box<Self>),
    /// `join!`: all end, then the first failure counts.
    Join(Vec<Self>),
    /// `select!`: the first that ends.
    Select(Vec<Self>),
    /// `any`: the first that ends well.
    Any(Vec<Self>),
    /// `all`: all end well, or the first failure.
    All(Vec<Self>),
    /// `FuturesUnordered`: all end; the value depends on their order.
    Unordered(Vec<Self>),
    /// Code that panics as long as it is broken.
    Trap,
}

/// A call of a task or step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Call {
    pub(crate) label: u32,
    pub(crate) kind: Kind,
    pub(crate) script: Script,
    /// The caller's limit in milliseconds.
    pub(crate) limit_ms: Option<u64>,
}

/// The policy under which it is retried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kind {
    /// Nothing is said.
    Plain,
    /// Four attempts.
    Stubborn,
    /// Three attempts of [`LIMIT_MS`] each.
    Limited,
    /// Five attempts by a policy of the user; two for steps.
    Custom,
}

/// Limit of an attempt of [`Kind::Limited`].
pub(crate) const LIMIT_MS: u64 = 5_000;

/// What the attempts of a task do: a function of the attempt's number alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Script {
    pub(crate) fault: Fault,
    /// How many attempts fail.
    pub(crate) failures: u32,
    /// How many attempts take longer than [`LIMIT_MS`].
    pub(crate) slow: u32,
    /// The first sequence (retry by hand) in which all is well.
    pub(crate) heals: u32,
    /// How long an attempt takes.
    pub(crate) took_ms: u64,
}

/// How an attempt fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Fault {
    Broken,
    Busy,
    Fatal,
    Panic,
}

impl Call {
    /// How an attempt fails, if it does (its time limit not considered).
    pub(crate) fn fault(&self, sequence: u32, attempt: u32) -> Option<Fault> {
        let script = &self.script;
        (sequence < script.heals && attempt < script.failures).then_some(script.fault)
    }

    /// How long an attempt takes.
    pub(crate) fn took_ms(&self, sequence: u32, attempt: u32) -> u64 {
        let script = &self.script;
        if sequence < script.heals && attempt < script.slow {
            LIMIT_MS + 1 + script.took_ms
        } else {
            script.took_ms % LIMIT_MS
        }
    }
}

impl Op {
    /// Its calls, and those of its members.
    pub(crate) fn collect_calls<'a>(&'a self, calls: &mut Vec<&'a Call>) {
        match self {
            Self::Task(call) | Self::Step(call) | Self::Dispatch { call, .. } => calls.push(call),
            Self::Catch(op) => op.collect_calls(calls),
            Self::Seq(ops)
            | Self::Join(ops)
            | Self::Select(ops)
            | Self::Any(ops)
            | Self::All(ops)
            | Self::Unordered(ops) => ops.iter().for_each(|op| op.collect_calls(calls)),
            Self::Timer { .. }
            | Self::Inline { .. }
            | Self::Set { .. }
            | Self::Now
            | Self::Draw
            | Self::Await { .. }
            | Self::Cancel { .. }
            | Self::Trap => {}
        }
    }
}

/// Draws a program of a few dozen commands at most.
pub(crate) fn draw(rng: &mut Rng, with_traps: bool) -> Op {
    let budget = 1 + rng.below(24);
    // Most programs handle their failures: else few would come far. Those that do not are the ones
    // that are retried by hand.
    let caught = rng.pick(&[500, 850, 950]);
    let mut draw = Draw {
        rng,
        caught,
        label: 0,
        budget: i64::try_from(budget).expect("it is small"),
        drawn: false,
        with_traps,
    };
    let mut visible = Vec::new();
    draw.seq(0, &mut visible)
}

struct Draw<'a> {
    rng: &'a mut Rng,
    /// How many of a thousand failures are caught where they happen.
    caught: u64,
    label: u32,
    /// Commands that may still be drawn.
    budget: i64,
    /// Whether `Draw` stands in the program.
    drawn: bool,
    with_traps: bool,
}

/// Nesting beyond this adds nothing but size.
const DEPTH_MAX: u32 = 3;

impl Draw<'_> {
    fn label(&mut self) -> u32 {
        self.label += 1;
        self.budget -= 1;
        self.label
    }

    /// `visible` are the dispatched tasks that code here may await.
    fn seq(&mut self, depth: u32, visible: &mut Vec<u32>) -> Op {
        let before = visible.len();
        let mut own: Vec<u32> = Vec::new();
        let mut ops = Vec::new();
        let wanted = if depth == 0 {
            64
        } else {
            1 + self.rng.below(4)
        };
        while (ops.len() as u64) < wanted && (ops.is_empty() || self.budget > 0) {
            match self.rng.below(20) {
                0..=2 => {
                    let call = self.call();
                    own.push(call.label);
                    visible.push(call.label);
                    let cancel_on_drop = self.rng.chance(300);
                    ops.push(Op::Dispatch {
                        call,
                        cancel_on_drop,
                    });
                }
                3 if !own.is_empty() => {
                    let label = self.rng.pick(&own);
                    self.budget -= 1;
                    ops.push(Op::Cancel { label });
                }
                _ => ops.push(self.op(depth, visible)),
            }
        }
        visible.truncate(before);
        Op::Seq(ops)
    }

    fn op(&mut self, depth: u32, visible: &mut Vec<u32>) -> Op {
        let is_leaf = depth >= DEPTH_MAX || self.budget < 2;
        match self.rng.below(if is_leaf { 12 } else { 22 }) {
            0..=3 => self.caught(|draw| Op::Task(draw.call())),
            4 => self.caught(|draw| {
                let mut call = draw.call();
                // Steps know no limit of their caller.
                call.limit_ms = None;
                Op::Step(call)
            }),
            5 | 6 => self.timer(),
            7 => self.small(),
            8..=11 if !visible.is_empty() => {
                let label = self.rng.pick(visible);
                self.caught(|_| Op::Await { label })
            }
            8..=11 => self.caught(|draw| Op::Task(draw.call())),
            12 | 13 => self.seq(depth + 1, visible),
            14 => Op::Catch(Box::new(self.seq(depth + 1, visible))),
            15 | 16 => Op::Join(self.arms(depth, visible)),
            17 | 18 => Op::Select(self.arms(depth, visible)),
            19 => {
                let arms = self.arms(depth, visible);
                self.caught(|_| Op::Any(arms))
            }
            20 => {
                let arms = self.arms(depth, visible);
                self.caught(|_| Op::All(arms))
            }
            _ => self.unordered(depth),
        }
    }

    fn caught(&mut self, op: impl FnOnce(&mut Self) -> Op) -> Op {
        let op = op(self);
        if self.rng.chance(self.caught) {
            Op::Catch(Box::new(op))
        } else {
            op
        }
    }

    fn small(&mut self) -> Op {
        match self.rng.below(6) {
            0 | 1 => Op::Inline {
                label: self.label(),
            },
            2 | 3 => Op::Set {
                label: self.label(),
            },
            4 if self.with_traps => Op::Trap,
            5 if !self.drawn => {
                self.drawn = true;
                Op::Draw
            }
            _ => Op::Now,
        }
    }

    fn timer(&mut self) -> Op {
        let ms = match self.rng.below(10) {
            0 => 0,
            1..=5 => self.rng.between(1, 5_000),
            6..=8 => self.rng.between(1_000, 600_000),
            _ => self.rng.between(600_000, 48 * 3_600_000),
        };
        Op::Timer {
            label: self.label(),
            ms,
        }
    }

    fn arms(&mut self, depth: u32, visible: &mut Vec<u32>) -> Vec<Op> {
        let count = 2 + self.rng.below(2);
        (0..count).map(|_| self.op(depth + 1, visible)).collect()
    }

    /// Each member waits for something of its own, so that no two of them end in the same turn.
    fn unordered(&mut self, depth: u32) -> Op {
        let count = 2 + self.rng.below(3);
        let members = (0..count).map(|_| {
            let first = Op::Catch(Box::new(Op::Task(self.call())));
            if self.rng.chance(600) {
                first
            } else {
                Op::Seq(vec![first, self.op(depth + 1, &mut Vec::new())])
            }
        });
        Op::Unordered(members.collect())
    }

    fn call(&mut self) -> Call {
        let rng = &mut *self.rng;
        let fails = rng.chance(450);
        let took_ms = match rng.below(10) {
            0 => 0,
            1..=6 => rng.between(1, 400),
            _ => rng.between(400, LIMIT_MS - 1),
        };
        let script = Script {
            fault: rng.pick(&[Fault::Broken, Fault::Busy, Fault::Fatal, Fault::Panic]),
            failures: if fails {
                rng.pick(&[1, 1, 2, 3, 5, 99])
            } else {
                0
            },
            slow: if rng.chance(150) {
                rng.pick(&[1, 2, 5])
            } else {
                0
            },
            heals: rng.pick(&[1, 1, 2, 3]),
            took_ms,
        };
        let kind = rng.pick(&[Kind::Plain, Kind::Stubborn, Kind::Limited, Kind::Custom]);
        let limit_ms = rng.chance(150).then(|| rng.between(1, 10_000));
        Call {
            label: self.label(),
            kind,
            script,
            limit_ms,
        }
    }
}
