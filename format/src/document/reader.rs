//! Nodes, entries, numbers, white space and comments.
//!
//! The reader walks the source once, by byte offset. Only children recurse, and no deeper than [`DEPTH`].

use std::borrow::Cow;

use miette::SourceSpan;

use super::characters::{is_bare_keyword, is_forbidden, is_identifier, is_newline, is_space, starts_number};
use super::{Entry, Node, SyntaxFault, Text, Value};

/// Braces within braces. Programs need four; notifications within notifications may want some more.
const DEPTH: usize = 100;

/// Faults after which reading stops: what follows would hardly be about the document any more.
const FAULTS: usize = 50;

/// Reads a document as far as it can be read.
pub(in super::super) fn read(source: &str) -> (Vec<Node<'_>>, Vec<SyntaxFault>) {
    let mut nodes = Vec::new();
    let faults = document(source, &mut nodes).faults;
    (nodes, faults)
}

/// The places of all comments of a document, in their order; of one within another, the outer.
pub(in super::super) fn comments(source: &str) -> Vec<core::ops::Range<usize>> {
    document(source, &mut Vec::new()).comments
}

fn document<'a>(source: &'a str, nodes: &mut Vec<Node<'a>>) -> Reader<'a> {
    let mut reader = Reader { source, at: 0, faults: Vec::new(), comments: Vec::new(), stopped: false };
    reader.take("\u{feff}");
    reader.nodes(nodes, 0);
    while reader.at < source.len() && !reader.is_hopeless() {
        let brace = reader.at..reader.at + 1;
        reader.at += 1;
        reader.fault(
            brace,
            "a brace closes nothing",
            "no block is open here",
            "take the brace out, or look for the node whose `{` is missing",
        );
        reader.nodes(nodes, 0);
    }
    // What is read twice, as a string that may be a property's name, has its comments twice.
    reader.comments.sort_by_key(|comment| (comment.start, core::cmp::Reverse(comment.end)));
    let mut end = 0;
    reader.comments.retain(|comment| {
        let is_new = comment.start >= end;
        end = end.max(comment.end);
        is_new
    });
    reader
}

pub(super) struct Reader<'a> {
    pub(super) source: &'a str,
    pub(super) at: usize,
    faults: Vec<SyntaxFault>,
    comments: Vec<core::ops::Range<usize>>,
    stopped: bool,
}

/// Reading cannot go on where it is; the fault is recorded.
pub(super) struct Broken;

type Read<T> = Result<T, Broken>;

impl<'a> Reader<'a> {
    pub(super) fn rest(&self) -> &'a str {
        &self.source[self.at..]
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn take(&mut self, text: &str) -> bool {
        let found = self.rest().starts_with(text);
        if found {
            self.at += text.len();
        }
        found
    }

