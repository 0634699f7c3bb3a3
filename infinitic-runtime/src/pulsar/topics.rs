//! Tenant, namespaces and topics: made on demand, checked when they exist.

use std::collections::BTreeSet;
use std::sync::Mutex;

use infinitic_core::names::WorkflowName;
use serde_json::{Value, json};

use super::admin::{Admin, Answer, denied};
use super::names::{Full, Life, Names, percent};
use super::settings::PulsarSettings;
use crate::cluster::transport::TransportError;

/// What is in the broker, and what we have made sure of.
#[derive(Debug)]
pub(super) struct Topics {
    pub(super) admin: Admin,
    pub(super) names: Names,
    settings: PulsarSettings,
    sure: Mutex<BTreeSet<String>>,
}

/// A message id before all others, as the REST interface writes it.
fn earliest() -> Value {
    json!({"ledgerId": -1, "entryId": -1, "partitionIndex": -1})
}

/// Path of a topic in the REST interface; of an inbox, of the topic of all its partitions.
pub(super) fn path(topic: &Full) -> String {
    format!("persistent/{}/{}", topic.namespace, percent(&topic.local))
}

impl Topics {
    /// # Errors
    /// When the certificates cannot be read.
    pub(super) fn new(settings: &PulsarSettings) -> Result<Self, TransportError> {
        Ok(Self {
            admin: Admin::new(settings)?,
            names: Names::new(settings),
            settings: settings.clone(),
            sure: Mutex::new(BTreeSet::new()),
        })
    }

    /// Makes tenant and namespaces unless they exist. A role that may not even look is taken to
    /// know what it does; false when it may not.
    pub(super) async fn prepare(&self) -> Result<bool, TransportError> {
        let mut allowed = true;
        for life in [Life::Lasting, Life::Transient] {
            let path = format!("namespaces/{}", self.names.namespace(life));
            let found = self.admin.get(&path).await?;
            match found.status.as_u16() {
                200 => self.compare(life, &found.json()),
                404 => {
                    self.make_tenant().await?;
                    let body = self.policies(life);
                    let made = self.admin.put(&path, body).await?;
                    self.expect_made(&format!("create {path}"), &made)?;
                }
                _ if denied(&found) => {
                    tracing::info!(path, "Pulsar does not let us see it; it should exist");
                    allowed = false;
                }
                _ => return Err(self.admin.refusal(&format!("read {path}"), &found)),
            }
        }
        Ok(allowed)
    }

    async fn make_tenant(&self) -> Result<(), TransportError> {
        let path = format!("tenants/{}", self.names.tenant());
        let found = self.admin.get(&path).await?;
        if !found.is(404) {
            return Ok(());
        }
        let clusters = match &self.settings.allowed_clusters {
            Some(clusters) => json!(clusters),
            None => {
                let answer = self.admin.get("clusters").await?;
                if !answer.is(200) {
                    return Err(self.admin.refusal("list the clusters", &answer));
                }
                answer.json()
            }
        };
        let body = json!({
            "adminRoles": self.settings.admin_roles,
            "allowedClusters": clusters,
        });
        let made = self.admin.put(&path, body).await?;
        self.expect_made(&format!("create {path}"), &made)
    }

    fn policies(&self, life: Life) -> Value {
        let policies = &self.settings.policies;
        let closed = json!({"allowAutoTopicCreation": false});
        match life {
            Life::Lasting => json!({
                "retention_policies": {
                    "retentionTimeInMinutes": policies.retention_minutes,
                    "retentionSizeInMB": policies.retention_mb,
                },
                "message_ttl_in_seconds": policies.message_ttl_seconds,
                "deduplicationEnabled": false,
                "autoTopicCreationOverride": closed,
                "inactive_topic_policies": {
                    "inactiveTopicDeleteMode": "delete_when_no_subscriptions",
                    "maxInactiveDurationSeconds": 60,
                    "deleteWhileInactive": false,
                },
            }),
            Life::Transient => json!({
                "retention_policies": {"retentionTimeInMinutes": 0, "retentionSizeInMB": 0},
                "message_ttl_in_seconds": policies.transient_ttl_seconds,
                "deduplicationEnabled": false,
                "autoTopicCreationOverride": closed,
                "inactive_topic_policies": {
                    "inactiveTopicDeleteMode": "delete_when_subscriptions_caught_up",
                    "maxInactiveDurationSeconds": policies.transient_inactive_seconds,
                    "deleteWhileInactive": true,
                },
            }),
        }
    }

