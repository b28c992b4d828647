//! A text changed as its program was: what is new is put in, what is gone taken out, and all the rest left alone.
//!
//! People keep comments, order and spaces in their programs, and a tool that prints a program anew throws them away. So the
//! text is cut only where the program has changed. What the two programs have in common is told by whoever changed one into
//! the other: for every place of the new program, the place that it had before.
//!
//! A new line stands behind the line in front of it, or, where it holds what follows, in front of the line that it holds,
//! and is indented as that line is. Where several nodes share a line, a new one joins them there. A line of which something
//! remains, and a comment anywhere, is never taken out.
//!
//! What comes out is read again: unless its program is the new one, there is no text. Expectations stay as they are, whatever they
//! name.
use core::ops::Range;

use fencepost_core::program::{
    BufferItem, CommandBuffer, CommandBufferIndex, EventOperationKind, Locus, Pass, PassItem, PassKind,
    Primitive, Program, Step,
};

use super::document::{Node, comments, is_newline, is_space, read};
use super::parse::{STEPS, parse};
use super::print::{Piece, PrintError, lines};

/// A text cannot be changed as its program was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EditError {
    /// Something new has no text.
    #[error(transparent)]
    Print(#[from] PrintError),
    /// The text is not that of the program before, or what has changed is more than lines.
    #[error("the text cannot be changed in place")]
    NotInPlace,
}

/// The text of a changed program: `source`, the text of `old`, with what `new` has more and without what it has not.
///
/// `origin` says where something of the new program stood before, and nothing for what is new.
///
/// ```
/// use fencepost_format::{edit, parse};
/// let source = "buffer A size=64   // all of it\n\nread A";
/// let old = parse("old.kdl", source)?.program;
/// let mut new = old.clone();
/// new.fences.push("F".to_owned());
/// let text = edit(source, &old, &new, |place| Some(place))?;
/// assert_eq!(text, "buffer A size=64   // all of it\nfence F\n\nread A");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Something that has no text, or a change that is not one of items of passes and command buffers, of steps, or of fences
/// and events behind those that are there.
pub fn edit(
    source: &str,
    old: &Program,
    new: &Program,
    origin: impl Fn(Locus) -> Option<Locus>,
) -> Result<String, EditError> {
    let (nodes, faults) = read(source);
    if !faults.is_empty() {
        return Err(EditError::NotInPlace);
    }
    let mut editor = Editor {
        source,
        new,
        origin: &origin,
        comments: comments(source),
        newline: newline(source),
        cuts: Vec::new(),
    };
    editor.document(&nodes, old)?;
    let text = editor.done();
    if is_of(&text, new) { Ok(text) } else { Err(EditError::NotInPlace) }
}

/// Whether a text is a program's, but for what its author expects: that may name a place that has gone, or that is twice there
/// now, and is for the author to mend.
fn is_of(text: &str, program: &Program) -> bool {
    let (nodes, _) = read(text);
    let mut rest = text.to_owned();
    for node in nodes.iter().rev().filter(|node| node.name.value == "expect") {
        rest.replace_range(node.span.offset()..node.end, "");
    }
    let mut silent = program.clone();
    silent.expectations.clear();
    parse("", &rest).is_ok_and(|parsed| parsed.program == silent)
}

struct Editor<'a> {
    source: &'a str,
    new: &'a Program,
    origin: &'a dyn Fn(Locus) -> Option<Locus>,
    comments: Vec<Range<usize>>,
    newline: &'static str,
    /// What takes the place of what; nothing of the source where something is only put in.
    cuts: Vec<(Range<usize>, String)>,
}

/// What a block holds now, in its order.
struct Now<'n, 'p> {
    /// The node that it was before.
    node: Option<&'n Node<'n>>,
    what: What<'p>,
    /// It has changed.
    is_other: bool,
}

/// Something of a block.
enum What<'p> {
    Piece(Piece<'p>),
    /// The end of the block, and the lines with which another goes on.
    Break(Vec<String>),
}

/// One of the passes that a pass has become.
struct Part<'p> {
    place: u32,
    pass: &'p Pass,
    /// What stands between it and the part before.
    between: Vec<&'p BufferItem>,
}

