//! What is given back to the compiler: always the user's item, and beside it the errors and
//! whatever could still be formed, so that one mistake does not become ten.

use proc_macro2::TokenStream;
use quote::quote;

use crate::diagnostics::Faults;

/// Joins the item, what was generated for its sound parts, and the errors.
pub(crate) fn assemble(item: TokenStream, generated: TokenStream, faults: Faults) -> TokenStream {
    let errors = faults.into_errors();
    quote! {
        #item
        #generated
        #errors
    }
}
