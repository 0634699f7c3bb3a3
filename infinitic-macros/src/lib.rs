//! Attribute macros of infinitic.
