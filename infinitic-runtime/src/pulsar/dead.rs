//! Messages that were set aside: each topic has a sibling, whose subscription keeps them until they
//! are sent again.
//!
//! They are read through the REST interface, which takes nothing away, and acknowledged by their
//! id. Where they came from and why is in their properties, so that Pulsar's own tools show it.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use pulsar::proto::MessageIdData;
use pulsar::{ConsumerOptions, SubType};
use reqwest::header::HeaderMap;
use serde_json::Value;

use super::admin::Answer;
use super::client::{Fault, ITS_TOPIC};
use super::hub::Hub;
use super::names::{self, Full, percent};
use super::sender;
use super::topics::path;
use crate::clock::{Clock, SystemClock};
use crate::cluster::store::Pending;
use crate::cluster::transport::{DeadLetter, SendError, Topic, TransportError};

const TOPIC: &str = "infinitic-topic";
const REASON: &str = "infinitic-reason";
const AT: &str = "infinitic-at";

/// How the REST interface shows properties: all as one JSON text, in older brokers one by one.
const SHOWN: &str = "x-pulsar-property";

/// Longest reason that is kept, in characters: it becomes a header.
const REASON_CHARS: usize = 1_000;

/// How long to wait until the broker has an acknowledgement.
const BARRIER: Duration = Duration::from_secs(10);

/// Sets a message aside.
pub(super) fn set_aside(
    hub: &Arc<Hub>,
    topic: &Topic,
    payload: Bytes,
    reason: &str,
) -> Pending<'static, Result<(), SendError>> {
    let reason: String = reason.chars().take(REASON_CHARS).collect();
    let properties = HashMap::from([
        (TOPIC.to_owned(), header(&names::plain(topic))),
        (REASON.to_owned(), header(&reason)),
        (AT.to_owned(), SystemClock.now().to_string()),
    ]);
    sender::send(hub, hub.topics.names.dead(topic), payload, properties)
}

/// The messages that were set aside, at most `limit`.
pub(super) async fn list(hub: &Hub, limit: usize) -> Result<Vec<DeadLetter>, TransportError> {
    let mut letters = Vec::new();
    for topic in hub.topics.dead().await? {
        let mut position: usize = 1;
        while letters.len() < limit {
            let Some(found) = peek(hub, &topic, position).await? else {
                break;
            };
            letters.push(letter(&topic, &found));
            position += 1;
        }
    }
    Ok(letters)
}

/// The message at a position of what is not acknowledged, from 1.
async fn peek(hub: &Hub, topic: &Full, position: usize) -> Result<Option<Answer>, TransportError> {
    let subscription = percent(&hub.settings.subscription);
    let path = format!(
        "{}/subscription/{subscription}/position/{position}",
        path(topic)
    );
    let answer = hub.topics.admin.get(&path).await?;
    match answer.status.as_u16() {
        200 => Ok(Some(answer)),
        404 => Ok(None),
        _ => Err(hub.topics.admin.refusal("look at dead letters", &answer)),
    }
}

fn letter(topic: &Full, found: &Answer) -> DeadLetter {
    let id = found.headers.get("x-pulsar-message-id");
    let id = id.and_then(|id| id.to_str().ok()).unwrap_or("");
    let from = property(&found.headers, TOPIC);
    DeadLetter {
        id: format!("{}/{id}", topic.local),
        topic: match names::parse(&from) {
            Some(topic) => topic.to_string(),
            None => topic.local.clone(),
        },
        reason: property(&found.headers, REASON),
        at: property(&found.headers, AT),
        payload: found.body.clone(),
    }
}

/// Sends a message to its topic again, then removes it. One that is interrupted in between is sent
/// twice, never lost.
pub(super) async fn redrive(hub: &Arc<Hub>, id: &str) -> Result<bool, TransportError> {
    let Some((topic, ledger, entry)) = locate(hub, id) else {
        return Ok(false);
    };
    if is_settled(hub, &topic, ledger, entry).await? {
        return Ok(false);
    }
    let place = format!("{}/ledger/{ledger}/entry/{entry}", path(&topic));
    let answer = hub.topics.admin.get(&place).await?;
    if answer.is(404) {
        return Ok(false);
    }
    if !answer.is(200) {
        return Err(hub.topics.admin.refusal("read a dead letter", &answer));
    }
    let from = property(&answer.headers, TOPIC);
    let Some(to) = names::parse(&from) else {
        return Err(TransportError::Refused(format!(
            "the dead letter {id} does not say from which topic it came"
        )));
    };
    let to = hub.topics.names.topic(&to);
    let sent = sender::send(hub, to, answer.body, HashMap::new()).await;
    sent.map_err(|error| TransportError::Unavailable(error.to_string()))?;
    settle(hub, &topic, ledger, entry).await?;
    Ok(true)
}

/// Where the message of an id is.
fn locate(hub: &Hub, id: &str) -> Option<(Full, u64, u64)> {
    let (local, place) = id.rsplit_once('/')?;
    if !hub.topics.names.is_dead(local) {
        return None;
    }
    let mut numbers = place.split(':').map(str::parse);
    let (ledger, entry) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    let topic = Full {
        namespace: hub.topics.names.namespace(names::Life::Lasting),
        local: local.to_owned(),
        partition: None,
    };
    Some((topic, ledger, entry))
}

