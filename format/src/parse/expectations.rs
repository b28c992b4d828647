//! What a text expects of those who judge it.
//!
//! Label paths are looked up only in a document without other faults: where a command was not understood, a path to it
//! would be blamed in its place.

use std::collections::HashMap;

use fencepost_core::Stage;
use fencepost_core::program::{BufferItem, Expectation, Pass, PassItem, Program, ResourceIndex, Step};

use super::super::document::{Entry, Node};
use super::super::error::{Fault, FaultKind};
use super::super::words::{FIX_PRIMITIVES, MANAGED_CODES, MISUSE_CODES, RACE_KINDS, nearest};
use super::Parser;
use super::fields::{Fields, one_of, text, word};

/// What may stand in an `expect` block.
const LINES: &[&str] = &[
    "clean",
    "race",
    "ordered",
    "unordered",
    "redundant",
    "needed",
    "stuck",
    "misuse",
    "stale",
    "managed",
    "fix",
];

/// The label paths of a program, and how many places each names.
struct Paths {
    counts: HashMap<String, u32>,
    /// Paths to one stage of a command. A label that reads like one goes first.
    stages: HashMap<String, u32>,
}

impl<'n> Parser<'n> {
    pub(super) fn expect(&mut self, node: &'n Node<'_>) {
        Fields::of(node).finish_with_block(&mut self.faults);
        let paths = self.faults.list.is_empty().then(|| Paths::of(&self.program));
        for line in node.children.as_deref().unwrap_or_default() {
            if self.faults.are_enough() {
                return;
            }
            if let Some(expectation) = self.expectation(line, paths.as_ref()) {
                self.program.expectations.push(expectation);
                self.places.expectations.push(line.span);
            }
        }
    }

    fn expectation(&mut self, node: &'n Node<'_>, paths: Option<&Paths>) -> Option<Expectation> {
        let mut fields = Fields::of(node);
        let expectation = match &*node.name.value {
            "clean" => Some(Expectation::Clean),
            "race" => self.race(&mut fields, paths),
            "ordered" => self
                .two_paths(&mut fields, paths, "ordered P1.c1 P2.c2")
                .map(|(first, second)| Expectation::Ordered { first, second }),
            "unordered" => self
                .two_paths(&mut fields, paths, "unordered P1.c1 P2.c2")
                .map(|(first, second)| Expectation::Unordered { first, second }),
            "redundant" => {
                self.site(&mut fields, paths, "redundant P.b").map(|site| Expectation::Redundant { site })
            }
            "needed" => self.site(&mut fields, paths, "needed P.b").map(|site| Expectation::Needed { site }),
            "stuck" => self.site(&mut fields, paths, "stuck cb.w").map(|site| Expectation::Stuck { site }),
            "stale" => self.site(&mut fields, paths, "stale P.k").map(|site| Expectation::Stale { site }),
            "misuse" => {
                let site = self.site(&mut fields, paths, "misuse P.u code=update-before-wait");
                let code = self.word_property(
                    &mut fields,
                    "code",
                    MISUSE_CODES,
                    "code of a misuse",
                    "misuse P.u code=update-before-wait",
                );
                site.zip(code).map(|(site, code)| Expectation::Misuse { site, code })
            }
            "managed" => {
                let resource = self.expected_resource(&mut fields, "managed A code=not-published");
                let code = self.word_property(
                    &mut fields,
                    "code",
                    MANAGED_CODES,
                    "code of a managed resource",
                    "managed A code=not-published",
                );
                resource.zip(code).map(|(resource, code)| Expectation::Managed { resource, code })
            }
            "fix" => {
                let resource = self.expected_resource(&mut fields, "fix B primitive=fence");
                let primitive = self.word_property(
                    &mut fields,
                    "primitive",
                    FIX_PRIMITIVES,
                    "primitive",
                    "fix B primitive=fence",
                );
                resource.zip(primitive).map(|(resource, primitive)| Expectation::Fix { resource, primitive })
            }
            _ => {
                self.unknown_node(node, "in an `expect` block", LINES);
                return None;
            }
        };
        fields.finish(&mut self.faults);
        expectation
    }

    fn race(&mut self, fields: &mut Fields<'n, '_>, paths: Option<&Paths>) -> Option<Expectation> {
        let resource = self.expected_resource(fields, "race B first=P1.c1 second=P2.k2 kind=raw");
        let [first, second] = ["first", "second"].map(|name| match fields.property(name) {
            Some(entry) => self.path(entry, paths).map(Some),
            None => Some(None),
        });
        let kind = match fields.property("kind") {
            Some(entry) => word(&mut self.faults, entry, RACE_KINDS, "kind of race").map(Some),
            None => Some(None),
        };
        Some(Expectation::Race { resource: resource?, first: first?, second: second?, kind: kind? })
    }

