//! Second stage: the rules that look at a whole item. What they refuse is taken out of the model.
//!
//! **Invariant:** only this module builds a [`Validated`], and expansion takes nothing else, so
//! that expansion cannot fail and never writes code for a part that was reported as wrong.

use std::collections::BTreeMap;
use std::ops::Deref;

use syn::visit::{self, Visit};
use syn::{Block, Generics, Ident, LitStr, Type};

use crate::determinism;
use crate::diagnostics::Faults;
use crate::model::{Contract, Function, Implementation, Kind, Method, Place, Structure, TaskError};
use crate::parse::types::short;

/// A model whose remaining parts are sound.
#[derive(Debug)]
pub(crate) struct Validated<T>(T);

impl<T> Deref for Validated<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// Longest accepted name, in bytes; the runtime's own limit.
const NAME_BYTES_MAX: usize = 200;

/// Names that stubs and clients have for themselves.
const RESERVED: [&str; 9] = [
    "new",
    "clone",
    "with_tag",
    "with_tags",
    "with_meta",
    "with_timeout",
    "with_batch_key",
    "with_custom_id",
    "with_version",
];

/// Names that clients of workflows have besides.
const RESERVED_OF_WORKFLOWS: [&str; 13] = [
    "id",
    "ids",
    "cancel",
    "channel",
    "complete_timers",
    "fork",
    "history",
    "pause",
    "restart",
    "resume",
    "retry_tasks",
    "retry_turn",
    "state",
];

/// Checks a contract.
pub(crate) fn contract(mut contract: Contract, faults: &mut Faults) -> Validated<Contract> {
    check_name(&contract.name, contract.place.kind.attribute(), faults);
    let place = contract.place;
    let generics = &contract.generics;
    contract
        .methods
        .retain(|method| contract_method(method, place, generics, faults));
    refuse_duplicates(
        contract
            .methods
            .iter()
            .filter(|m| m.cfgs.is_empty())
            .map(|m| &m.wire),
        faults,
    );
    Validated(contract)
}

/// Checks an implementation; what a contract beside it refused is not reported again.
pub(crate) fn implementation(
    mut implementation: Implementation,
    contract: Option<&Validated<Contract>>,
    faults: &mut Faults,
) -> Validated<Implementation> {
    if let Some(contract) = contract {
        implementation.methods.retain(|method| {
            contract
                .methods
                .iter()
                .any(|kept| kept.ident == method.ident)
        });
    }
    check_bodies(&implementation.bodies, faults);
    Validated(implementation)
}

/// Checks a function form; without its parts when there is nothing left to run.
pub(crate) fn function(
    function: Function,
    faults: &mut Faults,
) -> (Validated<Contract>, Option<Validated<FunctionParts>>) {
    if let Some(body) = &function.body {
        check_bodies(std::slice::from_ref(body), faults);
    }
    let contract = contract(function.contract, faults);
    let parts = FunctionParts {
        item: function.item,
        version: function.version,
    };
    let sound = !contract.methods.is_empty();
    (contract, sound.then_some(Validated(parts)))
}

/// What is left of a function form beside its contract.
#[derive(Debug)]
pub(crate) struct FunctionParts {
    pub(crate) item: syn::ItemFn,
    pub(crate) version: u32,
}

/// Checks a workflow's struct.
pub(crate) fn structure(structure: Structure, faults: &mut Faults) -> Validated<Structure> {
    for property in &structure.properties {
        check_name(&property.wire, "property", faults);
    }
    let unconditional = structure.properties.iter().filter(|p| p.cfgs.is_empty());
    refuse_duplicates(unconditional.map(|p| &p.wire), faults);
    Validated(structure)
}

