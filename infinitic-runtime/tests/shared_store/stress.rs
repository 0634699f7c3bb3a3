//! Four members that claim, release, write, die and wake up at random, and a judge.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use infinitic_core::InstanceId;
use infinitic_runtime::backend::Table;
use infinitic_runtime::clock::random_bits;
use infinitic_runtime::cluster::store::{
    CommitId, Epoch, HistoryRow, MemberId, Part, PartCommit, SharedStore, Written,
};

use crate::lab::{LONG, Lab, beat, id, member, name, put, value_of};

const PARTS: u16 = 4;
const INSTANCES: u64 = 12;
const STEPS: u32 = 250;

/// What the members were told, for the judge.
#[derive(Default)]
struct Told {
    written: BTreeSet<(u16, InstanceId, u32, CommitId)>,
    refused: BTreeSet<(u16, CommitId)>,
    epochs: BTreeSet<(u16, Epoch)>,
}

/// A partition as a member knows it, rightly or not.
#[derive(Clone)]
struct Held {
    epoch: Epoch,
    number: u32,
    /// The next row and the last commit of each instance.
    ends: BTreeMap<InstanceId, (u32, CommitId)>,
    last: Option<PartCommit>,
}

struct Actor {
    store: Arc<dyn SharedStore>,
    member: MemberId,
    held: BTreeMap<u16, Held>,
    told: Arc<Mutex<Told>>,
    seed: u64,
    draws: u64,
}

fn part(number: u16) -> Part {
    let workflow = name("Orders");
    Part { workflow, number }
}

impl Actor {
    fn draw(&mut self, below: u64) -> u64 {
        self.draws += 1;
        id(self.seed).mixed(self.draws) % below
    }

    async fn step(&mut self) {
        match self.draw(20) {
            0..5 => self.claim().await,
            5 => self.release().await,
            // It is dead to the others, and does not know.
            6 => self.store.leave(&self.member).await.unwrap(),
            7 | 8 => {
                beat(&self.store, &self.member.0, "Orders", LONG).await;
            }
            9 => self.repeat().await,
            _ => self.write().await,
        }
    }

    async fn claim(&mut self) {
        let number = self.draw(u64::from(PARTS)) as u16;
        let claim = self.store.claim(&part(number), &self.member).await.unwrap();
        let Some(claim) = claim else { return };
        let is_new = self
            .told
            .lock()
            .unwrap()
            .epochs
            .insert((number, claim.epoch));
        assert!(
            is_new,
            "two claims of {number} have epoch {:?}",
            claim.epoch
        );
        let ids = (0..INSTANCES).map(id).collect();
        let rows = self.store.histories(&part(number), ids).await.unwrap();
        check_chains(&rows);
        let ends = rows.iter().map(|row| (row.id, (row.row + 1, row.commit)));
        let held = Held {
            epoch: claim.epoch,
            number: 0,
            ends: ends.collect(),
            last: None,
        };
        self.held.insert(number, held);
    }

    async fn release(&mut self) {
        let number = self.draw(u64::from(PARTS)) as u16;
        if let Some(held) = self.held.get(&number) {
            // It forgets only half of the time: then it writes under a released epoch.
            let epoch = held.epoch;
            self.store.release(&part(number), epoch).await.unwrap();
            if self.draw(2) == 0 {
                self.held.remove(&number);
            }
        }
    }

    fn commit(&mut self, number: u16) -> PartCommit {
        let chosen: BTreeSet<u64> = (0..4).map(|_| self.draw(INSTANCES)).collect();
        let spoiled = self.draw(8) == 0;
        let held = self.held.get_mut(&number).unwrap();
        held.number += 1;
        let commit = CommitId::new(held.epoch, held.number);
        let rows = chosen.into_iter().map(|n| {
            let (row, after) = held.ends.get(&id(n)).copied().unwrap_or_default();
            // Some predecessors are wrong.
            let after = if spoiled && n % 2 == 0 {
                CommitId(after.0 + 1)
            } else {
                after
            };
            HistoryRow {
                id: id(n),
                row,
                after,
                commit,
                value: value_of(id(n), row, commit),
            }
        });
        PartCommit {
            part: part(number),
            epoch: held.epoch,
            commit,
            history: rows.collect(),
            ops: vec![put(Table::Meta, b"last", &commit.0.to_be_bytes())],
        }
    }

