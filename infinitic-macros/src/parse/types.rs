//! Types that cross processes: what syntax alone can tell of them.

use quote::ToTokens;
use syn::visit::Visit;
use syn::{Lifetime, Type, TypeImplTrait, TypeReference};

use crate::diagnostics::Faults;

/// Refuses what cannot be owned; `subject` says whose type this is.
pub(crate) fn check_owned(ty: &Type, subject: String, faults: &mut Faults) {
    Borrowing { subject, faults }.visit_type(ty);
}

/// Finds what cannot be owned in a type: references, lifetimes, `impl Trait`.
struct Borrowing<'a> {
    subject: String,
    faults: &'a mut Faults,
}

impl<'ast> Visit<'ast> for Borrowing<'_> {
    fn visit_type_reference(&mut self, reference: &'ast TypeReference) {
        let what = format!(
            "{} borrows: it travels to another process and back",
            self.subject
        );
        let owned = match &*reference.elem {
            Type::Path(path) if path.path.is_ident("str") => "String".to_owned(),
            Type::Slice(slice) => format!("Vec<{}>", short(&slice.elem)),
            other => short(other),
        };
        self.faults
            .at(reference, what, "owned types", format!("`{owned}`"));
    }

    fn visit_lifetime(&mut self, lifetime: &'ast Lifetime) {
        if lifetime.ident != "static" {
            let what = format!(
                "{} borrows: it travels to another process and back",
                self.subject
            );
            self.faults.at(
                lifetime,
                what,
                "owned types",
                "`'static`, or a type without lifetime",
            );
        }
    }

    fn visit_type_impl_trait(&mut self, opaque: &'ast TypeImplTrait) {
        let what = format!(
            "{} has no name that the other side could read it by",
            self.subject
        );
        self.faults.at(
            opaque,
            what,
            "a concrete type",
            "the type itself, not what it implements",
        );
    }

    /// Function pointers and trait objects bind lifetimes of their own; the compiler refuses them
    /// as values with better words than these.
    fn visit_type_fn_ptr(&mut self, _: &'ast syn::TypeFnPtr) {}
}

/// A type as text, without the blanks that tokens have between them.
pub(crate) fn short(ty: &Type) -> String {
    ty.to_token_stream()
        .to_string()
        .replace(" <", "<")
        .replace("< ", "<")
        .replace(" >", ">")
}
