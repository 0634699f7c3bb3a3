//! How processes begin and end, and what else befalls the machine.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use infinitic_core::{RunNo, Timestamp};
use infinitic_runtime::backend::{CommitId, ReadRows, StoreError};
use infinitic_runtime::service::{HostedServices, SpotExecutor};
use infinitic_runtime::worker::{OnForeign, Shard, ShardSettings, recover};

use super::{Event, World};
use crate::simulate::code::{Bank, set_broken};
use crate::simulate::process::{Committer, Died, Lane, Process, Shared, Wrote, commit_now, lock};

/// Unclean exits in a row from which recovery is cautious, as in a worker.
const CAUTIOUS_FROM: u32 = 2;
/// The most by which a clock jumps, as the design promises to bear.
const JUMP_MS: u64 = 300_000;

impl World {
    /// A process starts and recovers what the store holds.
    pub(super) fn start(&mut self) {
        if self.process.is_some() {
            return;
        }
        self.life += 1;
        self.store.open_again();
        self.watch.process_begins();
        let broken = !self.healing && self.profile.with_traps && self.rng.chance(400);
        set_broken(broken);
        let total = usize::try_from(self.rng.between(1, self.profile.shards_max)).unwrap_or(1);
        let must = self.unclean >= CAUTIOUS_FROM;
        let cautious = must || self.rng.chance(self.profile.cautious);
        self.trace(|world| {
            let life = world.life;
            format!("process {life} starts: {total} shards, cautious {cautious}, broken {broken}")
        });
        let early = self.options.plant == Some(crate::simulate::Plant::PublishBeforeCommit);
        let committer = Committer::new(&self.store, total, &self.dice, early);
        let committer = Arc::new(Mutex::new(committer));
        let settings = ShardSettings {
            cautious,
            first_commit: CommitId(self.life << 32),
            ..self.profile.settings.clone()
        };
        let mut shards: Vec<Shard> = (0..total)
            .map(|number| self.shard(number, &settings, &committer))
            .collect();
        let recovered = self.recover(&mut shards, total, &committer);
        match recovered {
            Ok(Ok(())) => self.runs(shards, committer),
            Ok(Err(error)) => {
                self.trace(|_| format!("the process cannot start: {error}"));
                self.schedule(1_000, Event::Start);
                self.store.crash();
            }
            Err(Died) => {
                drop(shards);
                self.dies("in the recovery");
            }
        }
    }

    fn shard(
        &self,
        number: usize,
        settings: &ShardSettings,
        committer: &Shared<Committer>,
    ) -> Shard {
        let store: Arc<dyn ReadRows> = Arc::<crate::simulate::store::SimStore>::clone(&self.store);
        // Nothing of a program waits for something foreign.
        let on_foreign: OnForeign = Arc::new(|id, _| panic!("something foreign woke {id}"));
        let number = u16::try_from(number).expect("there are a few shards");
        let mut shard = Shard::new(number, store, &self.hosted, settings.clone(), on_foreign);
        shard.set_commit_now(commit_now(committer));
        shard
    }

    fn recover(
        &mut self,
        shards: &mut [Shard],
        total: usize,
        committer: &Shared<Committer>,
    ) -> Result<Result<(), StoreError>, Died> {
        let store: Arc<dyn ReadRows> = Arc::<crate::simulate::store::SimStore>::clone(&self.store);
        let now = self.clock();
        let every = self.rng.between(1, 3);
        let mut touched = 0_u64;
        let mut flush = |shard: &mut Shard| {
            touched += 1;
            if touched.is_multiple_of(every)
                && let Some(commit) = shard.take_commit()
            {
                lock(committer).submit(commit);
            }
        };
        let recovered = catch_unwind(AssertUnwindSafe(|| {
            recover(&*store, shards, total, now, &mut flush).map(|_| ())
        }));
        died(recovered)
    }

    fn runs(&mut self, shards: Vec<Shard>, committer: Shared<Committer>) {
        let mut services = HostedServices::new();
        services.insert(Bank).expect("it is the only service");
        let lanes = shards.into_iter().map(|shard| Lane {
            shard,
            mailbox: Vec::new(),
            maintained: Timestamp::default(),
            round_at: None,
        });
        self.process = Some(Process {
            lanes: lanes.collect(),
            committer,
            executor: SpotExecutor::new(services, "simulated"),
            running: BTreeMap::new(),
            is_writing: false,
        });
        self.every_lane_soon();
        self.write_soon();
    }

    /// The process dies, if one runs.
    pub(super) fn crash(&mut self, point: &'static str) {
        if self.process.is_some() && !self.healing {
            self.watch.count(point);
            self.dies(point);
        }
    }

