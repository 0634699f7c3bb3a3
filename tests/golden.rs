//! Bytes of every released format decode for ever, to the same values.
//!
//! Each file of `tests/golden/v1` holds a family, a line for each variant: its name, its bytes in
//! hexadecimal. What stands there is never rewritten. `INFINITIC_BLESS=1` adds the lines of new
//! variants; whoever finds an old line failing has changed the format, and needs a new version.

#![allow(clippy::unwrap_used)]

#[macro_use]
#[path = "golden/samples.rs"]
mod samples;
#[path = "golden/letters.rs"]
mod letters;

use std::collections::BTreeMap;
use std::fmt::{Debug, Write as _};
use std::path::PathBuf;

use infinitic_core::codec::{
    DEFAULT, DecodeError, NEWEST, decode_message, decode_row, decode_value, encode_message,
    encode_row, encode_value,
};
use infinitic_core::{History, Instance};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// How the values of a family travel.
struct Form<T> {
    encode: fn(&T) -> Vec<u8>,
    decode: fn(&[u8]) -> Result<T, DecodeError>,
}

fn rows() -> Form<samples::Row> {
    Form {
        encode: |(header, entries)| encode_row(*header, entries),
        decode: decode_row,
    }
}

fn messages() -> Form<letters::Letter> {
    Form {
        encode: |(to, message)| encode_message(*to, message),
        decode: decode_message,
    }
}

fn values<T: Serialize + DeserializeOwned>() -> Form<T> {
    Form {
        encode: encode_value,
        decode: decode_value,
    }
}

fn check<T: PartialEq + Debug>(family: &str, form: &Form<T>, samples: Vec<(&'static str, T)>) {
    let mut stored = read(family);
    let mut added = false;
    for (name, expected) in samples {
        let bytes = (form.encode)(&expected);
        let Some(golden) = stored.get(name) else {
            assert!(
                std::env::var_os("INFINITIC_BLESS").is_some(),
                "{family}.hex has no line `{name}`; if it is new, run with INFINITIC_BLESS=1"
            );
            stored.insert(name.to_owned(), bytes);
            added = true;
            continue;
        };
        let decoded =
            (form.decode)(golden).unwrap_or_else(|error| panic!("{family} {name}: {error}"));
        assert_eq!(
            decoded, expected,
            "{family} {name} means something else now"
        );
        assert_eq!(
            hex(&bytes),
            hex(golden),
            "{family} {name} is written in another way now"
        );
    }
    if added {
        write(family, &stored);
    }
}

fn path(family: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/v1/{family}.hex"))
}

fn read(family: &str) -> BTreeMap<String, Vec<u8>> {
    let text = match std::fs::read_to_string(path(family)) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => panic!("{}: {error}", path(family).display()),
    };
    let line = |line: &str| {
        let (name, digits) = line.split_once(' ').expect("a name and its bytes");
        (name.to_owned(), bytes(digits))
    };
    text.lines().map(line).collect()
}

fn write(family: &str, stored: &BTreeMap<String, Vec<u8>>) {
    let path = path(family);
    std::fs::create_dir_all(path.parent().expect("it is in a folder")).unwrap();
    let mut text = String::new();
    for (name, bytes) in stored {
        writeln!(text, "{name} {}", hex(bytes)).unwrap();
    }
    std::fs::write(path, text).unwrap();
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn bytes(digits: &str) -> Vec<u8> {
    assert!(
        digits.len().is_multiple_of(2) && digits.is_ascii(),
        "{digits}"
    );
    let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
    (0..digits.len()).step_by(2).map(byte).collect()
}

#[test]
fn row_headers() {
    check("headers", &rows(), samples::headers());
}

#[test]
fn entries() {
    check("entries", &rows(), samples::entries());
}

#[test]
fn steerings() {
    check("steerings", &rows(), samples::steerings());
}

#[test]
fn commands() {
    check("commands", &rows(), samples::commands());
}

#[test]
fn outcomes() {
    check("outcomes", &rows(), samples::outcomes());
}

#[test]
fn failures() {
    check("failures", &values(), samples::failures());
}

#[test]
fn all_messages() {
    check("messages", &messages(), letters::messages());
}

#[test]
fn answers() {
    check("answers", &values(), letters::answers());
}

#[test]
fn pages_of_instances_to_purge() {
    check("pages", &values(), samples::pages());
}

#[test]
fn the_version_that_is_written_has_its_golden_bytes() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/v{DEFAULT}"));
    assert!(
        folder.is_dir(),
        "write the golden bytes of version {DEFAULT}"
    );
}

