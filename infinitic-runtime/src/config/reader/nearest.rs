//! The known word nearest to a misspelt one.

/// The nearest of some words; none when all are too far to be meant.
///
/// Case, `_` and `-` do not count. A word is near when few letters differ, or when it is the other
/// one with letters left out (`brokerUrl` for `brokerServiceUrl`).
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = plain(word);
    let mut best: Option<(usize, &str)> = None;
    for candidate in known {
        let other = plain(candidate);
        let apart = distance(&word, &other);
        let near = apart <= other.len().max(word.len()) / 3 || is_part(&word, &other);
        if near && best.is_none_or(|(least, _)| apart < least) {
            best = Some((apart, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

fn plain(word: &str) -> Vec<char> {
    let letters = word.chars().filter(|c| !matches!(c, '_' | '-'));
    letters.flat_map(char::to_lowercase).collect()
}

/// Whether one is the other with letters left out, and long enough for that to be no chance.
fn is_part(one: &[char], other: &[char]) -> bool {
    let (short, long) = if one.len() <= other.len() {
        (one, other)
    } else {
        (other, one)
    };
    let mut letters = long.iter();
    short.len() >= 4 && short.iter().all(|c| letters.any(|other| c == other))
}

/// Letters to insert, remove, replace or swap with their neighbour.
fn distance(one: &[char], other: &[char]) -> usize {
    let width = other.len() + 1;
    let mut rows: Vec<Vec<usize>> = vec![(0..width).collect()];
    for (i, a) in one.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in other.iter().enumerate() {
            let replaced = rows[i][j] + usize::from(a != b);
            let mut least = replaced.min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *a == other[j - 1] && one[i - 1] == *b {
                least = least.min(rows[i - 1][j - 1] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[one.len()][other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(word: &str, expected: Option<&str>) {
        let known = [
            "brokerServiceUrl",
            "webServiceUrl",
            "tenant",
            "namespace",
            "name",
            "policies",
        ];
        assert_eq!(nearest(word, known), expected, "{word}");
    }

    #[test]
    fn slips_are_understood() {
        check("tennant", Some("tenant"));
        check("teannt", Some("tenant"));
        check("polices", Some("policies"));
        check("nmae", Some("name"));
        check("namespaces", Some("namespace"));
    }

    #[test]
    fn other_habits_are_understood() {
        check("broker_service_url", Some("brokerServiceUrl"));
        check("web-service-url", Some("webServiceUrl"));
        check("BROKERSERVICEURL", Some("brokerServiceUrl"));
        check("brokerUrl", Some("brokerServiceUrl"));
    }

    #[test]
    fn nothing_is_guessed_from_afar() {
        check("kafka", None);
        check("x", None);
        check("", None);
    }
}
