//! All detectors at once, looking on while a program is played.
use super::clash::Clashes;
use super::finding::Finding;
use super::managed::Copies;
use super::misuse::{Aliasing, Calls};
use super::uninitialized::Initialization;
use super::walk::{Layout, Scene, Walker};
use crate::order::{Known, Played, Script, Watch};
use crate::program::Program;

/// What the detectors know, and what they have found.
#[derive(Debug, Default)]
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
