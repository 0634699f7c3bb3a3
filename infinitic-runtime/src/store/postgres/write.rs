//! Rounds into PostgreSQL.

use std::collections::{HashMap, HashSet};

use infinitic_core::InstanceId;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Row as _};

use super::statements::Kinds;
use super::types::Uuid;
use super::{PostgresStore, damaged};
use crate::backend::StoreError;
use crate::cluster::store::{PartCommit, Written};
use crate::store::sql::batch::{Batch, Outcome, PartNumber, pieces};

/// How often a transaction that lost against another is tried again before the caller hears of it.
const TRIES: u32 = 5;
/// The server's codes for that: deadlock, serialization failure.
const LOST_RACES: [&str; 2] = ["40P01", "40001"];

impl PostgresStore {
    pub(super) async fn write_all(
        &self,
        commits: &[PartCommit],
    ) -> Result<Vec<Written>, StoreError> {
        let numbers = self
            .numbers_of(commits.iter().map(|commit| &commit.part))
            .await?;
        let mut written = Vec::with_capacity(commits.len());
        for piece in pieces(commits) {
            let batch = Batch::new(piece, &numbers);
            let outcome = if batch.fences.is_empty() {
                Outcome::default()
            } else {
                self.write_batch(&batch).await?
            };
            self.connections.count_commits(piece);
            written.extend(outcome.answers(piece, &numbers));
        }
        Ok(written)
    }

    async fn write_batch(&self, batch: &Batch<'_>) -> Result<Outcome, StoreError> {
        let row = self.run_batch(batch).await?;
        let taken: Option<Vec<PartNumber>> = row.try_get(0).map_err(damaged)?;
        let taken: HashSet<PartNumber> = taken.unwrap_or_default().into_iter().collect();
        let appended: i64 = row.try_get(1).map_err(damaged)?;
        let mut outcome = Outcome { taken, there: None };
        if outcome.taken.len() < batch.fences.len() {
            // Perhaps they were written already.
            outcome.taken.extend(self.read_committed(batch).await?);
        }
        if usize::try_from(appended).ok() != Some(batch.appends.len()) {
            outcome.there = Some(self.read_there(batch).await?);
        }
        Ok(outcome)
    }

    async fn run_batch(&self, batch: &Batch<'_>) -> Result<PgRow, StoreError> {
        let mut tries = 1;
        loop {
            self.connections.count_round_trips(1);
            let call = self.connections.call(async {
                let mut lease = self.connections.take().await?;
                let row = self.bind(batch).fetch_one(lease.get()?).await?;
                lease.give_back();
                Ok(row)
            });
            match call.await {
                Ok(row) => return Ok(row),
                Err(error) => {
                    let code = error.code();
                    let lost_race = code.is_some_and(|code| LOST_RACES.contains(&&*code));
                    if !lost_race || tries == TRIES {
                        return Err(error.passing(self.connections.place()));
                    }
                    tries += 1;
                }
            }
        }
    }

    fn bind<'q>(
        &self,
        batch: &'q Batch<'q>,
    ) -> sqlx::query::Query<'q, sqlx::Postgres, sqlx::postgres::PgArguments> {
        let Batch {
            fences,
            appends,
            puts,
            removals,
            purges,
        } = batch;
        let kinds = Kinds {
            appends: !appends.is_empty(),
            puts: !puts.is_empty(),
            removals: !removals.is_empty(),
            purges: !purges.is_empty(),
        };
        let mut query = sqlx::query(AssertSqlSafe(self.sql.write(kinds)))
            .bind(column(fences, |fence| fence.part))
            .bind(column(fences, |fence| fence.epoch))
            .bind(column(fences, |fence| fence.commit));
        if kinds.appends {
            query = query
                .bind(column(appends, |new| new.part))
                .bind(column(appends, |new| Uuid(new.row.id)))
                .bind(column(appends, |new| row_number(new.row.row)))
                .bind(column(appends, |new| new.row.after.0.cast_signed()))
                .bind(column(appends, |new| &*new.row.value));
        }
        if kinds.puts {
            query = query
                .bind(column(puts, |put| put.part))
                .bind(column(puts, |put| put.table))
                .bind(column(puts, |put| put.key))
                .bind(column(puts, |put| put.value.unwrap_or_default()));
        }
        if kinds.removals {
            query = query
                .bind(column(removals, |gone| gone.part))
                .bind(column(removals, |gone| gone.table))
                .bind(column(removals, |gone| gone.key));
        }
        if kinds.purges {
            query = query
                .bind(column(purges, |gone| gone.part))
                .bind(column(purges, |gone| Uuid(gone.id)))
                .bind(column(purges, |gone| row_number(gone.row)));
        }
        query
    }

    /// The partitions whose last commit is the one of the batch.
    async fn read_committed(&self, batch: &Batch<'_>) -> Result<Vec<PartNumber>, StoreError> {
        let query = sqlx::query(AssertSqlSafe(self.sql.committed.clone()))
            .bind(column(&batch.fences, |fence| fence.part))
            .bind(column(&batch.fences, |fence| fence.commit));
        let rows = self.fetch(query).await?;
        let parts = rows.iter().map(|row| row.try_get(0).map_err(damaged));
        parts.collect()
    }

    /// The instances whose row of the batch is there.
    async fn read_there(
        &self,
        batch: &Batch<'_>,
    ) -> Result<HashSet<(PartNumber, InstanceId)>, StoreError> {
        let commits: HashMap<PartNumber, i64> = batch
            .fences
            .iter()
            .map(|fence| (fence.part, fence.commit))
            .collect();
        let appends = &batch.appends;
        let query = sqlx::query(AssertSqlSafe(self.sql.there.clone()))
            .bind(column(appends, |new| new.part))
            .bind(column(appends, |new| Uuid(new.row.id)))
            .bind(column(appends, |new| row_number(new.row.row)))
            .bind(column(appends, |new| commits[&new.part]));
        let rows = self.fetch(query).await?;
        let there = rows.iter().map(|row| {
            let id: Uuid = row.try_get(1).map_err(damaged)?;
            Ok((row.try_get(0).map_err(damaged)?, id.0))
        });
        there.collect()
    }
}

/// A column of rows.
fn column<'a, T, C>(rows: &'a [T], cell: impl FnMut(&'a T) -> C) -> Vec<C> {
    rows.iter().map(cell).collect()
}

/// The number of a row as the tables hold it. No history comes near the limit.
pub(super) fn row_number(row: u32) -> i32 {
    i32::try_from(row).unwrap_or(i32::MAX)
}