/// Where a line goes that is new.
#[derive(Clone, Copy)]
enum Beside<'n> {
    Behind(&'n Node<'n>),
    InFrontOf(&'n Node<'n>),
    Within(&'n Node<'n>),
    /// At the end of the document.
    Last,
}

impl<'a> Editor<'a> {
    fn document(&mut self, nodes: &[Node<'_>], old: &Program) -> Result<(), EditError> {
        self.declarations(nodes, "fence", self.new.fences.get(old.fences.len()..), |name| {
            format!("fence {name}")
        })?;
        let event = |event: &fencepost_core::program::EventDeclaration| {
            format!("{} {}", if event.shared { "shared-event" } else { "event" }, event.name)
        };
        self.declarations(nodes, "event", self.new.events.get(old.events.len()..), event)?;
        let buffers: Vec<&Node<'_>> =
            nodes.iter().filter(|node| node.name.value == "command-buffer").collect();
        if buffers.len() != self.new.command_buffers.len() || buffers.len() != old.command_buffers.len() {
            return Err(EditError::NotInPlace);
        }
        let new = self.new;
        for ((node, number), (body, before)) in
            buffers.into_iter().zip(0..).zip(new.command_buffers.iter().zip(&old.command_buffers))
        {
            self.command_buffer(node, CommandBufferIndex(number), body, before)?;
        }
        let mut old_steps = Vec::new();
        step_nodes(nodes, &mut old_steps);
        let top: Vec<&Node<'_>> = nodes.iter().filter(|node| is_step(node)).collect();
        self.steps(&new.steps, &mut 0, &old_steps, &top, None)
    }

    /// New declarations behind the last of their kind, or behind all that stand in front of everything else.
    fn declarations<T>(
        &mut self,
        nodes: &[Node<'_>],
        kind: &str,
        new: Option<&[T]>,
        line: impl Fn(&T) -> String,
    ) -> Result<(), EditError> {
        let declares =
            |node: &&Node<'_>| !is_step(node) && !["command-buffer", "expect"].contains(&&*node.name.value);
        let front = nodes.iter().take_while(declares);
        let same = front.clone().rfind_kind(kind);
        let beside = match (same.or_else(|| front.clone().last()), nodes.first()) {
            (Some(last), _) => Beside::Behind(last),
            (None, Some(first)) => Beside::InFrontOf(first),
            (None, None) => Beside::Last,
        };
        for declaration in new.ok_or(EditError::NotInPlace)? {
            self.put(&[line(declaration)], beside, None);
        }
        Ok(())
    }

    fn command_buffer(
        &mut self,
        node: &Node<'_>,
        buffer: CommandBufferIndex,
        new: &'a CommandBuffer,
        old: &CommandBuffer,
    ) -> Result<(), EditError> {
        let before: Vec<&Node<'_>> = node.children.iter().flatten().collect();
        let mut now = Vec::new();
        let mut place = 0;
        while let Some(item) = new.items.get(place) {
            let former = self.former(buffer, place as u32, item);
            let own = match former {
                Some(former) => Some(*before.get(former as usize).ok_or(EditError::NotInPlace)?),
                None => None,
            };
            now.push(Now { node: own, what: What::Piece(Piece::BufferItem(item)), is_other: false });
            let first = place;
            place += 1;
            if let (Some(own), BufferItem::Pass(pass), Some(former)) = (own, item, former) {
                let Some(BufferItem::Pass(was)) = old.items.get(former as usize) else {
                    return Err(EditError::NotInPlace);
                };
                let mut parts = vec![Part { place: first as u32, pass, between: Vec::new() }];
                place += self.parts(buffer, former, &new.items[place..], place as u32, &mut parts);
                self.pass(own, buffer, &parts, was)?;
            }
        }
        self.block(&now, &before, Some(node))
    }

    /// The place that an item of a command buffer had.
    fn former(&self, buffer: CommandBufferIndex, place: u32, item: &BufferItem) -> Option<u32> {
        let locus = match item {
            BufferItem::Pass(_) => Locus::Pass { buffer, pass: place },
            BufferItem::Event(_) => Locus::Event { buffer, item: place },
        };
        match (self.origin)(locus) {
            Some(Locus::Pass { pass: place, .. } | Locus::Event { item: place, .. }) => Some(place),
            _ => None,
        }
    }

    /// The further passes that a pass has become, with what is new between them; how many items they are.
    fn parts(
        &self,
        buffer: CommandBufferIndex,
        former: u32,
        items: &'a [BufferItem],
        start: u32,
        parts: &mut Vec<Part<'a>>,
    ) -> usize {
        let (mut count, mut between) = (0, Vec::new());
        for (item, place) in items.iter().zip(start..) {
            if self.former(buffer, place, item).is_some() {
                break;
            }
            let goes_on = |pass: &Pass| {
                (0..pass.items.len() as u32).any(|item| {
                    let own = (self.origin)(Locus::PassItem { buffer, pass: place, item });
                    matches!(own, Some(Locus::PassItem { pass, .. }) if pass == former)
                })
            };
            match item {
                BufferItem::Pass(pass) if goes_on(pass) => {
                    parts.push(Part { place, pass, between: std::mem::take(&mut between) });
                    count = (place - start) as usize + 1;
                }
                other => between.push(other),
            }
        }
        count
    }

    fn pass(
        &mut self,
        node: &Node<'_>,
        buffer: CommandBufferIndex,
        parts: &[Part<'a>],
        old: &Pass,
    ) -> Result<(), EditError> {
        let is_attachment = |node: &&Node<'_>| ["color", "depth"].contains(&&*node.name.value);
        let items = node.children.iter().flatten();
        let before: Vec<&Node<'_>> = items.clone().filter(|node| !is_attachment(node)).collect();
        if let Some(first) = parts.first() {
            self.attachments(items.filter(is_attachment), &first.pass.kind, &old.kind)?;
        }
        let origins = self.origins(buffer, parts);
        let mut now = Vec::new();
        for (number, part) in parts.iter().enumerate() {
            if number > 0 {
                let mut opening = vec!["}".to_owned()];
                for item in &part.between {
                    opening.extend(lines(self.new, Piece::BufferItem(item))?);
                }
                opening.extend(lines(self.new, Piece::Opening(part.pass))?);
                now.push(Now { node: None, what: What::Break(opening), is_other: false });
            }
            for (item, former) in part.pass.items.iter().zip(&origins[number]) {
                let own = match former {
                    Some(place) => Some(*before.get(*place).ok_or(EditError::NotInPlace)?),
                    None => None,
                };
                let was = former.and_then(|place| old.items.get(place));
                let is_other = was.is_some_and(|was| was != item);
                now.push(Now { node: own, what: What::Piece(Piece::PassItem(item)), is_other });
            }
        }
        self.block(&now, &before, Some(node))
    }

    /// For every item of some parts of a pass, where it was. What stands in several parts now has been in one: updates of
    /// fences in the last, since they come with the work before them, all else in the first.
    fn origins(&self, buffer: CommandBufferIndex, parts: &[Part<'_>]) -> Vec<Vec<Option<usize>>> {
        let former = |part: &Part<'_>, item: u32| match (self.origin)(Locus::PassItem {
            buffer,
            pass: part.place,
            item,
        }) {
            Some(Locus::PassItem { item, .. }) => Some(item as usize),
            _ => None,
        };
        let mut all: Vec<Vec<Option<usize>>> = Vec::new();
        for part in parts {
            let mut own = Vec::new();
            for (item, index) in part.pass.items.iter().zip(0..) {
                let place = former(part, index);
                let twin = place.and_then(|_| all.iter_mut().flatten().find(|other| **other == place));
                let is_update = matches!(item, PassItem::Synchronization(own)
                    if matches!(own.primitive, Primitive::UpdateFence { .. }));
                own.push(match twin {
                    Some(_) if !is_update => None,
                    Some(twin) => {
                        *twin = None;
                        place
                    }
                    None => place,
                });
            }
            all.push(own);
        }
        all
    }

    /// Gives the attachments of a pass the actions that they have now.
    fn attachments<'n>(
        &mut self,
        nodes: impl Iterator<Item = &'n Node<'n>>,
        new: &PassKind,
        old: &PassKind,
    ) -> Result<(), EditError> {
        let (PassKind::Render { color, depth }, PassKind::Render { color: was, depth: deep }) = (new, old)
        else {
            return if new == old { Ok(()) } else { Err(EditError::NotInPlace) };
        };
        let (mut colours, mut depths) = (color.iter().zip(was), depth.iter().zip(deep));
        for node in nodes {
            let (word, pair) = match &*node.name.value {
                "depth" => ("depth", depths.next()),
                _ => ("color", colours.next()),
            };
            let (now, was) = pair.ok_or(EditError::NotInPlace)?;
            if now != was {
                let line = lines(self.new, Piece::Attachment(word, now))?;
                self.change(node, &line)?;
            }
        }
        Ok(())
    }

    fn steps<'n>(
        &mut self,
        new: &'a [Step],
        number: &mut u32,
        old: &[&'n Node<'n>],
        before: &[&'n Node<'n>],
        container: Option<&'n Node<'n>>,
    ) -> Result<(), EditError> {
        let mut now = Vec::new();
        for step in new {
            let former = match (self.origin)(Locus::Step(*number)) {
                Some(Locus::Step(number)) => Some(*old.get(number as usize).ok_or(EditError::NotInPlace)?),
                _ => None,
            };
            *number += 1;
            if let Step::Thread { body, .. } | Step::Notify { body, .. } = step {
                match former {
                    Some(node) => {
                        let inner: Vec<&Node<'n>> = node.children.iter().flatten().collect();
                        self.steps(body, number, old, &inner, Some(node))?;
                    }
                    None => skip(body, number),
                }
            }
            now.push(Now { node: former, what: What::Piece(Piece::Step(step)), is_other: false });
        }
        self.block(&now, before, container)
    }

