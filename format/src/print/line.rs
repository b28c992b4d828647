//! One line of a text: a node's name, its arguments, its properties.

use core::fmt::Write as _;

use super::super::document::is_plain;
use super::PrintError;

/// A line being written.
pub(super) struct Line {
    text: String,
}

impl Line {
    pub(super) fn new(level: usize, node: &str) -> Self {
        Self { text: format!("{}{node}", "  ".repeat(level)) }
    }

    /// An argument.
    pub(super) fn argument(&mut self, text: &str) -> &mut Self {
        self.text.push(' ');
        self.string(text);
        self
    }

    /// A label, where there is one.
    pub(super) fn label(&mut self, label: Option<&str>) -> &mut Self {
        if let Some(label) = label {
            self.argument(label);
        }
        self
    }

    /// An argument that access expressions can name.
    pub(super) fn name(&mut self, name: &str) -> Result<&mut Self, PrintError> {
        if name.is_empty() || name.contains(|character: char| character == ':' || character.is_whitespace()) {
            return Err(PrintError::Name { name: name.to_owned() });
        }
        Ok(self.argument(name))
    }

    pub(super) fn property(&mut self, name: &str, text: &str) -> &mut Self {
        let _ = write!(self.text, " {name}=");
        self.string(text);
        self
    }

    pub(super) fn number(&mut self, name: &str, number: u64) -> &mut Self {
        let _ = write!(self.text, " {name}={number}");
        self
    }

    /// Ends the line.
    pub(super) fn end(&mut self, into: &mut String) {
        into.push_str(&self.text);
        into.push('\n');
    }

    /// Ends the line with the brace that opens a block.
    pub(super) fn open(&mut self, into: &mut String) {
        into.push_str(&self.text);
        into.push_str(" {\n");
    }

    fn string(&mut self, text: &str) {
        if is_plain(text) {
            self.text.push_str(text);
            return;
        }
        self.text.push('"');
        for character in text.chars() {
            match character {
                '"' => self.text.push_str("\\\""),
                '\\' => self.text.push_str("\\\\"),
                '\n' => self.text.push_str("\\n"),
                '\t' => self.text.push_str("\\t"),
                // Whatever cannot stand in a document, or would not be seen in one, stands as its number.
                _ if character == ' ' || !(character.is_whitespace() || needs_number(character)) => {
                    self.text.push(character);
                }
                _ => {
                    let _ = write!(self.text, "\\u{{{:x}}}", character as u32);
                }
            }
        }
        self.text.push('"');
    }
}

fn needs_number(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Closes a block.
pub(super) fn close(level: usize, into: &mut String) {
    into.push_str(&"  ".repeat(level));
    into.push_str("}\n");
}