    pub(super) fn dies(&mut self, point: &'static str) {
        self.trace(|world| format!("process {} dies {point}", world.life));
        self.process = None;
        self.unclean += 1;
        self.store.crash();
        let later = self.rng.below(20_000);
        self.schedule(later, Event::Start);
    }

    /// The process is asked to stop: what has arrived is handled, made durable and sent.
    pub(super) fn stop(&mut self) {
        if self.process.is_none() || self.healing && !self.over {
            return;
        }
        self.watch.count("asked to stop");
        self.trace(|world| format!("process {} is asked to stop", world.life));
        self.drain();
        let lanes = self
            .process
            .as_ref()
            .map_or(0, |process| process.lanes.len());
        for lane in 0..lanes {
            self.round(lane);
            let now = self.clock();
            let Some(process) = &mut self.process else {
                return;
            };
            process.lanes[lane].shard.take_checkpoint(now);
            if let Some(commit) = process.lanes[lane].shard.take_commit() {
                lock(&process.committer).submit(commit);
            }
        }
        loop {
            let Some(process) = &mut self.process else {
                return;
            };
            let wrote = lock(&process.committer).write();
            match wrote {
                Wrote::Nothing => break,
                Wrote::Durable | Wrote::Failed => {}
                Wrote::Died => return self.dies("while it stops"),
            }
        }
        self.release();
        if self.process.take().is_some() {
            self.unclean = 0;
            let later = self.rng.below(10_000);
            self.schedule(later, Event::Start);
        }
    }

    /// Attempts end within the grace period, or are dropped.
    fn drain(&mut self) {
        let Some(process) = &mut self.process else {
            return;
        };
        for (id, execution) in std::mem::take(&mut process.running) {
            if self.rng.chance(500) {
                process.deliver(id.instance, execution.message, false);
            }
        }
    }

    /// A shard's thread is stuck in a turn: it is given up, its instance is stopped.
    pub(super) fn replace(&mut self) {
        if self.healing {
            return;
        }
        let Some(process) = &mut self.process else {
            return;
        };
        let (total, committer) = (process.lanes.len(), Arc::clone(&process.committer));
        let index = self.rng.index(total);
        let wrote = lock(&committer).write_through();
        if wrote.is_err() {
            return self.dies("while a thread is replaced");
        }
        self.watch.count("a thread replaced");
        self.watch.thread_begins();
        self.trace(|_| format!("the thread of shard {index} is replaced"));
        let settings = ShardSettings {
            first_commit: CommitId(self.life << 32),
            ..self.profile.settings.clone()
        };
        let mut shard = self.shard(index, &settings, &committer);
        shard.continue_after(lock(&committer).durable[index]);
        let stuck = self.stuck(index, total);
        match self.recover(std::slice::from_mut(&mut shard), total, &committer) {
            Ok(Ok(())) => {}
            // A worker without that thread: as good as dead.
            Ok(Err(_)) => return self.dies("without one of its threads"),
            Err(Died) => return self.dies("while a thread recovers"),
        }
        let now = self.clock();
        if let Some(id) = stuck {
            let why = "a turn took too long".to_owned();
            // A fault of the store: the turn was not stuck after all.
            shard.stop(id, RunNo(0), why, now).ok();
        }
        if let Some(process) = &mut self.process {
            let lane = &mut process.lanes[index];
            lane.shard = shard;
            for mail in &mut lane.mailbox {
                mail.fresh = false;
            }
        }
        self.every_lane_soon();
        self.write_soon();
    }

    /// The instance of a shard that is stuck.
    fn stuck(&mut self, index: usize, total: usize) -> Option<infinitic_core::InstanceId> {
        let ids = self.clients.iter().map(|client| client.id);
        let own: Vec<_> = ids
            .filter(|id| infinitic_runtime::worker::shard_of(*id, total) == index)
            .filter(|id| self.store.instance(*id).is_some())
            .collect();
        (!own.is_empty()).then(|| own[self.rng.index(own.len())])
    }

    /// The machine's clock jumps, forwards or backwards.
    pub(super) fn jump(&mut self) {
        if self.healing {
            return;
        }
        self.watch.count("clock jump");
        let jump = self.rng.below(2 * JUMP_MS);
        self.offset = i64::try_from(jump).unwrap_or(0) - i64::try_from(JUMP_MS).unwrap_or(0);
        self.trace(|world| format!("the clock is {} ms off", world.offset));
        self.every_lane_soon();
    }
}

/// What came of something during which the process may have died on purpose.
pub(super) fn died<T>(result: std::thread::Result<T>) -> Result<T, Died> {
    result.map_err(|panic| match panic.downcast::<Died>() {
        Ok(died) => *died,
        Err(bug) => std::panic::resume_unwind(bug),
    })
}
