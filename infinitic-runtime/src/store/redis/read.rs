//! Histories and pages of rows.
//!
//! Nobody but its owner changes a partition, so a page need not be of one moment; a table's page is
//! all the same, and so is each instance's part of a page of histories.

use ::redis::{Value, cmd};
use bytes::Bytes;
use infinitic_core::InstanceId;

use super::keys::PartKeys;
use super::{RedisStore, value};
use crate::backend::{CommitId, HistoryRow, StoreError, Table};
use crate::cluster::store::{Part, Rows};
use crate::worker::layout;

/// Instances asked for at once: a script blocks the server, and this takes it a millisecond or two.
const INSTANCES_AT_ONCE: usize = 500;
/// Rows asked for at once.
const ROWS_AT_ONCE: usize = 2_000;
/// An answer ends with the row that exceeds so many bytes: each call must end in time.
const ANSWER_BYTES: usize = 4 << 20;
/// Bytes of an instance id.
const ID: usize = 16;

/// Rows of an instance from a number on, up to another.
#[derive(Clone, Copy)]
struct Span {
    id: InstanceId,
    first: u32,
    last: u32,
}

/// Takes a row: instance, number, what is stored.
type Take<'a> = &'a mut (dyn FnMut(InstanceId, u32, Vec<u8>) -> Result<(), StoreError> + Send);

impl RedisStore {
    pub(super) async fn histories_now(
        &self,
        part: Part,
        mut ids: Vec<InstanceId>,
    ) -> Result<Vec<HistoryRow>, StoreError> {
        ids.sort();
        ids.dedup();
        let keys = self.keys.part(&part);
        let spans = ids.into_iter().map(Span::all).collect();
        let mut rows: Vec<HistoryRow> = Vec::new();
        self.read(&keys, spans, usize::MAX, &mut |id, row, stored| {
            let row = history_row(id, row, stored, rows.last())?;
            rows.push(row);
            Ok(())
        })
        .await?;
        Ok(rows)
    }

    pub(super) async fn page_now(
        &self,
        part: Part,
        table: Table,
        from: Bytes,
        to: Option<Bytes>,
        limit: usize,
    ) -> Result<Rows, StoreError> {
        if limit == 0 || to.as_ref().is_some_and(|to| *to <= from) {
            return Ok(Rows::new());
        }
        let keys = self.keys.part(&part);
        if table == Table::History {
            return self.history_page(&keys, from, to, limit).await;
        }
        let mut call = self.link.scripts.page.call(2);
        call.arg(keys.rows(table))
            .arg(keys.row_keys(table))
            .arg(from_bound(&from))
            .arg(to_bound(to.as_deref()))
            .arg(limit.min(i32::MAX as usize));
        let mut rows = Rows::new();
        let mut flat = value::list(self.link.ask_one(call).await?)?.into_iter();
        while let (Some(key), Some(value)) = (flat.next(), flat.next()) {
            rows.push((value::bytes(key)?.into(), value::bytes(value)?.into()));
        }
        Ok(rows)
    }

    async fn history_page(
        &self,
        keys: &PartKeys,
        from: Bytes,
        to: Option<Bytes>,
        limit: usize,
    ) -> Result<Rows, StoreError> {
        let mut rows = Rows::new();
        let mut lower = from_bound(&from[..from.len().min(ID)]);
        // An instance that `to` points into is read up to there.
        let upper = match to.as_deref() {
            Some(to) if to.len() > ID => [b"[", &to[..ID]].concat(),
            to => to_bound(to),
        };
        while rows.len() < limit {
            let left = limit - rows.len();
            let wanted = left.min(INSTANCES_AT_ONCE);
            let ids = self.ids(keys, &lower, &upper, wanted).await?;
            let Some(last) = ids.last() else {
                break;
            };
            lower = [b"(", &last.as_bytes()[..]].concat();
            let spans = ids
                .iter()
                .filter_map(|&id| Span::within(id, &from, to.as_deref()))
                .collect();
            self.read(keys, spans, left, &mut |id, row, stored| {
                let (_, value) = split(stored)?;
                rows.push((layout::history_key(id, row).into(), value));
                Ok(())
            })
            .await?;
            // Asking until there are none would follow an owner that writes meanwhile for ever.
            if ids.len() < wanted {
                break;
            }
        }
        Ok(rows)
    }

