//! Names of topics in the broker.
//!
//! `<prefix>:<name>`, where the prefix says what the topic is for. Letters of any script stay;
//! whatever else Pulsar, its REST interface or its tools give a meaning to is written as `=` and
//! two hexadecimal digits for each byte. Percent signs are not used for that: some parts of Pulsar
//! decode them, others do not.

use infinitic_core::names::{ServiceName, WorkflowName};

use super::settings::PulsarSettings;
use crate::cluster::store::{MemberId, Part};
use crate::cluster::transport::Topic;

const INBOX: &str = "workflow-engine";
const TURNS: &str = "workflow-task-executor";
const TASKS: &str = "task-executor";
const CONTROL: &str = "task-control";
const REPLIES: &str = "response";
const MEMBER: &str = "member";

/// How long a topic lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    /// For ever, with its backlog.
    Lasting,
    /// As long as somebody reads it.
    Transient,
}

/// Where topics are, and what they are called.
#[derive(Clone, Debug)]
pub(super) struct Names {
    tenant: String,
    namespace: String,
    transient: String,
    prefix: String,
}

/// The name of a topic in the broker.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Full {
    /// `tenant/namespace`.
    pub(super) namespace: String,
    /// Within its namespace; of an inbox, without its partition.
    pub(super) local: String,
    /// Of an inbox.
    pub(super) partition: Option<u16>,
}

impl Full {
    /// As producers and consumers name it.
    pub(super) fn url(&self) -> String {
        let Self {
            namespace, local, ..
        } = self;
        match self.partition {
            Some(number) => format!("persistent://{namespace}/{local}-partition-{number}"),
            None => format!("persistent://{namespace}/{local}"),
        }
    }
}

/// How long a topic lives.
pub(super) fn life(topic: &Topic) -> Life {
    match topic {
        Topic::Inbox(_) | Topic::Tasks(_) | Topic::Turns(..) => Life::Lasting,
        Topic::TaskControl(_) | Topic::Replies(_) | Topic::Member(_) => Life::Transient,
    }
}

impl Names {
    pub(super) fn new(settings: &PulsarSettings) -> Self {
        Self {
            tenant: settings.tenant.clone(),
            namespace: settings.namespace.clone(),
            transient: settings.transient_namespace(),
            prefix: match &settings.prefix {
                Some(prefix) => format!("{prefix}."),
                None => String::new(),
            },
        }
    }

    pub(super) fn tenant(&self) -> &str {
        &self.tenant
    }

    /// `tenant/namespace` for topics of a life.
    pub(super) fn namespace(&self, life: Life) -> String {
        match life {
            Life::Lasting => format!("{}/{}", self.tenant, self.namespace),
            Life::Transient => format!("{}/{}", self.tenant, self.transient),
        }
    }

    pub(super) fn topic(&self, topic: &Topic) -> Full {
        let partition = match topic {
            Topic::Inbox(part) => Some(part.number),
            _ => None,
        };
        Full {
            namespace: self.namespace(life(topic)),
            local: match topic {
                Topic::Inbox(part) => self.inboxes(&part.workflow),
                _ => format!("{}{}", self.prefix, plain(topic)),
            },
            partition,
        }
    }

    /// The partitioned topic of a workflow's inboxes, within its namespace.
    pub(super) fn inboxes(&self, workflow: &WorkflowName) -> String {
        format!("{}{INBOX}:{}", self.prefix, escape(workflow.as_str()))
    }

    /// The workflow whose inboxes a partitioned topic holds.
    pub(super) fn workflow(&self, local: &str) -> Option<WorkflowName> {
        let rest = local.strip_prefix(&self.prefix)?;
        let name = rest.strip_prefix(INBOX)?.strip_prefix(':')?;
        WorkflowName::parse(&unescape(name)?).ok()
    }

    /// Where messages of a topic are set aside. Clients and members, of which there are many,
    /// share one each.
    pub(super) fn dead(&self, topic: &Topic) -> Full {
        let local = match topic {
            Topic::Inbox(part) => format!("{INBOX}-dlq:{}", escape(part.workflow.as_str())),
            Topic::Replies(_) => format!("{REPLIES}-dlq:all"),
            Topic::Member(_) => format!("{MEMBER}-dlq:all"),
            Topic::Tasks(_) | Topic::TaskControl(_) | Topic::Turns(..) => {
                plain(topic).replacen(':', "-dlq:", 1)
            }
        };
        Full {
            namespace: self.namespace(Life::Lasting),
            local: format!("{}{local}", self.prefix),
            partition: None,
        }
    }

    /// Whether a topic of the lasting namespace is one where messages are set aside.
    pub(super) fn is_dead(&self, local: &str) -> bool {
        let kind = local
            .strip_prefix(&self.prefix)
            .and_then(|rest| rest.split_once(':'));
        let kind = kind.and_then(|(kind, _)| kind.strip_suffix("-dlq"));
        kind.is_some_and(|kind| [INBOX, TURNS, TASKS, CONTROL, REPLIES, MEMBER].contains(&kind))
    }
}

