//! Testkit of infinitic.
