//! How wide a text gets, without a font.
//!
//! Nothing here can open a font, and nobody knows which one a reader has. All text is therefore set in a fixed-pitch
//! font: their advances differ by a hundredth or two from 0.6 of the size, and the widest common one counts. What is outside of
//! the usual alphabets may come from any font; it is given room for a full-width letter, and the drawing
//! asks for exactly the width that was reckoned with.

/// Pixels that a text takes at a size.
pub(super) fn width(text: &str, size: i32) -> i32 {
    let hundredths: i64 = text.chars().map(advance).sum();
    let pixels = (hundredths * i64::from(size) + 99) / 100;
    i32::try_from(pixels).unwrap_or(i32::MAX / 4)
}

/// Whether every letter has the pitch of a fixed-pitch font.
pub(super) fn is_plain(text: &str) -> bool {
    text.chars().all(|letter| advance(letter) == PITCH)
}

/// The text, or its beginning and an ellipsis where it is wider than `most`.
pub(super) fn fitted(text: &str, size: i32, most: i32) -> String {
    if width(text, size) <= most {
        return text.to_owned();
    }
    let mut kept = String::new();
    for letter in text.chars() {
        kept.push(letter);
        if width(&kept, size) + width("…", size) > most {
            kept.pop();
            break;
        }
    }
    let kept = kept.trim_end();
    if width("…", size) > most { String::new() } else { format!("{kept}…") }
}

/// The text in lines of at most `most` pixels, broken at spaces where there are any.
pub(super) fn wrapped(text: &str, size: i32, most: i32) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let longer = if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
        if width(&longer, size) <= most {
            line = longer;
            continue;
        }
        if !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        line = fitted(word, size, most);
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// Hundredths of the size.
const fn advance(letter: char) -> i64 {
    match letter {
        ' '..='~' | '\u{a1}'..='\u{17f}' | '\u{370}'..='\u{3ff}' | '\u{400}'..='\u{45f}' | '…' | '→' => {
            PITCH
        }
        _ => FULL_WIDTH,
    }
}

const PITCH: i64 = 61;
const FULL_WIDTH: i64 = 125;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_cut_fits_and_says_so() {
        assert_eq!(fitted("dispatch", 10, 49), "dispatch");
        assert_eq!(fitted("dispatch", 10, 48), "dispat…");
        assert_eq!(fitted("dispatch", 10, 3), "");
        for most in 0..80 {
            assert!(width(&fitted("コピー and copy", 11, most), 11) <= most);
        }
    }

    #[test]
    fn lines_break_at_spaces_and_never_run_over() {
        assert_eq!(wrapped("a bb ccc", 10, 25), ["a bb", "ccc"]);
        assert!(wrapped("a-word-that-has-no-end in it", 10, 40).iter().all(|line| width(line, 10) <= 40));
        assert_eq!(wrapped("", 10, 40), Vec::<String>::new());
    }
}
