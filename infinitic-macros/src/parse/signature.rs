//! Signatures of tasks and workflow methods: what can travel, and what cannot.

use quote::{ToTokens, format_ident};
use syn::ext::IdentExt;
use syn::{
    Attribute, FnArg, GenericArgument, Pat, PatType, PathArguments, Receiver, ReceiverKind,
    ReturnType, Signature, Type, parse_quote,
};

use super::{cfgs, docs, types, wire_name};
use crate::diagnostics::Faults;
use crate::helpers::Helpers;
use crate::model::{Argument, Form, Kind, Method, Output, Parts, Place};

/// Reads one method; none when something in its signature is wrong.
pub(crate) fn method(
    sig: &Signature,
    attrs: &[Attribute],
    helpers: Helpers,
    place: Place,
    faults: &mut Faults,
) -> Option<Method> {
    let before = faults.count();
    refuse_modifiers(sig, place, faults);
    refuse_generics(sig, place, faults);
    if place.form != Form::Function {
        check_receiver(sig, place, faults);
    }
    let arguments = arguments(sig, place, faults);
    let output = output(&sig.output);
    types::check_owned(&output.ty, "the return type".to_owned(), faults);
    if faults.count() > before {
        return None;
    }
    Some(Method {
        ident: sig.ident.clone(),
        wire: helpers.name.unwrap_or_else(|| wire_name(&sig.ident)),
        cfgs: cfgs(attrs),
        docs: docs(attrs),
        arguments,
        output,
        call_timeout_ms: helpers.call_timeout_ms,
        policy: helpers.policy,
    })
}

/// The expected form, for messages.
fn expected(place: Place) -> &'static str {
    match place.form {
        Form::Function => "`async fn name(argument: Type, …) -> Output`",
        _ => "`async fn name(&self, argument: Type, …) -> Output`",
    }
}

fn refuse_modifiers(sig: &Signature, place: Place, faults: &mut Faults) {
    let unit = place.kind.unit();
    if sig.asyncness.is_none() {
        let what = match (place.kind, place.form) {
            (Kind::Workflow, Form::Trait | Form::TraitImpl) => format!(
                "`{}` is not async; queries and channels are not available yet in this version",
                sig.ident
            ),
            _ => format!("`{}` is not async, so it is no {unit}", sig.ident),
        };
        faults.at(
            sig.fn_token,
            what,
            expected(place),
            format!("`async fn {}`", sig.ident),
        );
    }
    let modifiers = [
        sig.constness.as_ref().map(ToTokens::to_token_stream),
        match &sig.safety {
            syn::Safety::Default => None,
            safety => Some(safety.to_token_stream()),
        },
        sig.abi.as_ref().map(ToTokens::to_token_stream),
        sig.variadic.as_ref().map(ToTokens::to_token_stream),
    ];
    for modifier in modifiers.into_iter().flatten() {
        let what = format!("`{modifier}` has no place on a {unit}");
        faults.at(modifier, what, expected(place), "the same without it");
    }
}

fn refuse_generics(sig: &Signature, place: Place, faults: &mut Faults) {
    let unit = place.kind.unit();
    for parameter in &sig.generics.params {
        let (what, write) = match parameter {
            syn::GenericParam::Lifetime(_) => (
                format!("a {unit} cannot borrow: its arguments come from another process"),
                "owned types, without lifetimes",
            ),
            _ => (
                format!("a generic {unit} has no single form on the wire"),
                "one method for each concrete type",
            ),
        };
        faults.at(parameter, what, "concrete, owned types", write);
    }
    if let Some(clause) = &sig.generics.where_clause
        && sig.generics.params.is_empty()
    {
        let what = format!("a `where` clause has no place on a {unit}");
        faults.at(clause, what, expected(place), "the same without it");
    }
}