/// Whether a message was acknowledged, or never was.
async fn is_settled(
    hub: &Hub,
    topic: &Full,
    ledger: u64,
    entry: u64,
) -> Result<bool, TransportError> {
    let answer = hub
        .topics
        .admin
        .get(&format!("{}/internalStats", path(topic)))
        .await?;
    if answer.is(404) {
        return Ok(true);
    }
    if !answer.is(200) {
        return Err(hub.topics.admin.refusal("look for a dead letter", &answer));
    }
    let stats = answer.json();
    let cursor = &stats["cursors"][&hub.settings.subscription];
    Ok(settled_at(cursor, (ledger, entry)))
}

/// Reads what a cursor says: all up to a position, and ranges like `(3:1..3:2]` behind it.
fn settled_at(cursor: &Value, place: (u64, u64)) -> bool {
    // Of an empty ledger's first entry, `3:-1` is the position before.
    let position = |text: &str| -> Option<(u64, i64)> {
        let (ledger, entry) = text.split_once(':')?;
        Some((ledger.trim().parse().ok()?, entry.trim().parse().ok()?))
    };
    let Ok(entry) = i64::try_from(place.1) else {
        return true;
    };
    let place = (place.0, entry);
    let up_to = cursor["markDeletePosition"].as_str().and_then(position);
    if up_to.is_some_and(|up_to| place <= up_to) {
        return true;
    }
    let ranges = cursor["individuallyDeletedMessages"].as_str().unwrap_or("");
    ranges.split(['[', ',']).any(|range| {
        let range = range.trim_matches(['(', ')', ']', '[', ' ']);
        let ends = range.split_once("..").or_else(|| range.split_once('‥'));
        let Some((from, to)) = ends else {
            return false;
        };
        let to = to.trim_matches(['(', ')', ']', '[', ' ']);
        matches!((position(from), position(to)), (Some(from), Some(to))
            if from < place && place <= to)
    })
}

/// Acknowledges a message by its id, without receiving it.
async fn settle(hub: &Hub, topic: &Full, ledger: u64, entry: u64) -> Result<(), TransportError> {
    let (url, name) = (topic.url(), hub.settings.subscription.clone());
    let made = hub.clients.consumer(move |builder| {
        builder
            .with_topic(url)
            .with_subscription(name)
            .with_subscription_type(SubType::Shared)
            .with_batch_size(1)
            .with_options(ConsumerOptions::default().with_receiver_queue_size(1))
    });
    let trouble = |text: String| {
        TransportError::Unavailable(format!(
            "the message was sent again, but may still be among the dead letters: {text}"
        ))
    };
    let mut consumer = made
        .await
        .map_err(|fault: Fault| trouble(fault.to_string()))?;
    let id = MessageIdData {
        ledger_id: ledger,
        entry_id: entry,
        ..MessageIdData::default()
    };
    let acknowledged = consumer.ack_with_id(ITS_TOPIC, id).await;
    acknowledged.map_err(|error| trouble(error.to_string()))?;
    let _alone = hub.asking.lock().await;
    match tokio::time::timeout(BARRIER, consumer.check_connection()).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(trouble(error.to_string())),
        Err(_) => Err(trouble("the broker does not answer".to_owned())),
    }
}

/// A text that fits into a header, and is read by people.
fn header(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' '..=b'~' if byte != b'%' => safe.push(char::from(byte)),
            _ => write!(safe, "%{byte:02X}").expect("writing to a string does not fail"),
        }
    }
    safe
}

/// A property that [`header`] wrote; empty when there is none.
fn property(headers: &HeaderMap, name: &str) -> String {
    let text = |header: &str| headers.get(header)?.to_str().ok();
    let all: Option<Value> = text(SHOWN).and_then(|all| serde_json::from_str(all).ok());
    let one = all.as_ref().and_then(|all| all[name].as_str());
    let one = one.or_else(|| text(&format!("{SHOWN}-{name}")));
    decode(one.unwrap_or(""))
}

/// What [`header`] wrote.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let digits = tail.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        let coded = digits.and_then(|two| u8::from_str_radix(two, 16).ok());
        match (first, coded) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn any_text_fits_into_a_header() {
        for text in [
            "plain: yes",
            "100 %",
            "line 1\nline 2",
            "zwölf 🚚",
            "%41",
            "",
        ] {
            let mut headers = HeaderMap::new();
            let all = json!({"infinitic-at": "then", "infinitic-reason": header(text)});
            let written = all.to_string().parse().expect("it is a header");
            headers.insert(SHOWN, written);
            assert_eq!(property(&headers, REASON), text);
            assert_eq!(property(&headers, AT), "then");
            assert_eq!(property(&headers, TOPIC), "");
        }
        for text in ["plain: yes", "zwölf 🚚"] {
            let mut headers = HeaderMap::new();
            let written = header(text).parse().expect("it is a header");
            headers.insert("x-pulsar-property-infinitic-reason", written);
            assert_eq!(property(&headers, REASON), text);
        }
    }

    #[test]
    fn cursors_are_read() {
        let cursor = json!({
            "markDeletePosition": "12:3",
            "individuallyDeletedMessages": "[(12:5..12:6],(13:-1..13:0]]",
        });
        for settled in [(11, 9), (12, 3), (12, 6), (13, 0)] {
            assert!(settled_at(&cursor, settled), "{settled:?}");
        }
        for open in [(12, 4), (12, 5), (12, 7), (13, 1)] {
            assert!(!settled_at(&cursor, open), "{open:?}");
        }
        let fresh = json!({"markDeletePosition": "7:-1", "individuallyDeletedMessages": "[]"});
        assert!(!settled_at(&fresh, (7, 0)));
        assert!(!settled_at(&Value::Null, (7, 0)));
    }
}