    pub(super) fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let length = rest.find(|character| !wanted(character)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    pub(super) fn span_from(&self, start: usize) -> SourceSpan {
        (start, self.at - start).into()
    }

    pub(super) fn fault(
        &mut self,
        place: core::ops::Range<usize>,
        message: &'static str,
        label: &'static str,
        help: &'static str,
    ) -> Broken {
        // An empty place shows nothing; the character at it does.
        let end = if place.is_empty() {
            place.start + self.source[place.start..].chars().next().map_or(0, char::len_utf8)
        } else {
            place.end
        };
        if self.stopped {
            return Broken;
        }
        self.faults.push(SyntaxFault { message, span: (place.start, end - place.start).into(), label, help });
        Broken
    }

    fn is_hopeless(&self) -> bool {
        self.stopped || self.faults.len() >= FAULTS
    }

    /// Reads nodes up to the end or a closing brace.
    fn nodes(&mut self, nodes: &mut Vec<Node<'a>>, depth: usize) {
        while !self.is_hopeless() {
            if self.line_space().is_err() {
                self.recover(depth);
                continue;
            }
            if self.peek().is_none_or(|character| character == '}') {
                return;
            }
            let skipped = self.take("/-");
            let node = if skipped && self.line_space().is_err() { Err(Broken) } else { self.node(depth) };
            match node {
                Ok(node) if !skipped => nodes.push(node),
                Ok(_) => {}
                Err(Broken) => self.recover(depth),
            }
        }
    }

    /// Goes on behind a fault: at the next line or the brace that closes the block. Blocks on the way are read, so
    /// that their braces do not count.
    fn recover(&mut self, depth: usize) {
        while let Some(character) = self.peek() {
            match character {
                '}' => return,
                '{' => {
                    let _ = self.children(depth);
                }
                _ => self.at += character.len_utf8(),
            }
            if is_newline(character) || character == ';' || self.is_hopeless() {
                return;
            }
        }
    }

    fn node(&mut self, depth: usize) -> Read<Node<'a>> {
        let start = self.at;
        let annotation = self.annotation()?;
        let name_at = self.at;
        let Some(name) = self.string()? else {
            return Err(self.fault(
                name_at..name_at,
                "a node has no name",
                "expected the name of a node",
                "a line starts with a word such as `buffer`, `compute` or `copy`",
            ));
        };
        let name = Text { value: name, span: self.span_from(name_at) };
        let (span, end) = (self.span_from(start), self.at);
        let mut node =
            Node { name, annotation, entries: Vec::new(), children: None, span, block: None, end, next: end };
        loop {
            let spaced = self.node_space()?;
            let skipped = self.take("/-");
            if skipped {
                self.line_space()?;
            }
            match self.peek() {
                None | Some(';' | '}') if !skipped => break,
                Some(character) if is_newline(character) && !skipped => break,
                Some('/') if self.rest().starts_with("//") && !skipped => break,
                Some('{') => {
                    let open = self.at;
                    let children = self.children(depth)?;
                    node.end = self.at;
                    if !skipped {
                        node.children = Some(children);
                        node.block = Some(open..self.at);
                        break;
                    }
                }
                _ if node.children.is_some() || !(spaced || skipped) => return Err(self.misplaced_entry()),
                _ => {
                    let entry = self.entry()?;
                    node.end = self.at;
                    if !skipped {
                        node.entries.push(entry);
                        node.span = self.span_from(start);
                    }
                }
            }
        }
        self.end_of_node(depth, &mut node.end)?;
        node.next = self.at;
        Ok(node)
    }

    fn misplaced_entry(&mut self) -> Broken {
        self.fault(
            self.at..self.at,
            "two words stand without a space between them",
            "expected a space before this",
            "separate names, arguments and properties by spaces, and put quotes around text with special characters",
        )
    }

    /// What may follow the block of a node: skipped blocks, then the end of the node.
    fn end_of_node(&mut self, depth: usize, end: &mut usize) -> Read<()> {
        loop {
            self.node_space()?;
            if !self.take("/-") {
                break;
            }
            self.line_space()?;
            self.children(depth)?;
            *end = self.at;
        }
        match self.peek() {
            None | Some('}') => Ok(()),
            Some(';') => {
                self.at += 1;
                Ok(())
            }
            Some(character) if is_newline(character) => Ok(()),
            Some('/') if self.rest().starts_with("//") => Ok(()),
            Some(_) => Err(self.fault(
                self.at..self.at,
                "something follows the block of a node on the same line",
                "expected the end of the line",
                "start the next node on a line of its own",
            )),
        }
    }

