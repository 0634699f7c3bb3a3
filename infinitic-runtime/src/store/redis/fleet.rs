//! Members, their leases, and who owns which partition.
//!
//! A claim touches the partition's keys alone, since a Redis Cluster may keep the members
//! elsewhere: first the owner is read, then its lease, then the partition is taken if its owner and
//! epoch are still those. A lease that was out once counts as out, even if it is renewed just then:
//! the new epoch keeps the old owner from writing.

use std::time::Duration;

use ::redis::cmd;
use infinitic_core::Timestamp;
use infinitic_core::names::WorkflowName;

use super::{RedisStore, value};
use crate::backend::StoreError;
use crate::clock;
use crate::cluster::store::{
    Beat, Claim, Epoch, Fleet, Member, MemberId, Owned, Part, no_such_part,
};

/// When a member without a lease is forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_hours(24);
/// Longer leases are cut: numbers of scripts are exact up to 2^53.
const LEASE_MAX: Duration = Duration::from_hours(10 * 365 * 24);
/// How often a claim looks again when the partition changes under it. Each time somebody else has
/// claimed or released it, so one is rare and several in a row are a fault.
const CLAIM_TRIES: u32 = 16;

impl RedisStore {
    pub(super) async fn parts_now(
        &self,
        workflow: WorkflowName,
        wanted: u16,
    ) -> Result<u16, StoreError> {
        let key = self.keys.parts();
        let mut create = cmd("HSETNX");
        create.arg(&key).arg(workflow.as_str()).arg(wanted.max(1));
        let mut read = cmd("HGET");
        read.arg(&key).arg(workflow.as_str());
        let mut answers = self.link.ask(vec![create, read]).await?;
        value::number(answers.pop().unwrap_or_default())
    }

    pub(super) async fn beat_now(&self, beat: Beat) -> Result<Fleet, StoreError> {
        let lease = beat.lease.min(LEASE_MAX).as_millis() as u64;
        let names: Vec<&str> = beat.hosts.iter().map(WorkflowName::as_str).collect();
        let mut call = self.link.scripts.beat.call(3);
        call.arg(self.keys.leases())
            .arg(self.keys.hosts())
            .arg(self.keys.parts())
            .arg(&beat.member.0)
            .arg(lease)
            .arg(names.join("\n"))
            .arg(FORGOTTEN_AFTER.as_millis() as u64);
        let [now, members, counts] = value::tuple(self.link.ask_one(call).await?)?;
        let mut parts = Vec::new();
        let mut counts = value::list(counts)?.into_iter();
        while let (Some(name), Some(count)) = (counts.next(), counts.next()) {
            let name = value::text(name)?;
            let workflow = WorkflowName::parse(&name)
                .map_err(|error| StoreError::Damaged(error.to_string()))?;
            let count: u16 = value::number(count)?;
            parts.extend((0..count).map(|number| Part {
                workflow: workflow.clone(),
                number,
            }));
        }
        parts.sort();
        parts.dedup();
        Ok(Fleet {
            now: Timestamp::from_millis(value::number(now)?),
            members: members_of(value::list(members)?)?,
            parts: self.owners(parts).await?,
        })
    }

    async fn owners(&self, parts: Vec<Part>) -> Result<Vec<Owned>, StoreError> {
        let calls = parts.iter().map(|part| {
            let mut read = cmd("HMGET");
            read.arg(self.keys.part(part).state());
            read.arg("epoch").arg("owner");
            read
        });
        let answers = self.link.ask(calls.collect()).await?;
        let owned = parts.into_iter().zip(answers).map(|(part, answer)| {
            let [epoch, owner] = value::tuple(answer)?;
            Ok(Owned {
                part,
                epoch: Epoch(value::optional_number(epoch)?.unwrap_or(0)),
                owner: value::optional_text(owner)?.map(MemberId),
            })
        });
        owned.collect()
    }

