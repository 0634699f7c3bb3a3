//! The statements, with the names of the tables filled in.

use std::sync::Arc;

use crate::store::sql::{FORGOTTEN_AFTER_MS, SqlSettings};

/// The clock of the server, in milliseconds since the epoch. Not `now()`, which is when the
/// transaction began: a claim may have waited since for the owner's last commit.
const NOW: &str = "floor(extract(epoch FROM clock_timestamp()) * 1000)::int8";

/// Names of the tables, quoted.
#[derive(Debug)]
pub(crate) struct Names {
    pub(crate) schema: Option<String>,
    pub(crate) prefix: String,
}

impl Names {
    pub(crate) fn table(&self, name: &str) -> String {
        // Neither holds a quote: the settings were checked.
        match &self.schema {
            Some(schema) => format!("\"{schema}\".\"{}{name}\"", self.prefix),
            None => format!("\"{}{name}\"", self.prefix),
        }
    }
}

/// Which kinds of rows a round writes: each has a part in the statement.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kinds {
    pub(crate) appends: bool,
    pub(crate) puts: bool,
    pub(crate) removals: bool,
    pub(crate) purges: bool,
}

impl Kinds {
    fn of(number: usize) -> Self {
        Self {
            appends: number & 1 != 0,
            puts: number & 2 != 0,
            removals: number & 4 != 0,
            purges: number & 8 != 0,
        }
    }

    fn number(self) -> usize {
        usize::from(self.appends)
            | usize::from(self.puts) << 1
            | usize::from(self.removals) << 2
            | usize::from(self.purges) << 3
    }
}

#[derive(Debug)]
pub(crate) struct Statements {
    pub(crate) names: Names,
    pub(crate) version: Arc<str>,
    pub(crate) numbers: Arc<str>,
    pub(crate) all_parts: Arc<str>,
    pub(crate) new_parts: Arc<str>,
    pub(crate) beat: Arc<str>,
    pub(crate) members: Arc<str>,
    pub(crate) leave: Arc<str>,
    pub(crate) claim: Arc<str>,
    pub(crate) release: Arc<str>,
    pub(crate) committed: Arc<str>,
    pub(crate) there: Arc<str>,
    pub(crate) histories: Arc<str>,
    pub(crate) history_page: Arc<str>,
    pub(crate) history_rest: Arc<str>,
    pub(crate) page: Arc<str>,
    pub(crate) rest: Arc<str>,
    writes: Vec<Arc<str>>,
}

impl Statements {
    pub(crate) fn new(settings: &SqlSettings) -> Self {
        let names = Names {
            schema: settings.schema.clone(),
            prefix: settings.prefix.clone(),
        };
        let sql = |text: &str| -> Arc<str> { fill(text, &names).into() };
        Self {
            version: sql("SELECT value FROM {meta} WHERE key = 'version'"),
            numbers: sql("SELECT id, workflow, number, epoch, owner FROM {parts} \
                 WHERE workflow = ANY($1) ORDER BY workflow, number"),
            all_parts: sql("SELECT id, workflow, number, epoch, owner FROM {parts} \
                 ORDER BY workflow, number"),
            new_parts: sql("WITH made AS (INSERT INTO {workflows} (name, partitions) \
                 VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING name, partitions) \
                 INSERT INTO {parts} (workflow, number) \
                 SELECT name, number FROM made, generate_series(0, partitions - 1) number"),
            beat: sql(
                "WITH forgotten AS (DELETE FROM {members} WHERE lease_until < {now} - {day}) \
                 INSERT INTO {members} (id, hosts, lease_until) VALUES ($1, $2, {now} + $3) \
                 ON CONFLICT (id) DO UPDATE SET hosts = excluded.hosts, \
                 lease_until = excluded.lease_until",
            ),
            members: sql("WITH clock AS MATERIALIZED (SELECT {now} AS now) \
                 SELECT clock.now, member.id, member.hosts FROM clock \
                 LEFT JOIN {members} member ON member.lease_until > clock.now ORDER BY member.id"),
            leave: sql("DELETE FROM {members} WHERE id = $1"),
            claim: sql(
                "UPDATE {parts} part SET epoch = epoch + 1, owner = $2, last_owner = $2, \
                 owner_before = CASE WHEN last_owner = $2 THEN owner_before ELSE last_owner END \
                 WHERE part.id = $1 AND (owner IS NULL OR owner = $2 OR NOT EXISTS (SELECT FROM \
                 {members} member WHERE member.id = part.owner AND member.lease_until > {now})) \
                 RETURNING epoch, owner_before",
            ),
            release: sql("UPDATE {parts} SET owner = NULL WHERE id = $1 AND epoch = $2"),
            committed: sql(
                "SELECT id FROM {parts} JOIN unnest($1::int4[], $2::int8[]) \
                 AS wanted(part, commit) ON id = part AND committed = commit",
            ),
            there: sql(
                "SELECT wanted.part, wanted.id FROM unnest($1::int4[], $2::uuid[], \
                 $3::int4[], $4::int8[]) AS wanted(part, id, row, commit) JOIN {history} history \
                 ON history.part = wanted.part AND history.id = wanted.id \
                 AND history.row = wanted.row AND history.commit_id = wanted.commit",
            ),
            histories: sql("SELECT id, row, commit_id, value FROM {history} \
                 WHERE part = $1 AND id = ANY($2) ORDER BY id, row"),
            history_page: sql("SELECT id, row, value FROM {history} WHERE part = $1 \
                 AND (id, row) >= ($2, $3) AND (id, row) < ($5, $6) ORDER BY id, row LIMIT $4"),
            history_rest: sql("SELECT id, row, value FROM {history} WHERE part = $1 \
                 AND (id, row) >= ($2, $3) ORDER BY id, row LIMIT $4"),
            page: sql(
                "SELECT key, value FROM {rows} WHERE part = $1 AND tab = $2 AND key >= $3 \
                 AND key < $5 ORDER BY key LIMIT $4",
            ),
            rest: sql(
                "SELECT key, value FROM {rows} WHERE part = $1 AND tab = $2 AND key >= $3 \
                 ORDER BY key LIMIT $4",
            ),
            writes: (0..16).map(|n| sql(&write(Kinds::of(n)))).collect(),
            names,
        }
    }

