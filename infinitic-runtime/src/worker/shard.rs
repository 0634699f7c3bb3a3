//! A shard: owner of some instances, of their live futures and of their timers.
//!
//! It is a plain value without threads or clock: messages and time go in, commits come out. Worker
//! threads and the simulation drive the same thing. One round handles what has arrived and ends in
//! one [`Commit`]; what the round sends out travels with it, and leaves when it is durable.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use infinitic_core::codec::{self, RowHeader};
use infinitic_core::engine::{self, Applied};
use infinitic_core::{
    Answer, CommandId, Entry, FailureKind, FailureRecord, History, Instance, InstanceId, Message,
    RequestId, RunNo, TimerKey, Timestamp, TurnReport,
};

use super::cache::UseOrder;
use super::checkpoint::Checkpoint;
use super::commit::{Commit, Outgoing};
use super::load::{self, Loaded};
use super::resting::Resting;
use super::resume::Resuming;
use super::settings::ShardSettings;
use super::suspects::Suspects;
use crate::backend::{CommitId, HistoryRow, ReadRows, RowOp, StoreError};
use crate::workflow::{HostedWorkflows, LiveRun};

/// Told when code of an instance was woken by something foreign.
pub type OnForeign = Arc<dyn Fn(InstanceId, RunNo) + Send + Sync>;

/// Writes a commit and returns when it is durable.
pub(crate) type CommitNow = Arc<dyn Fn(Commit) + Send + Sync>;

/// One shard.
pub struct Shard {
    pub(super) number: u16,
    /// How many shards there are.
    pub(super) total: usize,
    pub(super) store: Arc<dyn ReadRows>,
    pub(super) workflows: Arc<HostedWorkflows>,
    pub(super) settings: ShardSettings,
    pub(super) on_foreign: OnForeign,
    pub(super) slots: HashMap<InstanceId, Slot>,
    pub(super) timers: BTreeSet<(Timestamp, TimerKey)>,
    /// Instances touched in this round.
    pub(super) touched: Vec<InstanceId>,
    pub(super) outgoing: Vec<Outgoing>,
    pub(super) history: Vec<HistoryRow>,
    pub(super) ops: Vec<RowOp>,
    /// Number of the last commit that was taken.
    pub(super) taken: u64,
    /// Number of the last commit that is durable.
    pub(super) durable: u64,
    /// Instances that may leave memory once a commit is durable.
    pub(super) retiring: VecDeque<(u64, InstanceId)>,
    /// Instances with a live future, by their last use.
    pub(super) used_warm: UseOrder,
    /// Instances in memory, by their last use.
    pub(super) used_cached: UseOrder,
    pub(super) clock: u64,
    pub(super) warm: usize,
    pub(super) checkpoint: Checkpoint,
    /// Where the purge goes on in the next round, if it does.
    pub(super) purging: Option<Vec<u8>>,
    /// Attempts that may have taken the process down, to be given out again with care.
    pub(super) suspects: Suspects,
    /// Turns during which the process before this one died.
    pub(super) blamed: BTreeMap<InstanceId, RunNo>,
    /// Whether the store keeps notes of turns: then care costs so little that it never ends.
    keeps_notes: bool,
    /// Makes a commit durable at once; only cautious turns need it.
    pub(super) commit_now: Option<CommitNow>,
    /// What this thread is about to run, for the watchdog.
    pub(crate) running: Arc<super::watchdog::Running>,
    /// Code that runs again, and code that must not.
    pub(super) resuming: Resuming,
    /// Instances at rest, if the store is shared.
    pub(super) resting: Option<Resting>,
    /// What a turn gave that ran elsewhere, for the turn that is about to run.
    pub(super) given_turn: Option<(InstanceId, RunNo, TurnReport)>,
}

impl std::fmt::Debug for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shard")
            .field("number", &self.number)
            .field("slots", &self.slots.len())
            .field("timers", &self.timers.len())
            .finish_non_exhaustive()
    }
}

#[derive(Debug)]
pub(super) struct Slot {
    /// Absent only while a message is being applied.
    pub(super) instance: Option<Box<Instance>>,
    pub(super) live: Option<LiveRun>,
    pub(super) rows: u32,
    /// The commit that wrote the last of them.
    pub(super) last: CommitId,
    /// Entries of this round.
    pub(super) entries: Vec<Entry>,
    /// Rows that were taken and may not be durable yet, for replays: (commit, row, entries).
    pub(super) unsynced: VecDeque<(u64, u32, Vec<Entry>)>,
    /// What was just loaded, for the replay that follows.
    pub(super) history: Option<History>,
    pub(super) touched: bool,
    pub(super) used: u64,
}