    async fn write(&mut self) {
        let numbers: Vec<u16> = self.held.keys().copied().collect();
        let commits: Vec<_> = numbers.iter().map(|number| self.commit(*number)).collect();
        let written = self.store.write(commits.clone()).await.unwrap();
        assert_eq!(written.len(), commits.len());
        for (commit, written) in commits.into_iter().zip(written) {
            self.hear(commit, written);
        }
    }

    fn hear(&mut self, commit: PartCommit, written: Written) {
        let number = commit.part.number;
        let mut told = self.told.lock().unwrap();
        match written {
            Written::NotOwner => {
                told.refused.insert((number, commit.commit));
                self.held.remove(&number);
            }
            Written::Done { lost } => {
                let held = self.held.get_mut(&number).unwrap();
                for row in commit.history.iter().filter(|row| !lost.contains(&row.id)) {
                    held.ends.insert(row.id, (row.row + 1, row.commit));
                    told.written.insert((number, row.id, row.row, row.commit));
                }
                for id in &lost {
                    let row = commit.history.iter().find(|row| row.id == *id).unwrap();
                    let end = held.ends.get(id).copied().unwrap_or_default();
                    assert_ne!(end.1, row.after, "{id} lost with the right predecessor");
                }
                held.last = Some(commit);
            }
        }
    }

    /// Writes a commit again that was answered already, as if the answer had been lost.
    async fn repeat(&mut self) {
        let held: Vec<Held> = self.held.values().cloned().collect();
        for last in held.into_iter().filter_map(|held| held.last) {
            let written = self.store.write(vec![last.clone()]).await.unwrap();
            // Another owner may have written since: then it is too late to tell.
            if let Written::Done { lost } = &written[0] {
                let told = self.told.lock().unwrap();
                for row in &last.history {
                    let key = (last.part.number, row.id, row.row, row.commit);
                    assert_ne!(told.written.contains(&key), lost.contains(&row.id));
                }
            }
        }
    }
}

fn check_chains(rows: &[HistoryRow]) {
    let mut before: Option<&HistoryRow> = None;
    for row in rows {
        let (number, after) = match before.filter(|before| before.id == row.id) {
            Some(before) => (before.row + 1, before.commit),
            None => (0, CommitId::NONE),
        };
        assert_eq!(
            (row.row, row.after),
            (number, after),
            "the chain of {}",
            row.id
        );
        assert!(
            row.commit > row.after,
            "an older commit follows in {}",
            row.id
        );
        assert_eq!(row.value, value_of(row.id, row.row, row.commit));
        before = Some(row);
    }
}

pub(crate) async fn chains_stay_whole_under_four_members(lab: &Lab) {
    let seed = random_bits();
    eprintln!("seed {seed}");
    let told = Arc::new(Mutex::new(Told::default()));
    let store = lab.handle().await;
    store.parts(&name("Orders"), PARTS).await.unwrap();
    let mut actors = Vec::new();
    for n in 0..4 {
        let mut actor = Actor {
            store: lab.handle().await,
            member: member(&format!("m{n}")),
            held: BTreeMap::new(),
            told: told.clone(),
            seed: seed.wrapping_add(n),
            draws: 0,
        };
        actors.push(tokio::spawn(async move {
            for _ in 0..STEPS {
                actor.step().await;
                tokio::task::yield_now().await;
            }
        }));
    }
    for actor in actors {
        let ended = tokio::time::timeout(Duration::from_secs(120), actor).await;
        ended.expect("they end").unwrap();
    }
    let told = std::mem::take(&mut *told.lock().unwrap());
    let mut found = BTreeSet::new();
    for number in 0..PARTS {
        let ids = (0..INSTANCES).map(id).collect();
        let rows = store.histories(&part(number), ids).await.unwrap();
        check_chains(&rows);
        found.extend(rows.iter().map(|row| (number, row.id, row.row, row.commit)));
    }
    assert_eq!(found, told.written, "what was told is what is there");
    for (number, _, _, commit) in &found {
        assert!(!told.refused.contains(&(*number, *commit)));
    }
    assert!(
        found.len() > 50 && !told.refused.is_empty(),
        "hardly anything happened"
    );
}
