//! `#[service] async fn …` and `#[workflow] async fn …`: contract and implementation in one.

use syn::ItemFn;

use super::{signature, wire_name};
use crate::args::ItemArgs;
use crate::diagnostics::Faults;
use crate::helpers;
use crate::model::{Contract, Form, Function, Kind, Place};

/// Reads a function and takes the helper attributes off it.
pub(crate) fn parse(
    item: &mut ItemFn,
    kind: Kind,
    args: ItemArgs,
    faults: &mut Faults,
) -> Function {
    let place = Place {
        kind,
        form: Form::Function,
    };
    let found = helpers::take(&mut item.attrs);
    let before = faults.count();
    let helpers = helpers::read(&found, place, faults);
    let checked = kind == Kind::Workflow && !helpers.allow_nondeterminism;
    let method = signature::method(&item.sig, &item.attrs, helpers, place, faults);
    let sound = faults.count() == before;
    let contract = Contract {
        place,
        root: args.root,
        vis: item.vis.clone(),
        base: item.sig.ident.clone(),
        proxy: item.sig.ident.clone(),
        name: args.name.unwrap_or_else(|| wire_name(&item.sig.ident)),
        generics: syn::Generics::default(),
        methods: method.into_iter().filter(|_| sound).collect(),
    };
    let body = checked.then(|| (*item.block).clone());
    Function {
        contract,
        item: item.clone(),
        version: args.version,
        body,
    }
}
