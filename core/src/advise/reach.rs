//! Which places a primitive reaches: its scopes as positions on its queue.
//!
//! A judgement for choosing and for telling, by the rule of each primitive; what holds in the end is asked of
//! [`Order`].
use std::collections::HashMap;

use crate::program::{CommandBufferIndex, Locus, PassItem, Primitive, Program, QueueIndex};
use crate::validate::conflicts::{Conflict, End};
use crate::{Moment, Order, Stages};

/// Where every pass of a play stands.
pub(super) struct Places<'a> {
    program: &'a Program,
    passes: HashMap<(CommandBufferIndex, u32), Passed>,
    moments: HashMap<Moment, u32>,
}

/// When a pass is played: on which queue, as the how manieth there, and at which moment of the play.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Passed {
    pub(super) queue: QueueIndex,
    pub(super) number: u32,
    pub(super) time: u32,
}

/// A command's place: its pass, its queue, the number of the pass there, and its own place in the pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) buffer: CommandBufferIndex,
    pub(super) pass: u32,
    pub(super) queue: QueueIndex,
    pub(super) number: u32,
    pub(super) time: u32,
    pub(super) item: u32,
    /// The item of the pass in front of which a primitive holds it.
    pub(super) in_front: u32,
    /// The item of the pass in front of which a primitive waits for it.
    pub(super) behind: u32,
}

impl<'a> Places<'a> {
    pub(super) fn of(program: &'a Program, order: &Order) -> Self {
        let mut counts = vec![0; program.queues.len()];
        let mut passes = HashMap::new();
        let mut moments = HashMap::new();
        for (moment, time) in order.moments().iter().zip(0..) {
            moments.insert(*moment, time);
            let Moment::Pass(buffer, pass) = *moment else { continue };
            let Some(queue) = program.command_buffers.get(buffer.index()).map(|body| body.queue) else {
                continue;
            };
            let count: &mut u32 = &mut counts[queue.index()];
            passes.insert((buffer, pass), Passed { queue, number: *count, time });
            *count += 1;
        }
        Self { program, passes, moments }
    }

    /// Where a command stands, or what a pass without draws does to its attachments; nothing for the CPU.
    pub(super) fn place(&self, locus: Locus) -> Option<Place> {
        let (buffer, pass, item) = match locus {
            Locus::PassItem { buffer, pass, item } => (buffer, pass, item),
            Locus::Pass { buffer, pass } => {
                (buffer, pass, self.program.pass(buffer, pass)?.attachments_at()?)
            }
            Locus::Event { .. } | Locus::Step(_) => return None,
        };
        let Passed { queue, number, time } = *self.passes.get(&(buffer, pass))?;
        let own = matches!(locus, Locus::Pass { .. });
        let length = self.program.pass(buffer, pass)?.items.len() as u32;
        let (in_front, behind) = if own { (0, length) } else { (item, item + 1) };
        Some(Place { buffer, pass, queue, number, time, item, in_front, behind })
    }

    /// Every pass that is played, in the order of the play.
    pub(super) fn passes(&self) -> Vec<((CommandBufferIndex, u32), Passed)> {
        let mut all: Vec<_> = self.passes.iter().map(|(pass, passed)| (*pass, *passed)).collect();
        all.sort_by_key(|(_, passed)| passed.time);
        all
    }

    /// When a command buffer ends, and when a step is done, in the order of the play.
    pub(super) fn time(&self, moment: Moment) -> Option<u32> {
        self.moments.get(&moment).copied()
    }

    /// Whether a synchronization by itself has a part in ordering a conflict.
    pub(super) fn orders(&self, order: &Order, site: Locus, conflict: &Conflict) -> bool {
        match site {
            Locus::PassItem { .. } => self.pass_item_orders(site, &conflict.first, &conflict.second),
            _ => {
                let (Some(first), Some(second)) = (conflict.first.node(order), conflict.second.node(order))
                else {
                    return false;
                };
                let hops = order.why(first, second).unwrap_or_default();
                hops.iter().any(|hop| order.locus(hop.link.site) == Some(site))
            }
        }
    }

    fn pass_item_orders(&self, site: Locus, first: &End, second: &End) -> bool {
        let (Some(own), Some(x), Some(y)) =
            (self.place(site), self.place(first.locus), self.place(second.locus))
        else {
            return false;
        };
        let Some(PassItem::Synchronization(synchronization)) =
            self.program.pass(own.buffer, own.pass).and_then(|pass| pass.items.get(own.item as usize))
        else {
            return false;
        };
        let has = |stages: Stages, end: &End| end.stage.is_some_and(|stage| stages.contains(stage.mask()));
        let in_pass = |place: &Place| place.queue == own.queue && place.number == own.number;
        let earlier = |place: &Place| place.queue == own.queue && place.number < own.number;
        let later = |place: &Place| place.queue == own.queue && place.number > own.number;
        let behind = |place: &Place| in_pass(place) && place.item > own.item;
        let in_front = |place: &Place| in_pass(place) && place.item < own.item;
        match synchronization.primitive {
            Primitive::Barrier { after, before, .. } => {
                in_front(&x) && behind(&y) && has(after, first) && has(before, second)
            }
            Primitive::MemoryBarrier { .. } => in_front(&x) && behind(&y),
            Primitive::ConsumerBarrier { after_queue, before, .. } => {
                earlier(&x) && (behind(&y) || later(&y)) && has(after_queue, first) && has(before, second)
            }
            Primitive::ProducerBarrier { after, before_queue, .. } => {
                (earlier(&x) || in_front(&x)) && later(&y) && has(after, first) && has(before_queue, second)
            }
            Primitive::UpdateFence { fence, after } => {
                let joined = |item: &PassItem| waits_for(item, fence);
                in_front(&x)
                    && has(after.unwrap_or(Stages::EVERY), first)
                    && !in_pass(&y)
                    && self.in_pass_of(&y).take(y.item as usize).any(joined)
            }
            Primitive::WaitForFence { fence, before } => {
                let joined = |item: &PassItem| updates(item, fence);
                behind(&y)
                    && has(before.unwrap_or(Stages::EVERY), second)
                    && !in_pass(&x)
                    && self.in_pass_of(&x).skip(x.item as usize).any(joined)
            }
        }
    }

    fn in_pass_of(&self, place: &Place) -> impl Iterator<Item = &'a PassItem> {
        self.program.pass(place.buffer, place.pass).into_iter().flat_map(|pass| &pass.items)
    }
}

fn waits_for(item: &PassItem, fence: crate::program::FenceIndex) -> bool {
    matches!(item, PassItem::Synchronization(own)
        if matches!(own.primitive, Primitive::WaitForFence { fence: own, .. } if own == fence))
}

fn updates(item: &PassItem, fence: crate::program::FenceIndex) -> bool {
    matches!(item, PassItem::Synchronization(own)
        if matches!(own.primitive, Primitive::UpdateFence { fence: own, .. } if own == fence))
}
