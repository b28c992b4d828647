//! Documents of KDL 2: nodes with arguments, properties and children, each with its place in the source.
//!
//! This reader exists beside the `kdl` crate because programs are input that nobody vouches for, and long ones are
//! measured: version 6.7 of the crate overflows its stack on a line of closing braces or of equals signs, and takes more
//! than a microsecond for each byte. The crate stays the judge: tests hold both readers against each other.
//!
//! Reading never fails as a whole. What cannot be understood becomes a fault, and reading goes on behind it in a way that
//! keeps braces balanced, so that one slip does not make every later line wrong.

mod characters;
mod reader;
mod strings;

use std::borrow::Cow;

use miette::SourceSpan;

pub(super) use characters::{is_newline, is_plain, is_space};
pub(super) use reader::{comments, read};

/// A node with all that belongs to it.
#[derive(Clone, Debug)]
pub(super) struct Node<'a> {
    pub(super) name: Text<'a>,
    /// The place of a type annotation, of which programs have none.
    pub(super) annotation: Option<SourceSpan>,
    pub(super) entries: Vec<Entry<'a>>,
    /// Absent without braces.
    pub(super) children: Option<Vec<Self>>,
    /// Name and entries, without children.
    pub(super) span: SourceSpan,
    /// The block, braces included.
    pub(super) block: Option<core::ops::Range<usize>>,
    /// Behind all that belongs to it, in front of spaces and of what ends it.
    pub(super) end: usize,
    /// Behind the semicolon that ends it; at the comment, the line end or the brace that does.
    pub(super) next: usize,
}

/// A string and its place, quotes included.
#[derive(Clone, Debug)]
pub(super) struct Text<'a> {
    pub(super) value: Cow<'a, str>,
    pub(super) span: SourceSpan,
}

/// An argument or a property.
#[derive(Clone, Debug)]
pub(super) struct Entry<'a> {
    /// The name of a property.
    pub(super) name: Option<Text<'a>>,
    pub(super) annotation: Option<SourceSpan>,
    pub(super) value: Value<'a>,
    /// The value alone.
    pub(super) value_span: SourceSpan,
    /// Name and value.
    pub(super) span: SourceSpan,
}

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value<'a> {
    String(Cow<'a, str>),
    /// An integer, or absent where it does not fit into 128 bits.
    Integer(Option<i128>),
    Float(f64),
    Bool(bool),
    Null,
}

impl Entry<'_> {
    /// The place of a part of a string value. The whole value where escapes moved its characters.
    pub(super) fn place_in_string(&self, part: core::ops::Range<usize>) -> SourceSpan {
        match &self.value {
            Value::String(Cow::Borrowed(text)) => {
                let quotes = (self.value_span.len() - text.len()) / 2;
                (self.value_span.offset() + quotes + part.start, part.len()).into()
            }
            _ => self.value_span,
        }
    }
}

/// A slip in the notation itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SyntaxFault {
    pub(super) message: &'static str,
    pub(super) span: SourceSpan,
    pub(super) label: &'static str,
    pub(super) help: &'static str,
}

#[cfg(test)]
mod tests;
