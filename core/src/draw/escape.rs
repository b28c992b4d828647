//! Labels are any text; every format has letters of its own.
use std::fmt::Write as _;

/// As text or attribute of XML. What XML cannot hold at all becomes the replacement character.
pub(super) fn xml(text: &str) -> String {
    let mut out = String::new();
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' | '\r' => out.push(' '),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            _ => out.push(letter),
        }
    }
    out
}

/// As a string of JSON, quotes included.
pub(super) fn json(text: &str) -> String {
    let mut out = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            letter if (letter as u32) < 0x20 => {
                // Writing to a string does not fail.
                let _ = write!(out, "\\u{:04x}", letter as u32);
            }
            letter => out.push(letter),
        }
    }
    out.push('"');
    out
}

/// As a quoted name or label of DOT, in which a backslash starts an escape.
pub(super) fn dot(text: &str) -> String {
    let mut out = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\0'..='\u{1f}' => out.push('\u{fffd}'),
            letter => out.push(letter),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_any_letters_stay_inside_their_quotes() {
        let label = "a<b & \"c\\d\"\n\u{1}";
        assert_eq!(xml(label), "a&lt;b &amp; &quot;c\\d&quot; \u{fffd}");
        assert_eq!(json(label), "\"a<b & \\\"c\\\\d\\\"\\n\\u0001\"");
        assert_eq!(dot(label), "\"a<b & \\\"c\\\\d\\\"\\n\u{fffd}\"");
    }
}
