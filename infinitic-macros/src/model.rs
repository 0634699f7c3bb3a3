//! The model: everything that expansion needs to know of an item, free of its concrete syntax.
//!
//! Services and workflows are written alike (trait, `impl`, inherent `impl`, function), so that one
//! model serves both: [`Kind`] says which, [`Form`] says how it was written.

use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote};
use syn::ext::IdentExt;
use syn::{
    Attribute, Block, Expr, Generics, Ident, ItemFn, LitStr, Member, Path, Type, Visibility,
};

use crate::hygiene::Root;

/// Which of the two families an item belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Tasks, run by service workers.
    Service,
    /// Methods, run by workflow workers.
    Workflow,
}

impl Kind {
    /// The attribute's name, without `#[…]`.
    pub(crate) fn attribute(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Workflow => "workflow",
        }
    }

    /// What one of its functions is called.
    pub(crate) fn unit(self) -> &'static str {
        match self {
            Self::Service => "task",
            Self::Workflow => "workflow method",
        }
    }

    /// The name of the type through which it is called.
    pub(crate) fn proxy_ident(self, base: &Ident) -> Ident {
        let text = base.unraw();
        match self {
            Self::Service => format_ident!("{text}Stub", span = base.span()),
            Self::Workflow => format_ident!("{text}Client", span = base.span()),
        }
    }
}

/// How a contract or an implementation was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// `trait Payments`: the contract alone.
    Trait,
    /// `impl Payments for Stripe`: an implementation alone.
    TraitImpl,
    /// `impl Payments`: contract and implementation.
    Inherent,
    /// `async fn charge`: contract and implementation of one task or method.
    Function,
}

/// The kind and the form together: what decides which helper attributes are at home.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) kind: Kind,
    pub(crate) form: Form,
}

impl Place {
    /// Whether names and types written here are those that callers use.
    pub(crate) fn is_contract(self) -> bool {
        self.form != Form::TraitImpl
    }
}

/// An argument of a task or method.
#[derive(Debug, Clone)]
pub(crate) struct Argument {
    /// The identifier to use in generated signatures.
    pub(crate) ident: Ident,
    /// Its name on the wire and in messages, without `r#`.
    pub(crate) name: String,
    pub(crate) ty: Type,
}

/// What is known of a return type from its syntax.
#[derive(Debug, Clone)]
pub(crate) enum Parts {
    /// Not called `Result`: no error.
    Plain,
    /// `Result<T, E>` written out.
    Known(Box<Type>, Box<Type>),
    /// An alias called `Result`, whose parts only the compiler knows.
    Aliased,
}

/// A return type.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    pub(crate) ty: Type,
    pub(crate) parts: Parts,
}

