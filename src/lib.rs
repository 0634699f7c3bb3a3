//! Workflow-as-code: durable business processes as ordinary `async` Rust.
