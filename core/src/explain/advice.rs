//! Redundant and too wide synchronization in words.
use super::{Explainer, Explanation, words};
use crate::program::{BufferItem, EventOperationKind, Locus, MemoryScope, PassItem, Step, Work};
use crate::validate::{Finding, Less, Redundant, Spot, TooWide};

impl Explainer<'_> {
    pub(super) fn redundant(&self, finding: &Finding, redundant: &Redundant) -> Explanation {
        let site = self.second(finding);
        let name = self.synchronization(finding);
        let what = format!("{name} is redundant: every conflict that is ordered stays so without it.");
        let order = match redundant {
            Redundant::NoConflict => "Nothing that it orders is a conflict.".to_owned(),
            Redundant::CopiesAgree => {
                "The two copies agree wherever they are read without it, too.".to_owned()
            }
            Redundant::Ordered { first, second, by } => {
                let by: Vec<String> = by.iter().map(|locus| self.at(*locus)).collect();
                let order = format!("order {} before {} without it.", self.at(*first), self.at(*second));
                match by.as_slice() {
                    [] => format!("The passes and hazard tracking {order}"),
                    [_] => format!(
                        "{} {}",
                        words::list(&by, "", "").trim_end(),
                        order.replacen("order", "orders", 1)
                    ),
                    _ => format!("{} {order}", words::list(&by, "", "").trim_end()),
                }
            }
        };
        Explanation { what, order: Some(order), advice: format!("Drop {site}.") }
    }

    pub(super) fn too_wide(&self, finding: &Finding, wide: &TooWide) -> Explanation {
        let site = self.second(finding);
        let name = self.synchronization(finding);
        let free = match wide.frees {
            Some((first, second)) => {
                format!(" Then {} and {} may overlap.", self.at(first), self.at(second))
            }
            None => " Nothing would overlap that does not now.".to_owned(),
        };
        let mut explanation = match &wide.less {
            Less::Stages { after, before } => {
                let after = after.map(|stages| format!("waits for {}", words::stages(stages)));
                let before = before.map(|stages| format!("holds {}", words::stages(stages)));
                let both: Vec<String> = after.into_iter().chain(before).collect();
                Explanation {
                    what: format!("{name} names more stages than the conflicts that it orders have."),
                    order: Some(format!("They are ordered as well if it {}.", both.join(" and "))),
                    advice: format!("Narrow the stages of {site}."),
                }
            }
            Less::Kinds(scope) => Explanation {
                what: format!("{name} shows more than the conflicts that it orders need."),
                order: Some(format!("They are ordered as well with {}.", self.memory_scope(scope))),
                advice: format!("Narrow {site} to {}.", self.memory_scope(scope)),
            },
            Less::Scope { to, first, second, .. } => Explanation {
                what: format!("{name} reaches further than the conflicts that it orders."),
                order: Some(format!(
                    "All that depends on it is between {} and {}, which {} would order.",
                    self.pass_of(*first),
                    self.pass_of(*second),
                    words::article(to.name())
                )),
                advice: format!("Use {} instead of {site}.", words::article(to.name())),
            },
        };
        explanation.order = explanation.order.map(|order| order + &free);
        explanation
    }

    /// `P.b1 (barrier within the pass)`, with what the place is.
    fn synchronization(&self, finding: &Finding) -> String {
        let site = self.second(finding);
        let kind = match finding.second {
            Some(Spot::At(locus)) => self.kind_of(locus),
            _ => None,
        };
        kind.map_or_else(|| site.clone(), |kind| format!("{site} ({kind})"))
    }

    fn kind_of(&self, locus: Locus) -> Option<&'static str> {
        let operation = |kind: EventOperationKind| match kind {
            EventOperationKind::Signal => "event signal",
            EventOperationKind::Wait => "event wait",
        };
        match locus {
            Locus::PassItem { buffer, pass, item } => {
                match self.program.pass(buffer, pass)?.items.get(item as usize)? {
                    PassItem::Synchronization(own) => Some(words::primitive(&own.primitive)),
                    PassItem::Command(command) if matches!(command.work, Work::Synchronize { .. }) => {
                        Some("synchronize")
                    }
                    _ => None,
                }
            }
            Locus::Pass { .. } => None,
            Locus::Event { buffer, item } => {
                match self.program.command_buffers.get(buffer.index())?.items.get(item as usize)? {
                    BufferItem::Event(own) => Some(operation(own.kind)),
                    BufferItem::Pass(_) => None,
                }
            }
            Locus::Step(number) => match self.steps.get(number as usize)? {
                Step::QueueEvent { operation: own, .. } => Some(operation(own.kind)),
                Step::SetSignaledValue { .. } => Some("set-signaled-value"),
                Step::WaitUntilCompleted(_) => Some("wait-until-completed"),
                Step::WaitUntilSignaled { .. } => Some("wait-until-signaled"),
                Step::DidModify(_) => Some("did-modify"),
                _ => None,
            },
        }
    }

    fn pass_of(&self, locus: Locus) -> String {
        match locus {
            Locus::PassItem { buffer, pass, .. } | Locus::Pass { buffer, pass } => {
                self.path(Spot::Pass(buffer, pass))
            }
            _ => self.at(locus),
        }
    }

    pub(super) fn memory_scope(&self, scope: &MemoryScope) -> String {
        match scope {
            MemoryScope::Kinds { buffers, textures, render_targets } => {
                let kinds =
                    [(buffers, "buffers"), (textures, "textures"), (render_targets, "render-targets")];
                let kinds: Vec<&str> =
                    kinds.iter().filter(|(named, _)| **named).map(|(_, kind)| *kind).collect();
                format!("scope=\"{}\"", kinds.join(" "))
            }
            MemoryScope::Resources(all) => {
                let names: Vec<&str> = all.iter().map(|resource| self.resource(*resource)).collect();
                format!("resources=\"{}\"", names.join(" "))
            }
        }
    }
}
