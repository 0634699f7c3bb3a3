//! The table of all keys, as Markdown: made from the list that the reader uses, so that it is true.

use super::keys::{ALL, Keys};

/// Every key of a configuration as tables in Markdown: first what is accepted, section by section,
/// then what is refused, with the reasons.
#[must_use]
pub fn reference() -> String {
    let mut text = String::new();
    for keys in ALL {
        text.push_str(&format!("### {}\n\n", title(keys)));
        text.push_str("| Key | Takes | Without it | What it sets |\n|---|---|---|---|\n");
        for taken in keys.taken {
            text.push_str(&format!(
                "| `{}` | {} | {} | {} |\n",
                taken.key,
                cell(taken.takes),
                cell(taken.default),
                cell(taken.sets)
            ));
        }
        text.push('\n');
    }
    text.push_str("### Refused keys\n\n| Key | Why, and what to do |\n|---|---|\n");
    for keys in ALL {
        for (key, reason) in keys.refused {
            text.push_str(&format!("| `{}` | {} |\n", keys.path(key), cell(reason)));
        }
    }
    text
}

fn title(keys: &Keys) -> String {
    match keys.section {
        "" => "Top level".to_owned(),
        section => format!("`{section}`"),
    }
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
