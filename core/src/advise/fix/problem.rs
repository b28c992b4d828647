//! What must become ordered, and whether a set of additions does it.
use super::super::reach::{Place, Places};
use super::addition::{Addition, Kinds, edits};
use super::edits::Moved;
use crate::program::{
    CommandBufferIndex, Locus, MemoryScope, PassItem, Primitive, Program, ResourceIndex, Shape, UnknownName,
};
use crate::validate::conflicts::Conflict;
use crate::{Moment, Order, Stage, Stages};

/// A program with conflicts that are not well ordered.
pub(in crate::advise) struct Problem<'a> {
    pub(in crate::advise) program: &'a Program,
    pub(in crate::advise) order: &'a Order,
    pub(in crate::advise) places: Places<'a>,
    /// Those that additions can order.
    pub(in crate::advise) broken: Vec<Conflict>,
    stuck: usize,
}

/// One way or the other in which the two ends of a conflict stand to each other.
#[derive(Clone, Copy, Debug)]
pub(in crate::advise) enum Relation {
    Pass(Place, Place),
    Queue(Place, Place),
    Queues { first: Place, second: Place, shared: bool },
    ToCpu { first: Place, step: u32 },
    FromCpu { step: u32, second: Place },
    Cpu { first: u32, second: u32 },
}

/// A program with some additions.
pub(in crate::advise) struct Trial {
    pub(in crate::advise) order: Order,
    pub(in crate::advise) moved: Moved,
    /// The conflicts that stay broken.
    pub(in crate::advise) rest: Vec<Conflict>,
    /// A wait hangs that did not.
    pub(in crate::advise) hangs: bool,
}

impl<'a> Problem<'a> {
    pub(in crate::advise) fn of(
        program: &'a Program,
        order: &'a Order,
        all: impl Iterator<Item = Conflict>,
    ) -> Self {
        let mut problem = Self {
            program,
            order,
            places: Places::of(program, order),
            broken: Vec::new(),
            stuck: order.stuck().len(),
        };
        problem.broken = all.filter(|conflict| problem.can_be_ordered(conflict)).collect();
        problem
    }

    /// How the ends of a conflict stand to each other; nothing where they are not played.
    pub(in crate::advise) fn relation(&self, conflict: &Conflict) -> Option<Relation> {
        let step = |locus: Locus| match locus {
            Locus::Step(number) => Some(number),
            _ => None,
        };
        let (first, second) = (conflict.first.at, conflict.second.at);
        Some(match (self.places.place(first), self.places.place(second)) {
            (Some(first), Some(second)) if (first.buffer, first.pass) == (second.buffer, second.pass) => {
                Relation::Pass(first, second)
            }
            (Some(first), Some(second)) if first.queue == second.queue => Relation::Queue(first, second),
            (Some(first), Some(second)) => {
                let device = |place: &Place| self.program.queues[place.queue.index()].device;
                Relation::Queues { first, second, shared: device(&first) != device(&second) }
            }
            (Some(first), None) => Relation::ToCpu { first, step: step(second)? },
            (None, Some(second)) => Relation::FromCpu { step: step(first)?, second },
            (None, None) => Relation::Cpu { first: step(first)?, second: step(second)? },
        })
    }

    /// Whether synchronization orders a conflict.
    pub(in crate::advise) fn can_be_ordered(&self, conflict: &Conflict) -> bool {
        self.relation(conflict).is_some() && !self.needs_split(conflict)
    }

    /// Whether a render pass would have to wait for its own fragments, and no barrier that does so already needs only to show them.
    pub(in crate::advise) fn needs_split(&self, conflict: &Conflict) -> bool {
        matches!(self.relation(conflict), Some(Relation::Pass(..)))
            && matches!(conflict.first.stage, Some(Stage::Fragment | Stage::Tile))
            && (!conflict.is_ordered(self.order) || self.hiding(conflict).is_empty())
    }

    /// The conflicts that stay broken with these additions; all of them where a wait would hang.
    ///
    /// # Errors
    /// The program names something that it does not declare.
    pub(in crate::advise) fn rest(&self, additions: &[Addition]) -> Result<Vec<Conflict>, UnknownName> {
        Ok(self.trial(additions)?.rest)
    }

    /// What becomes of the program with these additions.
    ///
    /// # Errors
    /// The program names something that it does not declare.
    pub(in crate::advise) fn trial(&self, additions: &[Addition]) -> Result<Trial, UnknownName> {
        let (program, moved) = edits(self.program, self.order, additions).applied(self.program);
        let order = Order::of(&program)?;
        let hangs = order.stuck().len() > self.stuck;
        let kept = |conflict: &&Conflict| !hangs && self.is_kept(conflict, &moved, &order);
        let rest = self.broken.iter().filter(|conflict| !kept(conflict)).cloned().collect();
        Ok(Trial { order, moved, rest, hangs })
    }

