//! User values on their way: JSON text, encoded once and carried as bytes.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// A user's value as JSON text. Cheap to clone; never parsed by the engine.
///
/// ```
/// use infinitic_core::Payload;
/// assert_eq!(Payload::from_json(br#"{"a":1}"#.to_vec()).as_str(), r#"{"a":1}"#);
/// assert_eq!(Payload::null().as_str(), "null");
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Payload(Bytes);

impl Payload {
    /// Takes JSON text. The caller vouches for it: whoever decodes it meets the error.
    #[must_use]
    pub fn from_json(json: impl Into<Bytes>) -> Self {
        Self(json.into())
    }

    /// The JSON value `null`.
    #[must_use]
    pub fn null() -> Self {
        Self(Bytes::from_static(b"null"))
    }

    /// The bytes of the JSON text.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The JSON text, or a replacement text where the bytes are not UTF-8.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("<not UTF-8>")
    }

    /// Size in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no text at all (which is no JSON).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.as_str();
        match text.char_indices().nth(200) {
            None => f.write_str(text),
            Some((cut, _)) => write!(f, "{}… ({} bytes)", &text[..cut], self.0.len()),
        }
    }
}