    fn children(&mut self, depth: usize) -> Read<Vec<Node<'a>>> {
        let open = self.at;
        if !self.take("{") {
            return Err(self.fault(
                open..open,
                "a block is missing",
                "expected `{`",
                "open a block with `{`",
            ));
        }
        if depth + 1 >= DEPTH {
            let broken = self.fault(
                open..open + 1,
                "blocks stand too deep within each other",
                "this block is the hundredth",
                "programs need four levels; flatten notifications within notifications",
            );
            self.stopped = true;
            return Err(broken);
        }
        let mut nodes = Vec::new();
        self.nodes(&mut nodes, depth + 1);
        if self.take("}") || self.is_hopeless() {
            return Ok(nodes);
        }
        Err(self.fault(
            open..open + 1,
            "a block is never closed",
            "opened here",
            "close it with `}` on a line of its own",
        ))
    }

    fn annotation(&mut self) -> Read<Option<SourceSpan>> {
        let start = self.at;
        if !self.take("(") {
            return Ok(None);
        }
        self.node_space()?;
        let named = self.string()?.is_some();
        self.node_space()?;
        if !named || !self.take(")") {
            return Err(self.fault(
                start..self.at,
                "a type annotation is broken",
                "expected one word in parentheses",
                "programs have no type annotations; take it out",
            ));
        }
        let span = self.span_from(start);
        self.node_space()?;
        Ok(Some(span))
    }

    fn entry(&mut self) -> Read<Entry<'a>> {
        let start = self.at;
        if let Some(text) = self.string()? {
            let value_span = self.span_from(start);
            let back = self.at;
            self.node_space()?;
            if self.take("=") {
                self.node_space()?;
                let (annotation, value, place) = self.value()?;
                let name = Some(Text { value: text, span: value_span });
                return Ok(Entry { name, annotation, value, value_span: place, span: self.span_from(start) });
            }
            self.at = back;
            let value = Value::String(text);
            return Ok(Entry { name: None, annotation: None, value, value_span, span: value_span });
        }
        let (annotation, value, value_span) = self.value()?;
        Ok(Entry { name: None, annotation, value, value_span, span: self.span_from(start) })
    }

    fn value(&mut self) -> Read<(Option<SourceSpan>, Value<'a>, SourceSpan)> {
        let annotation = self.annotation()?;
        let start = self.at;
        if let Some(text) = self.string()? {
            return Ok((annotation, Value::String(text), self.span_from(start)));
        }
        let value = match self.peek() {
            Some('#') => self.keyword()?,
            Some(_) if starts_number(self.rest()) => self.number()?,
            _ => {
                return Err(self.fault(
                    start..start,
                    "a value is missing",
                    "expected text, a number or `#true`",
                    "write a value, and quotes around text with special characters",
                ));
            }
        };
        Ok((annotation, value, self.span_from(start)))
    }

    fn keyword(&mut self) -> Read<Value<'a>> {
        let start = self.at;
        self.at += 1;
        match self.take_while(is_identifier) {
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            "null" => Ok(Value::Null),
            "inf" => Ok(Value::Float(f64::INFINITY)),
            "-inf" => Ok(Value::Float(f64::NEG_INFINITY)),
            "nan" => Ok(Value::Float(f64::NAN)),
            _ => Err(self.fault(
                start..self.at,
                "an unknown keyword",
                "no keyword has this name",
                "the keywords are `#true`, `#false`, `#null`, `#inf`, `#-inf` and `#nan`",
            )),
        }
    }

    fn number(&mut self) -> Read<Value<'a>> {
        let start = self.at;
        let text = self.take_while(is_identifier);
        number(text).ok_or_else(|| {
            self.fault(
                start..self.at,
                "a number is broken",
                "this is neither a number nor text",
                "text that starts with a digit needs quotes",
            )
        })
    }

    /// A string without quotes, or one of the quoted kinds. Nothing where none of them starts here.
    pub(super) fn string(&mut self) -> Read<Option<Cow<'a, str>>> {
        match self.peek() {
            Some('"') => self.quoted().map(Some),
            Some('#') if self.rest().trim_start_matches('#').starts_with('"') => self.raw().map(Some),
            Some(character) if is_identifier(character) && !starts_number(self.rest()) => {
                let start = self.at;
                let text = self.take_while(is_identifier);
                if is_bare_keyword(text) {
                    return Err(self.fault(
                        start..self.at,
                        "a keyword lacks its `#`",
                        "neither text nor a keyword",
                        "write `#true`, or put quotes around it to mean the text",
                    ));
                }
                Ok(Some(Cow::Borrowed(text)))
            }
            _ => Ok(None),
        }
    }

    /// Skips spaces, comments within the line, and line ends behind a backslash. Says whether there were any.
    fn node_space(&mut self) -> Read<bool> {
        let start = self.at;
        loop {
            self.take_while(is_space);
            match self.peek() {
                Some('/') if self.rest().starts_with("/*") => self.block_comment()?,
                Some('\\') => self.continued_line()?,
                _ => return Ok(self.at > start),
            }
        }
    }

    /// Skips spaces, comments and line ends.
    fn line_space(&mut self) -> Read<()> {
        loop {
            self.node_space()?;
            match self.peek() {
                Some(character) if is_newline(character) => self.at += character.len_utf8(),
                Some('/') if self.rest().starts_with("//") => self.line_comment()?,
                Some(';') => return Err(self.empty_node()),
                _ => return Ok(()),
            }
        }
    }

    fn empty_node(&mut self) -> Broken {
        self.fault(
            self.at..self.at,
            "a node has no name",
            "this ends a node that never began",
            "take the semicolon out",
        )
    }

    fn continued_line(&mut self) -> Read<()> {
        let start = self.at;
        self.at += 1;
        loop {
            self.take_while(is_space);
            if !self.rest().starts_with("/*") {
                break;
            }
            self.block_comment()?;
        }
        if self.rest().starts_with("//") {
            self.line_comment()?;
        }
        match self.peek() {
            None => Ok(()),
            Some('\r') if self.take("\r\n") => Ok(()),
            Some(character) if is_newline(character) => {
                self.at += character.len_utf8();
                Ok(())
            }
            Some(_) => Err(self.fault(
                start..start + 1,
                "a backslash continues no line",
                "expected the end of the line behind it",
                "a backslash goes last on a line; in text it needs quotes",
            )),
        }
    }

    fn line_comment(&mut self) -> Read<()> {
        let start = self.at;
        let comment = self.take_while(|character| !is_newline(character));
        self.comments.push(start..self.at);
        self.allowed(start, comment)
    }

    fn block_comment(&mut self) -> Read<()> {
        let start = self.at;
        let mut depth = 0_usize;
        loop {
            if self.take("/*") {
                depth += 1;
            } else if self.take("*/") {
                depth -= 1;
                if depth == 0 {
                    self.comments.push(start..self.at);
                    return self.allowed(start, &self.source[start..self.at]);
                }
            } else if let Some(character) = self.peek() {
                self.at += character.len_utf8();
            } else {
                return Err(self.fault(
                    start..start + 2,
                    "a comment is never closed",
                    "opened here",
                    "close it with `*/`; comments within comments count",
                ));
            }
        }
    }

    /// Checks text for characters that no document has.
    pub(super) fn allowed(&mut self, start: usize, text: &str) -> Read<()> {
        let Some((offset, character)) = text.char_indices().find(|(_, character)| is_forbidden(*character))
        else {
            return Ok(());
        };
        let at = start + offset;
        Err(self.fault(
            at..at + character.len_utf8(),
            "an invisible control character",
            "this character may not stand in a document",
            "delete it; in quoted text, write it as an escape such as `\\u{7f}`",
        ))
    }
}