/// A topic as text that [`parse`] reads: its name, without prefix and namespace.
pub(super) fn plain(topic: &Topic) -> String {
    match topic {
        Topic::Inbox(Part { workflow, number }) => {
            format!("{INBOX}:{}:{number}", escape(workflow.as_str()))
        }
        Topic::Tasks(service) => format!("{TASKS}:{}", escape(service.as_str())),
        Topic::TaskControl(service) => format!("{CONTROL}:{}", escape(service.as_str())),
        Topic::Turns(workflow, version) => {
            format!("{TURNS}:{}:v{version}", escape(workflow.as_str()))
        }
        Topic::Replies(name) => format!("{REPLIES}:{}", escape(name)),
        Topic::Member(member) => format!("{MEMBER}:{}", escape(&member.0)),
    }
}

/// The topic of a text that [`plain`] wrote.
pub(super) fn parse(text: &str) -> Option<Topic> {
    let mut parts = text.split(':');
    let (kind, name) = (parts.next()?, unescape(parts.next()?)?);
    let rest = parts.next();
    if parts.next().is_some() {
        return None;
    }
    let workflow = || WorkflowName::parse(&name).ok();
    let service = || ServiceName::parse(&name).ok();
    Some(match (kind, rest) {
        (INBOX, Some(number)) => Topic::Inbox(Part {
            workflow: workflow()?,
            number: number.parse().ok()?,
        }),
        (TURNS, Some(version)) => {
            Topic::Turns(workflow()?, version.strip_prefix('v')?.parse().ok()?)
        }
        (TASKS, None) => Topic::Tasks(service()?),
        (CONTROL, None) => Topic::TaskControl(service()?),
        (REPLIES, None) => Topic::Replies(name),
        (MEMBER, None) => Topic::Member(MemberId(name)),
        _ => return None,
    })
}

/// Pulsar takes a topic whose name ends so for a partition of another.
const PARTITION: &str = "-partition-";

fn escape(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for (at, c) in name.char_indices() {
        let partition = c == '-' && name[at..].starts_with(PARTITION);
        if !partition && (c.is_alphanumeric() || matches!(c, '-' | '_' | '.')) {
            text.push(c);
            continue;
        }
        for byte in c.encode_utf8(&mut [0; 4]).bytes() {
            text.push_str(&format!("={byte:02X}"));
        }
    }
    text
}

fn unescape(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'=' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        let value = digit()? * 16 + digit()?;
        bytes.push(u8::try_from(value).ok()?);
    }
    String::from_utf8(bytes).ok()
}

/// As part of a path of the REST interface.
pub(super) fn percent(text: &str) -> String {
    let mut path = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                path.push(char::from(byte));
            }
            _ => path.push_str(&format!("%{byte:02X}")),
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(prefix: Option<&str>) -> Names {
        let mut settings = PulsarSettings::new("pulsar://h", "http://h");
        settings.prefix = prefix.map(str::to_owned);
        Names::new(&settings)
    }

    fn all(name: &str) -> [Topic; 6] {
        let (workflow, service) = (WorkflowName::known(name), ServiceName::known(name));
        [
            Topic::Inbox(Part {
                workflow: workflow.clone(),
                number: 7,
            }),
            Topic::Tasks(service.clone()),
            Topic::TaskControl(service),
            Topic::Turns(workflow, 3),
            Topic::Replies(name.to_owned()),
            Topic::Member(MemberId(name.to_owned())),
        ]
    }

    #[test]
    fn topics_are_called_as_they_are_read() {
        let urls = all("Order").map(|topic| names(None).topic(&topic).url());
        assert_eq!(
            urls,
            [
                "persistent://infinitic/default/workflow-engine:Order-partition-7",
                "persistent://infinitic/default/task-executor:Order",
                "persistent://infinitic/default-transient/task-control:Order",
                "persistent://infinitic/default/workflow-task-executor:Order:v3",
                "persistent://infinitic/default-transient/response:Order",
                "persistent://infinitic/default-transient/member:Order",
            ]
        );
        let dead = all("Order").map(|topic| names(Some("blue")).dead(&topic).local);
        assert_eq!(
            dead,
            [
                "blue.workflow-engine-dlq:Order",
                "blue.task-executor-dlq:Order",
                "blue.task-control-dlq:Order",
                "blue.workflow-task-executor-dlq:Order:v3",
                "blue.response-dlq:all",
                "blue.member-dlq:all",
            ]
        );
    }

    #[test]
    fn any_name_survives() {
        for name in [
            "Überweisung",
            "注文",
            "a b",
            "a%2Fb",
            "a:b=c?d#e",
            "🚚",
            "x-partition-3",
            "-partition--partition-",
            "=41",
        ] {
            let names = names(Some("p"));
            for topic in all(name) {
                assert_eq!(parse(&plain(&topic)).as_ref(), Some(&topic));
                assert!(!names.topic(&topic).local.contains(PARTITION));
                assert!(!names.is_dead(&names.topic(&topic).local));
                assert!(names.is_dead(&names.dead(&topic).local));
            }
            let workflow = WorkflowName::known(name);
            let local = names.inboxes(&workflow);
            assert_eq!(names.workflow(&local), Some(workflow));
        }
        assert_eq!(escape("注文 a"), "注文=20a");
        assert_eq!(percent("a:ß"), "a%3A%C3%9F");
    }

    #[test]
    fn what_is_no_topic_is_none() {
        for text in [
            "",
            "task-executor",
            "task-executor:a:b",
            "workflow-engine:a:x",
            "other:a",
            "response:=4",
            "response:=FF",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(names(Some("p")).workflow("workflow-engine:Order"), None);
    }
}