    /// Warns where a namespace is not as we would have made it.
    fn compare(&self, life: Life, found: &Value) {
        let wanted = self.policies(life);
        let Value::Object(wanted) = wanted else {
            return;
        };
        let namespace = self.names.namespace(life);
        for (policy, wanted) in wanted {
            let differs = match (&wanted, found.get(&policy)) {
                (Value::Object(inner), Some(found)) => inner
                    .iter()
                    .any(|(key, value)| found.get(key) != Some(value)),
                (wanted, found) => found != Some(wanted),
            };
            // The broker leaves out what was never set; its own default for this one is off.
            let default = wanted == json!(false) && found.get(&policy).is_none();
            if differs && !default {
                let found = found.get(&policy).unwrap_or(&Value::Null);
                tracing::warn!(
                    %namespace, %policy, %wanted, %found,
                    "a policy of the namespace is not as the settings say; it stays as it is"
                );
            }
        }
    }

    /// That something was made, or exists.
    fn expect_made(&self, what: &str, answer: &Answer) -> Result<(), TransportError> {
        if answer.status.is_success() || answer.is(409) {
            return Ok(());
        }
        Err(self.admin.refusal(what, answer))
    }

    /// Makes the inboxes of a workflow unless they exist; answers how many there are.
    pub(super) async fn inboxes(
        &self,
        workflow: &WorkflowName,
        wanted: u16,
    ) -> Result<u16, TransportError> {
        let topic = Full {
            namespace: self.names.namespace(Life::Lasting),
            local: self.names.inboxes(workflow),
            partition: None,
        };
        let path = path(&topic);
        if self.partitions(&path).await?.is_none() {
            let body = json!(wanted.max(1));
            let made = self.admin.put(&format!("{path}/partitions"), body).await?;
            self.expect_made(&format!("create the topic {}", topic.url()), &made)?;
        }
        let number = match self.partitions(&path).await? {
            Some(number) if number > 0 => number,
            _ => {
                return Err(TransportError::Refused(format!(
                    "the topic {} has no partitions, but the inboxes of a workflow are \
                     partitions; delete it or set a `prefix`",
                    topic.url()
                )));
            }
        };
        self.subscribe(&topic).await?;
        Ok(number)
    }

    /// Partitions of a topic: 0 when it has none, none when there is no such topic.
    async fn partitions(&self, path: &str) -> Result<Option<u16>, TransportError> {
        let answer = self.admin.get(&format!("{path}/partitions")).await?;
        if answer.is(404) {
            return Ok(None);
        }
        if !answer.is(200) {
            return Err(self.admin.refusal(&format!("read {path}"), &answer));
        }
        let number = answer.json()["partitions"].as_u64().unwrap_or(0);
        Ok(Some(u16::try_from(number).unwrap_or(u16::MAX)))
    }

    /// Makes the subscription that keeps a topic's messages, unless it exists.
    async fn subscribe(&self, topic: &Full) -> Result<(), TransportError> {
        let path = path(topic);
        let name = percent(&self.settings.subscription);
        let url = format!("{path}/subscription/{name}");
        let what = format!("subscribe to {}", topic.url());
        let made = self.admin.put(&url, earliest()).await?;
        if !made.is(404) {
            return self.expect_made(&what, &made);
        }
        // Whoever made it may have died before the last of its partitions.
        self.admin
            .post(&format!("{path}/createMissedPartitions"))
            .await?;
        let made = self.admin.put(&url, earliest()).await?;
        self.expect_made(&what, &made)
    }

