//! The grammar that all attributes share (`key`, `key = value`, separated by commas) and the
//! arguments of `#[service]` and `#[workflow]` themselves.
//!
//! An unknown key is answered with the keys that are known, so that nobody has to look them up.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, ExprLit, ExprPath, Ident, Lit, LitStr, Meta, Token};

use crate::diagnostics::{Faults, listed};
use crate::duration;
use crate::hygiene::Root;
use crate::model::Kind;

/// One argument of an attribute: `"text"`, `key` or `key = value`.
#[derive(Debug)]
pub(crate) struct Entry {
    /// None for a bare literal.
    pub(crate) key: Option<Ident>,
    pub(crate) value: Option<Expr>,
}

impl Parse for Entry {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.peek(Lit) {
            let literal = input.parse::<ExprLit>()?;
            return Ok(Self {
                key: None,
                value: Some(Expr::Lit(literal)),
            });
        }
        let key = input.call(Ident::parse_any)?;
        let value = if input.peek(Token![=]) {
            input.parse::<Token![=]>()?;
            Some(input.parse()?)
        } else {
            None
        };
        Ok(Self {
            key: Some(key),
            value,
        })
    }
}

impl ToTokens for Entry {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.key.to_tokens(tokens);
        if self.key.is_none() {
            self.value.to_tokens(tokens);
        }
    }
}

impl Entry {
    /// The key as text; empty for a bare literal.
    pub(crate) fn name(&self) -> String {
        self.key
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default()
    }

    /// The value as a literal text, or a fault.
    pub(crate) fn text(&self, example: &str, faults: &mut Faults) -> Option<LitStr> {
        if let Some(Expr::Lit(ExprLit {
            lit: Lit::Str(text),
            ..
        })) = &self.value
        {
            return Some(text.clone());
        }
        let what = format!("`{}` wants a text", self.name());
        faults.at(
            self.wrong(),
            what,
            "a string literal in double quotes",
            example,
        );
        None
    }

    /// The value as a number that fits in 32 bits, or a fault.
    pub(crate) fn whole(&self, example: &str, faults: &mut Faults) -> Option<u32> {
        if let Some(Expr::Lit(ExprLit {
            lit: Lit::Int(number),
            ..
        })) = &self.value
            && let Ok(number) = number.base10_parse()
        {
            return Some(number);
        }
        let what = format!("`{}` wants a whole number", self.name());
        faults.at(
            self.wrong(),
            what,
            "digits without sign and quotes",
            example,
        );
        None
    }

    /// The value as a number with or without a fraction, or a fault.
    pub(crate) fn number(&self, example: &str, faults: &mut Faults) -> Option<f64> {
        let found = match &self.value {
            Some(Expr::Lit(ExprLit {
                lit: Lit::Int(number),
                ..
            })) => number.base10_parse().ok(),
            Some(Expr::Lit(ExprLit {
                lit: Lit::Float(number),
                ..
            })) => number.base10_parse().ok(),
            _ => None,
        };
        if found.is_none() {
            let what = format!("`{}` wants a number", self.name());
            faults.at(
                self.wrong(),
                what,
                "a number without sign, such as `0.5`",
                example,
            );
        }
        found
    }

    /// The value as a duration in milliseconds, or a fault.
    pub(crate) fn duration_ms(&self, example: &str, faults: &mut Faults) -> Option<u64> {
        let text = self.text(example, faults)?;
        match duration::parse_ms(&text.value()) {
            Ok(ms) => Some(ms),
            Err(what) => {
                faults.at(text, what, duration::FORMS, example);
                None
            }
        }
    }

    /// The smallest tokens to blame for a wrong value.
    pub(crate) fn wrong(&self) -> TokenStream {
        match &self.value {
            Some(value) => value.to_token_stream(),
            None => self.key.to_token_stream(),
        }
    }
}

