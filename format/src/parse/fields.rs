//! The arguments and properties of one node, taken one by one; what is left over at the end is a fault.

use miette::SourceSpan;

use super::super::document::{Entry, Node, Value};
use super::super::error::{Fault, FaultKind};
use super::super::words::{Words, nearest};

/// Faults after which the rest of a text is not looked at.
const FAULTS: usize = 100;

/// The faults found so far.
#[derive(Default)]
pub(super) struct Faults {
    pub(super) list: Vec<Fault>,
}

impl Faults {
    pub(super) fn add(&mut self, fault: Fault) {
        self.list.push(fault);
    }

    pub(super) fn are_enough(&self) -> bool {
        self.list.len() >= FAULTS
    }
}

/// A node being taken apart.
pub(super) struct Fields<'n, 's> {
    pub(super) node: &'n Node<'s>,
    arguments: Vec<&'n Entry<'s>>,
    taken: usize,
    known: Vec<&'static str>,
}

impl<'n, 's> Fields<'n, 's> {
    pub(super) fn of(node: &'n Node<'s>) -> Self {
        let arguments = node.entries.iter().filter(|entry| entry.name.is_none()).collect();
        Self { node, arguments, taken: 0, known: Vec::new() }
    }

    /// How many arguments nobody has taken yet.
    pub(super) fn arguments_left(&self) -> usize {
        self.arguments.len() - self.taken
    }

    /// The next argument, if there is one.
    pub(super) fn next_argument(&mut self) -> Option<&'n Entry<'s>> {
        let argument = self.arguments.get(self.taken).copied()?;
        self.taken += 1;
        Some(argument)
    }

    /// The next argument. `form` shows how the node is written.
    pub(super) fn argument(&mut self, faults: &mut Faults, what: &str, form: &str) -> Option<&'n Entry<'s>> {
        let argument = self.next_argument();
        if argument.is_none() {
            self.missing(faults, what.to_owned(), form);
        }
        argument
    }

    /// Reports what the node lacks.
    pub(super) fn missing(&self, faults: &mut Faults, what: String, form: &str) {
        let kind = FaultKind::Missing { node: self.node.name.value.to_string(), what };
        faults.add(Fault::new(kind, self.node.span, "incomplete").help(format!("write `{form}`")));
    }

    /// A property, if it is given.
    pub(super) fn property(&mut self, name: &'static str) -> Option<&'n Entry<'s>> {
        self.known.push(name);
        self.node.entries.iter().find(|entry| entry.name.as_ref().is_some_and(|text| text.value == name))
    }

    /// A property that has to be given. `form` shows how the node is written.
    pub(super) fn required(
        &mut self,
        faults: &mut Faults,
        name: &'static str,
        form: &str,
    ) -> Option<&'n Entry<'s>> {
        let property = self.property(name);
        if property.is_none() && !self.misspelt(name) {
            self.missing(faults, format!("the property `{name}`"), form);
        }
        property
    }

    /// Whether a property's name is nearly this one: then saying so once is enough.
    fn misspelt(&self, name: &str) -> bool {
        let mut names = self.node.entries.iter().filter_map(|entry| entry.name.as_ref());
        names.any(|given| nearest(&given.value, [name]).is_some())
    }

    /// Reports what the node has besides what was taken.
    pub(super) fn finish(self, faults: &mut Faults) {
        let has_block = self.node.children.is_some();
        if has_block {
            let kind = FaultKind::ExtraBlock { node: self.node.name.value.to_string() };
            faults.add(
                Fault::new(kind, self.node.span, "expected the end of the line behind this")
                    .help("take the braces out"),
            );
        }
        self.finish_with_block(faults);
    }

    /// As [`Self::finish`] where a block belongs to the node.
    pub(super) fn finish_with_block(self, faults: &mut Faults) {
        let node = || self.node.name.value.to_string();
        if let Some(extra) = self.arguments.get(self.taken) {
            let kind = FaultKind::ExtraArgument { node: node() };
            faults.add(
                Fault::new(kind, extra.span, "one too many")
                    .help("take it out, or name a property: `name=value`"),
            );
        }
        for (index, entry) in self.node.entries.iter().enumerate() {
            let Some(name) = &entry.name else { continue };
            if !self.known.contains(&&*name.value) {
                let kind = FaultKind::UnknownProperty { node: node(), property: name.value.to_string() };
                let help = suggestion(&name.value, &self.known, "its properties are");
                faults.add(Fault::new(kind, name.span, "unknown property").help(help));
                continue;
            }
            let earlier = &self.node.entries[..index];
            let former =
                earlier.iter().find_map(|other| other.name.as_ref().filter(|it| it.value == name.value));
            if let Some(former) = former {
                let kind = FaultKind::DuplicateProperty { property: name.value.to_string() };
                let fault = Fault::new(kind, name.span, "given again").help("keep one of them");
                faults.add(fault.other(former.span, "given here first"));
            }
        }
        let annotations = self.node.entries.iter().filter_map(|entry| entry.annotation);
        for span in annotations.chain(self.node.annotation) {
            let fault = Fault::new(FaultKind::Annotation, span, "a type annotation");
            faults.add(fault.help("take the parentheses out"));
        }
    }
}

