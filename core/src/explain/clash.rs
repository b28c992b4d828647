//! Races and stale accesses in words.
use super::{Explainer, Explanation, words};
use crate::program::{CommandBufferIndex, Locus, QueueMode};
use crate::validate::{Clash, Finding, Gap, Spot, Touch};
use crate::{Conflict, Stage};

/// What two accesses are to each other, for advice.
struct Pair {
    first: String,
    second: String,
    stages: (Stage, Stage),
    one_pass: bool,
    one_queue: bool,
    tracked: bool,
}

impl Explainer<'_> {
    pub(super) fn race(&self, finding: &Finding, clash: &Clash) -> Explanation {
        let (first, second) =
            (self.actor(finding.first, &clash.first), self.actor(finding.second, &clash.second));
        let part = self.part(finding);
        let what = match clash.conflict() {
            Conflict::ReadAfterWrite => {
                format!("{second} reads {part} while {first} may still be writing it")
            }
            Conflict::WriteAfterRead => {
                format!("{second} writes {part} while {first} may still be reading it")
            }
            Conflict::WriteAfterWrite => {
                format!("{first} and {second} write {part}, and either may be the last")
            }
        };
        let what = format!("{}{}.", what, self.alias(clash));
        let order = Some(self.missing(finding, clash));
        Explanation { what, order, advice: self.advice(finding, clash) }
    }

    pub(super) fn stale(&self, finding: &Finding, clash: &Clash) -> Explanation {
        let (first, second) =
            (self.actor(finding.first, &clash.first), self.actor(finding.second, &clash.second));
        let part = self.part(finding);
        let what = match clash.conflict() {
            Conflict::ReadAfterWrite | Conflict::WriteAfterRead => {
                format!("{second} reads {part} after {first} wrote it, but may see what was there before")
            }
            Conflict::WriteAfterWrite => {
                format!("{second} writes {part} after {first} did, but the first write may land last")
            }
        };
        let what = format!("{}{}.", what, self.alias(clash));
        Explanation { what, order: Some(self.missing(finding, clash)), advice: self.advice(finding, clash) }
    }

    /// Who touches: `P1.c1 (blit)`, `the CPU (cpu.#3)`.
    fn actor(&self, spot: Option<Spot>, touch: &Touch) -> String {
        let path = spot.map_or_else(String::new, |spot| self.path(spot));
        match touch.stage {
            Some(stage) => format!("{path} ({})", words::stage(stage)),
            None => format!("the CPU ({path})"),
        }
    }

    fn alias(&self, clash: &Clash) -> String {
        let (first, second) = (clash.first.resource, clash.second.resource);
        if first == second {
            return String::new();
        }
        format!(" ({} and {} share memory)", self.resource(first), self.resource(second))
    }

    fn named(&self, locus: Locus) -> String {
        match self.primitive(locus) {
            Some(primitive) => format!("the {} {}", words::primitive(primitive), self.at(locus)),
            None => self.at(locus),
        }
    }

    /// Which order there is, and which is missing.
    fn missing(&self, finding: &Finding, clash: &Clash) -> String {
        let (first, second) = (self.first(finding), self.second(finding));
        let capital = |text: String| match text.strip_prefix("the ") {
            Some(rest) => format!("The {rest}"),
            None => text,
        };
        capital(match clash.gap {
            Gap::Nothing => "Nothing orders the two.".to_owned(),
            Gap::Queues => self.two_queues(finding),
            Gap::NotWaited => format!("The CPU has not waited for {first}."),
            Gap::AfterCommit => {
                format!("The CPU does it after it has committed {second}, which does not wait for the CPU.")
            }
            Gap::FirstStage(locus, stage) => {
                format!(
                    "{} does not wait for the {} stage of {first}.",
                    self.named(locus),
                    words::stage(stage)
                )
            }
            Gap::SecondStage(locus, stage) => {
                format!("{} does not hold the {} stage of {second}.", self.named(locus), words::stage(stage))
            }
            Gap::OwnPass(locus) => format!(
                "{} waits for earlier passes only, and {first} is in the barrier's own pass.",
                self.named(locus)
            ),
            Gap::LaterPasses(locus) => format!(
                "{} holds later passes only, and {second} is in the barrier's own pass.",
                self.named(locus)
            ),
            Gap::WithinPass(locus) => {
                format!(
                    "{} orders commands of its pass only, and the two are in two passes.",
                    self.named(locus)
                )
            }
            Gap::WithoutPass(locus) => {
                format!("{} orders passes, and the two are in one.", self.named(locus))
            }
            Gap::TooEarly(locus) => {
                format!("{} comes too early: it stands in front of {first}.", self.named(locus))
            }
            Gap::TooLate(locus) => {
                format!("{} comes too late: it stands behind {second}.", self.named(locus))
            }
            Gap::OtherFence { update, wait } => {
                format!("{} and {} are of different fences.", self.named(update), self.named(wait))
            }
            Gap::TrackingInert => {
                "The resource asks for tracking, which does nothing on an explicit queue.".to_owned()
            }
            Gap::Undeclared(locus) => format!(
                "Tracking does not see what {} reaches through pointers, and no use-resource declares it.",
                self.at(locus)
            ),
            Gap::ExecutionOnly(locus) => {
                format!("{} orders the two with visibility none: execution only.", self.named(locus))
            }
            Gap::OtherResources(locus) => {
                format!("{} orders the two, but does not make this resource visible.", self.named(locus))
            }
        })
    }

    fn two_queues(&self, finding: &Finding) -> String {
        let [first, second] =
            [finding.first, finding.second].map(|spot| self.queue(spot).unwrap_or_default());
        format!("They are on two queues ({first} and {second}), and no event leads from one to the other.")
    }

    fn queue(&self, spot: Option<Spot>) -> Option<&str> {
        let (buffer, _) = pass(spot?)?;
        let queue = self.program.command_buffers.get(buffer.index())?.queue;
        self.program.queues.get(queue.index()).map(|queue| queue.name.as_str())
    }

    fn advice(&self, finding: &Finding, clash: &Clash) -> String {
        let (first, second) = (self.first(finding), self.second(finding));
        match clash.gap {
            Gap::FirstStage(locus, stage) => {
                format!("Add {} to the stages that {} waits for.", words::stage(stage), self.at(locus))
            }
            Gap::SecondStage(locus, stage) => {
                format!("Add {} to the stages that {} holds.", words::stage(stage), self.at(locus))
            }
            Gap::TooEarly(locus) => format!("Move {} to behind {first}.", self.at(locus)),
            Gap::TooLate(locus) => format!("Move {} to in front of {second}.", self.at(locus)),
            Gap::OwnPass(locus) => {
                format!("Make {} a producer barrier, or move it to the pass of {second}.", self.at(locus))
            }
            Gap::LaterPasses(locus) => {
                format!("Make {} a consumer barrier in front of {second}.", self.at(locus))
            }
            Gap::OtherFence { update, wait } => {
                format!("Let {} wait for the fence that {} updates.", self.at(wait), self.at(update))
            }
            Gap::Undeclared(locus) => {
                format!("Put use-resource in front of {}, with write where it writes.", self.at(locus))
            }
            Gap::ExecutionOnly(locus) => format!("Give {} visibility=device.", self.at(locus)),
            Gap::OtherResources(locus) => format!("Name {} in {}.", self.resources(clash), self.at(locus)),
            Gap::NotWaited => {
                format!("Wait for the command buffer of {first}, or for a shared event that it signals.")
            }
            Gap::AfterCommit => {
                format!(
                    "Do it before the commit, or let the queue wait for a shared event that the CPU sets after {first}."
                )
            }
            Gap::Nothing | Gap::Queues | Gap::WithinPass(_) | Gap::WithoutPass(_) | Gap::TrackingInert => {
                match self.pair(finding, clash) {
                    Some(pair) => pair.advice(),
                    None => "Order the two threads by a shared event.".to_owned(),
                }
            }
        }
    }

    fn resources(&self, clash: &Clash) -> String {
        let (first, second) = (clash.first.resource, clash.second.resource);
        if first == second {
            self.resource(first).to_owned()
        } else {
            format!("{} and {}", self.resource(first), self.resource(second))
        }
    }

    fn pair(&self, finding: &Finding, clash: &Clash) -> Option<Pair> {
        let ((buffer, first_pass), first) = (pass(finding.first?)?, clash.first.stage?);
        let ((later, later_pass), second) = (pass(finding.second?)?, clash.second.stage?);
        let queue = |buffer: CommandBufferIndex| self.program.command_buffers[buffer.index()].queue;
        Some(Pair {
            first: self.first(finding),
            second: self.second(finding),
            stages: (first, second),
            one_pass: buffer == later && first_pass == later_pass,
            one_queue: queue(buffer) == queue(later),
            tracked: self.program.queues[queue(later).index()].mode == QueueMode::Tracked,
        })
    }
}

