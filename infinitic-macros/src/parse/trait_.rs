//! `#[service] trait …` and `#[workflow] trait …`: contracts.

use syn::{ItemTrait, TraitItem};

use super::{signature, wire_name};
use crate::args::ItemArgs;
use crate::diagnostics::Faults;
use crate::helpers;
use crate::model::{Contract, Form, Kind, Place};

/// Reads a trait and takes the helper attributes off it.
pub(crate) fn parse(
    item: &mut ItemTrait,
    kind: Kind,
    args: ItemArgs,
    faults: &mut Faults,
) -> Contract {
    let place = Place {
        kind,
        form: Form::Trait,
    };
    refuse_generics(item, faults);
    for helper in helpers::take(&mut item.attrs) {
        let what = "a whole contract takes no helper attributes";
        faults.at(
            helper.path(),
            what,
            "helper attributes on its methods",
            "it on each method",
        );
    }
    let mut methods = Vec::new();
    for member in &mut item.items {
        let TraitItem::Fn(function) = member else {
            refuse_member(member, kind, faults);
            continue;
        };
        let found = helpers::take(&mut function.attrs);
        let before = faults.count();
        let helpers = helpers::read(&found, place, faults);
        if let Some(body) = &function.default {
            let what = "a contract has no bodies: callers would run nothing of them";
            let accepted = "signatures that end with `;`";
            faults.at(body, what, accepted, "the body in the `impl`");
        }
        let method = signature::method(&function.sig, &function.attrs, helpers, place, faults);
        if faults.count() == before {
            methods.extend(method);
        }
    }
    Contract {
        place,
        root: args.root,
        vis: item.vis.clone(),
        base: item.ident.clone(),
        proxy: kind.proxy_ident(&item.ident),
        name: args.name.unwrap_or_else(|| wire_name(&item.ident)),
        generics: item.generics.clone(),
        methods,
    }
}

fn refuse_generics(item: &ItemTrait, faults: &mut Faults) {
    for parameter in &item.generics.params {
        let what = "a generic contract has no single form on the wire";
        faults.at(
            parameter,
            what,
            "traits without parameters",
            "one trait for each concrete type",
        );
    }
}

fn refuse_member(member: &TraitItem, kind: Kind, faults: &mut Faults) {
    let what = match member {
        TraitItem::Type(_) => "an associated type has no form on the wire",
        TraitItem::Const(_) => "an associated constant is not part of what callers know",
        _ => "this is no method",
    };
    let accepted = "`async fn name(&self, argument: Type, …) -> Output;`";
    let write = format!("it in another trait, not in one of a {}", kind.attribute());
    faults.at(member, what, accepted, write);
}
