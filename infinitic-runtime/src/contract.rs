//! What the macros write down of a contract, and how arguments and results cross it.
//!
//! Contracts are static data: names and argument names, nothing that runs. Values are JSON: the
//! arguments of a call an array, its result any value.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use infinitic_core::{FailureKind, FailureRecord, Payload};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::failure::{ErrorCodec, RetryHint, short_type_name};

/// Largest size in bytes of the arguments of a call, and of a result: 64 MiB. Values live in memory
/// several times over and are written into one commit with many others; what is larger belongs into
/// a store of its own, with its address as the value.
pub const PAYLOAD_BYTES_MAX: usize = 64 << 20;

/// How much of a text that does not decode is shown in the error, in characters.
const SHOWN_CHARS_MAX: usize = 160;

/// A service: what it is called and what its tasks are.
#[derive(Debug, PartialEq, Eq)]
pub struct ServiceContract {
    /// Its name on the wire.
    pub name: &'static str,
    /// Its tasks.
    pub tasks: &'static [TaskContract],
}

/// A task of a service.
#[derive(Debug, PartialEq, Eq)]
pub struct TaskContract {
    /// The method's name in Rust.
    pub method: &'static str,
    /// Its name on the wire.
    pub name: &'static str,
    /// The names of its arguments.
    pub arguments: &'static [&'static str],
    /// The caller's limit over everything, in milliseconds.
    pub timeout_ms: Option<u64>,
}

/// A workflow: what it is called and what its methods are.
#[derive(Debug, PartialEq, Eq)]
pub struct WorkflowContract {
    /// Its name on the wire.
    pub name: &'static str,
    /// Its methods.
    pub methods: &'static [MethodContract],
}

/// A method of a workflow.
#[derive(Debug, PartialEq, Eq)]
pub struct MethodContract {
    /// The method's name in Rust.
    pub method: &'static str,
    /// Its name on the wire.
    pub name: &'static str,
    /// The names of its arguments.
    pub arguments: &'static [&'static str],
    /// The caller's limit over everything, in milliseconds.
    pub timeout_ms: Option<u64>,
}

/// The task of a service by its name in Rust.
///
/// # Panics
/// When there is none: names are written by the macro that wrote the contract.
#[must_use]
pub fn task_contract(service: &'static ServiceContract, method: &str) -> &'static TaskContract {
    let found = service.tasks.iter().find(|task| task.method == method);
    found.expect("the macro that names a task has written it into the contract")
}

/// The method of a workflow by its name in Rust.
///
/// # Panics
/// When there is none: names are written by the macro that wrote the contract.
#[must_use]
pub fn method_contract(flow: &'static WorkflowContract, method: &str) -> &'static MethodContract {
    let found = flow.methods.iter().find(|known| known.method == method);
    found.expect("the macro that names a method has written it into the contract")
}

/// One character of a contract's identifier. An `impl Payments for X` may not see `PaymentsStub`,
/// so both name the same marker type by spelling the trait's name: `(C<'P'>, (C<'a'>, (… , ())))`.
#[derive(Debug)]
pub struct C<const CH: char>;

/// The marker of what is hosted as a function.
#[derive(Debug)]
pub struct FunctionMarker<F>(PhantomData<fn() -> F>);

/// What a task or workflow method gives, encoded.
pub type TaskResult = Result<Payload, Failed>;

/// User code at work: a task, a step or a workflow method with its arguments.
pub type TaskFuture = Pin<Box<dyn Future<Output = TaskResult> + Send>>;

/// How user code failed, and what its error asks of the retry policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// The failure, without where it happened.
    pub record: Box<FailureRecord>,
    /// What the error asks.
    pub hint: RetryHint,
}

impl From<Undecodable> for Failed {
    fn from(error: Undecodable) -> Self {
        Self {
            record: Box::new(error.into()),
            hint: RetryHint::Never,
        }
    }
}

/// A value could not be encoded or decoded, in words. Trying again does not help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Undecodable {
    message: String,
}

impl Undecodable {
    /// With the words.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
        }
    }
}

impl From<Undecodable> for FailureRecord {
    fn from(error: Undecodable) -> Self {
        Self::new(FailureKind::Undecodable, error.message)
    }
}

/// Encodes arguments, given as a tuple of references, as a JSON array.
///
/// # Errors
/// When one of them is no JSON (a map whose keys are no strings), or they are larger than
/// [`PAYLOAD_BYTES_MAX`] together.
pub fn encode_args(args: &impl Serialize) -> Result<Payload, Undecodable> {
    let json = encode(args, || "the arguments".to_owned())?;
    // The empty tuple is `null` in JSON; arguments are an array, however few.
    if json == b"null" {
        return Ok(Payload::from_json(&b"[]"[..]));
    }
    Ok(Payload::from_json(json))
}

