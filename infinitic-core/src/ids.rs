//! Identifiers: of instances, method runs, commands and attempts.
//!
//! Ids of commands are derived, never drawn: the same turn run twice names the same task. Instance
//! ids are drawn by clients (this crate has no clock and no randomness, so it takes both as input).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// Id of a workflow instance: a UUIDv7 (RFC 9562) whose low 16 bits route it to a partition.
///
/// Its first 48 bits are the client's clock at the start, so ids sort by age.
///
/// ```
/// use infinitic_core::{InstanceId, Timestamp};
/// let id = InstanceId::new(Timestamp::from_millis(1_700_000_000_000), 42, 7);
/// assert_eq!(id.to_string().parse::<InstanceId>().unwrap(), id);
/// assert_eq!(id.routing(), 7);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct InstanceId([u8; 16]);

impl InstanceId {
    /// Builds an id from a time, random bits (58 of them are used) and routing bits.
    #[must_use]
    pub fn new(at: Timestamp, random: u64, routing: u16) -> Self {
        let mut bytes = [0; 16];
        bytes[..6].copy_from_slice(&at.as_millis().to_be_bytes()[2..]);
        bytes[6..14].copy_from_slice(&random.to_be_bytes());
        bytes[6] = 0x70 | (bytes[6] & 0x0f);
        bytes[8] = 0x80 | (bytes[8] & 0x3f);
        bytes[14..].copy_from_slice(&routing.to_be_bytes());
        Self(bytes)
    }

    /// An id that sorts before every id drawn at `at` or later, and after every earlier one.
    #[must_use]
    pub fn lowest_at(at: Timestamp) -> Self {
        let mut bytes = [0; 16];
        bytes[..6].copy_from_slice(&at.as_millis().to_be_bytes()[2..]);
        Self(bytes)
    }

    /// Takes the sixteen bytes of an id, as they stand in a table key.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The sixteen bytes; they sort as the ids do.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The bits that choose a partition.
    #[must_use]
    pub fn routing(&self) -> u16 {
        u16::from_be_bytes([self.0[14], self.0[15]])
    }

    /// When the id was drawn, by the clock of the client that drew it.
    #[must_use]
    pub fn drawn_at(&self) -> Timestamp {
        let mut bytes = [0; 8];
        bytes[2..].copy_from_slice(&self.0[..6]);
        Timestamp::from_millis(u64::from_be_bytes(bytes))
    }

    /// A number that depends on every bit of the id and on `salt`: the seed of what workflow code
    /// draws. The mixing function is the finalizer of SplitMix64 (Steele, Lea, Flood, 2014).
    #[must_use]
    pub fn mixed(&self, salt: u64) -> u64 {
        let high = u64::from_be_bytes(self.0[..8].try_into().expect("eight bytes"));
        let low = u64::from_be_bytes(self.0[8..].try_into().expect("eight bytes"));
        split_mix(split_mix(split_mix(salt).wrapping_add(high)).wrapping_add(low))
    }
}