/// Reads the arguments of an attribute; what is no argument list becomes a fault.
pub(crate) fn entries(tokens: TokenStream, faults: &mut Faults) -> Vec<Entry> {
    match Punctuated::<Entry, Token![,]>::parse_terminated.parse2(tokens) {
        Ok(entries) => entries.into_iter().collect(),
        Err(error) => {
            faults.push(error);
            Vec::new()
        }
    }
}

/// Reads the arguments of a helper attribute: none for `#[x]`, a list for `#[x(…)]`.
pub(crate) fn attribute_entries(
    attribute: &Attribute,
    example: &str,
    faults: &mut Faults,
) -> Vec<Entry> {
    match &attribute.meta {
        Meta::Path(_) => Vec::new(),
        Meta::List(list) => entries(list.tokens.clone(), faults),
        Meta::NameValue(pair) => {
            let what = format!(
                "`#[{}]` takes its arguments in parentheses",
                attribute_name(attribute)
            );
            faults.at(&pair.value, what, "a list in parentheses", example);
            Vec::new()
        }
    }
}

/// The attribute's path as text, when it is a single identifier.
pub(crate) fn attribute_name(attribute: &Attribute) -> String {
    attribute
        .path()
        .get_ident()
        .map(ToString::to_string)
        .unwrap_or_default()
}

/// Reports a key that the attribute does not know, with those that it does.
pub(crate) fn unknown_key(
    entry: &Entry,
    attribute: &str,
    accepted: &[&str],
    example: &str,
    faults: &mut Faults,
) {
    let what = match &entry.key {
        Some(key) => format!("`{key}` is no option of `#[{attribute}]`"),
        None => format!("`#[{attribute}]` takes no bare value here"),
    };
    faults.at(entry, what, listed(accepted), example);
}

/// Reports keys that are given twice; the later one is blamed.
pub(crate) fn refuse_duplicates(entries: &[Entry], faults: &mut Faults) {
    for (index, entry) in entries.iter().enumerate() {
        if entries[..index]
            .iter()
            .any(|earlier| earlier.key == entry.key)
        {
            let what = if entry.key.is_some() {
                format!("`{}` is given twice", entry.name())
            } else {
                "two bare values are given".to_owned()
            };
            faults.at(entry, what, "each option once", "one of the two");
        }
    }
}

/// The arguments of `#[service(…)]` and `#[workflow(…)]`.
#[derive(Debug, Default)]
pub(crate) struct ItemArgs {
    pub(crate) name: Option<LitStr>,
    pub(crate) version: u32,
    pub(crate) root: Root,
}

/// Reads them; `accepted` lists the keys that make sense on the item at hand.
pub(crate) fn item_args(
    tokens: TokenStream,
    kind: Kind,
    accepted: &[&str],
    faults: &mut Faults,
) -> ItemArgs {
    let attribute = kind.attribute();
    let entries = entries(tokens, faults);
    refuse_duplicates(&entries, faults);
    let mut args = ItemArgs::default();
    for entry in &entries {
        let name = entry.name();
        if !accepted.contains(&name.as_str()) {
            let example = match accepted.first() {
                Some(&"version") => format!("`#[{attribute}(version = 2)]`"),
                Some(&"name") => format!("`#[{attribute}(name = \"orders\")]`"),
                _ => format!("`#[{attribute}]`"),
            };
            unknown_key(entry, attribute, accepted, &example, faults);
            continue;
        }
        match name.as_str() {
            "name" => args.name = entry.text("`name = \"orders\"`", faults),
            "version" => args.version = entry.whole("`version = 2`", faults).unwrap_or(0),
            _ => args.root = root(entry, faults),
        }
    }
    args
}

/// Reads `crate = some::path`.
pub(crate) fn root(entry: &Entry, faults: &mut Faults) -> Root {
    match &entry.value {
        Some(Expr::Path(ExprPath {
            qself: None, path, ..
        })) => Root::new(Some(path)),
        _ => {
            let what = "`crate` wants the path of the infinitic crate";
            faults.at(
                entry.wrong(),
                what,
                "a path without quotes",
                "`crate = my_reexport::infinitic`",
            );
            Root::default()
        }
    }
}