impl Output {
    /// The type of a value that was returned well.
    pub(crate) fn value(&self, root: &Root) -> TokenStream {
        let ty = &self.ty;
        match &self.parts {
            Parts::Plain => ty.to_token_stream(),
            Parts::Known(value, _) => value.to_token_stream(),
            Parts::Aliased => quote!(<#ty as #root::ResultParts>::Value),
        }
    }

    /// The error's type.
    pub(crate) fn error(&self, root: &Root) -> TokenStream {
        let ty = &self.ty;
        match &self.parts {
            Parts::Plain => quote!(#root::Never),
            Parts::Known(_, error) => error.to_token_stream(),
            Parts::Aliased => quote!(<#ty as #root::ResultParts>::Error),
        }
    }
}

/// How failed attempts are repeated.
#[derive(Debug, Clone, Default)]
pub(crate) enum Retry {
    /// Nothing was said: configuration decides.
    #[default]
    Unset,
    /// Never.
    Never,
    /// After growing delays.
    Exponential(Box<Exponential>),
    /// As the user's own policy says.
    With(Box<Expr>),
}

/// The figures of an exponential policy.
#[derive(Debug, Clone)]
pub(crate) struct Exponential {
    pub(crate) max_attempts: u32,
    pub(crate) initial_ms: u64,
    pub(crate) max_ms: Option<u64>,
    pub(crate) jitter: f64,
    pub(crate) coefficient: f64,
}

impl Default for Exponential {
    /// The defaults of the system that users come from: 11 retries, 1 s doubling, half of it
    /// random.
    fn default() -> Self {
        Self {
            max_attempts: 12,
            initial_ms: 1_000,
            max_ms: None,
            jitter: 0.5,
            coefficient: 2.0,
        }
    }
}

/// How one attempt runs and is repeated.
#[derive(Debug, Clone, Default)]
pub(crate) struct Policy {
    pub(crate) retry: Retry,
    pub(crate) timeout_ms: Option<u64>,
    pub(crate) grace_ms: Option<u64>,
}

impl Policy {
    /// Fills what was left unsaid with what was said for the whole `impl`.
    pub(crate) fn or(mut self, default: &Self) -> Self {
        if matches!(self.retry, Retry::Unset) {
            self.retry = default.retry.clone();
        }
        if self.timeout_ms.is_none() {
            self.timeout_ms = default.timeout_ms;
            self.grace_ms = default.grace_ms;
        }
        self
    }
}

/// A task of a service, or a method of a workflow.
#[derive(Debug, Clone)]
pub(crate) struct Method {
    pub(crate) ident: Ident,
    /// Its name on the wire, spanned where it is written.
    pub(crate) wire: LitStr,
    pub(crate) cfgs: Vec<Attribute>,
    /// Documentation and deprecation, to be repeated on what is generated.
    pub(crate) docs: Vec<Attribute>,
    pub(crate) arguments: Vec<Argument>,
    pub(crate) output: Output,
    /// The caller's limit for the whole call.
    pub(crate) call_timeout_ms: Option<u64>,
    /// The implementation's policy for attempts.
    pub(crate) policy: Policy,
}

impl Method {
    /// The Rust name, without `r#`: what contract and implementation agree on.
    pub(crate) fn rust_name(&self) -> String {
        self.ident.unraw().to_string()
    }
}

/// A contract: what callers know.
#[derive(Debug)]
pub(crate) struct Contract {
    pub(crate) place: Place,
    pub(crate) root: Root,
    pub(crate) vis: Visibility,
    /// The trait's, type's or function's identifier.
    pub(crate) base: Ident,
    /// The identifier of the generated stub or client.
    pub(crate) proxy: Ident,
    /// Its name on the wire.
    pub(crate) name: LitStr,
    pub(crate) generics: Generics,
    pub(crate) methods: Vec<Method>,
}

/// Where an implementation finds its contract.
#[derive(Debug)]
pub(crate) enum ContractPath {
    /// In the trait that it implements.
    Trait(Path),
    /// Beside it: the generated stub or client.
    Proxy(Ident),
}

/// An implementation: what workers run.
#[derive(Debug)]
pub(crate) struct Implementation {
    pub(crate) kind: Kind,
    pub(crate) root: Root,
    pub(crate) generics: Generics,
    pub(crate) self_ty: Type,
    pub(crate) contract: ContractPath,
    /// The identifier that the marker type spells.
    pub(crate) base: Ident,
    pub(crate) methods: Vec<Method>,
    /// Bodies of workflow code, to be checked for determinism.
    pub(crate) bodies: Vec<Block>,
}

/// A service or workflow written as one function.
#[derive(Debug)]
pub(crate) struct Function {
    /// Its contract, with one method, unless that was faulty.
    pub(crate) contract: Contract,
    /// The function as written, without helper attributes.
    pub(crate) item: ItemFn,
    pub(crate) version: u32,
    /// The body, to be checked for determinism; none when the user insists.
    pub(crate) body: Option<Block>,
}

/// A durable field of a workflow's struct.
#[derive(Debug)]
pub(crate) struct Property {
    pub(crate) member: Member,
    pub(crate) wire: LitStr,
    pub(crate) cfgs: Vec<Attribute>,
}

/// A workflow's struct.
#[derive(Debug)]
pub(crate) struct Structure {
    pub(crate) root: Root,
    pub(crate) ident: Ident,
    pub(crate) generics: Generics,
    pub(crate) version: u32,
    pub(crate) properties: Vec<Property>,
}

/// What the variant of an error says about another attempt.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Hint {
    /// The task's policy decides.
    Policy,
    /// No other attempt.
    Never,
    /// Another attempt after this time, whatever the policy's delay.
    AfterMs(u64),
}

/// The field of a variant that is marked `#[from]`.
#[derive(Debug)]
pub(crate) struct From {
    pub(crate) member: Member,
    pub(crate) ty: Type,
    /// Whether it is `Failure` itself: where all that is not the callee's own error goes.
    pub(crate) is_failure: bool,
}

/// A variant of an error enum, or an error struct as a whole.
#[derive(Debug)]
pub(crate) struct Variant {
    /// `Self::Name`, or `Self`.
    pub(crate) path: TokenStream,
    pub(crate) cfgs: Vec<Attribute>,
    pub(crate) hint: Hint,
    pub(crate) from: Option<From>,
}

/// An error type of tasks and methods.
#[derive(Debug)]
pub(crate) struct TaskError {
    pub(crate) root: Root,
    pub(crate) ident: Ident,
    pub(crate) generics: Generics,
    pub(crate) variants: Vec<Variant>,
    /// Whether `thiserror` writes the plain `From` impls already.
    pub(crate) has_error_attribute: bool,
}