/// The nearest of the words, or all of them.
pub(super) fn suggestion(given: &str, words: &[&str], introduction: &str) -> String {
    match nearest(given, words.iter().copied()) {
        Some(word) => format!("did you mean `{word}`?"),
        None if words.is_empty() => "take it out".to_owned(),
        None => format!("{introduction} {}", listed(words)),
    }
}

fn listed(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// What an entry is called in messages.
fn called(entry: &Entry<'_>) -> String {
    match &entry.name {
        Some(name) => format!("`{}`", name.value),
        None => "this argument".to_owned(),
    }
}

/// The text of an entry.
pub(super) fn text<'n>(faults: &mut Faults, entry: &'n Entry<'_>) -> Option<&'n str> {
    if let Value::String(text) = &entry.value {
        return Some(text);
    }
    let kind = FaultKind::WrongType { what: called(entry), expected: "text" };
    let fault = Fault::new(kind, entry.value_span, "not text");
    faults
        .add(fault.help("names and words stand without quotes, or in quotes where they start with a digit"));
    None
}

/// The whole number of an entry, within bounds.
pub(super) fn integer(
    faults: &mut Faults,
    entry: &Entry<'_>,
    bounds: core::ops::RangeInclusive<u64>,
) -> Option<u64> {
    let Value::Integer(value) = &entry.value else {
        let kind = FaultKind::WrongType { what: called(entry), expected: "a whole number" };
        let fault = Fault::new(kind, entry.value_span, "not a whole number");
        let help = match &entry.value {
            Value::String(text) if text.parse::<u64>().is_ok() => format!("take the quotes off: `{text}`"),
            _ => format!("write a number from {} to {}", bounds.start(), bounds.end()),
        };
        faults.add(fault.help(help));
        return None;
    };
    let value = value.and_then(|value| u64::try_from(value).ok()).filter(|value| bounds.contains(value));
    if value.is_none() {
        let expected = format!("a number from {} to {}", bounds.start(), bounds.end());
        let help = format!("write {expected}");
        let kind = FaultKind::OutOfBounds { what: called(entry), expected };
        faults.add(Fault::new(kind, entry.value_span, "outside the bounds").help(help));
    }
    value
}

/// What a word means.
pub(super) fn word<T: Copy>(
    faults: &mut Faults,
    entry: &Entry<'_>,
    words: Words<T>,
    what: &'static str,
) -> Option<T> {
    let given = text(faults, entry)?;
    meaning(faults, given, entry.value_span, words, what)
}

fn meaning<T: Copy>(
    faults: &mut Faults,
    given: &str,
    span: SourceSpan,
    words: Words<T>,
    what: &'static str,
) -> Option<T> {
    let found = words.iter().find(|(word, _)| *word == given);
    if found.is_none() {
        let all: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let kind = FaultKind::UnknownValue { what, value: given.to_owned() };
        let help = suggestion(given, &all, "the words are");
        faults.add(Fault::new(kind, span, format!("no {what}")).help(help));
    }
    found.map(|(_, meaning)| *meaning)
}

/// One of a list of words that mean themselves.
pub(super) fn one_of(
    faults: &mut Faults,
    entry: &Entry<'_>,
    words: &[&str],
    what: &'static str,
) -> Option<String> {
    let given = text(faults, entry)?;
    if !words.contains(&given) {
        let kind = FaultKind::UnknownValue { what, value: given.to_owned() };
        let help = suggestion(given, words, "the words are");
        faults.add(Fault::new(kind, entry.value_span, format!("no {what}")).help(help));
        return None;
    }
    Some(given.to_owned())
}

/// The words of a text with spaces, and where each stands.
pub(super) fn items<'n>(entry: &'n Entry<'_>, text: &'n str) -> impl Iterator<Item = (&'n str, SourceSpan)> {
    text.split_whitespace().map(move |item| {
        let start = item.as_ptr() as usize - text.as_ptr() as usize;
        (item, entry.place_in_string(start..start + item.len()))
    })
}

/// What all words of a text with spaces mean together.
pub(super) fn words<T: Copy, U: FromIterator<T>>(
    faults: &mut Faults,
    entry: &Entry<'_>,
    words: Words<T>,
    what: &'static str,
) -> Option<U> {
    let given = text(faults, entry)?;
    // Every unknown word is reported before the whole is given up.
    let meanings: Vec<Option<T>> =
        items(entry, given).map(|(item, span)| meaning(faults, item, span, words, what)).collect();
    meanings.into_iter().collect()
}
