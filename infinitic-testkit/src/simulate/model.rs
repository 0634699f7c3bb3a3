//! What a program must do, computed without futures, turns or replay.
//!
//! The one thing that depends on timing is the order in which outcomes were delivered: the model
//! takes it from the final history. Time is an index into that order: 0 is the first turn, `n` the
//! turn of the n-th outcome. Then each operation is a plain function from the time at which it
//! begins to the time at which it ends, its value, and the commands that it asks on the way.

use std::collections::BTreeMap;

use infinitic_core::InstanceId;

use super::code::number;
use super::program::{Call, Fault, Kind, LIMIT_MS, Op};
use super::recorded::{Act, Recorded};
use super::rng::mix;

/// A point in time that never comes.
const NEVER: usize = usize::MAX;

/// How a program goes, given the order of outcomes.
#[derive(Debug)]
pub(crate) struct Expected {
    /// Its result, if it ends within the history.
    pub(crate) result: Option<Result<u64, u64>>,
    /// What it asks, in groups: each holds what one turn asks, in any order.
    pub(crate) turns: Vec<Vec<Act>>,
    /// Where the history holds what it cannot.
    pub(crate) faults: Vec<String>,
}

/// Computes how a program goes.
pub(crate) fn expect(id: InstanceId, program: &Op, recorded: &Recorded) -> Expected {
    let mut model = Model {
        id,
        recorded,
        faults: Vec::new(),
    };
    let horizon = recorded.outcomes();
    let ended = model.eval(program, 0, Span { from: 0, horizon }, &Scope::new());
    let mut turns = vec![Vec::new(); horizon + 1];
    let mut sum = 0_u64;
    for (time, act) in ended.acts {
        if let Act::Set(label) = act {
            sum = sum.wrapping_add(mix(7, u64::from(label)));
        }
        turns[time].push(act);
    }
    model.faults.dedup();
    let result = ended.value.map(|value| mix(value, sum));
    Expected {
        result: (ended.end != NEVER).then_some(result),
        turns,
        faults: model.faults,
    }
}

/// How a task or step ends in a sequence: by its script and its policy.
pub(crate) fn scripted(call: &Call, is_step: bool, sequence: u32, input: u64) -> Result<u64, u64> {
    let attempts_max = |fault: Option<Fault>| match (call.kind, fault) {
        // The error itself asks for another attempt, and brings the default number with it.
        (Kind::Plain, Some(Fault::Busy)) => 12,
        (Kind::Plain, _) => 1,
        (Kind::Stubborn, _) => 4,
        (Kind::Limited, _) => 3,
        (Kind::Custom, _) if is_step => 2,
        (Kind::Custom, _) => 5,
    };
    let mut attempt = 0;
    loop {
        let is_late = call.kind == Kind::Limited && call.took_ms(sequence, attempt) >= LIMIT_MS;
        let (fault, failure) = match call.fault(sequence, attempt) {
            _ if is_late => (None, number::TIMED_OUT),
            None => return Ok(mix(u64::from(call.label), input)),
            Some(fault) => (Some(fault), number::of_fault(fault, call.label)),
        };
        attempt += 1;
        if fault == Some(Fault::Fatal) || attempt >= attempts_max(fault) {
            return Err(failure);
        }
    }
}

/// Dispatched tasks that code may await, and when they were cancelled.
type Scope = BTreeMap<u32, Option<usize>>;

/// When a member ended, and with what.
type Member = (usize, Result<u64, u64>);

/// From when an operation runs, and the last turn in which it is polled.
#[derive(Clone, Copy)]
struct Span {
    from: usize,
    horizon: usize,
}

/// How an operation went.
struct Ended {
    /// `NEVER` when it has not ended within its span.
    end: usize,
    value: Result<u64, u64>,
    acts: Vec<(usize, Act)>,
    /// What is cancelled when it is dropped before its end.
    open: Vec<u32>,
}

impl Ended {
    fn at_once(time: usize, value: u64, acts: Vec<Act>) -> Self {
        Self {
            end: time,
            value: Ok(value),
            acts: acts.into_iter().map(|act| (time, act)).collect(),
            open: Vec::new(),
        }
    }

    fn never() -> Self {
        Self {
            end: NEVER,
            value: Ok(0),
            acts: Vec::new(),
            open: Vec::new(),
        }
    }

    fn take_in(&mut self, other: Self) -> Member {
        self.acts.extend(other.acts);
        self.open.extend(other.open);
        (other.end, other.value)
    }
}

struct Model<'a> {
    id: InstanceId,
    recorded: &'a Recorded,
    faults: Vec<String>,
}

