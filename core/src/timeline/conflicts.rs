//! Findings, and where in the timeline they are.
use super::build::Builder;
use super::{Anchor, Conflict, words};
use crate::program::{Part, ResourceIndex};
use crate::validate::{Finding, Kind, Spot};
use crate::{Extent, Stage};

impl Builder<'_> {
    pub(super) fn conflicts(&mut self, findings: &[Finding]) {
        for finding in findings {
            let (first_stage, second_stage) = match &finding.kind {
                Kind::Race(clash) | Kind::Stale(clash) => (clash.first.stage, clash.second.stage),
                _ => (None, None),
            };
            let conflict = Conflict {
                finding: finding.clone(),
                severity: finding.severity(),
                parts: self.parts(finding),
                message: self.explainer.explain(finding).message(),
                first: finding.first.and_then(|spot| self.anchor(spot, first_stage)),
                second: finding.second.and_then(|spot| self.anchor(spot, second_stage)),
            };
            self.timeline.conflicts.push(conflict);
        }
    }

    fn parts(&self, finding: &Finding) -> Vec<String> {
        let part = |resource: ResourceIndex, extent: &Extent| {
            let part = Part { resource, extent: extent.clone() };
            words::part(self.program, &self.explainer, &part)
        };
        match &finding.kind {
            Kind::Race(clash) | Kind::Stale(clash) => {
                [&clash.first, &clash.second].map(|touch| part(touch.resource, &touch.extent)).into()
            }
            _ => finding
                .resource
                .map(|resource| self.explainer.resource(resource).to_owned())
                .into_iter()
                .collect(),
        }
    }

    fn anchor(&self, spot: Spot, stage: Option<Stage>) -> Option<Anchor> {
        match spot {
            Spot::At(locus) => {
                let anchors = self.at.get(&locus)?;
                let of_stage = |anchor: &&Anchor| match anchor {
                    Anchor::Bar(number) => self.timeline.bars[*number].stage == stage,
                    _ => false,
                };
                // What holds by tracking stands at the place of what it holds.
                let bar = |anchor: &&Anchor| matches!(anchor, Anchor::Bar(_));
                let found = anchors.iter().find(of_stage).or_else(|| anchors.iter().find(bar));
                found.or_else(|| anchors.first()).copied()
            }
            Spot::Pass(buffer, pass) => {
                let kind = super::GroupKind::Pass(buffer, pass);
                self.timeline.groups.iter().position(|group| group.kind == kind).map(Anchor::Group)
            }
            Spot::CommandBuffer(buffer) => self.first.get(&buffer).copied().map(Anchor::Group),
        }
    }
}