    fn expected_resource(&mut self, fields: &mut Fields<'n, '_>, form: &str) -> Option<ResourceIndex> {
        let entry = fields.argument(&mut self.faults, "a resource", form)?;
        self.whole_resource(entry)
    }

    fn word_property(
        &mut self,
        fields: &mut Fields<'n, '_>,
        name: &'static str,
        words: &[&str],
        what: &'static str,
        form: &str,
    ) -> Option<String> {
        let entry = fields.required(&mut self.faults, name, form)?;
        one_of(&mut self.faults, entry, words, what)
    }

    fn two_paths(
        &mut self,
        fields: &mut Fields<'n, '_>,
        paths: Option<&Paths>,
        form: &str,
    ) -> Option<(String, String)> {
        let first = self.site(fields, paths, form);
        // A second missing path is no second fault.
        let second = if fields.arguments_left() > 0 || first.is_some() {
            self.site(fields, paths, form)
        } else {
            None
        };
        first.zip(second)
    }

    fn site(&mut self, fields: &mut Fields<'n, '_>, paths: Option<&Paths>, form: &str) -> Option<String> {
        let entry = fields.argument(&mut self.faults, "a label path", form)?;
        self.path(entry, paths)
    }

    fn path(&mut self, entry: &Entry<'_>, paths: Option<&Paths>) -> Option<String> {
        let path = text(&mut self.faults, entry)?;
        let Some(paths) = paths else { return Some(path.to_owned()) };
        let fault = match paths.counts.get(path).or_else(|| paths.stages.get(path)) {
            Some(1) => return Some(path.to_owned()),
            Some(_) => {
                let kind = FaultKind::AmbiguousPath { path: path.to_owned() };
                let fault = Fault::new(kind, entry.value_span, "which of them?");
                fault.help("put the command buffer's label in front: `CB.PASS.LABEL`")
            }
            None => {
                let kind = FaultKind::UnknownPath { path: path.to_owned() };
                let fault = Fault::new(kind, entry.value_span, "names no place");
                fault.help(paths.suggestion(path))
            }
        };
        self.faults.add(fault);
        None
    }
}

impl Paths {
    fn of(program: &Program) -> Self {
        let mut paths = Self { counts: HashMap::new(), stages: HashMap::new() };
        for buffer in &program.command_buffers {
            paths.add(buffer.label.clone());
            for (item, number) in buffer.items.iter().zip(0..) {
                match item {
                    BufferItem::Event(operation) => {
                        paths.add(format!("{}.{}", buffer.label, named(operation.label.as_deref(), number)));
                    }
                    BufferItem::Pass(pass) => paths.add_pass(&buffer.label, pass),
                }
            }
        }
        paths.add_steps(&program.steps, &mut 0);
        paths
    }

    fn add(&mut self, path: String) {
        *self.counts.entry(path).or_insert(0) += 1;
    }

    fn add_pass(&mut self, buffer: &str, pass: &Pass) {
        self.add(pass.label.clone());
        self.add(format!("{buffer}.{}", pass.label));
        for (item, number) in pass.items.iter().zip(0..) {
            let label = match item {
                PassItem::Command(command) => Some(command.label.as_str()),
                PassItem::Synchronization(synchronization) => synchronization.label.as_deref(),
                PassItem::UseResource { .. } => None,
            };
            let path = format!("{}.{}", pass.label, named(label, number));
            if let PassItem::Command(command) = item {
                for stage in command.work.stages().iter_stages().map(Stage::name) {
                    for path in [format!("{buffer}.{path}:{stage}"), format!("{path}:{stage}")] {
                        *self.stages.entry(path).or_insert(0) += 1;
                    }
                }
            }
            self.add(format!("{buffer}.{path}"));
            self.add(path);
        }
    }

    fn add_steps(&mut self, steps: &[Step], number: &mut u32) {
        for step in steps {
            match step {
                Step::QueueEvent { operation, .. } if operation.label.is_some() => {
                    self.add(operation.label.clone().unwrap_or_default());
                }
                _ => self.add(format!("cpu.#{number}")),
            }
            *number += 1;
            if let Step::Thread { body, .. } | Step::Notify { body, .. } = step {
                self.add_steps(body, number);
            }
        }
    }

    fn suggestion(&self, path: &str) -> String {
        let mut known: Vec<&str> = self.counts.keys().map(String::as_str).collect();
        known.sort_unstable();
        match nearest(path, known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "a path is `PASS.LABEL`, `CB.LABEL` for an event operation, `LABEL` for one on a queue"
                .to_owned(),
        }
    }
}

/// The last part of a path: the label, or the place where there is none.
fn named(label: Option<&str>, number: u32) -> String {
    label.map_or_else(|| format!("#{number}"), str::to_owned)
}