    pub(super) async fn leave_now(&self, member: MemberId) -> Result<(), StoreError> {
        let mut end = cmd("ZREM");
        end.arg(self.keys.leases()).arg(&member.0);
        let mut forget = cmd("HDEL");
        forget.arg(self.keys.hosts()).arg(&member.0);
        self.link.ask(vec![end, forget]).await.map(drop)
    }

    pub(super) async fn claim_now(
        &self,
        part: Part,
        member: MemberId,
    ) -> Result<Option<Claim>, StoreError> {
        for _ in 0..CLAIM_TRIES {
            let (epoch, owner) = self.owner(&part).await?;
            if let Some(owner) = &owner
                && *owner != member.0
                && self.is_alive(owner).await?
            {
                return Ok(None);
            }
            if let Some(claim) = self.take(&part, &member, epoch, owner).await? {
                return Ok(Some(claim));
            }
        }
        Err(StoreError::Io(format!(
            "partition {part} changes hands all the time; this passes when fewer workers claim it"
        )))
    }

    async fn owner(&self, part: &Part) -> Result<(u32, Option<String>), StoreError> {
        let mut count = cmd("HGET");
        count.arg(self.keys.parts()).arg(part.workflow.as_str());
        let mut read = cmd("HMGET");
        read.arg(self.keys.part(part).state());
        read.arg("epoch").arg("owner");
        let mut answers = self.link.ask(vec![count, read]).await?.into_iter();
        let count = value::optional_number(answers.next().unwrap_or_default())?;
        if count.is_none_or(|count: u16| part.number >= count) {
            return Err(no_such_part(part));
        }
        let [epoch, owner] = value::tuple(answers.next().unwrap_or_default())?;
        let epoch = value::optional_number(epoch)?.unwrap_or(0);
        Ok((epoch, value::optional_text(owner)?))
    }

    async fn is_alive(&self, member: &str) -> Result<bool, StoreError> {
        let mut call = self.link.scripts.alive.call(1);
        call.arg(self.keys.leases()).arg(member);
        let alive: u8 = value::number(self.link.ask_one(call).await?)?;
        Ok(alive == 1)
    }

    async fn take(
        &self,
        part: &Part,
        member: &MemberId,
        epoch: u32,
        owner: Option<String>,
    ) -> Result<Option<Claim>, StoreError> {
        let token = format!("{:016x}", clock::random_bits());
        let mut call = self.link.scripts.claim.call(1);
        call.arg(self.keys.part(part).state())
            .arg(epoch)
            .arg(owner.unwrap_or_default())
            .arg(&member.0)
            .arg(&token);
        let answer = self.link.ask_one(call).await?;
        if answer == ::redis::Value::Nil {
            return Ok(None);
        }
        let [epoch, before] = value::tuple(answer)?;
        let epoch = Epoch(value::number(epoch)?);
        let before = value::text(before)?;
        self.tokens().insert(part.clone(), (epoch, token));
        Ok(Some(Claim {
            epoch,
            before: (!before.is_empty()).then_some(MemberId(before)),
        }))
    }

    pub(super) async fn release_now(&self, part: Part, epoch: Epoch) -> Result<(), StoreError> {
        let mut call = self.link.scripts.release.call(1);
        call.arg(self.keys.part(&part).state()).arg(epoch.0);
        self.link.ask_one(call).await.map(drop)
    }
}

fn members_of(flat: Vec<::redis::Value>) -> Result<Vec<Member>, StoreError> {
    let mut members = Vec::with_capacity(flat.len() / 2);
    let mut flat = flat.into_iter();
    while let (Some(id), Some(hosts)) = (flat.next(), flat.next()) {
        let hosts = value::text(hosts)?;
        // A name of a later version that this one does not accept is none that it could host.
        let hosts = hosts
            .lines()
            .filter_map(|name| WorkflowName::parse(name).ok());
        members.push(Member {
            id: MemberId(value::text(id)?),
            hosts: hosts.collect(),
        });
    }
    members.sort_by(|one, two| one.id.cmp(&two.id));
    Ok(members)
}
