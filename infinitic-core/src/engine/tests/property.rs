//! Random lives of one instance: whatever comes in whatever order, the state stays the fold of its
//! entries, what is stale or repeated changes nothing, and the instance can still end.
//!
//! A failure names its seed; `life(seed)` repeats it.

use super::*;

const LIVES: u64 = 2_000;
const MESSAGES: u32 = 40;

/// A small generator of our own (xorshift64*, Vigna 2016), so that a seed means the same for ever.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % bound
    }

    fn one_in(&mut self, bound: u64) -> bool {
        self.below(bound) == 0
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> Option<T> {
        let bound = u64::try_from(from.len()).unwrap();
        (bound > 0).then(|| from[usize::try_from(self.below(bound)).unwrap()].clone())
    }
}

struct Life {
    s: Scenario,
    dice: Dice,
    /// Everything that was ever sent, to be sent again late.
    sent: Vec<Message>,
}

#[test]
fn random_lives_keep_the_rules_and_can_end() {
    let mut ends = [0_u32; 3];
    for seed in 1..=LIVES {
        let status = life(seed);
        match status {
            Status::Completed => ends[0] += 1,
            Status::Failed => ends[1] += 1,
            Status::Cancelled => ends[2] += 1,
            Status::Running | Status::Stopped => panic!("seed {seed} ends as {status:?}"),
        }
    }
    let enough = u32::try_from(LIVES / 30).unwrap();
    assert!(
        ends.iter().all(|count| *count > enough),
        "one-sided: {ends:?}"
    );
}

fn life(seed: u64) -> Status {
    let mut life = Life {
        s: Scenario::nothing(),
        dice: Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
        sent: Vec::new(),
    };
    // A panic of the checks inside names no seed by itself.
    let named = Named(seed);
    life.deliver(start(Some(1), Some(2)));
    for _ in 0..MESSAGES {
        let ms = life.dice.below(30);
        life.s.later(ms);
        if let Some(message) = life.message() {
            life.deliver(message);
        }
        life.check_history();
    }
    life.finish();
    std::mem::forget(named);
    life.s.status()
}

struct Named(u64);

impl Drop for Named {
    fn drop(&mut self) {
        eprintln!("seed {}", self.0);
    }
}

impl Life {
    /// Sends a message, takes the turns that it asks for, and sends it again where that must not
    /// count.
    fn deliver(&mut self, message: Message) {
        let before = self.s.without_waits();
        let is_stale = self.is_stale(&message);
        self.s.send(message.clone());
        if is_stale {
            assert!(self.s.entries.is_empty(), "stale: {message:?}");
            assert_eq!(self.s.without_waits(), before);
        }
        let turns: Vec<RunNo> = self.turns();
        self.sent.push(message.clone());
        if counts_once(&message) {
            let mut again = self.s.clone();
            again.send(message.clone());
            assert!(again.entries.is_empty(), "counted twice: {message:?}");
            assert!(again.effects.iter().all(is_harmless), "{:?}", again.effects);
        }
        for run in turns {
            self.take_turn(run);
        }
    }

    fn turns(&self) -> Vec<RunNo> {
        let run = |effect: &Effect| match effect {
            Effect::RunTurn { run, .. } => Some(*run),
            _ => None,
        };
        self.s.effects.iter().filter_map(run).collect()
    }

    fn take_turn(&mut self, run: RunNo) {
        assert!(self.s.run().result.is_none(), "a turn of an ended run");
        let message = match self.dice.below(12) {
            0 if self.dice.one_in(2) => fails_turn("panic", self.dice.below(40)),
            0 => stopped("panic"),
            1 => {
                let failed = self.s.history().outcomes.last().cloned();
                let end = match failed {
                    Some(told) if self.dice.one_in(2) => {
                        let id = CommandId {
                            instance: self.s.id,
                            run,
                            reopening: Reopening(0),
                            position: told.position,
                        };
                        end_failed_by(id)
                    }
                    _ => end_failed(),
                };
                turn_ended([end])
            }
            2 => turn_ended([task("last"), end_ok()]),
            _ => {
                let count = self.dice.below(3);
                let commands: Vec<Command> = (0..count).map(|_| self.command()).collect();
                turn_ended(commands)
            }
        };
        self.s.send(message);
        assert!(self.turns().is_empty(), "a turn leads to no turn");
    }

    fn command(&mut self) -> Command {
        let asked = u64::from(self.s.run().commands);
        match self.dice.below(7) {
            0 | 1 => task("a"),
            2 => task_within("b", 1 + self.dice.below(60)),
            3 => step("resize"),
            4 => {
                let now = self.s.now.since(T0);
                timer(u64::try_from(now.as_millis()).unwrap() + self.dice.below(50))
            }
            5 => Command::Inline { value: json("1") },
            _ => cancel(u32::try_from(self.dice.below(asked + 1)).unwrap()),
        }
    }