fn check_receiver(sig: &Signature, place: Place, faults: &mut Faults) {
    let unit = place.kind.unit();
    let Some(receiver) = sig.receiver() else {
        let what = format!("`{}` has no receiver, so no value to run on", sig.ident);
        faults.at(&sig.ident, what, "`&self`", expected(place));
        return;
    };
    if is_shared_self(receiver) {
        return;
    }
    let shared = "many run at the same time on one value";
    let helper = match place.form {
        Form::Inherent => "`&self`, or `#[skip]` above a helper that is no task",
        _ => "`&self`",
    };
    let what = match (&receiver.kind, place.kind) {
        (ReceiverKind::Reference(..), Kind::Service) => {
            format!("a {unit} cannot take `&mut self`: {shared}")
        }
        (ReceiverKind::Reference(..), Kind::Workflow) => {
            format!(
                "a {unit} cannot take `&mut self`: state that lasts is in its `Property` fields"
            )
        }
        _ => format!("a {unit} cannot take `self` by value: it does not own what it runs on"),
    };
    faults.at(receiver, what, "`&self`", helper);
}

/// Whether a receiver is `&self`, with no lifetime of its own.
pub(crate) fn is_shared_self(receiver: &Receiver) -> bool {
    receiver.mutability.is_none() && matches!(receiver.kind, ReceiverKind::Reference(_, None, None))
}

fn arguments(sig: &Signature, place: Place, faults: &mut Faults) -> Vec<Argument> {
    let mut found = Vec::new();
    for input in &sig.inputs {
        let FnArg::Typed(typed) = input else {
            if place.form == Form::Function {
                let what = "a function has no `self`";
                faults.at(input, what, expected(place), "the same without it");
            }
            continue;
        };
        if let Some(argument) = argument(typed, found.len(), place, faults) {
            found.push(argument);
        }
    }
    let most = match place.form {
        Form::Function => FUNCTION_ARGUMENTS_MAX,
        _ => ARGUMENTS_MAX,
    };
    for surplus in sig
        .inputs
        .iter()
        .filter(|input| matches!(input, FnArg::Typed(_)))
        .skip(most)
    {
        let what = format!("this is one argument too many for a {}", place.kind.unit());
        faults.at(
            surplus,
            what,
            format!("up to {most}"),
            "a struct that holds some of them",
        );
    }
    found
}

/// Serde implements its traits for tuples of a few sizes only; beyond a dozen a struct reads better
/// anyway.
const ARGUMENTS_MAX: usize = 12;

/// Functions are hosted by implementations for each number of arguments, which end here.
const FUNCTION_ARGUMENTS_MAX: usize = 8;

fn argument(typed: &PatType, index: usize, place: Place, faults: &mut Faults) -> Option<Argument> {
    let ty = (*typed.ty).clone();
    let subject = match &*typed.pat {
        Pat::Ident(pat) => format!("the argument `{}`", pat.ident.unraw()),
        _ => "this argument".to_owned(),
    };
    types::check_owned(&ty, subject, faults);
    match &*typed.pat {
        Pat::Ident(pat) if pat.by_ref.is_none() && pat.subpat.is_none() => {
            let name = pat.ident.unraw().to_string();
            Some(Argument {
                ident: pat.ident.clone(),
                name,
                ty,
            })
        }
        Pat::Wild(_) if !place.is_contract() => {
            let ident = format_ident!("__unused{index}");
            Some(Argument {
                ident,
                name: "_".to_owned(),
                ty,
            })
        }
        other => {
            let what = "an argument needs a name: it is shown to whoever reads the history";
            let write = format!("`argument: {}`, taken apart in the body", types::short(&ty));
            faults.at(other, what, "a plain identifier", write);
            None
        }
    }
}

fn output(output: &ReturnType) -> Output {
    let ty: Type = match output {
        ReturnType::Default => parse_quote!(()),
        ReturnType::Type(_, ty) => (**ty).clone(),
    };
    let parts = parts(&ty);
    Output { ty, parts }
}

fn parts(ty: &Type) -> Parts {
    let Type::Path(path) = ty else {
        return Parts::Plain;
    };
    let Some(last) = path.path.segments.last() else {
        return Parts::Plain;
    };
    if last.ident != "Result" {
        return Parts::Plain;
    }
    if let PathArguments::AngleBracketed(arguments) = &last.arguments {
        let types: Vec<&GenericArgument> = arguments.args.iter().collect();
        if let [GenericArgument::Type(value), GenericArgument::Type(error)] = types[..] {
            return Parts::Known(Box::new(value.clone()), Box::new(error.clone()));
        }
    }
    Parts::Aliased
}