    /// Brings a block from what it held to what it holds now.
    fn block(
        &mut self,
        now: &[Now<'_, '_>],
        before: &[&Node<'_>],
        container: Option<&Node<'_>>,
    ) -> Result<(), EditError> {
        let same = |first: &Node<'_>, second: &Node<'_>| core::ptr::eq(first, second);
        for node in before {
            if !now.iter().any(|own| own.node.is_some_and(|own| same(own, node))) {
                self.take_out(node);
            }
        }
        let mut held = false;
        for (place, own) in now.iter().enumerate() {
            let (text, is_break) = match &own.what {
                What::Piece(piece) => (lines(self.new, *piece)?, false),
                What::Break(lines) => (lines.clone(), true),
            };
            if let Some(node) = own.node {
                held = false;
                if own.is_other {
                    self.change(node, &text)?;
                }
                continue;
            }
            let former = now[..place].iter().rev().find_map(|own| own.node);
            let next = now[place..].iter().find_map(|own| own.node);
            held |= matches!(own.what, What::Piece(piece) if holds(piece));
            let beside = match (former, next, container) {
                (None, Some(next), _) => Beside::InFrontOf(next),
                (_, Some(next), _) if held => Beside::InFrontOf(next),
                (Some(former), ..) => Beside::Behind(former),
                (None, None, Some(container)) => Beside::Within(container),
                (None, None, None) => Beside::Last,
            };
            // What ends a block and begins another stands as the block itself does.
            let outer = container.filter(|_| is_break).map(|node| self.indentation(node));
            self.put(&text, beside, outer);
        }
        Ok(())
    }

    /// Puts lines somewhere, indented as what stands beside them, unless they have an indentation of their own.
    fn put(&mut self, text: &[String], beside: Beside<'_>, own: Option<&str>) {
        let (newline, source) = (self.newline, self.source);
        let indented = |indentation: &str| {
            let indentation = own.unwrap_or(indentation);
            text.iter().map(|line| format!("{indentation}{line}")).collect::<Vec<_>>().join(newline)
        };
        // A line that opens a block is not ended.
        let ends = if text.last().is_some_and(|line| line.ends_with('{')) { "" } else { ";" };
        let (at, text) = match beside {
            Beside::Behind(node) => {
                let indentation = self.indentation(node);
                let rest = &source[node.next..self.line_end(node.next)];
                let rest = rest.trim_start_matches(is_space);
                if rest.is_empty() || rest.starts_with("//") {
                    let end = self.line_end(node.next);
                    let next = end + newline_at(source, end);
                    match next > end {
                        true => (next, format!("{}{newline}", indented(indentation))),
                        false => (end, format!("{newline}{}", indented(indentation))),
                    }
                } else if source[..node.next].ends_with(';') && node.next > node.end {
                    (node.next, format!(" {}{ends}", indented(indentation).trim_start()))
                } else {
                    (node.end, format!("; {}", indented(indentation).trim_start()))
                }
            }
            Beside::InFrontOf(node) => {
                let indentation = self.indentation(node);
                let start = self.before_comments(node.span.offset());
                match self.is_first_on_line(start) {
                    true => (self.line_start(start), format!("{}{newline}", indented(indentation))),
                    false => (start, format!("{}{ends} ", indented(indentation).trim_start())),
                }
            }
            Beside::Within(node) => {
                let outer = self.indentation(node);
                let inner = indented(&format!("{outer}  "));
                match &node.block {
                    None => (node.end, format!(" {{{newline}{inner}{newline}{outer}}}")),
                    Some(block) if self.is_first_on_line(self.before_comments(block.end - 1)) => {
                        (self.line_start(block.end - 1), format!("{inner}{newline}"))
                    }
                    Some(block) => (block.end - 1, format!("{newline}{inner}{newline}{outer}")),
                }
            }
            Beside::Last => {
                let ends = source.is_empty() || source.ends_with(is_newline);
                let before = if ends { "" } else { newline };
                (source.len(), format!("{before}{}{newline}", indented("")))
            }
        };
        self.cuts.push((at..at, text));
    }

    /// Takes a node out, and its line where it stands alone on it. Comments within it stay in its place.
    fn take_out(&mut self, node: &Node<'_>) {
        let start = node.span.offset();
        let indentation = self.indentation(node);
        let within =
            self.comments.iter().filter(|comment| comment.start >= start && comment.end <= node.next);
        let (mut kept, mut to_line_end) = (String::new(), false);
        for comment in within {
            let text = &self.source[comment.clone()];
            kept += text;
            to_line_end = text.starts_with("//");
            kept += &if to_line_end { format!("{}{indentation}", self.newline) } else { " ".to_owned() };
        }
        let end = self.line_end(node.next);
        let is_alone = self.source[node.next..end].chars().all(is_space) && self.is_first_on_line(start);
        let cut = match (is_alone, kept.is_empty()) {
            (true, true) => self.line_start(start)..end + newline_at(self.source, end),
            _ => {
                let after = self.source[node.next..end].chars().take_while(|letter| is_space(*letter));
                start..node.next + after.map(char::len_utf8).sum::<usize>()
            }
        };
        // What stands behind it on its line must not become part of a comment.
        let is_last = self.source[cut.end..].chars().find(|letter| !is_space(*letter)).is_none_or(is_newline);
        let kept = if to_line_end && !is_last { kept.as_str() } else { kept.trim_end() };
        self.cuts.push((cut, kept.to_owned()));
    }

    /// Gives a node the entries of a new line, and leaves those alone that say the same.
    fn change(&mut self, node: &Node<'_>, new: &[String]) -> Result<(), EditError> {
        let text = new.join(self.newline);
        let (line, _) = read(&text);
        let [line] = line.as_slice() else { return Err(EditError::NotInPlace) };
        let of = |span: miette::SourceSpan| span.offset()..span.offset() + span.len();
        let named = |entry: &&super::document::Entry<'_>, name: &str| {
            entry.name.as_ref().is_some_and(|own| own.value == name)
        };
        let arguments = |node: &Node<'_>| node.entries.iter().filter(|entry| entry.name.is_none()).count();
        if arguments(node) != arguments(line) || node.name.value != line.name.value {
            return Err(EditError::NotInPlace);
        }
        for entry in &node.entries {
            let Some(name) = &entry.name else { continue };
            match line.entries.iter().find(|own| named(own, &name.value)) {
                Some(own) if own.value == entry.value => {}
                Some(own) => self.cuts.push((of(entry.value_span), text[of(own.value_span)].to_owned())),
                None => {
                    let place = of(entry.span);
                    let blanks = self.source[..place.start].len()
                        - self.source[..place.start].trim_end_matches(is_space).len();
                    self.cuts.push((place.start - blanks..place.end, String::new()));
                }
            }
        }
        let end = of(node.span).end;
        for own in &line.entries {
            let Some(name) = &own.name else { continue };
            if !node.entries.iter().any(|entry| named(&entry, &name.value)) {
                self.cuts.push((end..end, format!(" {}", &text[of(own.span)])));
            }
        }
        Ok(())
    }

