//! What the detectors still name: places, resources, and points of the order.
use std::collections::HashSet;

use super::finding::{Finding, Gap, Kind, Misuse, Spot, StuckReason};
use super::walk::{Mark, at};
use crate::NodeId;
use crate::order::{Point, Roots};
use crate::program::{CommandBufferIndex, Locus, ResourceIndex};

/// Collects names before a sweep.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub(super) roots: Roots,
    pub(super) buffers: Vec<bool>,
    /// Passes of which something is named.
    pub(super) passes: HashSet<(CommandBufferIndex, u32)>,
    pub(super) steps: Vec<bool>,
    pub(super) resources: Vec<bool>,
}

impl Names {
    pub(super) fn mark(&mut self, mark: &Mark) {
        self.roots.point(mark.point);
        if mark.stage.is_none() {
            // What the CPU did before it is asked for, when the GPU clashes with it.
            self.roots.node(NodeId(mark.point.number));
        }
        self.locus(mark.locus);
        self.resource(mark.resource);
    }

    pub(super) fn point(&mut self, point: Point) {
        self.roots.point(point);
    }

    pub(super) fn resource(&mut self, resource: ResourceIndex) {
        *at(&mut self.resources, resource.index()) = true;
    }

    pub(super) fn buffer(&mut self, buffer: CommandBufferIndex) {
        *at(&mut self.buffers, buffer.index()) = true;
    }

    pub(super) fn step(&mut self, number: u32) {
        *at(&mut self.steps, number as usize) = true;
    }

    pub(super) fn locus(&mut self, locus: Locus) {
        match locus {
            Locus::PassItem { buffer, pass, .. } | Locus::Pass { buffer, pass } => {
                self.buffer(buffer);
                self.passes.insert((buffer, pass));
            }
            Locus::Event { buffer, .. } => self.buffer(buffer),
            Locus::Step(number) => self.step(number),
        }
    }

    /// A finding that was not taken yet.
    pub(super) fn finding(&mut self, finding: &Finding) {
        for spot in [finding.first, finding.second].into_iter().flatten() {
            match spot {
                Spot::At(locus) => self.locus(locus),
                Spot::Pass(buffer, pass) => self.locus(Locus::Pass { buffer, pass }),
                Spot::CommandBuffer(buffer) => self.buffer(buffer),
            }
        }
        finding.resource.into_iter().for_each(|resource| self.resource(resource));
        match &finding.kind {
            Kind::Race(clash) | Kind::Stale(clash) => {
                self.resource(clash.first.resource);
                self.resource(clash.second.resource);
                self.gap(clash.gap);
            }
            Kind::Stuck(stuck) => {
                stuck.behind.iter().for_each(|locus| self.locus(*locus));
                match &stuck.reason {
                    StuckReason::OwnFuture { signal } => self.locus(*signal),
                    StuckReason::NeverNotified { notification, .. } => self.locus(*notification),
                    StuckReason::Cycle(all) => all.iter().for_each(|locus| self.locus(*locus)),
                    StuckReason::NeverCommitted(buffer) => self.buffer(*buffer),
                    StuckReason::NeverSignalled { .. } => {}
                }
            }
            Kind::Misuse(Misuse::CommittedTwice(buffer)) => self.buffer(*buffer),
            _ => {}
        }
    }

    fn gap(&mut self, gap: Gap) {
        match gap {
            Gap::FirstStage(locus, _)
            | Gap::SecondStage(locus, _)
            | Gap::OwnPass(locus)
            | Gap::LaterPasses(locus)
            | Gap::WithinPass(locus)
            | Gap::WithoutPass(locus)
            | Gap::TooEarly(locus)
            | Gap::TooLate(locus)
            | Gap::Undeclared(locus)
            | Gap::ExecutionOnly(locus)
            | Gap::OtherResources(locus) => self.locus(locus),
            Gap::OtherFence { update, wait } => {
                self.locus(update);
                self.locus(wait);
            }
            Gap::Nothing | Gap::Queues | Gap::NotWaited | Gap::AfterCommit | Gap::TrackingInert => {}
        }
    }
}
