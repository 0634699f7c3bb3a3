//! Who is to own which partitions: computed by each member alone, from what the store tells all.

use std::collections::BTreeMap;

use infinitic_core::names::WorkflowName;

use super::store::{Fleet, MemberId, Part};

/// What a member does next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Partitions to claim.
    pub claim: Vec<Part>,
    /// Partitions to give up.
    pub release: Vec<Part>,
}

/// Compares what a member owns with its share.
///
/// The members that host a workflow name share its partitions evenly; when nobody hosts it, all
/// members do, so that its instances can be looked at and wait in plain sight. The first ones, in
/// the order of their ids, have one more where it does not come out even. A member that has more
/// than its share gives up the rest, those with the highest numbers; one that has less claims what
/// is free:
/// each begins at another place, so that they seldom meet. Nothing moves as long as all have their
/// share.
#[must_use]
pub fn plan(fleet: &Fleet, me: &MemberId) -> Plan {
    let mut by_workflow: BTreeMap<&WorkflowName, Vec<_>> = BTreeMap::new();
    for owned in &fleet.parts {
        let parts = by_workflow.entry(&owned.part.workflow).or_default();
        parts.push(owned);
    }
    let mut plan = Plan::default();
    for (workflow, parts) in by_workflow {
        let mut hosts: Vec<&MemberId> = fleet
            .members
            .iter()
            .filter(|member| member.hosts.contains(workflow))
            .map(|member| &member.id)
            .collect();
        if hosts.is_empty() {
            hosts.extend(fleet.members.iter().map(|member| &member.id));
        }
        let Some(rank) = hosts.iter().position(|member| *member == me) else {
            // Somebody hosts it by now, who waits for what is owned here.
            let own = parts
                .iter()
                .filter(|owned| owned.owner.as_ref() == Some(me));
            plan.release.extend(own.map(|owned| owned.part.clone()));
            continue;
        };
        let share = share(parts.len(), hosts.len(), rank);
        let is_alive = |id: &MemberId| fleet.members.iter().any(|member| member.id == *id);
        let own: Vec<&Part> = parts
            .iter()
            .filter(|owned| owned.owner.as_ref() == Some(me))
            .map(|owned| &owned.part)
            .collect();
        if own.len() > share {
            plan.release
                .extend(own[share..].iter().map(|part| (*part).clone()));
            continue;
        }
        let free: Vec<&Part> = parts
            .iter()
            .filter(|owned| owned.owner.as_ref().is_none_or(|owner| !is_alive(owner)))
            .map(|owned| &owned.part)
            .collect();
        let begin = free.len() * rank / hosts.len();
        let wanted = share - own.len();
        let claimed = free.iter().cycle().skip(begin).take(wanted.min(free.len()));
        plan.claim.extend(claimed.map(|part| (*part).clone()));
    }
    plan
}

fn share(parts: usize, hosts: usize, rank: usize) -> usize {
    parts / hosts + usize::from(rank < parts % hosts)
}

#[cfg(test)]
mod tests {
    use infinitic_core::Timestamp;

    use super::super::store::{Epoch, Member, Owned};
    use super::*;

    fn id(name: &str) -> MemberId {
        MemberId(name.to_owned())
    }

    fn fleet(members: &[&str], owners: &[Option<&str>]) -> Fleet {
        let workflow = WorkflowName::known("Orders");
        Fleet {
            now: Timestamp::from_millis(1),
            members: members
                .iter()
                .map(|name| Member {
                    id: id(name),
                    hosts: vec![workflow.clone()],
                })
                .collect(),
            parts: (0_u16..)
                .zip(owners)
                .map(|(number, owner)| Owned {
                    part: Part {
                        workflow: workflow.clone(),
                        number,
                    },
                    epoch: Epoch(1),
                    owner: owner.map(id),
                })
                .collect(),
        }
    }

    fn numbers(parts: &[Part]) -> Vec<u16> {
        parts.iter().map(|part| part.number).collect()
    }

    #[test]
    fn one_member_takes_all_and_two_share() {
        let alone = plan(&fleet(&["a"], &[None; 5]), &id("a"));
        assert_eq!(numbers(&alone.claim), [0, 1, 2, 3, 4]);
        let both = fleet(&["a", "b"], &[None; 5]);
        assert_eq!(numbers(&plan(&both, &id("a")).claim), [0, 1, 2]);
        assert_eq!(numbers(&plan(&both, &id("b")).claim), [2, 3]);
    }

    #[test]
    fn who_has_too_many_gives_up_and_who_has_too_few_waits_for_it() {
        let fleet = fleet(&["a", "b"], &[Some("a"); 4]);
        assert_eq!(numbers(&plan(&fleet, &id("a")).release), [2, 3]);
        assert_eq!(plan(&fleet, &id("b")), Plan::default());
    }

    #[test]
    fn what_the_dead_have_left_is_taken_over() {
        let fleet = fleet(&["a"], &[Some("a"), Some("dead"), None]);
        assert_eq!(numbers(&plan(&fleet, &id("a")).claim), [1, 2]);
    }

    #[test]
    fn nothing_moves_when_all_have_their_share() {
        let fleet = fleet(&["a", "b"], &[Some("b"), Some("a"), Some("a")]);
        assert_eq!(plan(&fleet, &id("a")), Plan::default());
        assert_eq!(plan(&fleet, &id("b")), Plan::default());
    }

    #[test]
    fn who_does_not_host_a_workflow_owns_it_only_while_nobody_does() {
        let mut fleet = fleet(&["a", "b"], &[None, Some("b")]);
        fleet.members[1].hosts.clear();
        assert_eq!(numbers(&plan(&fleet, &id("b")).release), [1]);
        assert_eq!(plan(&fleet, &id("b")).claim, []);
        fleet.members[0].hosts.clear();
        assert_eq!(numbers(&plan(&fleet, &id("a")).claim), [0]);
    }
}
