//! A bound on values that hold values of their own kind: causes of failures, compensations.
//!
//! Decoding recurses once for each level, so that a few thousand damaged or hostile bytes would
//! overflow the stack and take the process down, where every other damage is an error.

use std::cell::Cell;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Levels that are written and read. A failure that went through this many instances is explained
/// by the nearest of them; every thread's stack has room for it.
const LEVELS_MAX: u32 = 32;

thread_local! {
    static LEVEL: Cell<u32> = const { Cell::new(0) };
}

/// One level further in, until it is dropped.
struct Level(u32);

impl Level {
    fn enter() -> Self {
        let level = LEVEL.get() + 1;
        LEVEL.set(level);
        Self(level)
    }
}

impl Drop for Level {
    fn drop(&mut self) {
        LEVEL.set(self.0 - 1);
    }
}

/// Writes a value inside one of its own kind, or nothing where that would not be read again.
pub(crate) fn serialize_cut<T: Serialize, S: Serializer>(
    value: &Option<Box<T>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let level = Level::enter();
    let kept = value.as_ref().filter(|_| level.0 <= LEVELS_MAX);
    kept.serialize(serializer)
}

/// Reads a value inside one of its own kind.
pub(crate) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    let level = Level::enter();
    // One more than is written: the place of what was cut is read too.
    if level.0 > LEVELS_MAX + 1 {
        let message = format!("values stand inside each other more than {LEVELS_MAX} deep");
        return Err(de::Error::custom(message));
    }
    T::deserialize(deserializer)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use crate::codec::{DecodeError, decode_row, decode_value, encode_value};
    use crate::failure::{FailureKind, FailureRecord};

    fn chain(causes: usize) -> FailureRecord {
        let mut failure = FailureRecord::new(FailureKind::Failed, "0");
        for number in 1..=causes {
            let mut outer = FailureRecord::new(FailureKind::Failed, number.to_string());
            outer.cause = Some(Box::new(failure));
            failure = outer;
        }
        failure
    }

    fn causes(failure: &FailureRecord) -> usize {
        failure.cause.as_ref().map_or(0, |cause| 1 + causes(cause))
    }

    #[test]
    fn long_chains_of_causes_are_cut_and_read_again() {
        for (written, read) in [(0, 0), (31, 31), (32, 32), (33, 32), (200, 32)] {
            let bytes = encode_value(&chain(written));
            let failure: FailureRecord = decode_value(&bytes).unwrap();
            assert_eq!(causes(&failure), read);
            assert_eq!(failure.message, written.to_string());
        }
    }

    #[test]
    fn bytes_that_nest_without_end_are_damaged() {
        let (command, register_compensation) = (2, 10);
        let mut bytes = vec![1, 0, 0, command, 0];
        bytes.resize(100_000, register_compensation);
        let error = decode_row(&bytes).unwrap_err();
        assert!(matches!(&error, DecodeError::Damaged { .. }), "{error:?}");
        assert!(error.to_string().contains("more than 32 deep"), "{error}");
        // The level is given back: what follows decodes.
        let failure: FailureRecord = decode_value(&encode_value(&chain(3))).unwrap();
        assert_eq!(causes(&failure), 3);
    }
}
