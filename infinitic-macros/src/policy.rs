//! The grammars of `#[retry(…)]` and `#[timeout(…)]`.

use quote::ToTokens;
use syn::Attribute;

use crate::args::{Entry, attribute_entries, refuse_duplicates, unknown_key};
use crate::diagnostics::Faults;
use crate::model::{Exponential, Retry};

const RETRY_KEYS: [&str; 7] = [
    "max_attempts",
    "initial",
    "max",
    "jitter",
    "coefficient",
    "none",
    "with",
];
const RETRY_EXAMPLE: &str = "`#[retry(max_attempts = 5, initial = \"1s\")]`, `#[retry(none)]` or \
                             `#[retry(with = MyPolicy::new())]`";
const TIMEOUT_EXAMPLE: &str = "`#[timeout(\"30s\", grace = \"5s\")]`";

/// Reads `#[retry(…)]`.
pub(crate) fn retry(attribute: &Attribute, faults: &mut Faults) -> Retry {
    let before = faults.count();
    let entries = attribute_entries(attribute, RETRY_EXAMPLE, faults);
    if entries.is_empty() {
        if faults.count() == before {
            let what = "`#[retry]` says nothing about how to retry";
            faults.at(
                attribute.path(),
                what,
                crate::diagnostics::listed(&RETRY_KEYS),
                RETRY_EXAMPLE,
            );
        }
        return Retry::Unset;
    }
    refuse_duplicates(&entries, faults);
    let exclusive = entries
        .iter()
        .find(|entry| matches!(entry.name().as_str(), "none" | "with"));
    if let Some(entry) = exclusive {
        return exclusive_retry(entry, &entries, faults);
    }
    Retry::Exponential(Box::new(exponential(&entries, faults)))
}

/// Reads the two forms that stand alone: `none`, and `with = …`.
fn exclusive_retry(entry: &Entry, entries: &[Entry], faults: &mut Faults) -> Retry {
    for other in entries.iter().filter(|other| other.key != entry.key) {
        let what = format!(
            "`{}` and `{}` exclude each other",
            entry.name(),
            other.name()
        );
        faults.at(
            other,
            what,
            format!("`{}` alone", entry.name()),
            RETRY_EXAMPLE,
        );
    }
    match (entry.name().as_str(), &entry.value) {
        ("none", None) => Retry::Never,
        ("none", Some(value)) => {
            faults.at(
                value,
                "`none` takes no value",
                "`none` alone",
                "`#[retry(none)]`",
            );
            Retry::Never
        }
        (_, Some(policy)) => Retry::With(Box::new(policy.clone())),
        (_, None) => {
            let accepted = "an expression whose type implements `RetryPolicy`";
            faults.at(
                entry,
                "`with` wants a policy",
                accepted,
                "`#[retry(with = MyPolicy::new())]`",
            );
            Retry::Unset
        }
    }
}

/// Reads the figures of an exponential policy, each checked against its range.
fn exponential(entries: &[Entry], faults: &mut Faults) -> Exponential {
    let mut policy = Exponential::default();
    for entry in entries {
        match entry.name().as_str() {
            "max_attempts" => match entry.whole("`max_attempts = 5`", faults) {
                Some(0) => {
                    let what = "`max_attempts` is 0: the task would never run";
                    faults.at(
                        entry.wrong(),
                        what,
                        "1 or more",
                        "`max_attempts = 1` or `none`",
                    );
                }
                Some(number) => policy.max_attempts = number,
                None => {}
            },
            "initial" => {
                if let Some(ms) = entry.duration_ms("`initial = \"1s\"`", faults) {
                    policy.initial_ms = ms;
                }
            }
            "max" => policy.max_ms = entry.duration_ms("`max = \"1m\"`", faults),
            "jitter" => match entry.number("`jitter = 0.5`", faults) {
                Some(jitter) if (0.0..=1.0).contains(&jitter) => policy.jitter = jitter,
                Some(_) => {
                    let what = "`jitter` is a share of the delay";
                    faults.at(entry.wrong(), what, "0.0 to 1.0", "`jitter = 0.5`");
                }
                None => {}
            },
            "coefficient" => match entry.number("`coefficient = 2.0`", faults) {
                Some(number) if number >= 1.0 && number.is_finite() => policy.coefficient = number,
                Some(_) => {
                    let what = "with this `coefficient` the delays would shrink";
                    faults.at(entry.wrong(), what, "1.0 or more", "`coefficient = 2.0`");
                }
                None => {}
            },
            _ => unknown_key(entry, "retry", &RETRY_KEYS, RETRY_EXAMPLE, faults),
        }
    }
    refuse_small_max(entries, &policy, faults);
    policy
}

/// A cap below the first delay is a mistake in one of the two.
fn refuse_small_max(entries: &[Entry], policy: &Exponential, faults: &mut Faults) {
    let Some(max) = entries.iter().find(|entry| entry.name() == "max") else {
        return;
    };
    if policy.max_ms.is_some_and(|ms| ms < policy.initial_ms) {
        let what = "`max` is shorter than the first delay, `initial`";
        faults.at(
            max.wrong(),
            what,
            "`initial` or longer",
            "`initial = \"1s\", max = \"1m\"`",
        );
    }
}

/// A read `#[timeout(…)]`.
#[derive(Debug, Default)]
pub(crate) struct Timeout {
    pub(crate) timeout_ms: Option<u64>,
    pub(crate) grace_ms: Option<u64>,
}

/// Reads `#[timeout("30s", grace = "5s")]`; a caller's limit has no grace.
pub(crate) fn timeout(attribute: &Attribute, with_grace: bool, faults: &mut Faults) -> Timeout {
    let before = faults.count();
    let example = if with_grace {
        TIMEOUT_EXAMPLE
    } else {
        "`#[timeout(\"2m\")]`"
    };
    let entries = attribute_entries(attribute, example, faults);
    refuse_duplicates(&entries, faults);
    let mut found = Timeout::default();
    for entry in &entries {
        match entry.name().as_str() {
            "" => found.timeout_ms = entry.duration_ms(example, faults),
            "grace" if with_grace => found.grace_ms = entry.duration_ms(example, faults),
            "grace" => {
                let what = "`grace` belongs to the limit of one attempt, on the implementation";
                faults.at(entry, what, "a duration alone", example);
            }
            _ => unknown_key(
                entry,
                "timeout",
                &["\"<duration>\"", "grace"],
                example,
                faults,
            ),
        }
    }
    if found.timeout_ms.is_none() && faults.count() == before {
        let blamed = attribute.path().to_token_stream();
        faults.at(
            blamed,
            "`#[timeout]` says no duration",
            crate::duration::FORMS,
            example,
        );
    }
    found
}