/// The number that a text is.
fn number(text: &str) -> Option<Value<'static>> {
    let (negative, unsigned) = match text.strip_prefix(['+', '-']) {
        Some(unsigned) => (text.starts_with('-'), unsigned),
        None => (false, text),
    };
    let radix = match unsigned.get(..2) {
        Some("0x") => 16,
        Some("0o") => 8,
        Some("0b") => 2,
        _ => return decimal(text, unsigned),
    };
    let digits = &unsigned[2..];
    if digits.starts_with('_') || !digits.chars().all(|digit| digit == '_' || digit.is_digit(radix)) {
        return None;
    }
    integer(negative, digits, radix)
}

fn decimal(text: &str, unsigned: &str) -> Option<Value<'static>> {
    let digits = |text: &str| {
        text.starts_with(|first: char| first.is_ascii_digit())
            && text.chars().all(|digit| digit == '_' || digit.is_ascii_digit())
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let exponent_is_good =
        exponent.is_none_or(|exponent| digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)));
    if !digits(whole) || !fraction.is_none_or(digits) || !exponent_is_good {
        return None;
    }
    if fraction.is_none() && exponent.is_none() {
        return integer(text.starts_with('-'), whole, 10);
    }
    text.replace('_', "").parse().ok().map(Value::Float)
}

fn integer(negative: bool, digits: &str, radix: u32) -> Option<Value<'static>> {
    let mut digits = digits.chars().filter_map(|digit| digit.to_digit(radix)).peekable();
    digits.peek()?;
    let value = digits.try_fold(0_i128, |value, digit| {
        value.checked_mul(i128::from(radix)).and_then(|value| value.checked_add(i128::from(digit)))
    });
    Some(Value::Integer(value.map(|value| if negative { -value } else { value })))
}