    async fn ids(
        &self,
        keys: &PartKeys,
        lower: &[u8],
        upper: &[u8],
        limit: usize,
    ) -> Result<Vec<InstanceId>, StoreError> {
        let mut call = cmd("ZRANGEBYLEX");
        call.arg(keys.ids()).arg(lower).arg(upper);
        call.arg("LIMIT").arg(0).arg(limit);
        let ids = value::list(self.link.ask_one(call).await?)?;
        let ids = ids.into_iter().map(|id| {
            layout::parse_id(&value::bytes(id)?)
                .ok_or_else(|| value::odd("an instance id", &Value::Nil))
        });
        ids.collect()
    }

    /// Reads the rows of some spans in order, at most `limit`.
    async fn read(
        &self,
        keys: &PartKeys,
        mut spans: Vec<Span>,
        limit: usize,
        take: Take<'_>,
    ) -> Result<(), StoreError> {
        let mut left = limit;
        let mut at = 0;
        while left > 0 && at < spans.len() {
            let some = &spans[at..spans.len().min(at + INSTANCES_AT_ONCE)];
            let mut call = self.link.scripts.rows.call(some.len());
            for span in some {
                call.arg(keys.history(span.id));
            }
            call.arg(left.min(ROWS_AT_ONCE)).arg(ANSWER_BYTES);
            for span in some {
                call.arg(span.first).arg(span.last);
            }
            let mut answer = value::list(self.link.ask_one(call).await?)?.into_iter();
            let next: i64 = value::number(answer.next().unwrap_or_default())?;
            let row: u32 = value::number(answer.next().unwrap_or_default())?;
            while let (Some(position), Some(row), Some(stored)) =
                (answer.next(), answer.next(), answer.next())
            {
                let position: usize = value::number(position)?;
                let span = some
                    .get(position)
                    .ok_or_else(|| value::odd("a history that was asked for", &Value::Nil))?;
                take(span.id, value::number(row)?, value::bytes(stored)?)?;
                left -= 1;
            }
            match usize::try_from(next) {
                Ok(next) if next < some.len() => {
                    at += next;
                    spans[at].first = row;
                }
                _ => at += some.len(),
            }
        }
        Ok(())
    }
}

impl Span {
    fn all(id: InstanceId) -> Self {
        Self {
            id,
            first: 0,
            last: u32::MAX,
        }
    }

    /// The rows of an instance with `from <= key < to`.
    fn within(id: InstanceId, from: &[u8], to: Option<&[u8]>) -> Option<Self> {
        let mut span = Self::all(id);
        if from.len() > ID && from[..ID] == id.as_bytes()[..] {
            span.first = first_from(&from[ID..])?;
        }
        if let Some(to) = to
            && to.len() >= ID
            && to[..ID] == id.as_bytes()[..]
        {
            // All rows below the first one that is not.
            match first_from(&to[ID..]) {
                Some(end) => span.last = end.checked_sub(1)?,
                None => span.last = u32::MAX,
            }
        }
        Some(span)
    }
}

/// The first row whose number, in four bytes, sorts at or after the rest of a key; none when all
/// sort before it.
fn first_from(rest: &[u8]) -> Option<u32> {
    let mut number = [0; 4];
    let len = rest.len().min(4);
    number[..len].copy_from_slice(&rest[..len]);
    let number = u32::from_be_bytes(number);
    if rest.len() > 4 {
        number.checked_add(1)
    } else {
        Some(number)
    }
}

fn from_bound(from: &[u8]) -> Vec<u8> {
    [b"[", from].concat()
}

fn to_bound(to: Option<&[u8]>) -> Vec<u8> {
    to.map_or_else(|| b"+".to_vec(), |to| [b"(", to].concat())
}

fn split(stored: Vec<u8>) -> Result<(CommitId, Bytes), StoreError> {
    let stored = Bytes::from(stored);
    let Some((commit, _)) = stored.split_first_chunk() else {
        return Err(value::odd("a history row", &Value::Nil));
    };
    let commit = CommitId(u64::from_be_bytes(*commit));
    Ok((commit, stored.slice(8..)))
}

fn history_row(
    id: InstanceId,
    row: u32,
    stored: Vec<u8>,
    previous: Option<&HistoryRow>,
) -> Result<HistoryRow, StoreError> {
    let (commit, value) = split(stored)?;
    let before = previous.filter(|previous| previous.id == id && previous.row + 1 == row);
    Ok(HistoryRow {
        id,
        row,
        after: before.map_or(CommitId::NONE, |before| before.commit),
        commit,
        value,
    })
}