impl Model<'_> {
    fn eval(&mut self, op: &Op, input: u64, span: Span, scope: &Scope) -> Ended {
        let Span { from, horizon } = span;
        match op {
            Op::Task(call) => self.call(call, false, input, span),
            Op::Step(call) => self.call(call, true, input, span),
            Op::Timer { label, ms } => self.timer(*label, *ms, span),
            Op::Inline { label } => {
                let count = self.recorded.inline(*label).unwrap_or(0);
                let value = mix(u64::from(*label), count);
                Ended::at_once(from, value, vec![Act::Inline(*label)])
            }
            Op::Set { label } => Ended::at_once(from, u64::from(*label), vec![Act::Set(*label)]),
            Op::Now => Ended::at_once(from, self.recorded.time(from), Vec::new()),
            Op::Draw => Ended::at_once(from, self.id.mixed(1), Vec::new()),
            Op::Trap => Ended::at_once(from, 0, Vec::new()),
            Op::Await { label } => self.wait(*label, span, scope),
            Op::Catch(op) => {
                let mut ended = self.eval(op, input, span, scope);
                ended.value = Ok(ended.value.unwrap_or_else(|failure| failure));
                ended
            }
            Op::Seq(ops) => self.seq(ops, input, span, scope.clone()),
            Op::Join(ops) => {
                let (mut ended, ends) = self.together(ops, input, span, scope);
                let values: Result<Vec<u64>, u64> = ends.into_iter().map(|(_, v)| v).collect();
                ended.value = values.map(|values| values.into_iter().reduce(mix).unwrap_or(0));
                ended
            }
            Op::Unordered(ops) => {
                let (mut ended, mut ends) = self.together(ops, input, span, scope);
                ends.sort_by_key(|(end, _)| *end);
                let values = ends
                    .into_iter()
                    .map(|(_, value)| value.unwrap_or_else(|failure| failure));
                ended.value = Ok(values.fold(0, mix));
                ended
            }
            Op::Select(ops) => self.race(ops, input, span, scope, |_| true, mix),
            Op::Any(ops) => self.any(ops, input, span, scope),
            Op::All(ops) => self.all(ops, input, span, scope),
            Op::Dispatch { .. } | Op::Cancel { .. } => {
                self.faults
                    .push("dispatch and cancel stand in sequences only".to_owned());
                Ended::at_once(from.min(horizon), 0, Vec::new())
            }
        }
    }

    fn delivered(&self, label: u32) -> usize {
        self.recorded.delivered(label).unwrap_or(NEVER)
    }

    fn call(&mut self, call: &Call, is_step: bool, input: u64, span: Span) -> Ended {
        let end = self.delivered(call.label);
        let mut ended = Ended::at_once(span.from, 0, vec![Act::Call(call.label)]);
        self.check_call(call, is_step, input);
        if end <= span.horizon {
            ended.value = self.outcome(call.label);
            ended.end = end;
        } else {
            ended.end = NEVER;
            ended.open.push(call.label);
        }
        ended
    }

    fn outcome(&self, label: u32) -> Result<u64, u64> {
        self.recorded.outcome(label).unwrap_or(Err(0))
    }

    /// What is recorded of a call is what its script says.
    fn check_call(&mut self, call: &Call, is_step: bool, input: u64) {
        let label = call.label;
        if let Some((recorded, recorded_input)) = self.recorded.call(label)
            && (recorded != call || *recorded_input != input)
        {
            self.faults
                .push(format!("call {label} has the arguments of something else"));
        }
        let Some(outcome) = self.recorded.outcome(label) else {
            return;
        };
        let expected = scripted(call, is_step, self.recorded.sequence(label), input);
        let is_late = call.limit_ms.is_some() && outcome == Err(number::TIMED_OUT);
        let has_crashed = outcome == Err(number::CRASHED);
        if outcome != expected && !is_late && !has_crashed {
            self.faults.push(format!(
                "call {label} ended with {outcome:?} instead of {expected:?}"
            ));
        }
    }

    fn timer(&mut self, label: u32, ms: u64, span: Span) -> Ended {
        let due = match ms {
            0 => u64::from(label),
            ms => self.recorded.time(span.from) + ms,
        };
        if let Some(recorded) = self.recorded.timer(label)
            && recorded != due
        {
            self.faults.push(format!(
                "timer {label} is due at {recorded} instead of {due}"
            ));
        }
        let end = self.delivered(label);
        let acts = vec![Act::Mark(label), Act::Timer(label)];
        let mut ended = Ended::at_once(span.from, u64::from(label), acts);
        if end > span.horizon {
            ended.end = NEVER;
            ended.open.push(label);
        } else {
            ended.end = end;
        }
        ended
    }

    fn wait(&self, label: u32, span: Span, scope: &Scope) -> Ended {
        let cancelled = scope.get(&label).copied().flatten().unwrap_or(NEVER);
        let end = self.delivered(label).min(cancelled).max(span.from);
        if end > span.horizon {
            return Ended::never();
        }
        let mut ended = Ended::at_once(end, 0, Vec::new());
        ended.value = if cancelled <= end {
            Err(number::CANCELLED)
        } else {
            self.outcome(label)
        };
        ended
    }

    fn seq(&mut self, ops: &[Op], input: u64, span: Span, mut scope: Scope) -> Ended {
        let mut ended = Ended::at_once(span.from, input, Vec::new());
        let mut dropped_at_end: Vec<u32> = Vec::new();
        for op in ops {
            let time = ended.end;
            let Ok(value) = ended.value else { break };
            let (end, result) = match op {
                Op::Dispatch {
                    call,
                    cancel_on_drop,
                } => {
                    ended.acts.push((time, Act::Call(call.label)));
                    self.check_call(call, false, value);
                    scope.insert(call.label, None);
                    if *cancel_on_drop {
                        dropped_at_end.push(call.label);
                    }
                    (time, Ok(u64::from(call.label)))
                }
                Op::Cancel { label } => {
                    let is_open = scope.get(label).is_some_and(Option::is_none);
                    if is_open && self.delivered(*label) > time {
                        ended.acts.push((time, Act::Cancel(*label)));
                        scope.insert(*label, Some(time));
                        dropped_at_end.retain(|other| other != label);
                    }
                    (time, Ok(u64::from(*label)))
                }
                op => {
                    let span = Span {
                        from: time,
                        horizon: span.horizon,
                    };
                    let member = self.eval(op, value, span, &scope);
                    ended.take_in(member)
                }
            };
            ended.end = end;
            if end == NEVER {
                ended.open.extend(dropped_at_end);
                return ended;
            }
            ended.value = result.map(|result| mix(value, result));
        }
        let end = ended.end;
        self.drop_open(&dropped_at_end, end, &mut ended.acts);
        ended
    }

    /// What is dropped at a time cancels what has not ended by then.
    fn drop_open(&self, open: &[u32], time: usize, acts: &mut Vec<(usize, Act)>) {
        let open = open.iter().filter(|label| self.delivered(**label) > time);
        acts.extend(open.map(|label| (time, Act::Cancel(*label))));
    }

    /// All members, up to the last one's end.
    fn together(
        &mut self,
        ops: &[Op],
        input: u64,
        span: Span,
        scope: &Scope,
    ) -> (Ended, Vec<Member>) {
        let mut ended = Ended::at_once(span.from, 0, Vec::new());
        let mut ends = Vec::new();
        for op in ops {
            let member = self.eval(op, input, span, scope);
            ends.push(ended.take_in(member));
        }
        ended.end = ends.iter().map(|(end, _)| *end).max().unwrap_or(span.from);
        (ended, ends)
    }

    /// The first member that ends and is `wanted`; the others are dropped then.
    fn race(
        &mut self,
        ops: &[Op],
        input: u64,
        span: Span,
        scope: &Scope,
        wanted: impl Fn(&Result<u64, u64>) -> bool,
        value: impl Fn(u64, u64) -> u64,
    ) -> Ended {
        let members: Vec<Ended> = ops
            .iter()
            .map(|op| self.eval(op, input, span, scope))
            .collect();
        let first = members
            .iter()
            .enumerate()
            .filter(|(_, member)| member.end != NEVER && wanted(&member.value))
            .min_by_key(|(index, member)| (member.end, *index));
        let mut ended = Ended::never();
        let Some((winner, time)) = first.map(|(index, member)| (index, member.end)) else {
            for member in members {
                ended.acts.extend(member.acts);
                ended.open.extend(member.open);
            }
            return ended;
        };
        for (index, member) in members.into_iter().enumerate() {
            if index == winner {
                ended.end = time;
                ended.value = member.value.map(|v| value(index as u64, v));
                ended.acts.extend(member.acts);
                continue;
            }
            // Members before the winner are polled once more in its turn, those behind it are not.
            let horizon = match index < winner {
                true => time,
                false if time == span.from => continue,
                false => time - 1,
            };
            let from = span.from;
            let loser = self.eval(&ops[index], input, Span { from, horizon }, scope);
            ended.acts.extend(loser.acts);
            self.drop_open(&loser.open, time, &mut ended.acts);
        }
        ended
    }

    fn any(&mut self, ops: &[Op], input: u64, span: Span, scope: &Scope) -> Ended {
        let (mut ended, ends) = self.together(ops, input, span, scope);
        if ends
            .iter()
            .any(|(end, value)| *end != NEVER && value.is_ok())
        {
            return self.race(ops, input, span, scope, Result::is_ok, mix);
        }
        // All have failed: the last failure counts.
        let last = ends.into_iter().max_by_key(|(end, _)| *end);
        ended.value = last.map_or(Ok(0), |(_, value)| value);
        ended
    }

    fn all(&mut self, ops: &[Op], input: u64, span: Span, scope: &Scope) -> Ended {
        let (mut ended, ends) = self.together(ops, input, span, scope);
        if ends
            .iter()
            .any(|(end, value)| *end != NEVER && value.is_err())
        {
            return self.race(ops, input, span, scope, Result::is_err, mix);
        }
        let values = ends.into_iter().map(|(_, value)| value.unwrap_or(0));
        ended.value = Ok(values.fold(0, mix));
        ended
    }
}
