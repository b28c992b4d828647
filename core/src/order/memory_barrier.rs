//! Metal 3's memory barrier within a pass (rules 3.1 and 3.2).
//!
//! It orders like a barrier within the pass, whatever it names: execution depends on everything in its stages. What
//! it names limits what becomes *visible*: the kinds of resource in its scope, or the resources of its list. In a
//! render pass its stages close along the pipeline, since it speaks of stores at or before one stage and loads at or
//! after another. In a serial pass it has nothing to do and is ignored.
use super::link::{Primitive, Reach};
use super::queue::{Class, Hold};
use crate::{BarrierScope, Engine, QueueId, ResourceId, Stage, Stages};

/// What a memory barrier makes visible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BarrierFilter<'a> {
    /// Every resource of these kinds.
    Scope(BarrierScope),
    /// These resources.
    Resources(&'a [ResourceId]),
}

impl Engine {
    /// A Metal 3 memory barrier of the open pass. For compute both masks are [`Stages::DISPATCH`].
    pub fn memory_barrier(
        &mut self,
        queue: QueueId,
        filter: BarrierFilter<'_>,
        after: Stages,
        before: Stages,
    ) {
        let link = self.link(Primitive::MemoryBarrier);
        let Some(queue) = self.queues.get_mut(queue.0).filter(|queue| queue.open && !queue.serial) else {
            return;
        };
        let (after, before) = (at_or_before(after), at_or_after(before));
        self.edges.clear();
        queue.this_pass(after, &mut self.graph, &mut self.edges);
        let hold = match filter {
            BarrierFilter::Scope(scope) => {
                let (reach, class) = (Reach::from(scope), Class::Barrier);
                let handle = self.graph.gather(&mut self.edges, reach, link);
                handle.map(|handle| Hold { handle, after: after.dense(), reach, class })
            }
            BarrierFilter::Resources(_) if self.edges.is_empty() => None,
            BarrierFilter::Resources(resources) => {
                let handle = self.graph.gate(&mut self.edges, Reach::NONE, link);
                self.graph.name_resources(handle.node, resources);
                Some(Hold { handle, after: after.dense(), reach: Reach::NONE, class: Class::Alone })
            }
        };
        if let Some(hold) = hold {
            queue.hold_pass(before, hold, &mut self.graph);
        }
    }
}

/// The set with every render stage that comes before one of its own in the pipeline.
pub(crate) fn at_or_before(stages: Stages) -> Stages {
    let last = stages.iter_stages().filter_map(rank).max();
    let earlier =
        Stages::EVERY.iter_stages().filter(|&stage| rank(stage).is_some_and(|rank| Some(rank) <= last));
    earlier.fold(stages, |set, stage| set | stage.mask())
}

/// The set with every render stage that comes after one of its own in the pipeline.
pub(crate) fn at_or_after(stages: Stages) -> Stages {
    let Some(first) = stages.iter_stages().filter_map(rank).min() else { return stages };
    let later = Stages::EVERY.iter_stages().filter(|&stage| rank(stage).is_some_and(|rank| rank >= first));
    later.fold(stages, |set, stage| set | stage.mask())
}

/// A render stage's place in the pipeline. A mesh pipeline has object and mesh stages where others have vertices.
const fn rank(stage: Stage) -> Option<u8> {
    match stage {
        Stage::Object => Some(0),
        Stage::Vertex | Stage::Mesh => Some(1),
        Stage::Fragment => Some(2),
        Stage::Tile => Some(3),
        _ => None,
    }
}
