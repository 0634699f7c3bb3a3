//! Helper attributes of methods and `impl`s: taken off the user's item, read, and refused where
//! they are not at home.

use syn::{Attribute, LitStr};

use crate::args::{attribute_entries, attribute_name, unknown_key};
use crate::diagnostics::Faults;
use crate::model::{Form, Kind, Place, Policy, Retry};
use crate::policy;

/// All helper attributes; no other attribute is touched.
const HELPERS: [&str; 9] = [
    "name",
    "timeout",
    "retry",
    "batch",
    "delegated",
    "channel",
    "skip",
    "property",
    "allow_nondeterminism",
];

/// What the helper attributes of one function or `impl` say.
#[derive(Debug, Default)]
pub(crate) struct Helpers {
    pub(crate) name: Option<LitStr>,
    pub(crate) call_timeout_ms: Option<u64>,
    pub(crate) policy: Policy,
    pub(crate) skip: bool,
    pub(crate) allow_nondeterminism: bool,
}

/// Removes the helper attributes from an item and gives them.
pub(crate) fn take(attrs: &mut Vec<Attribute>) -> Vec<Attribute> {
    let is_helper = |attr: &Attribute| HELPERS.iter().any(|name| attr.path().is_ident(name));
    let (helpers, rest) = attrs.drain(..).partition(is_helper);
    *attrs = rest;
    helpers
}

/// Reads the helper attributes of a function.
pub(crate) fn read(found: &[Attribute], place: Place, faults: &mut Faults) -> Helpers {
    refuse_repeated(found, faults);
    let mut helpers = Helpers::default();
    for attribute in found {
        match attribute_name(attribute).as_str() {
            "name" => helpers.name = name(attribute, place, faults),
            "timeout" => timeout(attribute, place, &mut helpers, faults),
            "retry" => helpers.policy.retry = retry(attribute, place, faults),
            "skip" => helpers.skip = skip(attribute, place, faults),
            "allow_nondeterminism" => {
                helpers.allow_nondeterminism = true;
                allow_nondeterminism(attribute, place, faults);
            }
            "property" => {
                let what = "`#[property]` belongs to a field";
                faults.at(
                    attribute.path(),
                    what,
                    "fields of a workflow's struct",
                    "`#[property(name = \"…\")]` on the field",
                );
            }
            other => unavailable(attribute, other, faults),
        }
    }
    helpers
}

/// Reads the helper attributes of an `impl`: defaults for all its tasks.
pub(crate) fn read_impl(found: &[Attribute], kind: Kind, faults: &mut Faults) -> Policy {
    refuse_repeated(found, faults);
    let place = Place {
        kind,
        form: Form::TraitImpl,
    };
    let mut helpers = Helpers::default();
    for attribute in found {
        match attribute_name(attribute).as_str() {
            "retry" => helpers.policy.retry = retry(attribute, place, faults),
            "timeout" => timeout(attribute, place, &mut helpers, faults),
            other => {
                let what = format!("`#[{other}]` is no attribute of a whole `impl`");
                let write = format!("`#[{other}(…)]` on the method");
                faults.at(
                    attribute.path(),
                    what,
                    "`retry`, `timeout` on the `impl` of a service",
                    write,
                );
            }
        }
    }
    helpers.policy
}

fn refuse_repeated(found: &[Attribute], faults: &mut Faults) {
    for (index, attribute) in found.iter().enumerate() {
        if found[..index]
            .iter()
            .any(|earlier| earlier.path() == attribute.path())
        {
            let what = format!("`#[{}]` is given twice", attribute_name(attribute));
            faults.at(
                attribute.path(),
                what,
                "each attribute once",
                "one of the two",
            );
        }
    }
}

