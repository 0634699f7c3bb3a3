//! How messages travel: from members and clients to the broker, and from it to them.

use bytes::Bytes;
use infinitic_runtime::cluster::simulate::Parcel;
use infinitic_runtime::cluster::transport::Topic;

use super::super::broker::{Owed, Pool};
use super::super::member::Member;
use super::{Event, Own, Reaches, World};

impl World {
    /// Sends a message of a member: in order with its others to the same topic.
    pub(super) fn send(
        &mut self,
        member: &mut Member,
        topic: Topic,
        payload: Bytes,
        pending: Option<u64>,
    ) {
        let delay = self.delay(20);
        let last = member.arrives.entry(topic.clone()).or_default();
        *last = (self.now + delay).max(*last + 1);
        let delay = *last - self.now;
        let life = Some(member.life);
        let reaches = Reaches {
            life,
            topic,
            payload,
            pending,
        };
        self.schedule(delay, Event::Reaches(reaches));
    }

    /// A message arrives at the broker.
    pub(super) fn reaches(&mut self, reaches: Reaches) {
        if self.now < self.broker_away || !self.waiting.is_empty() {
            if self.waiting.is_empty() {
                let later = self.broker_away - self.now;
                self.schedule(later, Event::Gives);
            }
            return self.waiting.push(reaches);
        }
        self.put(reaches);
        self.gives();
    }

    /// The broker keeps a message, and confirms it.
    fn put(&mut self, reaches: Reaches) {
        let Reaches {
            life,
            topic,
            payload,
            pending,
        } = reaches;
        if let Some(life) = life
            && !self.members.contains_key(&life)
        {
            // Its sender has died: it was on its way already, or it and all behind it was not.
            let key = (life, topic.clone());
            if self.cut.contains(&key) || self.rng.chance(500) {
                self.cut.insert(key);
                return;
            }
        }
        // A connection that broke before the confirmation: it is sent once more.
        for _ in 0..self.copies() {
            match &topic {
                Topic::Inbox(part) => self.broker.put_inbox(part, payload.clone()),
                Topic::Tasks(_) => self.broker.put_shared(Pool::Tasks, payload.clone()),
                Topic::Turns(..) => self.broker.put_shared(Pool::Turns, payload.clone()),
                Topic::TaskControl(_) => self.tell_all(&payload),
                Topic::Replies(_) => self.reply(&payload),
                other => self
                    .watch
                    .violation(format!("something was sent to {other}")),
            }
        }
        if let (Some(life), Some(pending)) = (life, pending) {
            let delay = self.delay(20);
            self.schedule_own(delay, life, Own::Confirmed { pending });
        }
    }

    /// Attempts that are not wanted any more: for all who host the service.
    fn tell_all(&mut self, payload: &Bytes) {
        let Some(Parcel::Cancel(ids)) = Parcel::decode(payload) else {
            return;
        };
        let lives: Vec<u64> = self
            .members
            .values()
            .filter(|member| member.hosts_service)
            .map(|member| member.life)
            .collect();
        for life in lives {
            let delay = self.delay(20);
            self.schedule_own(delay, life, Own::Cancels(ids.clone()));
        }
    }

    fn reply(&mut self, payload: &Bytes) {
        let Some(Parcel::Answers(answers)) = Parcel::decode(payload) else {
            return;
        };
        for (request, answer) in answers {
            let delay = self.delay(30);
            let answer = Box::new(answer);
            self.schedule(delay, Event::Told { request, answer });
        }
    }

    /// The broker gives what it holds to those who have room.
    pub(super) fn gives(&mut self) {
        if self.now < self.broker_away {
            return;
        }
        for reaches in std::mem::take(&mut self.waiting) {
            self.put(reaches);
        }
        for part in self.store.parts.clone() {
            let Some(((life, rank), given)) = self.broker.give_inbox(&part, self.profile.window)
            else {
                continue;
            };
            let delay = self.delay(10);
            let last = self.delivers.entry((life, part.clone())).or_default();
            *last = (self.now + delay).max(*last + 1);
            let delay = *last - self.now;
            self.schedule_own(delay, life, Own::Packets { part, rank, given });
        }
        for pool in [Pool::Tasks, Pool::Turns] {
            let window = self.profile.window;
            for (life, given) in self.broker.give_shared(pool, window, &mut self.rng) {
                let delay = self.delay(10);
                let own = match pool {
                    Pool::Tasks => Own::Task(given),
                    Pool::Turns => Own::Turn(given),
                };
                self.schedule_own(delay, life, own);
            }
        }
    }

    /// Acknowledgements arrive.
    pub(super) fn acknowledged(&mut self, life: u64, owed: &[Owed]) {
        for owed in owed {
            self.broker.acknowledged(life, owed, &mut self.rng);
        }
        self.gives();
    }

    /// How often a message comes.
    pub(super) fn copies(&mut self) -> u32 {
        let twice = !self.healing && self.rng.chance(self.profile.copies);
        1 + u32::from(twice)
    }

    /// How long a message takes, usually at most so many milliseconds.
    pub(super) fn delay(&mut self, usual: u64) -> u64 {
        if !self.healing && self.rng.chance(self.profile.delays) {
            return self.rng.below(5_000);
        }
        self.rng.below(usual + 1)
    }
}