/// Every golden row and message, with the decoder that tells what it is.
fn every_blob() -> Vec<(String, Vec<u8>)> {
    let families = [
        "headers",
        "entries",
        "steerings",
        "commands",
        "outcomes",
        "messages",
    ];
    let blobs = families.into_iter().flat_map(|family| {
        read(family)
            .into_iter()
            .map(move |(name, bytes)| (format!("{family} {name}"), bytes))
    });
    let blobs: Vec<_> = blobs.collect();
    assert!(
        blobs.len() > 70,
        "golden bytes are missing: {}",
        blobs.len()
    );
    blobs
}

fn decode(name: &str, bytes: &[u8]) -> Result<(), DecodeError> {
    if name.starts_with("messages") {
        return decode_message(bytes).map(|_| ());
    }
    let (_, entries) = decode_row(bytes)?;
    // What a row says wrongly must not stop the process either: recovery folds it.
    let mut history = History::default();
    let first = samples::entries().remove(0).1.1.remove(0);
    let mut instance = Instance::begin(samples::instance(), &first).unwrap();
    for entry in samples::folded().into_iter().chain(entries) {
        instance.evolve(&entry);
        history.add(entry);
    }
    Ok(())
}

#[test]
fn bytes_of_a_newer_release_are_told_from_damage() {
    for (name, mut bytes) in every_blob() {
        bytes[0] = NEWEST + 1;
        let error = decode(&name, &bytes).unwrap_err();
        let newer = matches!(error, DecodeError::NewerVersion { found, .. } if found == NEWEST + 1);
        assert!(newer, "{name}: {error:?}");
        let text = error.to_string();
        assert!(text.contains("use a newer release"), "{text}");
        bytes[0] = 0;
        let error = decode(&name, &bytes).unwrap_err();
        assert!(
            matches!(error, DecodeError::Damaged { .. }),
            "{name}: {error:?}"
        );
    }
}

#[test]
fn nothing_is_empty() {
    for error in [
        decode_row(&[]).unwrap_err(),
        decode_message(&[]).unwrap_err(),
        decode_value::<u32>(&[]).unwrap_err(),
    ] {
        assert!(matches!(error, DecodeError::Empty { .. }), "{error:?}");
    }
}

#[test]
fn bytes_behind_a_message_are_damage() {
    for (name, mut bytes) in every_blob() {
        bytes.push(0);
        let is_message = name.starts_with("messages");
        let error = decode(&name, &bytes);
        // Behind a row, it may be the beginning of one more entry: that one is cut off.
        let damaged = matches!(error, Err(DecodeError::Damaged { .. }));
        assert!(damaged, "{name}: {error:?}");
        if is_message {
            let text = error.unwrap_err().to_string();
            assert_eq!(text, "damaged message: 1 bytes too many");
        }
    }
}

#[test]
fn a_blob_cut_short_never_decodes_as_more() {
    for (name, bytes) in every_blob() {
        for length in 1..bytes.len() {
            let cut = &bytes[..length];
            if name.starts_with("messages") {
                let error = decode(&name, cut).unwrap_err();
                assert!(
                    matches!(error, DecodeError::Damaged { .. }),
                    "{name} {length}"
                );
            } else if let Ok((_, entries)) = decode_row(cut) {
                // A row may end between two entries; its checksum is the store's.
                assert!(entries.is_empty(), "{name} {length}: {entries:?}");
            }
        }
    }
}

#[test]
fn flipped_bits_never_panic() {
    for (name, bytes) in every_blob() {
        for at in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[at / 8] ^= 1 << (at % 8);
            // An answer of either kind will do: some flips give other values.
            let _ = decode(&name, &damaged);
        }
    }
}

#[test]
fn random_damage_never_panics() {
    // SplitMix64, so that a run can be repeated.
    let mut state = 0x1234_5678_u64;
    let mut below = move |bound: usize| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) >> 16).unwrap() % bound
    };
    let blobs = every_blob();
    for _ in 0..50_000 {
        let (name, bytes) = &blobs[below(blobs.len())];
        let mut damaged = bytes.clone();
        for _ in 0..=below(4) {
            let at = below(damaged.len());
            // Marks of long integers are the dangerous ones: they make lengths of eight bytes.
            damaged[at] = [0xfb, 0xfc, 0xfd, 0xfe, 0xff, 0, 1][below(7)];
        }
        damaged.truncate(1 + below(damaged.len()));
        let _ = decode(name, &damaged);
    }
}