/// The pass that a place is in, or is.
const fn pass(spot: Spot) -> Option<(CommandBufferIndex, u32)> {
    match spot {
        Spot::At(Locus::PassItem { buffer, pass, .. } | Locus::Pass { buffer, pass })
        | Spot::Pass(buffer, pass) => Some((buffer, pass)),
        Spot::At(Locus::Event { .. } | Locus::Step(_)) | Spot::CommandBuffer(_) => None,
    }
}

impl Pair {
    fn advice(&self) -> String {
        let (first, second) = (&self.first, &self.second);
        let (after, before) = (words::stage(self.stages.0), words::stage(self.stages.1));
        let late = matches!(self.stages.0, Stage::Fragment | Stage::Tile);
        match (self.one_pass, self.one_queue, self.tracked) {
            (true, ..) if late => {
                format!("Move {second} to a later pass, and order the passes by a barrier or a fence.")
            }
            (true, _, false) => {
                format!("Put barrier after={after} before={before} between {first} and {second}.")
            }
            (true, _, true) => format!("Put a memory-barrier between {first} and {second}."),
            (false, true, _) => {
                format!("Put barrier after-queue={after} before={before} in front of {second} in its pass.")
            }
            (false, false, _) => {
                format!(
                    "Signal an event behind {first} on its queue, and wait for it in front of {second} on the other."
                )
            }
        }
    }
}
