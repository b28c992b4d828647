//! What names stand for, and what to say where one stands for nothing.

use std::collections::{HashMap, HashSet};

use miette::SourceSpan;

use super::super::document::{Node, Value};
use super::super::error::{Fault, FaultKind};
use super::super::words::nearest;
use super::fields::Faults;
use super::{DECLARATIONS, STEPS};

/// The kinds of named things. Names of different kinds do not clash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Device,
    Queue,
    Heap,
    Resource,
    Fence,
    Event,
    CommandBuffer,
}

impl Kind {
    const EACH: [Self; 7] = [
        Self::Device,
        Self::Queue,
        Self::Heap,
        Self::Resource,
        Self::Fence,
        Self::Event,
        Self::CommandBuffer,
    ];

    /// What a top-level node of this name declares.
    fn declared_by(node: &str) -> Option<Self> {
        Some(match node {
            "device" => Self::Device,
            "queue" => Self::Queue,
            "heap" => Self::Heap,
            "buffer" | "texture" => Self::Resource,
            "fence" => Self::Fence,
            "event" | "shared-event" => Self::Event,
            "command-buffer" => Self::CommandBuffer,
            _ => return None,
        })
    }

    pub(super) const fn noun(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::Queue => "queue",
            Self::Heap => "heap",
            Self::Resource => "buffer or texture",
            Self::Fence => "fence",
            Self::Event => "event",
            Self::CommandBuffer => "command buffer",
        }
    }

    const fn with_article(self) -> &'static str {
        match self {
            Self::Device => "a device",
            Self::Queue => "a queue",
            Self::Heap => "a heap",
            Self::Resource => "a buffer or a texture",
            Self::Fence => "a fence",
            Self::Event => "an event",
            Self::CommandBuffer => "a command buffer",
        }
    }
}

/// A named thing.
#[derive(Clone, Copy)]
pub(super) struct Named {
    /// Its place in the program's list.
    pub(super) index: u32,
    /// Where its name stands; nothing for what is there without a declaration.
    pub(super) span: Option<SourceSpan>,
    /// Its declaration has faults: what follows from it is not judged.
    pub(super) broken: bool,
}

/// Every name of a document.
#[derive(Default)]
pub(super) struct Names<'n> {
    declared: HashMap<(Kind, &'n str), Named>,
    /// Every declaration of the document, those further down too.
    all: HashMap<(Kind, &'n str), SourceSpan>,
    /// Names whose declarations are misspelt. That is said once, at the declaration.
    misspelt: HashSet<&'n str>,
}

impl<'n> Names<'n> {
    /// Notes all declarations of a document before it is read.
    pub(super) fn of(nodes: &'n [Node<'_>]) -> Self {
        let mut names = Self::default();
        let known = || DECLARATIONS.iter().chain(STEPS).copied();
        for node in nodes {
            let Some(entry) = node.entries.iter().find(|entry| entry.name.is_none()) else { continue };
            let Value::String(text) = &entry.value else { continue };
            let word = &*node.name.value;
            if let Some(kind) = Kind::declared_by(word) {
                names.all.entry((kind, &**text)).or_insert(entry.value_span);
            } else if !known().any(|own| own == word)
                && nearest(word, known()).and_then(Kind::declared_by).is_some()
            {
                names.misspelt.insert(text);
            }
        }
        names
    }

    pub(super) fn insert(&mut self, kind: Kind, name: &'n str, named: Named) {
        self.declared.insert((kind, name), named);
    }

    pub(super) fn get(&self, kind: Kind, name: &str) -> Option<Named> {
        self.declared.get(&(kind, name)).copied()
    }

    /// What a name stands for; a fault where it stands for nothing.
    pub(super) fn resolve(
        &self,
        faults: &mut Faults,
        kind: Kind,
        name: &str,
        span: SourceSpan,
    ) -> Option<Named> {
        let found = self.get(kind, name);
        if found.is_none() && !self.misspelt.contains(name) {
            faults.add(self.unknown(kind, name, span));
        }
        found
    }

    fn unknown(&self, kind: Kind, name: &str, span: SourceSpan) -> Fault {
        if let Some(later) = self.all.get(&(kind, name)) {
            let fault = Fault::new(FaultKind::UsedTooEarly { name: name.to_owned() }, span, "used here");
            return fault.other(*later, "declared here").help("move the declaration above its first use");
        }
        for other in Kind::EACH {
            if let Some(place) = self.all.get(&(other, name)) {
                let (expected, found) = (kind.with_article(), other.with_article());
                let wrong = FaultKind::WrongKind { name: name.to_owned(), expected, found };
                let fault = Fault::new(wrong, span, format!("expected {expected}"));
                return fault.other(*place, "declared here").help(format!("name {expected} here"));
            }
        }
        let what = kind.noun();
        let names = self.all.keys().filter(|(known, _)| *known == kind).map(|(_, name)| *name);
        // The order of a hash map is not to be seen in a message.
        let mut names: Vec<&str> = names.collect();
        names.sort_unstable();
        let help = match nearest(name, names) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("declare {} of this name at the top level, above", kind.with_article()),
        };
        let unknown = FaultKind::UnknownName { what, name: name.to_owned() };
        Fault::new(unknown, span, format!("no {what}")).help(help)
    }
}