    /// Whether nothing stays broken.
    ///
    /// # Errors
    /// The program names something that it does not declare.
    pub(in crate::advise) fn is_mended(&self, additions: &[Addition]) -> Result<bool, UnknownName> {
        let (program, moved) = edits(self.program, self.order, additions).applied(self.program);
        let order = Order::of(&program)?;
        Ok(order.stuck().len() <= self.stuck
            && self.broken.iter().all(|conflict| self.is_kept(conflict, &moved, &order)))
    }

    fn is_kept(&self, conflict: &Conflict, moved: &Moved, order: &Order) -> bool {
        conflict.moved(|locus| moved.to(locus)).is_some_and(|now| now.is_kept(order))
    }

    /// The stages of the two ends; none for the CPU.
    pub(in crate::advise) fn stages(&self, conflict: &Conflict) -> (Stages, Stages) {
        let mask = |stage: Option<Stage>| stage.map_or(Stages::empty(), Stage::mask);
        (mask(conflict.first.stage), mask(conflict.second.stage))
    }

    pub(in crate::advise) fn kinds(&self, conflict: &Conflict) -> Kinds {
        let mut kinds = Kinds::default();
        for resource in conflict.resources {
            match self.program.resource(resource).shape {
                Shape::Buffer { .. } => kinds.buffers = true,
                Shape::Texture { .. } => kinds.textures = true,
            }
        }
        kinds
    }

    /// Whether a command buffer has ended, as far as the play goes, when a step is done.
    pub(in crate::advise) fn has_ended(&self, buffer: CommandBufferIndex, step: u32) -> bool {
        let end = self.places.time(Moment::End(buffer));
        let done = self.places.time(Moment::Step(step));
        end.zip(done).is_some_and(|(end, done)| end < done)
    }

    /// What the barriers that hide a write from an access would have to show, the first on the way first.
    pub(in crate::advise) fn hiding(&self, conflict: &Conflict) -> Vec<Addition> {
        let ends = conflict.first.node(self.order).zip(conflict.second.node(self.order));
        let hops = ends.and_then(|(first, second)| self.order.why(first, second)).unwrap_or_default();
        let sites = hops.iter().filter_map(|hop| self.order.locus(hop.link.site));
        let hiding = sites.filter(|site| self.hides(*site, &conflict.resources));
        hiding.map(|site| Addition::Show { site, resources: conflict.resources.to_vec() }).collect()
    }

    /// What every barrier that is played and hides one of these resources would have to show.
    pub(in crate::advise) fn all_hiding(&self, resources: &[ResourceIndex]) -> Vec<Addition> {
        let passes = self.places.passes();
        let sites = passes.iter().flat_map(|((buffer, pass), _)| {
            let items = self.program.pass(*buffer, *pass).map_or(0, |pass| pass.items.len() as u32);
            (0..items).map(|item| Locus::PassItem { buffer: *buffer, pass: *pass, item })
        });
        let hiding = sites.filter(|site| self.hides(*site, resources));
        hiding.map(|site| Addition::Show { site, resources: resources.to_vec() }).collect()
    }

    fn hides(&self, site: Locus, resources: &[ResourceIndex]) -> bool {
        let Locus::PassItem { buffer, pass, item } = site else { return false };
        let item = self.program.pass(buffer, pass).and_then(|pass| pass.items.get(item as usize));
        let Some(PassItem::Synchronization(own)) = item else { return false };
        let buffer =
            |resource: &ResourceIndex| matches!(self.program.resource(*resource).shape, Shape::Buffer { .. });
        match &own.primitive {
            Primitive::Barrier { visibility, .. }
            | Primitive::ConsumerBarrier { visibility, .. }
            | Primitive::ProducerBarrier { visibility, .. } => visibility.is_empty(),
            Primitive::MemoryBarrier { scope: MemoryScope::Resources(named), .. } => {
                resources.iter().any(|resource| !named.contains(resource))
            }
            Primitive::MemoryBarrier {
                scope: MemoryScope::Kinds { buffers, textures, render_targets },
                ..
            } => {
                resources.iter().any(|own| if buffer(own) { !buffers } else { !textures && !render_targets })
            }
            Primitive::UpdateFence { .. } | Primitive::WaitForFence { .. } => false,
        }
    }
}
