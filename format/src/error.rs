//! Why a text is not a program: every fault with its place, what is wrong there, and what mends it.

use std::sync::Arc;

use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode, SourceSpan};
#[cfg(feature = "report")]
use miette::{GraphicalReportHandler, GraphicalTheme};

/// A text is not a program. Holds the text, so that a report can show the places.
///
/// ```
/// let error = fencepost_format::parse("few.kdl", "buffer A size=16\nfence F\nfence F\n").unwrap_err();
/// assert_eq!(error.to_string(), "few.kdl is not a program: 1 error");
/// assert_eq!(error.faults()[0].to_string(), "the fence `F` is declared twice");
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[error("{name} is not a program: {}", count(.faults.len()))]
pub struct ParseError {
    name: String,
    source_code: NamedSource<Arc<str>>,
    faults: Vec<Fault>,
}

fn count(faults: usize) -> String {
    if faults == 1 { "1 error".to_owned() } else { format!("{faults} errors") }
}

impl ParseError {
    pub(super) fn new(name: &str, source: &str, mut faults: Vec<Fault>) -> Self {
        faults.sort_by_key(|fault| fault.span.offset());
        let source_code = NamedSource::new(name, Arc::from(source));
        Self { name: name.to_owned(), source_code, faults }
    }

    /// Everything that is wrong, in the order of the text.
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// The faults as a person reads them: each with the lines it stands in. `columns` is how wide a line may get.
    #[cfg(feature = "report")]
    pub fn report(&self, columns: usize, colour: bool) -> String {
        let theme = if colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        let handler = GraphicalReportHandler::new_themed(theme).with_width(columns).without_cause_chain();
        let mut report = String::new();
        // Writing to a string does not fail; a place outside the text would, and the parser makes none.
        if handler.render_report(&mut report, self).is_err() {
            report = self.faults.iter().map(|fault| format!("{fault}\n")).collect();
        }
        report
    }
}

impl Diagnostic for ParseError {
    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.source_code)
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        Some(Box::new(self.faults.iter().map(|fault| fault as &dyn Diagnostic)))
    }
}

/// One thing that is wrong with a text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct Fault {
    /// What is wrong.
    pub kind: FaultKind,
    /// Where, in bytes of the text.
    pub span: SourceSpan,
    /// What stands at the place.
    pub label: String,
    /// What mends it.
    pub help: Option<String>,
    /// Another place that has to do with it, and how.
    pub other: Option<(SourceSpan, String)>,
}

impl Fault {
    pub(super) fn new(kind: FaultKind, span: SourceSpan, label: impl Into<String>) -> Self {
        Self { kind, span, label: label.into(), help: None, other: None }
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(super) fn other(mut self, span: SourceSpan, label: impl Into<String>) -> Self {
        self.other = Some((span, label.into()));
        self
    }
}

impl Diagnostic for Fault {
    fn code<'a>(&'a self) -> Option<Box<dyn core::fmt::Display + 'a>> {
        Some(Box::new(self.kind.code()))
    }

    fn help<'a>(&'a self) -> Option<Box<dyn core::fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn core::fmt::Display>)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let here = LabeledSpan::new_primary_with_span(Some(self.label.clone()), self.span);
        let other =
            self.other.iter().map(|(span, label)| LabeledSpan::new_with_span(Some(label.clone()), *span));
        Some(Box::new(core::iter::once(here).chain(other)))
    }
}

/// What may be wrong with a text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say what each kind and its fields mean")]
#[non_exhaustive]
pub enum FaultKind {
    #[error("{0}")]
    Syntax(&'static str),
    #[error("nothing called `{node}` stands {place}")]
    UnknownNode { node: String, place: &'static str },
    #[error("`{node}` has no property `{property}`")]
    UnknownProperty { node: String, property: String },
    #[error("`{value}` is no {what}")]
    UnknownValue { what: &'static str, value: String },
    #[error("`{node}` lacks {what}")]
    Missing { node: String, what: String },
    #[error("`{node}` has an argument too many")]
    ExtraArgument { node: String },
    #[error("`{node}` has no block")]
    ExtraBlock { node: String },
    #[error("programs have no type annotations")]
    Annotation,
    #[error("{what} must be {expected}")]
    WrongType { what: String, expected: &'static str },
    #[error("{what} must be {expected}")]
    OutOfBounds { what: String, expected: String },
    #[error("the {what} `{name}` is declared twice")]
    DuplicateName { what: &'static str, name: String },
    #[error("the label `{label}` stands twice in {place}")]
    DuplicateLabel { label: String, place: String },
    #[error("the property `{property}` is given twice")]
    DuplicateProperty { property: String },
    #[error("`{property}` and `{other}` exclude each other")]
    Conflict { property: &'static str, other: &'static str },
    #[error("the name `{name}` cannot be told apart from an access expression")]
    BadName { name: String },
    #[error("no {what} is named `{name}`")]
    UnknownName { what: &'static str, name: String },
    #[error("`{name}` is used before its declaration")]
    UsedTooEarly { name: String },
    #[error("`{name}` is {found}, not {expected}")]
    WrongKind { name: String, expected: &'static str, found: &'static str },
    #[error("`{text}` is no access expression")]
    BadAccess { text: String },
    #[error("`{text}` reaches beyond {what}")]
    OutsideResource { text: String, what: String },
    #[error("a copy of {from} bytes into {to}")]
    UnequalSizes { from: u64, to: u64 },
    #[error("a render pass has one depth attachment")]
    SecondDepth,
    #[error("no label path is `{path}`")]
    UnknownPath { path: String },
    #[error("the label path `{path}` names several places")]
    AmbiguousPath { path: String },
}

impl FaultKind {
    /// A stable name of the kind, for tests and for tools.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Syntax(_) => "syntax",
            Self::UnknownNode { .. } => "unknown-node",
            Self::UnknownProperty { .. } => "unknown-property",
            Self::UnknownValue { .. } => "unknown-value",
            Self::Missing { .. } => "missing",
            Self::ExtraArgument { .. } => "extra-argument",
            Self::ExtraBlock { .. } => "extra-block",
            Self::Annotation => "annotation",
            Self::WrongType { .. } => "wrong-type",
            Self::OutOfBounds { .. } => "out-of-bounds",
            Self::DuplicateName { .. } => "duplicate-name",
            Self::DuplicateLabel { .. } => "duplicate-label",
            Self::DuplicateProperty { .. } => "duplicate-property",
            Self::Conflict { .. } => "conflict",
            Self::BadName { .. } => "bad-name",
            Self::UnknownName { .. } => "unknown-name",
            Self::UsedTooEarly { .. } => "used-too-early",
            Self::WrongKind { .. } => "wrong-kind",
            Self::BadAccess { .. } => "bad-access",
            Self::OutsideResource { .. } => "outside-resource",
            Self::UnequalSizes { .. } => "unequal-sizes",
            Self::SecondDepth => "second-depth",
            Self::UnknownPath { .. } => "unknown-path",
            Self::AmbiguousPath { .. } => "ambiguous-path",
        }
    }
}
