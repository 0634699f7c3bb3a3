//! Keeps this worker among the living, and sees to it that it owns its share.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::clock::StoreClock;
use super::engine::Held;
use super::inbox::{Inbox, Input};
use super::plan::{Plan, plan};
use super::store::{Beat, Epoch, Fleet, Part, SharedStore};
use super::transport::Transport;
use crate::clock::monotonic;

/// Beats between two looks for workflows that nobody hosts.
const ADOPTED_EVERY: u32 = 10;

/// Renews the lease, claims and releases, until the task is aborted.
pub(crate) struct Beating {
    pub(crate) store: Arc<dyn SharedStore>,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) clock: Arc<StoreClock>,
    pub(crate) held: Held,
    pub(crate) beat: Beat,
    /// How often.
    pub(crate) every: Duration,
}

impl std::fmt::Debug for Beating {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Beating")
            .field("beat", &self.beat)
            .finish_non_exhaustive()
    }
}

impl Beating {
    /// Beats for ever.
    pub(crate) async fn run(self, first: Fleet) {
        self.act(first).await;
        let mut failed = false;
        for count in 1_u32.. {
            tokio::time::sleep(self.every).await;
            if count.is_multiple_of(ADOPTED_EVERY) {
                self.adopt().await;
            }
            let asked = monotonic();
            match self.store.beat(&self.beat).await {
                Ok(fleet) => {
                    if failed {
                        tracing::info!("the store answers again");
                    }
                    failed = false;
                    self.clock.told(fleet.now, asked);
                    self.act(fleet).await;
                }
                Err(error) => {
                    if !failed {
                        tracing::error!("the store does not answer, trying on: {error}");
                    }
                    failed = true;
                }
            }
        }
    }

    /// Makes partitions for workflows that clients have started and nobody hosts: what waits in
    /// their inboxes is then in plain sight.
    async fn adopt(&self) {
        let Ok(workflows) = self.transport.workflows().await else {
            return;
        };
        for workflow in workflows {
            if self.beat.hosts.contains(&workflow) {
                continue;
            }
            if let Ok(inboxes) = self.transport.inboxes(&workflow, 1).await {
                self.store.parts(&workflow, inboxes).await.ok();
            }
        }
    }

    async fn act(&self, mut fleet: Fleet) {
        let alive: BTreeSet<String> = fleet
            .members
            .iter()
            .map(|member| member.id.0.clone())
            .collect();
        self.inbox.push(Input::Alive(Arc::new(alive)));
        let held: BTreeMap<Part, Epoch> = {
            let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            held.clone()
        };
        let mut unheld: Vec<(Part, Epoch)> = Vec::new();
        for owned in &mut fleet.parts {
            // It was claimed anew while this member hung. With nothing to write, nobody else says
            // so.
            if let Some(epoch) = held.get(&owned.part).filter(|it| **it < owned.epoch) {
                self.inbox.push(Input::Lost {
                    part: owned.part.clone(),
                    epoch: *epoch,
                });
            }
            let is_mine = owned.owner.as_ref() == Some(&self.beat.member);
            // The store says that it is ours, and nobody here has it: it is free for us.
            if is_mine && held.get(&owned.part) != Some(&owned.epoch) {
                owned.owner = None;
                unheld.push((owned.part.clone(), owned.epoch));
            }
        }
        let Plan { claim, release } = plan(&fleet, &self.beat.member);
        for part in release {
            self.inbox.push(Input::Release { part });
        }
        // Claimed by a call whose answer was lost, and not wanted now: others wait for it.
        unheld.retain(|(part, _)| !claim.contains(part));
        for (part, epoch) in unheld {
            if let Err(error) = self.store.release(&part, epoch).await {
                tracing::warn!("partition {part} cannot be released: {error}");
            }
        }
        for part in claim {
            // It is being given up, or cannot be worked on here.
            if held.contains_key(&part) {
                continue;
            }
            match self.store.claim(&part, &self.beat.member).await {
                Ok(Some(claim)) => {
                    let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
                    held.insert(part.clone(), claim.epoch);
                    drop(held);
                    self.inbox.push(Input::Claimed { part, claim });
                }
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!("partition {part} cannot be claimed: {error}");
                    return;
                }
            }
        }
    }
}
