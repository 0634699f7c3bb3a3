//! Rows out of PostgreSQL.

use bytes::Bytes;
use infinitic_core::InstanceId;
use sqlx::AssertSqlSafe;
use sqlx::Row as _;

use super::types::Uuid;
use super::{PostgresStore, damaged};
use crate::backend::{StoreError, Table};
use crate::cluster::store::{CommitId, HistoryRow, Part, Rows};
use crate::store::sql::batch::{PartNumber, owned, table_number};
use crate::store::sql::bounds::first_not_below;
use crate::worker::layout;

/// Instances whose histories one statement reads.
const IDS: usize = 1_000;

impl PostgresStore {
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
            let ids: Vec<Uuid> = ids.iter().map(|id| Uuid(*id)).collect();
            let query = sqlx::query(AssertSqlSafe(self.sql.histories.clone()))
                .bind(number)
                .bind(ids);
            for row in self.fetch(query).await? {
                let id: Uuid = row.try_get(0).map_err(damaged)?;
                let number: i32 = row.try_get(1).map_err(damaged)?;
                let commit: i64 = row.try_get(2).map_err(damaged)?;
                let mut row = HistoryRow {
                    id: id.0,
                    row: u32::try_from(number).map_err(damaged)?,
                    after: CommitId::NONE,
                    commit: CommitId(commit.cast_unsigned()),
                    value: owned(row.try_get(3).map_err(damaged)?),
                };
                row.follow(histories.last());
                histories.push(row);
            }
        }
        Ok(histories)
    }

    pub(super) async fn page_histories(
        &self,
        part: PartNumber,
        from: &[u8],
        to: Option<&[u8]>,
        limit: usize,
    ) -> Result<Rows, StoreError> {
        let Some((id, row)) = first_not_below(from) else {
            return Ok(Rows::new());
        };
        let end = to.and_then(first_not_below);
        let sql = match end {
            Some(_) => &self.sql.history_page,
            None => &self.sql.history_rest,
        };
        let mut query = sqlx::query(AssertSqlSafe(sql.clone()))
            .bind(part)
            .bind(Uuid(InstanceId::from_bytes(id)))
            .bind(i64::from(row))
            .bind(i64::try_from(limit).unwrap_or(i64::MAX));
        if let Some((id, row)) = end {
            query = query
                .bind(Uuid(InstanceId::from_bytes(id)))
                .bind(i64::from(row));
        }
        let rows = self.fetch(query).await?;
        let rows = rows.iter().map(|row| {
            let id: Uuid = row.try_get(0).map_err(damaged)?;
            let number: i32 = row.try_get(1).map_err(damaged)?;
            let key = layout::history_key(id.0, u32::try_from(number).map_err(damaged)?);
            Ok((Bytes::from(key), owned(row.try_get(2).map_err(damaged)?)))
        });
        rows.collect()
    }

    pub(super) async fn page_rows(
        &self,
        part: PartNumber,
        table: Table,
        from: &[u8],
        to: Option<&[u8]>,
        limit: usize,
    ) -> Result<Rows, StoreError> {
        let sql = match to {
            Some(_) => &self.sql.page,
            None => &self.sql.rest,
        };
        let mut query = sqlx::query(AssertSqlSafe(sql.clone()))
            .bind(part)
            .bind(table_number(table))
            .bind(from)
            .bind(i64::try_from(limit).unwrap_or(i64::MAX));
        if let Some(to) = to {
            query = query.bind(to);
        }
        let rows = self.fetch(query).await?;
        let rows = rows.iter().map(|row| {
            let key: &[u8] = row.try_get(0).map_err(damaged)?;
            Ok((owned(key), owned(row.try_get(1).map_err(damaged)?)))
        });
        rows.collect()
    }
}