/// Checks an error type: two variants cannot be made from the same error.
pub(crate) fn task_error(mut error: TaskError, faults: &mut Faults) -> Validated<TaskError> {
    let mut seen: Vec<Type> = Vec::new();
    for variant in &mut error.variants {
        let Some(from) = variant.from.take() else {
            continue;
        };
        if variant.cfgs.is_empty() && seen.contains(&from.ty) {
            let what = format!("`{}` is the source of two variants", short(&from.ty));
            faults.at(
                &from.ty,
                what,
                "each `#[from]` type once",
                "`#[source]` on one of the two",
            );
            continue;
        }
        seen.push(from.ty.clone());
        variant.from = Some(from);
    }
    Validated(error)
}

fn contract_method(
    method: &Method,
    place: Place,
    generics: &Generics,
    faults: &mut Faults,
) -> bool {
    let before = faults.count();
    check_name(&method.wire, place.kind.unit(), faults);
    refuse_reserved(method, place, faults);
    for ty in types(method) {
        NamesOfOthers { generics, faults }.visit_type(ty);
    }
    faults.count() == before
}

fn types(method: &Method) -> impl Iterator<Item = &Type> {
    method
        .arguments
        .iter()
        .map(|argument| &argument.ty)
        .chain([&method.output.ty])
}

/// Checks a name as the runtime would, but where the user can see it.
fn check_name(name: &LitStr, of: &str, faults: &mut Faults) {
    let text = name.value();
    let reason = if text.is_empty() {
        "it is empty".to_owned()
    } else if text.len() > NAME_BYTES_MAX {
        format!("it has {} bytes", text.len())
    } else if text.chars().any(|c| c == '/' || c.is_control()) {
        "it holds a `/` or a control character".to_owned()
    } else {
        return;
    };
    let what = format!("this is no name for a {of}: {reason}");
    let accepted = format!("1 to {NAME_BYTES_MAX} bytes without `/` and control characters");
    faults.at(name, what, accepted, "for instance `\"charge-card\"`");
}

fn refuse_duplicates<'a>(names: impl Iterator<Item = &'a LitStr>, faults: &mut Faults) {
    let mut seen: BTreeMap<String, ()> = BTreeMap::new();
    for name in names {
        if seen.insert(name.value(), ()).is_some() {
            let what = format!(
                "the name `{}` is taken: another one has it already",
                name.value()
            );
            faults.at(
                name,
                what,
                "each name once",
                "another name, perhaps in an attribute",
            );
        }
    }
}

fn refuse_reserved(method: &Method, place: Place, faults: &mut Faults) {
    if place.form == crate::model::Form::Function {
        return;
    }
    let name = method.rust_name();
    let of_workflows =
        place.kind == Kind::Workflow && RESERVED_OF_WORKFLOWS.contains(&name.as_str());
    if of_workflows || RESERVED.contains(&name.as_str()) {
        let what = format!("`{name}` is a method that every stub or client has already");
        let write =
            format!("another name; it may keep its name on the wire with `#[name(\"{name}\")]`");
        faults.at(&method.ident, what, "any other name", write);
    }
}

/// Finds names that mean nothing, or something else, where the stub is: `Self` and parameters.
struct NamesOfOthers<'a> {
    generics: &'a Generics,
    faults: &'a mut Faults,
}

impl<'ast> Visit<'ast> for NamesOfOthers<'_> {
    fn visit_ident(&mut self, ident: &'ast Ident) {
        if ident == "Self" {
            let what = "`Self` would mean the stub in the eyes of callers";
            self.faults
                .at(ident, what, "types by their names", "the type's own name");
        } else if self
            .generics
            .type_params()
            .any(|parameter| parameter.ident == *ident)
        {
            let what = format!("callers do not know the parameter `{ident}`");
            self.faults.at(
                ident,
                what,
                "concrete types",
                "a type that depends on no parameter",
            );
        }
    }

    fn visit_type(&mut self, ty: &'ast Type) {
        visit::visit_type(self, ty);
    }
}

fn check_bodies(bodies: &[Block], faults: &mut Faults) {
    for body in bodies {
        determinism::check(body, faults);
    }
}