    fn message(&mut self) -> Option<Message> {
        let positions: Vec<Position> = self.s.run().open.keys().copied().collect();
        let open = self.dice.pick(&positions);
        Some(match self.dice.below(20) {
            0..=6 => self.attempt(open?)?,
            7..=10 => {
                let kinds = [TimerKind::Timer, TimerKind::Backoff, TimerKind::Deadline];
                let kind = self.dice.pick(&kinds)?;
                if self.s.instance().turn_retry_due().is_some() && self.dice.one_in(2) {
                    let timer = TimerKey::of_turn(self.s.id);
                    return Some(Message::TimerDue { timer });
                }
                rings(kind, self.s.command(open?.0))
            }
            11 | 12 => self.dice.pick(&self.sent.clone())?,
            13 => {
                let cautious = self.dice.one_in(2);
                Message::Recovered { cautious }
            }
            14 => Message::Redeliver {
                id: self.s.command(open?.0),
                deliveries_max: 2,
            },
            15 | 16 => self.retry_tasks(),
            17 | 18 => self.retry_turn(),
            _ if self.dice.one_in(8) => Message::Cancel {
                run: None,
                request: Some(RequestId(3)),
            },
            _ => {
                let message = self.dice.pick(&unavailable::every_message(self.s.id))?.0;
                match message {
                    Message::Cancel { .. }
                    | Message::TurnEnded { .. }
                    | Message::TurnFailed { .. } => return None,
                    other => other,
                }
            }
        })
    }

    fn attempt(&mut self, position: Position) -> Option<Message> {
        let open = &self.s.run().open[&position];
        open.kind.attempts()?;
        let pause = self.dice.below(40);
        let result = match self.dice.below(3) {
            0 if self.dice.one_in(3) => fails_leaving(pause, &[("pause", "short")]),
            0 => fails("boom", Some(pause)),
            1 => fails("boom", None),
            _ => value("7"),
        };
        let mut message = self.s.attempt_ended(position.0, result);
        if let Message::AttemptEnded {
            id,
            sequence,
            attempt,
            ..
        } = &mut message
        {
            match self.dice.below(12) {
                0 => id.reopening = id.reopening.next(),
                1 => *sequence = sequence.next(),
                2 => *attempt = attempt.next(),
                _ => {}
            }
        }
        Some(message)
    }

    fn retry_tasks(&mut self) -> Message {
        let history = self.s.history();
        let commands_kept = self.commands_kept(&history);
        let plan = plan_retry_tasks(RUN, &history);
        let cut = plan.map(|plan| Box::new(plan.cut(&history, commands_kept)));
        let request = None;
        Message::RetryTasks { cut, request }
    }

    fn retry_turn(&mut self) -> Message {
        let history = self.s.history();
        let commands_kept = self.commands_kept(&history);
        let plan = plan_retry_turn(RUN, &history);
        let cut = plan.map(|plan| Box::new(plan.cut(&history, commands_kept)));
        let request = None;
        Message::RetryTurn { cut, request }
    }

    /// What a replay may have found: mostly all commands, sometimes less, as changed code does.
    fn commands_kept(&mut self, history: &RunHistory) -> u32 {
        let all = u32::try_from(history.commands.len()).unwrap();
        if self.dice.one_in(3) {
            u32::try_from(self.dice.below(u64::from(all) + 1)).unwrap()
        } else {
            all
        }
    }

    /// Whether an attempt's end or an alarm is for something that is not open any more.
    fn is_stale(&self, message: &Message) -> bool {
        let Some(instance) = &self.s.instance else {
            return false;
        };
        match message {
            Message::AttemptEnded {
                id,
                sequence,
                attempt,
                ..
            } => instance.open(*id).is_none_or(|open| {
                open.sequence != *sequence
                    || open
                        .kind
                        .attempts()
                        .is_none_or(|attempts| attempts.current != *attempt)
            }),
            Message::TimerDue { timer } if timer.kind == TimerKind::TurnRetry => {
                instance.turn_retry_due().is_none()
            }
            Message::TimerDue { timer } => instance.open(timer.id).is_none(),
            Message::Start { .. } => true,
            _ => false,
        }
    }

    /// The history that replay reads tells the same as the state.
    fn check_history(&self) {
        let (history, run) = (self.s.history(), self.s.run());
        assert_eq!(history.commands.len(), run.commands as usize);
        assert_eq!(history.outcomes.len(), run.outcomes as usize);
        assert_eq!(history.reopening, run.reopening);
        assert_eq!(history.result, run.result);
        for told in &history.outcomes {
            let asked = history.commands.get(told.position.0 as usize);
            assert!(asked.is_some(), "an outcome of a voided command");
            assert!(!run.open.contains_key(&told.position));
        }
        for (position, open) in &run.open {
            let (reopening, command) = &history.commands[position.0 as usize];
            assert_eq!(*reopening, open.reopening);
            assert!(matches!(
                command,
                Command::CallTask { .. } | Command::Step { .. } | Command::StartTimer { .. }
            ));
        }
    }

    /// Lets the code end and everything else with it.
    fn finish(&mut self) {
        if self.s.instance().stopped.is_some() {
            self.s.send(Message::RetryTurn {
                cut: None,
                request: None,
            });
            assert!(self.s.status() == Status::Running);
        }
        let end = if self.dice.one_in(4) {
            end_failed()
        } else {
            end_ok()
        };
        self.s.turn([end]);
        while let Some(position) = self.s.run().open.keys().next().copied() {
            self.s.attempt(position.0, value("7"));
            assert!(!self.s.run().open.contains_key(&position));
        }
    }
}

/// A pause may ring twice (the executor knows the attempt), and an early alarm is armed again.
fn is_harmless(effect: &Effect) -> bool {
    matches!(
        effect,
        Effect::Answer { .. }
            | Effect::ArmTimer { .. }
            | Effect::DispatchTask { .. }
            | Effect::RunStep { .. }
    )
}

/// Whether a second copy of a message must not count.
fn counts_once(message: &Message) -> bool {
    match message {
        Message::AttemptEnded { .. }
        | Message::Start { .. }
        | Message::Cancel { .. }
        | Message::TimerDue { .. } => true,
        Message::RetryTasks { cut, .. } | Message::RetryTurn { cut, .. } => cut.is_some(),
        _ => false,
    }
}