    /// The statement of a round.
    pub(crate) fn write(&self, kinds: Kinds) -> Arc<str> {
        self.writes[kinds.number()].clone()
    }
}

/// Puts the names of tables in.
pub(crate) fn fill(text: &str, names: &Names) -> String {
    let tables = ["meta", "workflows", "parts", "members", "history", "rows"];
    let text = text
        .replace("{now}", NOW)
        .replace("{day}", &FORGOTTEN_AFTER_MS.to_string());
    tables.iter().fold(text, |text, name| {
        text.replace(&format!("{{{name}}}"), &names.table(name))
    })
}

/// The partitions that may be written: their rows are locked until the transaction ends.
const FENCE: &str = "WITH fence AS (UPDATE {parts} part SET committed = wanted.commit \
     FROM unnest($::int4[], $::int8[], $::int8[]) AS wanted(id, epoch, commit) \
     WHERE part.id = wanted.id AND part.epoch = wanted.epoch AND part.owner IS NOT NULL \
     AND part.committed < wanted.commit RETURNING part.id, part.committed)";

/// Rows whose instance ends where they say.
const APPENDS: &str = ", appended AS (INSERT INTO {history} (part, id, row, commit_id, value) \
     SELECT new.part, new.id, new.row, fence.committed, new.value \
     FROM unnest($::int4[], $::uuid[], $::int4[], $::int8[], $::bytea[]) \
     AS new(part, id, row, after, value) JOIN fence ON fence.id = new.part \
     LEFT JOIN LATERAL (SELECT old.row, old.commit_id FROM {history} old \
     WHERE old.part = new.part AND old.id = new.id ORDER BY old.row DESC LIMIT 1) \
     AS last ON true WHERE new.row = coalesce(last.row + 1, 0) \
     AND (new.row = 0 OR new.after = last.commit_id) \
     ON CONFLICT DO NOTHING RETURNING 1)";

const PUTS: &str = ", put AS (INSERT INTO {rows} (part, tab, key, value) \
     SELECT new.part, new.tab, new.key, new.value \
     FROM unnest($::int4[], $::int2[], $::bytea[], $::bytea[]) AS new(part, tab, key, value) \
     JOIN fence ON fence.id = new.part \
     ON CONFLICT (part, tab, key) DO UPDATE SET value = excluded.value)";

const REMOVALS: &str = ", removed AS (DELETE FROM {rows} old \
     USING unnest($::int4[], $::int2[], $::bytea[]) AS gone(part, tab, key), fence \
     WHERE fence.id = gone.part AND old.part = gone.part AND old.tab = gone.tab \
     AND old.key = gone.key)";

const PURGES: &str = ", purged AS (DELETE FROM {history} old \
     USING unnest($::int4[], $::uuid[], $::int4[]) AS gone(part, id, row), fence \
     WHERE fence.id = gone.part AND old.part = gone.part AND old.id = gone.id \
     AND old.row = gone.row)";

/// The statement of a round: which partitions it took, and how many rows it appended.
fn write(kinds: Kinds) -> String {
    let mut sql = FENCE.to_owned();
    for (is_there, part) in [
        (kinds.appends, APPENDS),
        (kinds.puts, PUTS),
        (kinds.removals, REMOVALS),
        (kinds.purges, PURGES),
    ] {
        if is_there {
            sql += part;
        }
    }
    sql += match kinds.appends {
        true => " SELECT (SELECT array_agg(id) FROM fence), (SELECT count(*) FROM appended)",
        false => " SELECT (SELECT array_agg(id) FROM fence), 0::int8",
    };
    numbered(&sql)
}

/// Numbers the parameters, which are bound in the order in which they stand.
fn numbered(sql: &str) -> String {
    let mut parts = sql.split('$');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.zip(1..).fold(first, |sql, (part, number)| {
        sql + &format!("${number}{part}")
    })
}