    fn done(mut self) -> String {
        self.cuts.sort_by_key(|(place, _)| (place.start, place.end));
        let mut text = String::new();
        let mut at = 0;
        for (place, new) in &self.cuts {
            text += &self.source[at.min(place.start)..place.start];
            text += new;
            at = at.max(place.end);
        }
        text += &self.source[at..];
        text
    }

    fn line_start(&self, at: usize) -> usize {
        let mark = if self.source.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        self.source[..at]
            .rfind(is_newline)
            .map_or(mark, |place| place + newline_length(&self.source[place..]))
    }

    fn line_end(&self, at: usize) -> usize {
        self.source[at..].find(is_newline).map_or(self.source.len(), |place| at + place)
    }

    fn is_first_on_line(&self, at: usize) -> bool {
        self.source[self.line_start(at)..at].chars().all(is_space)
    }

    /// Where the comments begin that stand right in front of a place on its line, and so belong to it.
    fn before_comments(&self, at: usize) -> usize {
        let start = self.line_start(at);
        let mut first = at;
        for comment in self.comments.iter().rev().filter(|comment| comment.start >= start) {
            if comment.end <= first && self.source[comment.end..first].chars().all(is_space) {
                first = comment.start;
            }
        }
        first
    }

    /// The blanks at the start of the line that a node stands on.
    fn indentation(&self, node: &Node<'_>) -> &'a str {
        let line = &self.source[self.line_start(node.span.offset())..];
        &line[..line.len() - line.trim_start_matches(is_space).len()]
    }
}

/// Looks for a kind of declaration from the end.
trait FindKind<'n> {
    fn rfind_kind(self, kind: &str) -> Option<&'n Node<'n>>;
}

