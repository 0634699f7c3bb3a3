//! `#[derive(TaskError)]`: what each variant says about another attempt, and where it comes from.

use quote::{ToTokens, quote};
use syn::{
    Attribute, Data, DeriveInput, Field, Fields, Index, Member, PathArguments, Type, Variant,
};

use super::cfgs;
use crate::args::{attribute_entries, entries, root, unknown_key};
use crate::diagnostics::Faults;
use crate::hygiene::Root;
use crate::model;
use crate::model::{Hint, TaskError};

const RETRY_EXAMPLE: &str = "`#[retry(after = \"10s\")]`";

/// Reads an error type; none when it is a union.
pub(crate) fn parse(item: &DeriveInput, faults: &mut Faults) -> Option<TaskError> {
    let is_error = |attr: &Attribute| attr.path().is_ident("error");
    let mut has_error_attribute = item.attrs.iter().any(is_error);
    let variants = match &item.data {
        Data::Enum(data) => {
            for attribute in item.attrs.iter().filter(|attr| is_hint(attr)) {
                let what = "on a whole enum this would say the same of every variant";
                faults.at(
                    attribute.path(),
                    what,
                    "variants",
                    "it on each variant that it is true of",
                );
            }
            has_error_attribute |= data.variants.iter().any(|v| v.attrs.iter().any(is_error));
            data.variants
                .iter()
                .map(|found| variant(found, faults))
                .collect()
        }
        Data::Struct(data) => vec![model::Variant {
            path: quote!(Self),
            cfgs: Vec::new(),
            hint: hint(&item.attrs, faults),
            from: from(&data.fields, faults),
        }],
        Data::Union(data) => {
            let what = "a union cannot say which error it holds";
            faults.at(data.union_token, what, "enums and structs", "an `enum`");
            return None;
        }
    };
    Some(TaskError {
        root: custom_root(&item.attrs, faults),
        ident: item.ident.clone(),
        generics: item.generics.clone(),
        variants,
        has_error_attribute,
    })
}

fn variant(found: &Variant, faults: &mut Faults) -> model::Variant {
    let ident = &found.ident;
    model::Variant {
        path: quote!(Self::#ident),
        cfgs: cfgs(&found.attrs),
        hint: hint(&found.attrs, faults),
        from: from(&found.fields, faults),
    }
}

fn is_hint(attr: &Attribute) -> bool {
    attr.path().is_ident("fatal") || attr.path().is_ident("retry")
}

/// Reads `#[fatal]` or `#[retry(after = …)]`; both together contradict each other.
fn hint(attrs: &[Attribute], faults: &mut Faults) -> Hint {
    let found: Vec<&Attribute> = attrs.iter().filter(|attr| is_hint(attr)).collect();
    let Some((first, rest)) = found.split_first() else {
        return Hint::Policy;
    };
    for other in rest {
        let what = "two answers to whether there is another attempt";
        let accepted = "`#[fatal]` or `#[retry(after = \"…\")]`, once";
        faults.at(other.path(), what, accepted, "one of the two");
    }
    if first.path().is_ident("retry") {
        return retry_after(first, faults).map_or(Hint::Policy, Hint::AfterMs);
    }
    if let Err(error) = first.meta.require_path_only() {
        drop(error);
        let what = "`#[fatal]` takes no arguments";
        faults.at(&first.meta, what, "`#[fatal]` alone", "`#[fatal]`");
    }
    Hint::Never
}

fn retry_after(attribute: &Attribute, faults: &mut Faults) -> Option<u64> {
    let before = faults.count();
    let mut after = None;
    for entry in attribute_entries(attribute, RETRY_EXAMPLE, faults) {
        if entry.name() == "after" {
            after = entry.duration_ms(RETRY_EXAMPLE, faults);
        } else {
            unknown_key(&entry, "retry", &["after"], RETRY_EXAMPLE, faults);
        }
    }
    if after.is_none() && faults.count() == before {
        let what = "`#[retry]` on a variant says when to try again";
        faults.at(attribute.path(), what, "`after`", RETRY_EXAMPLE);
    }
    after
}

/// The field marked `#[from]`; it must be alone, for a variant is made from nothing else.
fn from(fields: &Fields, faults: &mut Faults) -> Option<model::From> {
    let (index, field) = fields
        .iter()
        .enumerate()
        .find(|(_, field)| is_from(field))?;
    let others = fields.iter().enumerate().filter(|(other, field)| {
        *other != index
            && !field
                .attrs
                .iter()
                .any(|attr| attr.path().is_ident("backtrace"))
    });
    let mut alone = true;
    for (_, other) in others {
        let what = "beside `#[from]` there is nothing to fill this field with";
        faults.at(
            other,
            what,
            "one field",
            "the source alone, or `#[source]` in place of `#[from]`",
        );
        alone = false;
    }
    let member = match &field.ident {
        Some(ident) => Member::Named(ident.clone()),
        None => Member::Unnamed(Index::from(index)),
    };
    let found = model::From {
        member,
        ty: field.ty.clone(),
        is_failure: is_failure(&field.ty),
    };
    alone.then_some(found)
}

fn is_from(field: &Field) -> bool {
    field.attrs.iter().any(|attr| attr.path().is_ident("from"))
}

/// Whether a type is `Failure` without parameters.
fn is_failure(ty: &Type) -> bool {
    let Type::Path(path) = ty else { return false };
    path.path.segments.last().is_some_and(|last| {
        last.ident == "Failure" && matches!(last.arguments, PathArguments::None)
    })
}

/// Reads `#[task_error(crate = …)]`.
fn custom_root(attrs: &[Attribute], faults: &mut Faults) -> Root {
    let mut found = Root::default();
    let example = "`#[task_error(crate = my_reexport::infinitic)]`";
    for attribute in attrs
        .iter()
        .filter(|attr| attr.path().is_ident("task_error"))
    {
        let Ok(list) = attribute.meta.require_list() else {
            let what = "`#[task_error]` wants its options in parentheses";
            faults.at(attribute.meta.to_token_stream(), what, "`crate`", example);
            continue;
        };
        for entry in entries(list.tokens.clone(), faults) {
            if entry.name() == "crate" {
                found = root(&entry, faults);
            } else {
                unknown_key(&entry, "task_error", &["crate"], example, faults);
            }
        }
    }
    found
}
