//! Why a shader was refused, with the place in its source.
//!
//! A message without the line it speaks of sends the reader searching, so an error carries the text of that line along: it stays
//! readable in a log, long after the source is gone. SPIR-V has no lines; there the message names the thing alone.

use std::fmt;

/// A shader or one of its functions was refused. See [`ShaderError::kind`] for what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShaderError(Box<Inner>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Inner {
    kind: ShaderErrorKind,
    message: String,
    location: Option<Location>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Location {
    line: u32,
    column: u32,
    width: u32,
    text: String,
}

/// What is wrong with a shader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ShaderErrorKind {
    /// The source is not WGSL, or the words are not SPIR-V.
    Syntax,
    /// It parses, and breaks a rule of the language.
    Invalid,
    /// It is right, and uses something that this device does not have. The message names it.
    Unsupported,
    /// There is no compute function of that name.
    FunctionNotFound,
    /// An override constant is unknown, or has no value.
    Constant,
    /// An override constant is given twice, or with a value that its type or its use cannot take.
    ConstantValue,
    /// With all calls inlined the kernel is larger than the device takes.
    TooLarge,
}

impl ShaderError {
    pub(crate) fn new(kind: ShaderErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { kind, message: message.into(), location: None }))
    }

    /// Adds the place, where there is a source and the span lies in it.
    pub(crate) fn at(mut self, source: Option<&str>, span: naga::Span) -> Self {
        if let (Some(source), Some(range)) = (source, span.to_range()) {
            self.0.location = Location::find(source, range);
        }
        self
    }

    /// What is wrong.
    pub fn kind(&self) -> ShaderErrorKind {
        self.0.kind
    }

    /// One sentence, without the place.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The line in the source, from 1. Absent for SPIR-V and for errors of the whole module.
    pub fn line(&self) -> Option<u32> {
        self.0.location.as_ref().map(|location| location.line)
    }

    /// The column in the line, in characters from 1.
    pub fn column(&self) -> Option<u32> {
        self.0.location.as_ref().map(|location| location.column)
    }

    /// The text of the line.
    pub fn line_text(&self) -> Option<&str> {
        self.0.location.as_ref().map(|location| location.text.as_str())
    }
}

impl Location {
    fn find(source: &str, range: std::ops::Range<usize>) -> Option<Self> {
        let before = source.get(..range.start)?;
        let line = before.matches('\n').count() as u32 + 1;
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let text = source[line_start..].lines().next().unwrap_or_default();
        let column = source[line_start..range.start].chars().count() as u32 + 1;
        let end = range.end.clamp(range.start, line_start + text.len().max(range.start - line_start));
        let width = source.get(range.start..end).map_or(1, |marked| marked.chars().count() as u32).max(1);
        Some(Self { line, column, width, text: text.to_owned() })
    }
}

impl fmt::Display for ShaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        if let Some(Location { line, column, width, text }) = &self.0.location {
            let margin = line.to_string().len();
            // Tabs before the mark are repeated, so that it stands below its text at any tab width.
            let indent: String =
                text.chars().take(*column as usize - 1).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
            let mark = "^".repeat(*width as usize);
            write!(f, "\n{:margin$} ┌─ line {line}, column {column}", "")?;
            write!(f, "\n{line} │ {text}\n{:margin$} │ {indent}{mark}", "")?;
        }
        Ok(())
    }
}

impl std::error::Error for ShaderError {}
