//! Names of types as users write them: without the path.

/// The name of a type without paths: `Vec<Order>` for `alloc::vec::Vec<shop::Order>`.
pub(crate) fn short_type_name<T: ?Sized>() -> String {
    shorten(std::any::type_name::<T>())
}

fn shorten(name: &str) -> String {
    let mut short = String::with_capacity(name.len());
    let mut segment = 0;
    let mut chars = name.chars().peekable();
    while let Some(c) = chars.next() {
        if c == ':' && chars.peek() == Some(&':') {
            chars.next();
            short.truncate(segment);
            continue;
        }
        short.push(c);
        if !(c.is_alphanumeric() || c == '_' || c == '{' || c == '}' || c == '#') {
            segment = short.len();
        }
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_go_also_inside_of_parameters() {
        assert_eq!(
            short_type_name::<Option<Vec<std::net::IpAddr>>>(),
            "Option<Vec<IpAddr>>"
        );
        assert_eq!(short_type_name::<(u8, &str)>(), "(u8, &str)");
        assert_eq!(shorten("a::b::E<c::D, &[e::F]>"), "E<D, &[F]>");
    }
}
