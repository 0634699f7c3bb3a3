//! What workflow code may ask: stubs, recorded values, and facts about its instance.

use infinitic_core::names::WorkflowName;
use infinitic_core::{InstanceId, Payload, RunNo, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::call::ServiceStub;
use super::recorder::Recorder;
use crate::contract::ServiceContract;

/// A generated stub of a service: how workflow code calls its tasks.
pub trait ServiceProxy: Sized {
    /// Names the contract in types; see `Worker::service_for`.
    #[doc(hidden)]
    type Marker;
    /// The contract's names.
    #[doc(hidden)]
    const CONTRACT: &'static ServiceContract;
    #[doc(hidden)]
    fn __new(stub: ServiceStub) -> Self;
    #[doc(hidden)]
    fn __stub(&mut self) -> &mut ServiceStub;

    /// Labels the calls made through this stub.
    #[must_use]
    fn with_tag(mut self, tag: impl Into<String>) -> Self {
        self.__stub().options().tags.push(tag.into());
        self
    }

    /// Gives the calls made through this stub a key and value.
    #[must_use]
    fn with_meta(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.__stub().options().meta.push((key.into(), value.into()));
        self
    }

    /// Limits the calls made through this stub: queueing, every attempt and transport included.
    #[must_use]
    fn with_timeout(mut self, limit: std::time::Duration) -> Self {
        let limit = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        self.__stub().options().timeout_ms = Some(limit);
        self
    }
}

/// A stub of a service, to call its tasks.
///
/// # Panics
/// Outside workflow code.
///
/// ```ignore
/// let payments = new_service::<PaymentsStub>();
/// let receipt = payments.charge(card, total).await?;
/// ```
#[must_use]
#[track_caller]
pub fn new_service<S: ServiceProxy>() -> S {
    S::__new(ServiceStub::new(S::CONTRACT.name))
}

/// Computes a value in the turn itself and records it: on replay the recorded value is taken, and the
/// closure is not called. For what is quick and cannot fail: reading a clock, printing a line.
///
/// # Panics
/// Outside workflow code; when the value does not encode or decode as JSON; when the closure calls
/// tasks or timers.
///
/// ```ignore
/// inline(|| println!("delivered by {}", delivery.courier));
/// ```
#[track_caller]
pub fn inline<T: Serialize + DeserializeOwned>(compute: impl FnOnce() -> T) -> T {
    let recorder = Recorder::current("inline");
    let value = recorder.inline(|| {
        let value = compute();
        let json = serde_json::to_vec(&value)
            .unwrap_or_else(|error| panic!("an inline value does not encode as JSON: {error}"));
        Payload::from_json(json)
    });
    serde_json::from_slice(value.as_bytes()).unwrap_or_else(|error| {
        panic!(
            "the recorded inline value `{value:?}` is no `{}`: {error}",
            std::any::type_name::<T>()
        )
    })
}

/// The time of this turn: the same on every replay.
///
/// # Panics
/// Outside workflow code.
#[must_use]
#[track_caller]
pub fn now() -> Timestamp {
    Recorder::current("now").now()
}

/// Sixty-four bits that look random: the same on every replay, not for secrets.
///
/// # Panics
/// Outside workflow code.
#[must_use]
#[track_caller]
pub fn random() -> u64 {
    Recorder::current("random").draw()
}

/// An id that looks random (UUID version 4 in text): the same on every replay, not for secrets.
///
/// # Panics
/// Outside workflow code.
#[must_use]
#[track_caller]
pub fn uuid() -> String {
    let recorder = Recorder::current("uuid");
    let (high, low) = (recorder.draw(), recorder.draw());
    let high = (high & !0xf000) | 0x4000;
    let low = (low & !(0xc0 << 56)) | (0x80 << 56);
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff
    )
}

/// Facts about the instance whose code is running. All panic outside workflow code.
pub mod workflow {
    use super::{InstanceId, Recorder, RunNo, WorkflowName};

    /// Id of the instance.
    #[must_use]
    #[track_caller]
    pub fn id() -> InstanceId {
        Recorder::current("workflow::id").info.instance
    }

    /// Name of the workflow.
    #[must_use]
    #[track_caller]
    pub fn name() -> WorkflowName {
        Recorder::current("workflow::name").info.workflow.clone()
    }

    /// Version of the code that the instance runs.
    #[must_use]
    #[track_caller]
    pub fn version() -> u32 {
        Recorder::current("workflow::version").info.version
    }

    /// Labels given at the start.
    #[must_use]
    #[track_caller]
    pub fn tags() -> Vec<String> {
        Recorder::current("workflow::tags").info.tags.clone()
    }

    /// Keys and values given at the start.
    #[must_use]
    #[track_caller]
    pub fn meta() -> Vec<(String, String)> {
        Recorder::current("workflow::meta").info.meta.clone()
    }

    /// Number of this method run in its instance; 0 is the one that started it.
    #[must_use]
    #[track_caller]
    pub fn method_id() -> RunNo {
        Recorder::current("workflow::method_id").info.run
    }
}
