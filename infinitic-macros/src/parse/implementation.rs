//! `#[service] impl …` and `#[workflow] impl …`: implementations, with or without a trait.

use syn::{Ident, ImplItem, ImplItemFn, ItemImpl, Type, Visibility, parse_quote};

use super::{signature, wire_name};
use crate::args::{ItemArgs, attribute_name};
use crate::diagnostics::Faults;
use crate::helpers;
use crate::model::{Contract, ContractPath, Form, Implementation, Kind, Method, Place, Policy};

/// What an `impl` block holds: an implementation and, when it is inherent, its contract.
#[derive(Debug)]
pub(crate) struct Parsed {
    pub(crate) contract: Option<Contract>,
    pub(crate) implementation: Implementation,
}

/// Reads an `impl` and takes the helper attributes off it; none when its type has no name.
pub(crate) fn parse(
    item: &mut ItemImpl,
    kind: Kind,
    args: ItemArgs,
    faults: &mut Faults,
) -> Option<Parsed> {
    let form = if item.trait_.is_some() {
        Form::TraitImpl
    } else {
        Form::Inherent
    };
    let place = Place { kind, form };
    let default = helpers::read_impl(&helpers::take(&mut item.attrs), kind, faults);
    let mut members = Members {
        place,
        default,
        methods: Vec::new(),
        bodies: Vec::new(),
    };
    for member in &mut item.items {
        if let ImplItem::Fn(function) = member {
            members.read(function, faults);
        }
    }
    let (contract_path, base) = match &item.trait_ {
        Some((path, _)) => {
            let base = path.segments.last()?.ident.clone();
            (ContractPath::Trait(path.clone()), base)
        }
        None => {
            let base = type_ident(item, faults)?;
            (ContractPath::Proxy(kind.proxy_ident(&base)), base)
        }
    };
    let contract = match &contract_path {
        ContractPath::Trait(_) => None,
        ContractPath::Proxy(proxy) => Some(Contract {
            place,
            root: args.root.clone(),
            vis: Visibility::Public(parse_quote!(pub)),
            base: base.clone(),
            proxy: proxy.clone(),
            name: args.name.unwrap_or_else(|| wire_name(&base)),
            generics: item.generics.clone(),
            methods: members.methods.clone(),
        }),
    };
    let implementation = Implementation {
        kind,
        root: args.root,
        generics: item.generics.clone(),
        self_ty: (*item.self_ty).clone(),
        contract: contract_path,
        base,
        methods: members.methods,
        bodies: members.bodies,
    };
    Some(Parsed {
        contract,
        implementation,
    })
}

/// The last identifier of the type that an inherent `impl` is for.
fn type_ident(item: &ItemImpl, faults: &mut Faults) -> Option<Ident> {
    if let Type::Path(path) = &*item.self_ty
        && path.qself.is_none()
        && let Some(last) = path.path.segments.last()
    {
        return Some(last.ident.clone());
    }
    let what = "this type has no name to call its stub by";
    faults.at(
        &item.self_ty,
        what,
        "a struct or enum of this crate",
        "`impl MyService { … }`",
    );
    None
}

/// Gathers the functions of an `impl`.
struct Members {
    place: Place,
    default: Policy,
    methods: Vec<Method>,
    bodies: Vec<syn::Block>,
}

impl Members {
    fn read(&mut self, function: &mut ImplItemFn, faults: &mut Faults) {
        let found = helpers::take(&mut function.attrs);
        let skipped = found.iter().any(|attr| attr.path().is_ident("skip"));
        let before = faults.count();
        if self.place.form == Form::Inherent && !skipped && !looks_like_task(function) {
            self.read_helper_function(function, &found, faults);
            return;
        }
        let helpers = helpers::read(&found, self.place, faults);
        self.keep_body(function, helpers.allow_nondeterminism);
        if helpers.skip {
            return;
        }
        let (sig, attrs) = (&function.sig, &function.attrs);
        let method = signature::method(sig, attrs, helpers, self.place, faults);
        if faults.count() > before {
            return;
        }
        self.methods.extend(method.map(|mut method| {
            method.policy = method.policy.or(&self.default);
            method
        }));
    }

    /// A function that is no task: it stays as it is, and may not carry a task's attributes.
    fn read_helper_function(
        &mut self,
        function: &ImplItemFn,
        found: &[syn::Attribute],
        faults: &mut Faults,
    ) {
        let (allowing, others): (Vec<_>, Vec<_>) = found
            .iter()
            .cloned()
            .partition(|attr| attr.path().is_ident("allow_nondeterminism"));
        helpers::read(&allowing, self.place, faults);
        for attribute in others {
            let unit = self.place.kind.unit();
            let name = attribute_name(&attribute);
            let what = format!(
                "`{}` is no {unit}, so `#[{name}]` says nothing",
                function.sig.ident
            );
            let accepted = "`async fn name(&self, …)`";
            faults.at(
                attribute.path(),
                what,
                accepted,
                "an `async fn`, or no attribute",
            );
        }
        self.keep_body(function, !allowing.is_empty());
    }

    /// Workflow code is checked for determinism; a function without `self` runs outside of it.
    fn keep_body(&mut self, function: &ImplItemFn, allowed: bool) {
        if self.place.kind == Kind::Workflow && !allowed && function.sig.receiver().is_some() {
            self.bodies.push(function.block.clone());
        }
    }
}

/// An `async fn` with any `self` is meant to be a task, perhaps wrongly written.
fn looks_like_task(function: &ImplItemFn) -> bool {
    function.sig.asyncness.is_some() && function.sig.receiver().is_some()
}
