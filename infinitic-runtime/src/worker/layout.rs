//! Which rows there are: the mapping of histories, indexes and records to keys and values.
//!
//! | Table   | Key                                   | Value                              |
//! |---------|---------------------------------------|------------------------------------|
//! | History | instance id, row number (u32 BE)      | header and entries (`codec`)       |
//! | Open    | instance id                           | where its tasks are, in a cluster  |
//! | Timers  | due (u64 BE), instance id, run, reopening, position (u32 BE each), kind | nothing |
//! | Purge   | shard (u16 BE), time, digest (u64 BE) | instance ids and their row counts  |
//! | Meta    | `watermark/` shard (u16 BE)           | instance id                        |
//!
//! **Invariant:** an open instance whose id is below its shard's watermark stands in `Open`.
//! Recovery reads `Open` and the histories from the lowest watermark on, and no others.

use bytes::Bytes;
use infinitic_core::{
    CommandId, InstanceId, Position, Reopening, RunNo, TimerKey, TimerKind, Timestamp, codec,
};

use crate::backend::{HistoryRow, RowOp, Table};

const ID: usize = 16;
/// Bytes of a history row's key.
pub(crate) const HISTORY_KEY: usize = ID + 4;

fn put(table: Table, key: Vec<u8>, value: impl Into<Bytes>) -> RowOp {
    RowOp {
        table,
        key: key.into(),
        value: Some(value.into()),
    }
}

fn remove(table: Table, key: Vec<u8>) -> RowOp {
    RowOp {
        table,
        key: key.into(),
        value: None,
    }
}

/// Key of a history row.
pub(crate) fn history_key(id: InstanceId, row: u32) -> Vec<u8> {
    let mut key = Vec::with_capacity(HISTORY_KEY);
    key.extend_from_slice(id.as_bytes());
    key.extend_from_slice(&row.to_be_bytes());
    key
}

/// Where the rows of an instance end.
pub(crate) fn history_end(id: InstanceId) -> Vec<u8> {
    let mut key = history_key(id, u32::MAX);
    key.push(0);
    key
}

pub(crate) fn put_history(row: HistoryRow) -> RowOp {
    put(Table::History, history_key(row.id, row.row), row.value)
}

pub(crate) fn remove_history(id: InstanceId, row: u32) -> RowOp {
    remove(Table::History, history_key(id, row))
}

/// The instance and row of a history key.
pub(crate) fn parse_history_key(key: &[u8]) -> Option<(InstanceId, u32)> {
    let (id, row) = key.split_at_checked(ID)?;
    Some((parse_id(id)?, u32::from_be_bytes(row.try_into().ok()?)))
}

pub(crate) fn parse_id(bytes: &[u8]) -> Option<InstanceId> {
    Some(InstanceId::from_bytes(bytes.try_into().ok()?))
}

pub(crate) fn put_open(id: InstanceId, places: Bytes) -> RowOp {
    put(Table::Open, id.as_bytes().to_vec(), places)
}

pub(crate) fn remove_open(id: InstanceId) -> RowOp {
    remove(Table::Open, id.as_bytes().to_vec())
}

/// Where watermark rows begin; they end where this with its last byte raised begins.
pub(crate) const WATERMARKS: &[u8] = b"watermark/";
/// See [`WATERMARKS`].
pub(crate) const WATERMARKS_END: &[u8] = b"watermark0";

pub(crate) fn put_watermark(shard: u16, id: InstanceId) -> RowOp {
    let mut key = WATERMARKS.to_vec();
    key.extend_from_slice(&shard.to_be_bytes());
    put(Table::Meta, key, id.as_bytes().to_vec())
}

/// The shard of a watermark row.
pub(crate) fn parse_watermark_key(key: &[u8]) -> Option<u16> {
    Some(u16::from_be_bytes(
        key.strip_prefix(WATERMARKS)?.try_into().ok()?,
    ))
}

pub(crate) fn remove_watermark(shard: u16) -> RowOp {
    let mut key = WATERMARKS.to_vec();
    key.extend_from_slice(&shard.to_be_bytes());
    remove(Table::Meta, key)
}

/// Where the timers of a time begin.
pub(crate) fn timers_from(due: Timestamp) -> Vec<u8> {
    due.as_millis().to_be_bytes().to_vec()
}

