//! Rules on dependencies and manifests.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use crate::source;

/// Most packages that a user of the default features builds, ours included.
const PACKAGES_MAX: usize = 160;

/// Words of which no package under the core may have one in its name (or be it, when short):
/// async runtimes, clocks, randomness, threads, files, sockets, logs, stores.
const IMPURE: [&str; 29] = [
    "ahash",
    "async-std",
    "chrono",
    "crossbeam",
    "fastrand",
    "fjall",
    "futures",
    "getrandom",
    "http",
    "hyper",
    "instant",
    "jiff",
    "libc",
    "log",
    "mio",
    "nix",
    "parking_lot",
    "quanta",
    "rand",
    "rayon",
    "redis",
    "rustix",
    "smol",
    "socket2",
    "sqlx",
    "tempfile",
    "time",
    "tokio",
    "tracing",
];

/// Packages that compile or link C, or need a tool installed.
const NATIVE: [&str; 9] = [
    "bindgen",
    "cc",
    "cmake",
    "native-tls",
    "openssl-sys",
    "pkg-config",
    "prost-build",
    "protobuf-src",
    "vcpkg",
];

/// The core can be compiled for anything, and simulated: nothing in its tree reaches the world.
pub(crate) fn core_is_pure() {
    let packages = packages(&["-p", "infinitic-core", "-e", "normal"]);
    assert!(packages.contains("serde"), "the tree is read: {packages:?}");
    let found: Vec<&String> = packages.iter().filter(|name| is_impure(name)).collect();
    assert!(
        found.is_empty(),
        "infinitic-core depends on {found:?}; it has no runtime, clock, randomness, thread, file \
         or log; pass what it needs in as a value"
    );
}

fn is_impure(name: &str) -> bool {
    IMPURE.iter().any(|impure| {
        let rest = name.strip_prefix(impure);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '_']))
    })
}

/// A first build is quick, and needs no more than Rust and a linker.
pub(crate) fn default_features_are_light() {
    let normal = packages(&["-p", "infinitic", "-e", "normal"]);
    assert!(
        normal.len() <= PACKAGES_MAX,
        "{} packages under the default features; at most {PACKAGES_MAX}: {normal:?}",
        normal.len()
    );
    let built = packages(&["-p", "infinitic", "-e", "normal,build"]);
    let native: Vec<&String> = built
        .iter()
        .filter(|name| NATIVE.contains(&name.as_str()))
        .collect();
    assert!(
        native.is_empty(),
        "the default features need {native:?}, and with it more than Rust and a linker; choose \
         a package written in Rust, or put it behind a feature"
    );
}

fn packages(filter: &[&str]) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .current_dir(source::root())
        .args(["tree", "--locked", "--prefix", "none", "--no-dedupe"])
        .args(["--format", "{p}"])
        .args(filter)
        .output()
        .expect("cargo runs this test");
    assert!(
        output.status.success(),
        "cargo tree failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).expect("package names are UTF-8");
    let names = text.lines().filter_map(|line| line.split(' ').next());
    names.map(str::to_owned).collect()
}

/// A package that forgot the workspace's lints would escape them in silence.
pub(crate) fn lints_are_inherited() {
    let root = source::root().join("Cargo.toml");
    let manifest = fs::read_to_string(&root).expect("the root has a manifest");
    let members = manifest
        .split_once("members = [")
        .and_then(|(_, rest)| rest.split_once(']'))
        .map(|(members, _)| members.split('"').skip(1).step_by(2))
        .expect("the root lists its members");
    let folders = members.map(|member| source::root().join(member));
    for folder in folders.chain([source::root().to_owned()]) {
        let path = folder.join("Cargo.toml");
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        assert!(
            text.contains("[lints]\nworkspace = true\n"),
            "{path:?}: write `[lints]` with `workspace = true`"
        );
    }
}

#[test]
fn impure_packages_are_known_by_their_beginning() {
    assert!(is_impure("tokio"));
    assert!(is_impure("tokio-util"));
    assert!(is_impure("rand_core"));
    assert!(!is_impure("timeline"));
    assert!(!is_impure("serde"));
}
