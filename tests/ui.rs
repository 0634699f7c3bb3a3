//! What the macros accept and refuse, and in which words. `tests/ui/README.md` says how to add a
//! case.

/// Odd but legal input compiles; wrong input is refused as the file beside it says.
#[test]
fn ui() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/*/pass/*.rs");
    cases.compile_fail("tests/ui/*/fail/*.rs");
}