fn split_mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, byte) in self.0.iter().enumerate() {
            if matches!(i, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a text is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {expected}")]
pub struct InvalidId {
    /// The text as given, cut after some characters.
    pub text: String,
    /// What an id of this kind looks like.
    pub expected: &'static str,
}

impl FromStr for InstanceId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let invalid = || InvalidId {
            text: text.chars().take(80).collect(),
            expected: "an instance id; write 32 hexadecimal digits in groups of 8-4-4-4-12",
        };
        let digits: Vec<u8> = text.bytes().filter(|b| *b != b'-').collect();
        let dashes_right = text.len() == 32
            || (text.len() == 36 && [8, 13, 18, 23].iter().all(|i| text.as_bytes()[*i] == b'-'));
        if digits.len() != 32 || !dashes_right {
            return Err(invalid());
        }
        let mut bytes = [0; 16];
        for (i, pair) in digits.chunks(2).enumerate() {
            let pair = std::str::from_utf8(pair).map_err(|_| invalid())?;
            bytes[i] = u8::from_str_radix(pair, 16).map_err(|_| invalid())?;
        }
        Ok(Self(bytes))
    }
}

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[derive(Serialize, Deserialize)]
        pub struct $name(pub u32);

        impl $name {
            /// The one after this.
            #[must_use]
            pub fn next(self) -> Self {
                Self(self.0 + 1)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

number!(
    /// Number of a method run in its instance; 0 is the run that started it.
    RunNo
);
number!(
    /// Place of a command among all that its run has asked.
    Position
);
number!(
    /// How often a run had been reopened when a command was asked: a voided command must never get
    /// the outcome of the one that took its place.
    Reopening
);
number!(
    /// How often a task has been started anew by hand.
    Sequence
);
number!(
    /// Number of an automatic attempt of a task, from 0, within its sequence.
    Attempt
);

/// Id of a command, and of the task, step or timer that it asks for. It is an address as well: it
/// says where the outcome goes. The same over all attempts, so it serves as an idempotency key.
///
/// ```
/// use infinitic_core::CommandId;
/// let text = "018bcfe5-6800-7000-8000-00000000002a.0.1.3";
/// let id: CommandId = text.parse().unwrap();
/// assert_eq!((id.run.0, id.reopening.0, id.position.0), (0, 1, 3));
/// assert_eq!(id.to_string(), text);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CommandId {
    /// The instance that asked.
    pub instance: InstanceId,
    /// The run that asked.
    pub run: RunNo,
    /// How often that run had been reopened.
    pub reopening: Reopening,
    /// The command's place in its run.
    pub position: Position,
}

/// A task's id is the id of the command that called it.
pub type TaskId = CommandId;

impl fmt::Display for CommandId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}.{}.{}.{}",
            self.instance, self.run, self.reopening, self.position
        )
    }
}

impl fmt::Debug for CommandId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for CommandId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let invalid = || InvalidId {
            text: text.chars().take(80).collect(),
            expected: "a task id; write an instance id and three numbers, separated by dots",
        };
        let mut parts = text.split('.');
        let mut part = || parts.next().ok_or_else(invalid);
        let instance = part()?.parse().map_err(|_| invalid())?;
        let run = RunNo(part()?.parse().map_err(|_| invalid())?);
        let reopening = Reopening(part()?.parse().map_err(|_| invalid())?);
        let position = Position(part()?.parse().map_err(|_| invalid())?);
        match parts.next() {
            None => Ok(Self {
                instance,
                run,
                reopening,
                position,
            }),
            Some(_) => Err(invalid()),
        }
    }
}

/// A client's wait for an answer: which client, and which of its requests. Lives in memory only;
/// clients repeat what is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RequestId(pub u64);

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_age_and_keep_their_parts() {
        let old = InstanceId::new(Timestamp::from_millis(1000), u64::MAX, 3);
        let new = InstanceId::new(Timestamp::from_millis(1001), 0, 2);
        assert!(old < new);
        assert_eq!(old.drawn_at(), Timestamp::from_millis(1000));
        assert_eq!(old.routing(), 3);
    }

    #[test]
    fn what_is_no_id_says_what_one_looks_like() {
        for text in [
            "",
            "zz",
            "018bcfe5-6800-7000-8000-0000000000",
            "018bcfe568007000-8000-8000-1",
        ] {
            let error = text.parse::<InstanceId>().unwrap_err().to_string();
            assert!(error.contains("8-4-4-4-12"), "{error}");
        }
        assert!(
            "018bcfe5-6800-7000-8000-00000000002a.0.1"
                .parse::<CommandId>()
                .is_err()
        );
        assert!(
            "018bcfe5-6800-7000-8000-00000000002a.0.1.2.3"
                .parse::<CommandId>()
                .is_err()
        );
    }

    #[test]
    fn mixed_depends_on_salt_and_id() {
        let a = InstanceId::new(Timestamp::from_millis(1000), 1, 3);
        let b = InstanceId::new(Timestamp::from_millis(1000), 2, 3);
        assert_ne!(a.mixed(0), b.mixed(0));
        assert_ne!(a.mixed(0), a.mixed(1));
        assert_eq!(a.mixed(5), a.mixed(5));
    }
}
