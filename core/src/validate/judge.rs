//! All detectors at once, looking on while a program is played.
use super::clash::Clashes;
use super::finding::Finding;
use super::managed::Copies;
use super::misuse::{Aliasing, Calls};
use super::names::Names;
use super::uninitialized::Initialization;
use super::walk::{Layout, Scene, Walker, cpu_copy};
use crate::order::{Known, Played, Script, Watch};
use crate::program::{CommandBufferIndex, Program, ResourceIndex};

/// What the detectors know, and what they have found.
#[derive(Clone, Debug, Default)]
pub(super) struct Judge {
    pub(super) layout: Layout,
    pub(super) walker: Walker,
    pub(super) clashes: Clashes,
    pub(super) copies: Copies,
    pub(super) initialization: Initialization,
    pub(super) aliasing: Aliasing,
    pub(super) calls: Calls,
    pub(super) findings: Vec<Finding>,
}

impl Judge {
    /// A judge of a program whose declarations are all there.
    pub(super) fn of(program: &Program) -> Self {
        Self { layout: Layout::of(program), ..Self::default() }
    }

    /// Names all that the detectors remember.
    pub(super) fn name(&self, names: &mut Names) {
        self.walker.name(names);
        self.clashes.history.name(names);
        self.copies.name(names);
        self.aliasing.name(names);
        self.calls.name(names);
        self.findings.iter().for_each(|finding| names.finding(finding));
    }

    /// Forgets a command buffer whose index will be another's.
    pub(super) fn drop_buffer(&mut self, buffer: CommandBufferIndex) {
        self.walker.drop_buffer(buffer);
        self.aliasing.drop_buffer(buffer);
        self.calls.commits.drop_buffer(buffer);
    }

    /// Forgets what is known of a memory: nothing lies in it any more.
    pub(super) fn drop_memory(&mut self, memory: usize) {
        for memory in [memory, cpu_copy(memory)] {
            self.clashes.history.drop_memory(memory);
            self.copies.drop_memory(memory);
            self.initialization.drop_memory(memory);
        }
    }

    /// Forgets a resource whose index will be another's.
    pub(super) fn drop_resource(&mut self, resource: ResourceIndex) {
        let (memory, _) = self.layout.place(resource);
        self.walker.drop_resource(resource);
        self.initialization.drop_resource(resource, memory);
        self.aliasing.drop_resource(resource);
    }

    /// How many records of past work it holds.
    pub(super) fn records(&self) -> usize {
        let memories = self.clashes.history.records() + self.copies.records() + self.initialization.records();
        memories
            + self.walker.records()
            + self.aliasing.records()
            + self.calls.records()
            + self.findings.len()
    }

    pub(super) fn look(&mut self, script: Script<'_>, played: Played, known: &Known<'_>) {
        let deed = self.walker.deed(script, &self.layout, played, known);
        let scene = Scene {
            script,
            program: script.program,
            layout: &self.layout,
            known: *known,
            commits: self.walker.commits(),
        };
        self.calls.see(&scene, played, &mut self.findings);
        if let Some(deed) = deed {
            self.clashes.see(&deed, &scene, &mut self.findings);
            self.copies.see(&deed, &scene, &mut self.findings);
            self.initialization.see(&deed, &scene, &mut self.findings);
            self.aliasing.see(&deed, script.program, &mut self.findings);
            self.walker.take_back(deed);
        }
    }
}

impl Watch for Judge {
    fn see(&mut self, script: Script<'_>, played: Played, known: &Known<'_>) {
        self.look(script, played, known);
    }
}
