//! Rows out of MySQL.

use infinitic_core::InstanceId;
use sqlx::Row as _;

use super::text::{hex, push, push_hex};
use super::{MysqlStore, damaged};
use crate::backend::{StoreError, Table};
use crate::cluster::store::{CommitId, HistoryRow, Part, Rows};
use crate::store::sql::batch::{owned, table_number};
use crate::store::sql::bounds::first_not_below;
use crate::worker::layout;

/// Instances whose histories one statement reads.
const IDS: usize = 200;

impl MysqlStore {
    pub(super) async fn read_histories(
        &self,
        part: &Part,
        mut ids: Vec<InstanceId>,
    ) -> Result<Vec<HistoryRow>, StoreError> {
        let mut histories: Vec<HistoryRow> = Vec::new();
        let Some(number) = self.number_of(part).await? else {
            return Ok(histories);
        };
        ids.sort_unstable();
        ids.dedup();
        for ids in ids.chunks(IDS) {
            let mut ranges = String::new();
            for id in ids {
                let or = if ranges.is_empty() { "" } else { " OR " };
                push(&mut ranges, format_args!("{or}row_key BETWEEN "));
                push_hex(&mut ranges, &layout::history_key(*id, 0));
                ranges.push_str(" AND ");
                push_hex(&mut ranges, &layout::history_key(*id, u32::MAX));
            }
            let rows = self
                .run(&format!(
                    "SELECT row_key, commit_id, value FROM {{history}} FORCE INDEX (PRIMARY) \
                     WHERE part = {number} AND ({ranges}) ORDER BY row_key"
                ))
                .await?;
            for row in rows {
                let (id, number) = layout::parse_history_key(row.try_get(0).map_err(damaged)?)
                    .ok_or_else(|| damaged("a key of another length"))?;
                let commit: i64 = row.try_get(1).map_err(damaged)?;
                let mut row = HistoryRow {
                    id,
                    row: number,
                    after: CommitId::NONE,
                    commit: CommitId(commit.cast_unsigned()),
                    value: owned(row.try_get(2).map_err(damaged)?),
                };
                row.follow(histories.last());
                histories.push(row);
            }
        }
        Ok(histories)
    }

    pub(super) async fn read_page(
        &self,
        part: &Part,
        table: Table,
        from: &[u8],
        to: Option<&[u8]>,
        limit: usize,
    ) -> Result<Rows, StoreError> {
        let Some(number) = self.number_of(part).await? else {
            return Ok(Rows::new());
        };
        let (from, to) = match table {
            // Its keys have one length, and are compared only with such.
            Table::History => match (whole_key(from), to.map(whole_key)) {
                (None, _) => return Ok(Rows::new()),
                (Some(from), to) => (from, to.flatten()),
            },
            _ => (from.to_vec(), to.map(<[u8]>::to_vec)),
        };
        let source = match table {
            Table::History => format!("{{history}} FORCE INDEX (PRIMARY) WHERE part = {number}"),
            _ => format!(
                "{{rows}} FORCE INDEX (PRIMARY) WHERE part = {number} AND tab = {}",
                table_number(table)
            ),
        };
        let from = hex(&from);
        let end = to.map_or_else(String::new, |to| format!(" AND row_key < {}", hex(&to)));
        let rows = self
            .run(&format!(
                "SELECT row_key, value FROM {source} AND row_key >= {from}{end} \
                 ORDER BY row_key LIMIT {limit}"
            ))
            .await?;
        let rows = rows.iter().map(|row| {
            let key: &[u8] = row.try_get(0).map_err(damaged)?;
            Ok((owned(key), owned(row.try_get(1).map_err(damaged)?)))
        });
        rows.collect()
    }
}

/// The first key of a history row that is not below a key.
fn whole_key(key: &[u8]) -> Option<Vec<u8>> {
    let (id, row) = first_not_below(key)?;
    Some(layout::history_key(InstanceId::from_bytes(id), row))
}
