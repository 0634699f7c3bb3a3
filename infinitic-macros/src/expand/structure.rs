//! Workflow structs: their version, and where their durable fields are.

use proc_macro2::TokenStream;
use quote::quote;

use super::hosted_where;
use crate::model::Structure;
use crate::validate::Validated;

/// The impl that binds each property to its name.
pub(crate) fn expand(structure: &Validated<Structure>) -> TokenStream {
    let Structure {
        root,
        ident,
        generics,
        version,
        properties,
    } = &**structure;
    let (impl_generics, type_generics, _) = generics.split_for_impl();
    let clause = hosted_where(generics);
    let binds = properties.iter().map(|property| {
        let (cfgs, wire, member) = (&property.cfgs, &property.wire, &property.member);
        quote!(#(#cfgs)* binder.bind(#wire, &self.#member);)
    });
    let unused = properties.is_empty().then(|| quote!(let _ = binder;));
    quote! {
        #[automatically_derived]
        impl #impl_generics #root::WorkflowStruct for #ident #type_generics #clause {
            const VERSION: u32 = #version;
            fn __bind(&self, binder: &mut #root::Binder<'_>) {
                #unused
                #(#binds)*
            }
        }
    }
}