impl Shard {
    /// An empty shard over a store.
    #[must_use]
    pub fn new(
        number: u16,
        store: Arc<dyn ReadRows>,
        hosted: &super::Hosted,
        settings: ShardSettings,
        on_foreign: OnForeign,
    ) -> Self {
        let blamed = store.noted_turns().into_iter().collect();
        let keeps_notes = settings.cautious && store.note_turn(number, None);
        Self {
            number,
            total: 1,
            store,
            workflows: Arc::clone(&hosted.workflows),
            settings,
            on_foreign,
            slots: HashMap::new(),
            timers: BTreeSet::new(),
            touched: Vec::new(),
            outgoing: Vec::new(),
            history: Vec::new(),
            ops: Vec::new(),
            taken: 0,
            durable: 0,
            retiring: VecDeque::new(),
            used_warm: UseOrder::default(),
            used_cached: UseOrder::default(),
            clock: 0,
            warm: 0,
            checkpoint: Checkpoint::default(),
            purging: None,
            suspects: Suspects::default(),
            blamed,
            keeps_notes,
            commit_now: None,
            running: Arc::default(),
            resuming: Resuming::default(),
            resting: None,
            given_turn: None,
        }
    }

    /// Handles one message in the current round.
    ///
    /// # Errors
    /// When the instance's rows cannot be read; the message has changed nothing then, and may be
    /// handled again.
    pub fn handle(
        &mut self,
        to: InstanceId,
        message: Message,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.handle_known(to, message, now, false)
    }

    /// The same; `fresh` says that the id was drawn for this very message, so that no row has it.
    ///
    /// # Errors
    /// As [`Shard::handle`].
    pub fn handle_known(
        &mut self,
        to: InstanceId,
        message: Message,
        now: Timestamp,
        fresh: bool,
    ) -> Result<(), StoreError> {
        let message = match message {
            Message::Start {
                mut start,
                started,
                ended,
            } => {
                if start.version.is_none() {
                    start.version = self.workflows.highest_version(&start.workflow);
                }
                Message::Start {
                    start,
                    started,
                    ended,
                }
            }
            Message::RetryTurn { cut: None, request } => {
                match self.plan(to, engine::plan_retry_turn, now)? {
                    Ok(cut) => Message::RetryTurn { cut, request },
                    Err(why) => return self.refuse(request, why),
                }
            }
            Message::RetryTasks { cut: None, request } => {
                match self.plan(to, engine::plan_retry_tasks, now)? {
                    Ok(cut) => Message::RetryTasks { cut, request },
                    Err(why) => return self.refuse(request, why),
                }
            }
            other => other,
        };
        let instance = match self.slots.get_mut(&to) {
            Some(slot) => slot.instance.take(),
            // An id that was drawn a moment ago in this process has no rows: no need to look.
            None if fresh => None,
            None => self.load(to)?,
        };
        if let Message::AttemptEnded { id, .. } = &message {
            self.suspects.ended(*id);
        }
        self.apply(to, instance, message, now)
    }

    fn refuse(&mut self, request: Option<RequestId>, why: String) -> Result<(), StoreError> {
        if let Some(request) = request {
            let failure = FailureRecord::new(FailureKind::Refused, why);
            self.answer(request, Answer::Refused(Box::new(failure)));
        }
        Ok(())
    }

    /// Gives out the suspects whose turn it is.
    ///
    /// # Errors
    /// As [`Shard::handle`].
    pub fn examine_suspects(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let deliveries_max = self.settings.deliveries_max;
        loop {
            let slots = &self.slots;
            let attempts = |id: CommandId| {
                let instance = slots.get(&id.instance)?.instance.as_ref()?;
                instance.open(id)?.kind.attempts()
            };
            // One whose instance has left memory is handled with the greater care.
            let again = |id| attempts(id).is_none_or(|attempts| attempts.redeliveries > 0);
            let Some(id) = self.suspects.next(now, again) else {
                break;
            };
            self.handle(id.instance, Message::Redeliver { id, deliveries_max }, now)?;
            let slot = self.slots.get(&id.instance);
            let open = slot.and_then(|slot| slot.instance.as_ref()?.open(id));
            if open.is_none() {
                self.suspects.ended(id);
            }
        }
        if self.suspects.is_done() && !self.keeps_notes {
            self.settings.cautious = false;
        }
        Ok(())
    }

