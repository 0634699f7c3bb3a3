//! Times as people write them: `30s`, `1h30m`, `7d`.

use std::time::Duration;

/// Longest time that a setting accepts: a hundred years. Beyond it, sums with clocks overflow.
pub(super) const TIME_MAX: Duration = Duration::from_secs(100 * 365 * 24 * 3_600);

/// Units, the longer name first where one begins with another.
const UNITS: [(&str, u64); 5] = [
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];

/// Reads whole numbers with units, one behind the other; none when it is something else.
pub(super) fn parse(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut total_ms: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let (unit, factor) = UNITS.iter().find(|(unit, _)| rest.starts_with(unit))?;
        rest = rest[unit.len()..].trim_start();
        total_ms = total_ms.checked_add(number.checked_mul(*factor)?)?;
    }
    let time = Duration::from_millis(total_ms);
    (!time.is_zero() && time <= TIME_MAX).then_some(time)
}

/// Reads a number of seconds, whole or not; none when it is none, or negative.
pub(super) fn seconds(text: &str) -> Option<Duration> {
    let number: f64 = text.parse().ok()?;
    let time = Duration::try_from_secs_f64(number).ok()?;
    (time <= TIME_MAX).then_some(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_read() {
        assert_eq!(parse("30s"), Some(Duration::from_secs(30)));
        assert_eq!(parse("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(parse("1h30m"), Some(Duration::from_secs(5_400)));
        assert_eq!(parse("1h 30m"), Some(Duration::from_secs(5_400)));
        assert_eq!(parse("7d"), Some(Duration::from_secs(7 * 86_400)));
    }

    #[test]
    fn other_texts_are_not() {
        let texts = [
            "",
            "30",
            "s",
            "-1s",
            "1.5s",
            "3 weeks",
            "0s",
            "99999999d",
            "9999999999999999999d",
        ];
        for text in texts {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_of_seconds_are_read() {
        assert_eq!(seconds("0.25"), Some(Duration::from_millis(250)));
        assert_eq!(seconds("30"), Some(Duration::from_secs(30)));
        for text in ["-1", "inf", "NaN", "1e30", "", "30s"] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}
