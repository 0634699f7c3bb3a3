//! First stage: `syn` items to the model, gathering faults of syntax and of attributes.
//!
//! Each function takes the helper attributes off the item that it is given, so that what remains
//! can be given back to the compiler whatever else is wrong with it.

pub(crate) mod function;
pub(crate) mod implementation;
pub(crate) mod signature;
pub(crate) mod structure;
pub(crate) mod task_error;
pub(crate) mod trait_;
pub(crate) mod types;

use syn::{Attribute, Ident, LitStr};

/// The attributes that are repeated on each generated part of a method.
fn cfgs(attrs: &[Attribute]) -> Vec<Attribute> {
    attrs
        .iter()
        .filter(|attr| attr.path().is_ident("cfg"))
        .cloned()
        .collect()
}

/// The attributes that speak to readers of the generated documentation.
fn docs(attrs: &[Attribute]) -> Vec<Attribute> {
    let speaks =
        |attr: &&Attribute| attr.path().is_ident("doc") || attr.path().is_ident("deprecated");
    attrs.iter().filter(speaks).cloned().collect()
}

/// An identifier as a name on the wire: without `r#`, spanned where it is written.
fn wire_name(ident: &Ident) -> LitStr {
    use syn::ext::IdentExt;
    LitStr::new(&ident.unraw().to_string(), ident.span())
}