    pub(super) fn load(&mut self, id: InstanceId) -> Result<Option<Box<Instance>>, StoreError> {
        let Some(loaded) = load::load(&*self.store, id)? else {
            return Ok(None);
        };
        let Loaded {
            instance,
            history,
            rows,
            last,
        } = loaded;
        self.insert(id, rows, last, Some(history));
        self.is_back(&instance);
        Ok(Some(instance))
    }

    fn insert(&mut self, id: InstanceId, rows: u32, last: CommitId, history: Option<History>) {
        let slot = Slot {
            instance: None,
            live: None,
            rows,
            last,
            entries: Vec::new(),
            unsynced: VecDeque::new(),
            history,
            touched: false,
            used: 0,
        };
        self.slots.insert(id, slot);
    }

    pub(super) fn apply(
        &mut self,
        to: InstanceId,
        mut instance: Option<Box<Instance>>,
        message: Message,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if let Some(resting) = &mut self.resting {
            resting.now = resting.now.max(now);
        }
        // Turns are messages too, answered at once: a short queue, never a recursion.
        let mut messages = VecDeque::from([message]);
        while let Some(message) = messages.pop_front() {
            let Applied {
                instance: after,
                entries,
                effects,
            } = engine::apply(to, instance, message, now);
            instance = after;
            let Some(after) = instance.take() else {
                self.carry_out_for_nobody(effects);
                return Ok(());
            };
            if !self.slots.contains_key(&to) {
                self.insert(to, 0, CommitId::NONE, None);
                self.checkpoint.started(to, &mut self.ops);
            }
            self.keep(to, after, entries);
            for effect in effects {
                if let Some(answer) = self.carry_out(to, effect, now)? {
                    messages.push_back(answer);
                }
            }
            instance = self
                .slots
                .get_mut(&to)
                .and_then(|slot| slot.instance.take());
        }
        if let Some(slot) = self.slots.get_mut(&to) {
            slot.instance = instance;
        }
        Ok(())
    }

    fn keep(&mut self, id: InstanceId, instance: Box<Instance>, entries: Vec<Entry>) {
        self.clock += 1;
        let slot = self
            .slots
            .get_mut(&id)
            .expect("the caller has inserted the slot");
        slot.instance = Some(instance);
        slot.used = self.clock;
        if slot.entries.is_empty() {
            slot.entries = entries;
        } else {
            slot.entries.extend(entries);
        }
        if !slot.touched {
            slot.touched = true;
            self.touched.push(id);
        }
    }

    /// Whether the round has done anything that must be committed.
    #[must_use]
    pub fn has_work(&self) -> bool {
        let rows = self.history.len() + self.ops.len();
        !self.touched.is_empty() || !self.outgoing.is_empty() || rows > 0
    }

    /// Ends the round: its rows, and what leaves when they are durable.
    pub fn take_commit(&mut self) -> Option<Commit> {
        if !self.has_work() {
            return None;
        }
        self.taken += 1;
        let number = self.taken;
        for id in std::mem::take(&mut self.touched) {
            self.write_row(id, number);
        }
        let history = std::mem::take(&mut self.history);
        let ops = std::mem::take(&mut self.ops);
        let outgoing = std::mem::take(&mut self.outgoing);
        Some(Commit {
            shard: self.number,
            number,
            history,
            ops,
            outgoing,
        })
    }

    fn write_row(&mut self, id: InstanceId, number: u64) {
        let status = self.slots.get(&id).and_then(|slot| {
            let instance = slot.instance.as_ref()?;
            (!slot.entries.is_empty()).then(|| instance.status())
        });
        match status {
            Some(status) if status.is_ended() => self.rests_no_more(id),
            Some(_) => self.list_if_resting(id),
            None => {}
        }
        let Some(slot) = self.slots.get_mut(&id) else {
            return;
        };
        slot.touched = false;
        slot.history = None;
        slot.trim(self.durable);
        let Some(instance) = &slot.instance else {
            return;
        };
        let status = instance.status();
        let entries = std::mem::take(&mut slot.entries);
        if !entries.is_empty() {
            let commit = self.settings.first_commit.plus(number);
            let header = RowHeader {
                status,
                commit: commit.0,
            };
            self.history.push(HistoryRow {
                id,
                row: slot.rows,
                after: slot.last,
                commit,
                value: codec::encode_row(header, &entries).into(),
            });
            slot.last = commit;
            // Kept for replays until the store has them. A warm instance that ended needs none.
            slot.unsynced.push_back((number, slot.rows, entries));
            slot.rows += 1;
        }
        if status.is_ended() {
            self.retiring.push_back((number, id));
        } else {
            if slot.live.is_some() {
                self.used_warm.used(slot.used, id);
            }
            self.used_cached.used(slot.used, id);
        }
    }