    /// Makes a topic without partitions unless it exists. A lasting one gets the subscription that
    /// keeps its messages.
    pub(super) async fn ensure(&self, topic: &Full) -> Result<(), TransportError> {
        let url = topic.url();
        if topic.partition.is_some() || self.lock().contains(&url) {
            return Ok(());
        }
        let path = path(topic);
        let made = self.admin.put(&path, Value::Null).await?;
        if made.is(409) && self.partitions(&path).await?.is_some_and(|n| n > 0) {
            return Err(TransportError::Refused(format!(
                "the topic {url} has partitions, but must have none; delete it or set a `prefix`"
            )));
        }
        // Whoever may not make topics finds out below whether this one exists.
        if !denied(&made) {
            self.expect_made(&format!("create the topic {url}"), &made)?;
            if topic.namespace == self.names.namespace(Life::Lasting) {
                self.subscribe(topic).await?;
            }
        }
        self.lock().insert(url);
        Ok(())
    }

    /// A topic was not there although we were sure of it.
    pub(super) fn forget(&self, topic: &Full) {
        self.lock().remove(&topic.url());
    }

    /// Deletes a topic with whoever uses it.
    pub(super) async fn delete(&self, topic: &Full) -> Result<(), TransportError> {
        self.forget(topic);
        let answer = self
            .admin
            .delete(&format!("{}?force=true", path(topic)))
            .await?;
        if answer.status.is_success() || answer.is(404) {
            return Ok(());
        }
        Err(self
            .admin
            .refusal(&format!("delete the topic {}", topic.url()), &answer))
    }

    /// Whether anybody reads a topic now.
    pub(super) async fn has_readers(&self, topic: &Full) -> Result<bool, TransportError> {
        let answer = self.admin.get(&format!("{}/stats", path(topic))).await?;
        if answer.is(404) {
            return Ok(false);
        }
        if !answer.is(200) {
            let what = format!("look who reads the topic {}", topic.url());
            return Err(self.admin.refusal(&what, &answer));
        }
        let stats = answer.json();
        let subscriptions = stats["subscriptions"].as_object();
        let has_consumers = |subscription: &Value| {
            subscription["consumers"]
                .as_array()
                .is_some_and(|all| !all.is_empty())
        };
        Ok(subscriptions.is_some_and(|all| all.values().any(has_consumers)))
    }

    /// Workflow names that have inboxes, in order.
    pub(super) async fn workflows(&self) -> Result<Vec<WorkflowName>, TransportError> {
        let locals = self.list("/partitioned").await?;
        let mut names: Vec<WorkflowName> = locals
            .iter()
            .filter_map(|local| self.names.workflow(local))
            .collect();
        names.sort();
        Ok(names)
    }

    /// Topics of the lasting namespace that are where messages are set aside, in order.
    pub(super) async fn dead(&self) -> Result<Vec<Full>, TransportError> {
        let mut locals = self.list("").await?;
        locals.retain(|local| self.names.is_dead(local));
        locals.sort();
        let full = |local| Full {
            namespace: self.names.namespace(Life::Lasting),
            local,
            partition: None,
        };
        Ok(locals.into_iter().map(full).collect())
    }

    /// Names of topics of the lasting namespace, within it.
    async fn list(&self, kind: &str) -> Result<Vec<String>, TransportError> {
        let namespace = self.names.namespace(Life::Lasting);
        let answer = self
            .admin
            .get(&format!("persistent/{namespace}{kind}"))
            .await?;
        if !answer.is(200) {
            return Err(self
                .admin
                .refusal(&format!("list the topics of {namespace}"), &answer));
        }
        let start = format!("persistent://{namespace}/");
        let urls: Vec<String> = serde_json::from_slice(&answer.body).unwrap_or_default();
        let local = |url: String| url.strip_prefix(&start).map(str::to_owned);
        Ok(urls.into_iter().filter_map(local).collect())
    }

    /// The largest message that the broker takes, if it tells us.
    pub(super) async fn max_message_bytes(&self) -> Option<usize> {
        let answer = self.admin.get("brokers/configuration/runtime").await.ok()?;
        let text = answer.json().get("maxMessageSize")?.as_str()?.to_owned();
        text.parse().ok()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        self.sure.lock().expect("no holder of this lock panics")
    }
}
