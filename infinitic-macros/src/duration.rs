//! Durations as users write them in attributes: `500ms`, `30s`, `2m`, `1h30m`, `7d`.

/// What a duration may look like, for messages.
pub(crate) const FORMS: &str = "`500ms`, `30s`, `2m`, `1h30m`, `7d`: whole numbers with the units \
                                `d`, `h`, `m`, `s`, `ms`, largest first";

/// Units from the largest to the smallest, with their length in milliseconds.
const UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// Reads a duration in milliseconds; the error says what is wrong with the text.
pub(crate) fn parse_ms(text: &str) -> Result<u64, String> {
    if text.is_empty() {
        return Err("an empty text is no duration".to_owned());
    }
    let mut rest = text;
    let mut total: u64 = 0;
    let mut units_left = &UNITS[..];
    while !rest.is_empty() {
        let (number, unit, after) = split_part(rest)
            .ok_or_else(|| format!("`{text}` is no duration: `{rest}` is no number with a unit"))?;
        let position = units_left
            .iter()
            .position(|(name, _)| *name == unit)
            .ok_or_else(|| {
                let unit = unit.trim();
                format!(
                    "`{text}` is no duration: the unit `{unit}` is unknown, repeated or misplaced"
                )
            })?;
        let part = number.checked_mul(units_left[position].1);
        total = part
            .and_then(|part| total.checked_add(part))
            .ok_or_else(|| format!("`{text}` is longer than can be counted"))?;
        units_left = &units_left[position + 1..];
        rest = after;
    }
    if total == 0 {
        return Err(format!("`{text}` lasts no time at all"));
    }
    Ok(total)
}

/// Takes one number and its unit from the front of a text.
fn split_part(text: &str) -> Option<(u64, &str, &str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let number = text[..digits].parse().ok()?;
    let unit = &text[digits..];
    let letters = unit
        .find(|c: char| c.is_ascii_digit())
        .unwrap_or(unit.len());
    Some((number, &unit[..letters], &unit[letters..]))
}

#[cfg(test)]
mod tests {
    use super::parse_ms;

    #[test]
    fn the_documented_forms_are_read() {
        let cases = [
            ("500ms", 500),
            ("30s", 30_000),
            ("2m", 120_000),
            ("1h30m", 5_400_000),
            ("7d", 604_800_000),
            ("1s500ms", 1_500),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_ms(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in [
            "",
            "5",
            "s",
            "5 parsecs",
            "1.5s",
            "30m1h",
            "1s1s",
            "0s",
            "99999999999999999999s",
        ] {
            assert!(parse_ms(text).is_err(), "{text}");
        }
    }
}