    /// Takes over after a thread that was given up: commits are numbered on from `submitted`.
    #[doc(hidden)]
    pub fn continue_after(&mut self, submitted: u64) {
        self.taken = submitted;
        self.durable = submitted;
        // The process has not died since its start.
        self.blamed.clear();
    }

    /// Takes in an open instance that was found after a start of the process.
    ///
    /// # Errors
    /// As [`Shard::handle`].
    pub(crate) fn adopt(
        &mut self,
        loaded: Loaded,
        listed: bool,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let Loaded {
            mut instance,
            history,
            rows,
            last,
        } = loaded;
        let id = instance.id;
        if instance.status().is_ended() {
            let purge_at = instance.changed_at + self.settings.retention;
            self.checkpoint.found_ended(id, listed, rows, purge_at);
            return Ok(());
        }
        self.insert(id, rows, last, Some(history));
        self.checkpoint.adopted(id, listed);
        instance = self.blame(instance);
        if self.defer(&instance) {
            if let Some(slot) = self.slots.get_mut(&id) {
                slot.instance = Some(instance);
                slot.history = None;
            }
            return Ok(());
        }
        let message = Message::Recovered {
            cautious: self.settings.cautious || self.resting.is_some(),
        };
        self.apply(id, Some(instance), message, now)
    }

    /// What makes a commit durable at once, for turns that run cautiously.
    #[doc(hidden)]
    pub fn set_commit_now(&mut self, commit_now: Arc<dyn Fn(Commit) + Send + Sync>) {
        self.commit_now = Some(commit_now);
    }

    /// Whether the shard is careful after some deaths in a row.
    #[doc(hidden)]
    #[must_use]
    pub fn is_cautious(&self) -> bool {
        self.settings.cautious
    }

    /// Whether attempts are left that are given out with care.
    #[doc(hidden)]
    #[must_use]
    pub fn has_suspects(&self) -> bool {
        !self.suspects.is_done()
    }

    /// The state of an instance, if it is in memory: for checks of simulations.
    #[doc(hidden)]
    #[must_use]
    pub fn instance(&self, id: InstanceId) -> Option<&Instance> {
        self.slots.get(&id)?.instance.as_deref()
    }

    /// Whether commits were taken that are not known to be durable.
    pub(crate) fn has_undurable(&self) -> bool {
        self.durable < self.taken
    }

    /// The instances of this shard's memory.
    #[must_use]
    pub fn cached(&self) -> usize {
        self.slots.len()
    }

    /// The live futures of this shard.
    #[must_use]
    pub fn warm(&self) -> usize {
        self.warm
    }
}

impl Slot {
    /// The first of its rows that may not be durable yet.
    pub(super) fn first_unsynced(&self) -> u32 {
        self.unsynced.front().map_or(self.rows, |(_, row, _)| *row)
    }

    /// Forgets the rows that the store has.
    pub(super) fn trim(&mut self, durable: u64) {
        while self
            .unsynced
            .front()
            .is_some_and(|(commit, _, _)| *commit <= durable)
        {
            self.unsynced.pop_front();
        }
    }

    /// Whether memory holds something that the store does not have yet.
    pub(super) fn is_busy(&mut self, durable: u64) -> bool {
        self.trim(durable);
        self.touched || !self.unsynced.is_empty()
    }

    /// Whether a step runs whose code only the live future holds.
    pub(super) fn has_open_steps(&self) -> bool {
        self.live.as_ref().is_some_and(LiveRun::has_open_steps)
    }
}

/// The answer for a request that a store's fault kept from being handled.
pub(crate) fn unreadable(error: &StoreError) -> Answer {
    Answer::Refused(Box::new(FailureRecord::new(
        FailureKind::Refused,
        error.to_string(),
    )))
}