/// Encodes one value, as JSON.
///
/// # Errors
/// As [`encode_args`].
pub fn encode_value<T: Serialize>(value: &T) -> Result<Payload, Undecodable> {
    let what = || format!("the value of type `{}`", short_type_name::<T>());
    encode(value, what).map(Payload::from_json)
}

fn encode(value: &impl Serialize, what: impl Fn() -> String) -> Result<Vec<u8>, Undecodable> {
    let json = serde_json::to_vec(value).map_err(|error| {
        Undecodable::new(format!("{} cannot be encoded as JSON: {error}", what()))
    })?;
    if json.len() > PAYLOAD_BYTES_MAX {
        return Err(Undecodable::new(format!(
            "{} would be {} bytes of JSON, more than the limit of {PAYLOAD_BYTES_MAX}: keep large \
             data in a store of its own, and send its address",
            what(),
            json.len(),
        )));
    }
    Ok(json)
}

/// Decodes one value.
///
/// # Errors
/// When the JSON is none, or not that of a `T`: with the type, the path to the fault and the text.
pub fn decode_value<T: DeserializeOwned>(payload: &Payload) -> Result<T, Undecodable> {
    let what = || format!("the value of type `{}`", short_type_name::<T>());
    decode(payload.as_bytes(), what)
}

/// Decodes fast, and only when that fails again with the path to what is wrong.
fn decode<T: DeserializeOwned>(json: &[u8], what: impl Fn() -> String) -> Result<T, Undecodable> {
    serde_json::from_slice(json).map_err(|plain| {
        let mut deserializer = serde_json::Deserializer::from_slice(json);
        let place = match serde_path_to_error::deserialize::<_, T>(&mut deserializer) {
            Err(error) if error.path().iter().next().is_some() => format!(" at `{}`", error.path()),
            Err(_) | Ok(_) => String::new(),
        };
        // The words of serde may hold the text as well.
        let (what, why) = (what(), shown(plain.to_string().as_bytes()));
        let text = shown(json);
        Undecodable::new(format!(
            "{what} cannot be decoded{place}: {why}; its text is `{text}`"
        ))
    })
}

/// A text, cut where it is long.
fn shown(text: &[u8]) -> String {
    let head = String::from_utf8_lossy(&text[..text.len().min(4 * SHOWN_CHARS_MAX)]);
    match head.char_indices().nth(SHOWN_CHARS_MAX) {
        None => head.into_owned(),
        Some((end, _)) => format!("{}… ({} bytes)", &head[..end], text.len()),
    }
}

/// Takes typed arguments out of a JSON array, one after the other.
#[derive(Debug)]
pub struct ArgReader<'a> {
    values: std::vec::IntoIter<&'a RawValue>,
}

impl<'a> ArgReader<'a> {
    /// Splits the arguments of a method that has `_count` of them.
    ///
    /// Surplus ones are ignored, so that a caller may be newer than its worker; whether a missing
    /// one matters, its type says.
    ///
    /// # Errors
    /// When the text is no JSON array.
    pub fn new(args: &'a Payload, _count: usize) -> Result<Self, Undecodable> {
        let json = args.as_bytes();
        if json == b"[]" {
            return Ok(Self {
                values: Vec::new().into_iter(),
            });
        }
        let values: Vec<&'a RawValue> = serde_json::from_slice(json).map_err(|error| {
            let text = shown(json);
            Undecodable::new(format!(
                "the arguments are no JSON array: {error}; the text is `{text}`"
            ))
        })?;
        Ok(Self {
            values: values.into_iter(),
        })
    }

    /// The next argument. A missing one is read as `null`, which an `Option` accepts.
    ///
    /// # Errors
    /// When the argument is missing or does not decode: with its name, type, path and text.
    pub fn next<T: DeserializeOwned>(&mut self, name: &str) -> Result<T, Undecodable> {
        let what = || format!("argument `{name}` of type `{}`", short_type_name::<T>());
        match self.values.next() {
            Some(value) => decode(value.get().as_bytes(), what),
            None => serde_json::from_str("null").map_err(|_| {
                let what = what();
                Undecodable::new(format!(
                    "{what} is missing: the caller sent fewer arguments; an `Option` may be left \
                     out"
                ))
            }),
        }
    }
}

/// Encodes what a method gave that returns a `Result`.
///
/// # Errors
/// The method's own, encoded; or that its value cannot be encoded.
pub fn finish_result<T: Serialize, E>(result: Result<T, E>, codec: ErrorCodec<E>) -> TaskResult {
    match result {
        Ok(value) => finish_value(value),
        Err(error) => {
            let (record, hint) = (codec.encode)(&error);
            let bytes = record.error.as_ref().map_or(0, Payload::len);
            if bytes > PAYLOAD_BYTES_MAX {
                return Err(Undecodable::new(format!(
                    "the error `{}` takes {bytes} bytes as JSON, more than the limit of \
                     {PAYLOAD_BYTES_MAX}",
                    record.name,
                ))
                .into());
            }
            Err(Failed {
                record: Box::new(record),
                hint,
            })
        }
    }
}