fn timer_key(due: Timestamp, timer: TimerKey) -> Vec<u8> {
    let TimerKey { id, kind } = timer;
    let mut key = timers_from(due);
    key.extend_from_slice(id.instance.as_bytes());
    for number in [id.run.0, id.reopening.0, id.position.0] {
        key.extend_from_slice(&number.to_be_bytes());
    }
    key.push(match kind {
        TimerKind::Timer => 0,
        TimerKind::Backoff => 1,
        TimerKind::Deadline => 2,
        TimerKind::TurnRetry => 3,
    });
    key
}

/// The time and the timer of an index row.
pub(crate) fn parse_timer(key: &[u8]) -> Option<(Timestamp, TimerKey)> {
    let number = |at: usize| Some(u32::from_be_bytes(key.get(at..at + 4)?.try_into().ok()?));
    let due = u64::from_be_bytes(key.get(..8)?.try_into().ok()?);
    let id = CommandId {
        instance: parse_id(key.get(8..24)?)?,
        run: RunNo(number(24)?),
        reopening: Reopening(number(28)?),
        position: Position(number(32)?),
    };
    let kind = match key.get(36)? {
        0 => TimerKind::Timer,
        1 => TimerKind::Backoff,
        2 => TimerKind::Deadline,
        3 => TimerKind::TurnRetry,
        _ => return None,
    };
    Some((Timestamp::from_millis(due), TimerKey { id, kind }))
}

pub(crate) fn put_timer(due: Timestamp, timer: TimerKey) -> RowOp {
    put(Table::Timers, timer_key(due, timer), Bytes::new())
}

pub(crate) fn remove_timer(due: Timestamp, timer: TimerKey) -> RowOp {
    remove(Table::Timers, timer_key(due, timer))
}

/// An id below all others.
pub(crate) fn lowest_id() -> InstanceId {
    InstanceId::lowest_at(Timestamp::default())
}

/// One instance that is to be purged, and how many rows it has.
pub(crate) type Purgeable = (InstanceId, u32);

/// Where the purge rows of a shard and a time begin.
pub(crate) fn purge_key(shard: u16, at: Timestamp) -> Vec<u8> {
    let mut key = Vec::with_capacity(18);
    key.extend_from_slice(&shard.to_be_bytes());
    key.extend_from_slice(&at.as_millis().to_be_bytes());
    key
}

/// The shard and time of a purge row.
pub(crate) fn parse_purge_key(key: &[u8]) -> Option<(u16, Timestamp)> {
    let (shard, rest) = key.split_at_checked(2)?;
    let at = u64::from_be_bytes(rest.get(..8)?.try_into().ok()?);
    let shard = u16::from_be_bytes(shard.try_into().ok()?);
    Some((shard, Timestamp::from_millis(at)))
}

/// Lists instances for the purge. A digest of them all ends the key: the same instance may be
/// listed twice, after a crash, and one list must not take the place of another.
pub(crate) fn put_purge(shard: u16, at: Timestamp, instances: &[Purgeable]) -> RowOp {
    let digest = instances.iter().fold(0, |digest, (id, rows)| {
        id.mixed(digest).wrapping_add(u64::from(*rows))
    });
    let mut key = purge_key(shard, at);
    key.extend_from_slice(&digest.to_be_bytes());
    put(Table::Purge, key, codec::encode_value(&instances))
}

pub(crate) fn remove_purge(key: &[u8]) -> RowOp {
    remove(Table::Purge, key.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_sort_by_time_and_come_back() {
        let id = CommandId {
            instance: InstanceId::new(Timestamp::from_millis(1), 2, 3),
            run: RunNo(4),
            reopening: Reopening(5),
            position: Position(6),
        };
        for kind in [
            TimerKind::Timer,
            TimerKind::Backoff,
            TimerKind::Deadline,
            TimerKind::TurnRetry,
        ] {
            let timer = TimerKey { id, kind };
            let at = Timestamp::from_millis(1 << 40);
            let key = put_timer(at, timer).key;
            assert_eq!(parse_timer(&key), Some((at, timer)));
            assert!(key.as_ref() > timers_from(at).as_slice());
            assert!(
                key.as_ref() < timers_from(at + std::time::Duration::from_millis(1)).as_slice()
            );
        }
    }

    #[test]
    fn keys_sort_by_instance_then_row() {
        let id = |n| InstanceId::new(Timestamp::from_millis(n), 0, 0);
        assert!(history_key(id(1), 300) > history_key(id(1), 2));
        assert!(history_key(id(1), u32::MAX) < history_end(id(1)));
        assert!(history_end(id(1)) < history_key(id(2), 0));
        assert_eq!(parse_history_key(&history_key(id(7), 9)), Some((id(7), 9)));
        assert!(put_watermark(u16::MAX, id(1)).key.as_ref() < WATERMARKS_END);
    }
}
