//! `#[workflow] struct …`: a workflow's version and durable fields.

use syn::{Field, Fields, Index, ItemStruct, LitStr, Member, Type};

use super::{cfgs, wire_name};
use crate::args::{ItemArgs, attribute_entries, unknown_key};
use crate::diagnostics::Faults;
use crate::helpers;
use crate::model::{Property, Structure};

const EXAMPLE: &str = "`#[property(name = \"status\")]`";

/// Reads a struct and takes `#[property]` off its fields.
pub(crate) fn parse(item: &mut ItemStruct, args: ItemArgs, faults: &mut Faults) -> Structure {
    for helper in helpers::take(&mut item.attrs) {
        let what = "a workflow's struct takes no helper attributes";
        faults.at(helper.path(), what, "`#[property]` on its fields", EXAMPLE);
    }
    let mut properties = Vec::new();
    for (index, field) in fields(&mut item.fields).enumerate() {
        properties.extend(property(index, field, faults));
    }
    Structure {
        root: args.root,
        ident: item.ident.clone(),
        generics: item.generics.clone(),
        version: args.version,
        properties,
    }
}

fn fields(fields: &mut Fields) -> impl Iterator<Item = &mut Field> {
    fields.iter_mut()
}

/// Reads one field; none when it is no property, or a faulty one.
fn property(index: usize, field: &mut Field, faults: &mut Faults) -> Option<Property> {
    let found = helpers::take(&mut field.attrs);
    let mut declared = false;
    let mut name = None;
    for attribute in &found {
        if attribute.path().is_ident("property") {
            declared = true;
            name = property_name(attribute, faults);
        } else {
            let what = "this attribute has no place on a field";
            faults.at(attribute.path(), what, "`#[property]`", EXAMPLE);
        }
    }
    if !declared && !is_property(&field.ty) {
        return None;
    }
    let (member, wire) = match (&field.ident, name) {
        (Some(ident), name) => (
            Member::Named(ident.clone()),
            name.unwrap_or_else(|| wire_name(ident)),
        ),
        (None, Some(name)) => (Member::Unnamed(Index::from(index)), name),
        (None, None) => {
            let what = "a property without a name cannot be found again after a restart";
            let accepted = "a named field, or a name in an attribute";
            faults.at(&field.ty, what, accepted, EXAMPLE);
            return None;
        }
    };
    Some(Property {
        member,
        wire,
        cfgs: cfgs(&field.attrs),
    })
}

fn property_name(attribute: &syn::Attribute, faults: &mut Faults) -> Option<LitStr> {
    let mut name = None;
    for entry in attribute_entries(attribute, EXAMPLE, faults) {
        if entry.name() == "name" {
            name = entry.text(EXAMPLE, faults);
        } else {
            unknown_key(&entry, "property", &["name"], EXAMPLE, faults);
        }
    }
    name
}

/// Whether a type is called `Property`; an alias of it is declared with the attribute.
fn is_property(ty: &Type) -> bool {
    match ty {
        Type::Path(path) => path
            .path
            .segments
            .last()
            .is_some_and(|last| last.ident == "Property"),
        Type::Group(group) => is_property(&group.elem),
        _ => false,
    }
}
