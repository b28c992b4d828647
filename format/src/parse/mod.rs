//! From text to a program.
//!
//! The document is walked once, in its order, so that what is used has been declared; expectations come last, since they may
//! name everything. Each node is taken apart field by field, and a fault in one does not hide the next: what is declared
//! with faults stays a name, and nothing is said about it twice.

mod access;
mod command_buffers;
mod commands;
mod declarations;
mod expectations;
mod fields;
mod names;
mod steps;
mod synchronization;

use fencepost_core::program::{DeviceDeclaration, DeviceKind, Program};

use super::document::{Node, SyntaxFault, read};
use super::error::{Fault, FaultKind, ParseError};
use super::source_map::SourceMap;
use command_buffers::Labels;
use fields::{Faults, suggestion};
use names::{Kind, Named, Names};
pub(super) use steps::STEPS;

/// A text's program, and where its parts stand in the text.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed {
    /// The program.
    pub program: Program,
    /// The places of its parts.
    pub source_map: SourceMap,
}

/// Reads a program. `name` is what messages call the text, a file's path for example.
///
/// ```
/// let error = fencepost_format::parse("typo.kdl", "bufer A size=64").unwrap_err();
/// assert_eq!(error.faults()[0].help.as_deref(), Some("did you mean `buffer`?"));
/// ```
///
/// # Errors
/// Everything that keeps the text from being a program. After a hundred faults the rest is not looked at.
pub fn parse(name: &str, source: &str) -> Result<Parsed, ParseError> {
    let (nodes, slips) = read(source);
    if !slips.is_empty() {
        return Err(ParseError::new(name, source, slips.into_iter().map(syntax_fault).collect()));
    }
    let mut parser = Parser::new(&nodes);
    parser.document(&nodes);
    if !parser.faults.list.is_empty() {
        return Err(ParseError::new(name, source, parser.faults.list));
    }
    Ok(Parsed { program: parser.program, source_map: parser.places })
}

fn syntax_fault(slip: SyntaxFault) -> Fault {
    Fault::new(FaultKind::Syntax(slip.message), slip.span, slip.label).help(slip.help)
}

struct Parser<'n> {
    program: Program,
    places: SourceMap,
    names: Names<'n>,
    /// Labels of event operations on queues.
    operations: Labels<'n>,
    threads: Labels<'n>,
    /// Labels of the render passes of the command buffer that is read.
    renders: Labels<'n>,
    faults: Faults,
}

/// What may stand at the top level besides steps.
const DECLARATIONS: &[&str] = &[
    "device",
    "queue",
    "heap",
    "buffer",
    "texture",
    "fence",
    "event",
    "shared-event",
    "command-buffer",
    "expect",
];

impl<'n> Parser<'n> {
    fn new(nodes: &'n [Node<'_>]) -> Self {
        Self {
            program: Program::default(),
            places: SourceMap::default(),
            names: Names::of(nodes),
            operations: Labels::new(),
            threads: Labels::new(),
            renders: Labels::new(),
            faults: Faults::default(),
        }
    }

    fn document(&mut self, nodes: &'n [Node<'_>]) {
        let declares = |names: &[&str]| nodes.iter().any(|node| names.contains(&&*node.name.value));
        if !declares(&["device"]) && declares(&["queue", "buffer", "texture"]) {
            self.implicit_device();
        }
        let mut steps = Vec::new();
        for node in nodes {
            if self.faults.are_enough() {
                return;
            }
            match &*node.name.value {
                "device" => self.device(node),
                "queue" => self.queue(node),
                "heap" => self.heap(node),
                "buffer" => self.buffer(node),
                "texture" => self.texture(node),
                "fence" => self.fence(node),
                "event" | "shared-event" => self.event(node),
                "command-buffer" => self.command_buffer(node),
                "expect" => {}
                _ => steps.extend(self.step(node, "at the top level", DECLARATIONS)),
            }
        }
        self.program.steps = steps;
        nodes.iter().filter(|node| node.name.value == "expect").for_each(|node| self.expect(node));
    }

    /// The device of a document that declares none.
    fn implicit_device(&mut self) {
        let name = "gpu";
        self.program.devices.push(DeviceDeclaration { name: name.to_owned(), kind: DeviceKind::Any });
        self.places.devices.push(None);
        self.names.insert(Kind::Device, name, Named { index: 0, span: None, broken: false });
    }

    fn unknown_node(&mut self, node: &Node<'_>, place: &'static str, words: &[&str]) {
        let name = &*node.name.value;
        let kind = FaultKind::UnknownNode { node: name.to_owned(), place };
        let help = match elsewhere(name) {
            Some(elsewhere) if !words.contains(&name) => format!("`{name}` stands {elsewhere}"),
            _ => suggestion(name, words, "what may stand here is"),
        };
        self.faults.add(Fault::new(kind, node.name.span, "not known here").help(help));
    }
}

/// Where a node that is not known in one place belongs.
fn elsewhere(node: &str) -> Option<&'static str> {
    Some(match node {
        "dispatch" | "indirect" => "in a compute pass",
        "draw" | "color" | "depth" => "in a render pass",
        "synchronize" => "in a blit pass",
        "copy" | "fill" | "generate-mipmaps" | "optimize-for-gpu" | "optimize-for-cpu" => {
            "in a compute pass or a blit pass"
        }
        "barrier" | "memory-barrier" | "update-fence" | "wait-for-fence" | "use-resource" => "in a pass",
        "compute" | "blit" | "render" => "in a command buffer",
        "signal-event" | "wait-for-event" => {
            "in a command buffer between passes, or among the steps with a queue"
        }
        "clean" | "race" | "ordered" | "unordered" | "redundant" | "needed" | "stuck" | "misuse"
        | "stale" | "managed" | "fix" => "in an `expect` block",
        _ if DECLARATIONS.contains(&node) || STEPS.contains(&node) => "at the top level",
        _ => return None,
    })
}