/// Encodes what a method gave that returns a plain value.
///
/// # Errors
/// When the value cannot be encoded, or is too large.
#[allow(clippy::needless_pass_by_value)] // The macros end a method with it: the value is done with.
pub fn finish_value<T: Serialize>(value: T) -> TaskResult {
    Ok(encode_value(&value)?)
}

/// The future of a service or workflow in function form: it carries the contract `F` in its type,
/// so that the function itself can be hosted.
pub struct Tagged<F, Fut> {
    // Boxed, because a field cannot be pinned in place without unsafe code.
    future: Pin<Box<Fut>>,
    contract: PhantomData<fn() -> F>,
}

impl<F, Fut> Tagged<F, Fut> {
    /// Wraps the future of the function's body.
    #[must_use]
    pub fn new(future: Fut) -> Self {
        Self {
            future: Box::pin(future),
            contract: PhantomData,
        }
    }
}

impl<F, Fut: Future> Future for Tagged<F, Fut> {
    type Output = Fut::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Fut::Output> {
        self.future.as_mut().poll(context)
    }
}

impl<F, Fut> fmt::Debug for Tagged<F, Fut> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tagged<{}>", short_type_name::<F>())
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Serialize, Deserialize, PartialEq)]
    struct Line {
        price: u64,
    }

    #[derive(Debug, Serialize, Deserialize, PartialEq)]
    struct Order {
        lines: Vec<Line>,
    }

    #[test]
    fn arguments_go_there_and_back() {
        let order = Order {
            lines: vec![Line { price: 7 }],
        };
        let args = encode_args(&(&order, &"a")).unwrap();
        assert_eq!(args.as_str(), r#"[{"lines":[{"price":7}]},"a"]"#);
        let mut reader = ArgReader::new(&args, 2).unwrap();
        assert_eq!(reader.next::<Order>("order").unwrap(), order);
        assert_eq!(reader.next::<String>("text").unwrap(), "a");
        assert_eq!(encode_args(&()).unwrap().as_str(), "[]");
        assert_eq!(encode_args(&(&1,)).unwrap().as_str(), "[1]");
    }

    #[test]
    fn what_does_not_decode_is_named_with_type_path_and_text() {
        let args = Payload::from_json(r#"[{"lines":[{"price":1},{"price":"x"}]}]"#);
        let error = ArgReader::new(&args, 1)
            .unwrap()
            .next::<Order>("order")
            .unwrap_err();
        let text = error.to_string();
        for part in [
            "argument `order` of type `Order`",
            "at `lines[1].price`",
            "expected u64",
            r#"`{"lines":[{"price":1},{"price":"x"}]}`"#,
        ] {
            assert!(text.contains(part), "{part} is not in: {text}");
        }
        let error = ArgReader::new(&Payload::from_json("{}"), 1)
            .unwrap_err()
            .to_string();
        assert!(error.contains("no JSON array"), "{error}");
    }

    #[test]
    fn long_texts_are_cut_at_a_character() {
        let long = format!("[\"{}\"]", "ä".repeat(10_000));
        let error = decode_value::<Vec<u8>>(&Payload::from_json(long))
            .unwrap_err()
            .to_string();
        assert!(error.chars().count() < 600, "{error}");
        assert!(error.contains("20004 bytes"), "{error}");
    }

    #[test]
    fn missing_arguments_are_null_and_surplus_ones_ignored() {
        let args = Payload::from_json("[1,2,3]");
        let mut reader = ArgReader::new(&args, 1).unwrap();
        assert_eq!(reader.next::<u8>("a").unwrap(), 1);
        let args = Payload::from_json("[]");
        let mut reader = ArgReader::new(&args, 2).unwrap();
        assert_eq!(reader.next::<Option<u8>>("a").unwrap(), None);
        let error = reader.next::<u8>("b").unwrap_err().to_string();
        assert!(
            error.contains("argument `b` of type `u8` is missing"),
            "{error}"
        );
    }

    #[test]
    fn ten_megabytes_pass_and_too_much_is_told() {
        let ten = "x".repeat(10 << 20);
        let args = encode_args(&(&ten,)).unwrap();
        assert_eq!(
            ArgReader::new(&args, 1)
                .unwrap()
                .next::<String>("text")
                .unwrap(),
            ten
        );
        let failed = finish_value("x".repeat(PAYLOAD_BYTES_MAX)).unwrap_err();
        assert_eq!(failed.record.kind, FailureKind::Undecodable);
        assert!(
            failed.record.message.contains("limit of 67108864"),
            "{}",
            failed.record.message
        );
        assert_eq!(failed.hint, RetryHint::Never);
    }
}