impl<'n, I: Iterator<Item = &'n Node<'n>>> FindKind<'n> for I {
    fn rfind_kind(self, kind: &str) -> Option<&'n Node<'n>> {
        self.filter(|node| node.name.value == kind || node.name.value == format!("shared-{kind}")).last()
    }
}

fn is_step(node: &Node<'_>) -> bool {
    STEPS.contains(&&*node.name.value)
}

/// Every step's node, by its number.
fn step_nodes<'n>(nodes: &'n [Node<'n>], all: &mut Vec<&'n Node<'n>>) {
    for node in nodes.iter().filter(|node| is_step(node)) {
        all.push(node);
        step_nodes(node.children.as_deref().unwrap_or_default(), all);
    }
}

/// Counts steps that are new with all that stands in them.
fn skip(steps: &[Step], number: &mut u32) {
    for step in steps {
        *number += 1;
        if let Step::Thread { body, .. } | Step::Notify { body, .. } = step {
            skip(body, number);
        }
    }
}

/// Whether it holds what follows, and so belongs to it rather than to what is in front.
fn holds(piece: Piece<'_>) -> bool {
    match piece {
        Piece::PassItem(PassItem::Synchronization(own)) => {
            !matches!(own.primitive, Primitive::UpdateFence { .. } | Primitive::ProducerBarrier { .. })
        }
        Piece::PassItem(_) => true,
        Piece::BufferItem(BufferItem::Event(own)) => own.kind == EventOperationKind::Wait,
        Piece::BufferItem(BufferItem::Pass(_)) => false,
        Piece::Step(Step::QueueEvent { operation, .. }) => operation.kind == EventOperationKind::Wait,
        Piece::Step(step) => matches!(step, Step::WaitUntilCompleted(_) | Step::WaitUntilSignaled { .. }),
        Piece::Attachment(..) | Piece::Opening(_) => true,
    }
}

/// How many bytes the end of a line has that stands at a place; none where none does.
fn newline_at(source: &str, at: usize) -> usize {
    if source[at..].starts_with(is_newline) { newline_length(&source[at..]) } else { 0 }
}

fn newline_length(text: &str) -> usize {
    if text.starts_with("\r\n") { 2 } else { text.chars().next().map_or(0, char::len_utf8) }
}

/// How lines of a text end.
fn newline(source: &str) -> &'static str {
    if source.contains("\r\n") { "\r\n" } else { "\n" }
}
