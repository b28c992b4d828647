//! The classes of characters that KDL 2 distinguishes.

/// Ends a line. A carriage return with a line feed behind it counts as one; the reader sees to that.
pub(in super::super) const fn is_newline(character: char) -> bool {
    matches!(character, '\n' | '\r' | '\u{85}' | '\u{b}' | '\u{c}' | '\u{2028}' | '\u{2029}')
}

/// Separates without ending a line.
pub(in super::super) const fn is_space(character: char) -> bool {
    matches!(
        character,
        '\t' | ' ' | '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}'
    )
}

/// May stand nowhere in a document, comments and strings included.
pub(super) const fn is_forbidden(character: char) -> bool {
    matches!(
        character,
        '\0'..='\u{8}'
            | '\u{e}'..='\u{1f}'
            | '\u{7f}'
            | '\u{200e}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
            | '\u{feff}'
    )
}

/// May stand in a string without quotes.
pub(super) const fn is_identifier(character: char) -> bool {
    !matches!(character, '\\' | '/' | '(' | ')' | '{' | '}' | '[' | ']' | ';' | '"' | '#' | '=')
        && !is_space(character)
        && !is_newline(character)
        && !is_forbidden(character)
}

/// Whether text that starts like this reads as a number and not as a string.
pub(super) fn starts_number(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let unsigned = unsigned.strip_prefix('.').unwrap_or(unsigned);
    unsigned.starts_with(|character: char| character.is_ascii_digit())
}

/// Words that look like keywords without their `#`.
pub(super) fn is_bare_keyword(text: &str) -> bool {
    matches!(text, "true" | "false" | "null" | "inf" | "-inf" | "nan")
}

/// Whether a string needs no quotes.
pub(in super::super) fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.chars().all(is_identifier) && !starts_number(text) && !is_bare_keyword(text)
}