fn name(attribute: &Attribute, place: Place, faults: &mut Faults) -> Option<LitStr> {
    let example = "`#[name(\"charge-card\")]`";
    if !place.is_contract() {
        let what = "`#[name]` belongs to the contract: callers need it too";
        faults.at(
            attribute.path(),
            what,
            "methods of the trait",
            format!("{example} in the trait"),
        );
        return None;
    }
    let before = faults.count();
    let entries = attribute_entries(attribute, example, faults);
    let mut found = None;
    for entry in &entries {
        if entry.key.is_some() {
            unknown_key(entry, "name", &["\"<name>\""], example, faults);
        } else {
            found = entry.text(example, faults);
        }
    }
    if found.is_none() && faults.count() == before {
        faults.at(
            attribute.path(),
            "`#[name]` names nothing",
            "a string literal",
            example,
        );
    }
    found
}

fn timeout(attribute: &Attribute, place: Place, helpers: &mut Helpers, faults: &mut Faults) {
    let of_attempt = place.kind == Kind::Service && place.form != Form::Trait;
    if place.kind == Kind::Workflow && place.form == Form::TraitImpl {
        let what =
            "a workflow method has no attempts to limit; the limit of a call is its caller's";
        let write = "`#[timeout(\"2m\")]` on the method in the trait";
        faults.at(attribute.path(), what, "methods of the trait", write);
        return;
    }
    let found = policy::timeout(attribute, of_attempt, faults);
    if of_attempt {
        helpers.policy.timeout_ms = found.timeout_ms;
        helpers.policy.grace_ms = found.grace_ms;
    } else {
        helpers.call_timeout_ms = found.timeout_ms;
    }
}

fn retry(attribute: &Attribute, place: Place, faults: &mut Faults) -> Retry {
    if place.kind == Kind::Workflow {
        let what = "a workflow method is replayed, never retried";
        let write = "`#[retry(…)]` on the tasks that it calls";
        faults.at(attribute.path(), what, "tasks of services", write);
        return Retry::Unset;
    }
    if place.form == Form::Trait {
        let what = "policy belongs to the implementation, not to the contract";
        let write = "`#[retry(…)]` on the method in `impl … for …`";
        faults.at(
            attribute.path(),
            what,
            "methods of the implementation",
            write,
        );
        return Retry::Unset;
    }
    policy::retry(attribute, faults)
}

fn skip(attribute: &Attribute, place: Place, faults: &mut Faults) -> bool {
    if place.form != Form::Inherent {
        let what = "`#[skip]` has nothing to skip here: every method is part of the contract";
        let accepted = "methods of an inherent `impl`";
        faults.at(
            attribute.path(),
            what,
            accepted,
            "the helper in an `impl` of its own",
        );
    }
    true
}

fn allow_nondeterminism(attribute: &Attribute, place: Place, faults: &mut Faults) {
    let example = "`#[allow_nondeterminism(\"the table is only read by key\")]`";
    if place.kind == Kind::Service || place.form == Form::Trait {
        let what = "`#[allow_nondeterminism]` has nothing to allow here";
        let accepted = "methods of workflow `impl`s, and workflow functions";
        faults.at(attribute.path(), what, accepted, "the method without it");
        return;
    }
    let before = faults.count();
    let entries = attribute_entries(attribute, example, faults);
    let reason = entries
        .first()
        .filter(|entry| entry.key.is_none() && entries.len() == 1);
    let given = reason.and_then(|entry| entry.text(example, faults));
    if given.is_none_or(|text| text.value().trim().is_empty()) && faults.count() == before {
        let what = "`#[allow_nondeterminism]` wants a reason";
        faults.at(
            attribute.path(),
            what,
            "a text that tells the next reader why",
            example,
        );
    }
}

fn unavailable(attribute: &Attribute, name: &str, faults: &mut Faults) {
    let (what, write) = match name {
        "batch" => ("batches of tasks", "a task that takes a `Vec` of items"),
        "delegated" => ("delegated tasks", "a task that waits for the answer"),
        _ => ("channels", "a method that takes the signal as its argument"),
    };
    faults.at(
        attribute.path(),
        format!("`#[{name}]` is not available yet in this version: {what} come later"),
        "plain `async fn` methods",
        write,
    );
}
