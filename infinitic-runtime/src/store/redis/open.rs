//! What is looked at before a server is used: that it is the right one, and what it may lose.

use ::redis::{Value, cmd};

use super::error::Moment;
use super::keys::Keys;
use super::link::Link;
use super::{RedisSettings, value};
use crate::backend::StoreError;

/// Version of the layout of keys.
const SCHEMA: u64 = 1;

/// What of a confirmed commit a crash of the server may take back, as far as it told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Durability {
    /// Nothing: each write is synced before it is confirmed.
    Synced,
    /// The last second, or what the operating system had not written yet.
    Delayed,
    /// Everything since the last snapshot, or all there is: there is no log.
    Volatile,
    /// The server does not tell.
    Unknown,
}

/// Looks at a server. Warns of what it may lose; what cannot work is an error.
pub(super) async fn inspect(
    link: &Link,
    keys: &Keys,
    settings: &RedisSettings,
) -> Result<Durability, StoreError> {
    let info = info(link).await?;
    let fact = |name: &str| info.lines().find_map(|line| line.strip_prefix(name));
    if fact("role:") == Some("slave") {
        return Err(StoreError::Refused(format!(
            "Redis at {} is a replica; the store needs a server that takes writes; give the \
             address that leads to the primary",
            link.address
        )));
    }
    if settings.wait_aof && fact("redis_version:").is_some_and(|version| !is_from_7_2(version)) {
        return Err(StoreError::Refused(format!(
            "Redis at {} has version {} and cannot wait for its log; WAITAOF needs 7.2; set \
             `appendfsync always` there, and leave the setting out",
            link.address,
            fact("redis_version:").unwrap_or_default()
        )));
    }
    let told = |name: &str| fact(name).map(str::to_owned);
    let policy = match told("maxmemory_policy:") {
        None => setting(link, "maxmemory-policy").await,
        policy => policy,
    };
    let limit = match told("maxmemory:") {
        None => setting(link, "maxmemory").await,
        limit => limit,
    };
    check_eviction(link, policy.as_deref(), limit.as_deref() != Some("0"))?;
    check_schema(link, keys).await?;
    let log = fact("aof_enabled:").map(|enabled| enabled == "1");
    let durability = durability(link, log).await;
    warn(link, settings, durability);
    Ok(durability)
}

/// What the server tells of itself; nothing when that is forbidden.
async fn info(link: &Link) -> Result<String, StoreError> {
    match link.ask_if_allowed(cmd("INFO")).await? {
        Some(Value::VerbatimString { text, .. }) => Ok(text),
        Some(answer) => value::text(answer),
        None => Ok(String::new()),
    }
}

fn is_from_7_2(version: &str) -> bool {
    let mut numbers = version.split('.').map(|number| number.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= (7, 2)
}

/// Rows that a full server throws away are gone for good. Policies for keys with a time to live
/// never touch ours.
fn check_eviction(link: &Link, policy: Option<&str>, limited: bool) -> Result<(), StoreError> {
    let Some(policy) = policy.filter(|policy| policy.starts_with("allkeys")) else {
        return Ok(());
    };
    let text = format!(
        "Redis at {} throws keys away when its memory is full (maxmemory-policy {policy}), those \
         of workflows, too; the store needs noeviction; write it into the server's \
         configuration, or CONFIG SET maxmemory-policy noeviction",
        link.address
    );
    if limited {
        return Err(StoreError::Refused(text));
    }
    tracing::warn!("{text}; it has no limit of memory (maxmemory 0) now, so nothing is lost yet");
    Ok(())
}

async fn check_schema(link: &Link, keys: &Keys) -> Result<(), StoreError> {
    let key = keys.meta();
    let mut create = cmd("HSETNX");
    create.arg(&key).arg("schema").arg(SCHEMA);
    let mut read = cmd("HGET");
    read.arg(&key).arg("schema");
    let mut answers = link.ask_at(vec![create, read], Moment::Opening).await?;
    let found: u64 = value::number(answers.pop().unwrap_or_default())?;
    if found > SCHEMA {
        return Err(StoreError::NewerFormat(format!(
            "the keys of `{}` in Redis at {} have layout {found}; this version knows layouts up to \
             {SCHEMA}; start the version that wrote them, or a later one, or use another prefix",
            keys.prefix(),
            link.address
        )));
    }
    Ok(())
}

async fn durability(link: &Link, log: Option<bool>) -> Durability {
    if log == Some(false) {
        return Durability::Volatile;
    }
    let policy = setting(link, "appendfsync").await;
    match policy.as_deref() {
        Some("always") => match setting(link, "no-appendfsync-on-rewrite").await.as_deref() {
            Some("yes") => Durability::Delayed,
            _ => Durability::Synced,
        },
        Some(_) => Durability::Delayed,
        None => Durability::Unknown,
    }
}

/// The value of one setting; none when the server does not tell, as hosted ones mostly do not.
async fn setting(link: &Link, name: &str) -> Option<String> {
    let mut ask = cmd("CONFIG");
    ask.arg("GET").arg(name);
    let value = match link.ask_if_allowed(ask).await.ok()?? {
        Value::Map(pairs) => pairs.into_iter().next()?.1,
        other => value::list(other).ok()?.into_iter().nth(1)?,
    };
    value::text(value).ok()
}

fn warn(link: &Link, settings: &RedisSettings, durability: Durability) {
    let address = &link.address;
    let waits = settings.wait_aof || settings.replicas > 0;
    match durability {
        Durability::Synced => {}
        Durability::Delayed if waits => {}
        Durability::Delayed => tracing::warn!(
            "Redis at {address} confirms writes before they are synced: a crash of its machine \
             takes back about the last second of confirmed work, which runs again or is missing; \
             set `appendfsync always` (and `no-appendfsync-on-rewrite no`) there, or the store's \
             setting to wait for the log (from Redis 7.2)"
        ),
        Durability::Volatile => tracing::warn!(
            "Redis at {address} keeps no log (appendonly no): a crash or restart takes back all \
             confirmed work since its last snapshot, or everything; set `appendonly yes` and \
             `appendfsync always` there"
        ),
        Durability::Unknown => tracing::warn!(
            "Redis at {address} does not tell how it makes writes durable (CONFIG GET is \
             forbidden); see to it that it has `appendonly yes` and `appendfsync always`, else a \
             crash takes back confirmed work"
        ),
    }
}
