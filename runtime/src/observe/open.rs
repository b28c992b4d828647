//! Committed work of whose end the CPU has not been told.
//!
//! A guard that gets its bytes has seen the end of all work that stood in its way, whether or not the program ever asked for that end:
//! those who watch must be told, or they would take what is right by construction for luck. They are told of the work that touches the
//! same memory, and of no other, so that what they find does not depend on what else has ended by chance.
use std::sync::Arc;

use fencepost_core::QueueId;
use smallvec::SmallVec;

use super::ledger::bodies;
use super::{Body, Group, Happening};
use crate::backend::Allocation;
use crate::record::{Item, Recording};
use crate::signal::EventBody;
use crate::submit::CommandBufferState;

/// Committed command buffers, oldest first.
#[derive(Debug, Default)]
pub(super) struct OpenWork {
    buffers: Vec<Open>,
}

/// A command buffer.
#[derive(Debug)]
struct Open {
    queue: QueueId,
    state: Arc<CommandBufferState>,
    /// Addresses of the allocations that it touches.
    memories: SmallVec<[usize; 4]>,
    /// Values of shared events that say that it has come so far.
    signals: SmallVec<[(Arc<EventBody>, u64); 1]>,
}

/// What the CPU learns.
#[derive(Debug)]
pub(super) enum News {
    Ended(Arc<CommandBufferState>),
    Reached(Arc<EventBody>, u64),
}

impl OpenWork {
    /// A queue accepted command buffers.
    pub(super) fn committed(&mut self, queue: QueueId, group: &Group) {
        if self.buffers.len() >= MOST {
            // The oldest ones that have ended: nobody has asked for so long.
            self.buffers.retain(|open| !open.state.has_ended());
        }
        self.buffers.extend(group.iter().map(|(recording, state)| {
            let signal = |item: &Item| match item {
                Item::SignalEvent { event, value } => Some((Arc::clone(event.body()), *value)),
                _ => None,
            };
            let signals = recording.items.iter().filter_map(signal).filter(|(event, _)| event.is_shared());
            let (signals, memories) = (signals.collect(), memories(recording));
            Open { queue, state: Arc::clone(state), memories, signals }
        }));
    }

    /// Those who watch are told by somebody else.
    pub(super) fn told(&mut self, happening: &Happening<'_>) {
        match happening {
            Happening::Completed(state) => self.buffers.retain(|open| !Arc::ptr_eq(&open.state, state)),
            Happening::Signal(queue, event, value) if event.is_shared() => {
                for open in self.buffers.iter_mut().filter(|open| open.queue == queue.id) {
                    open.signals.push((Arc::clone(event), *value));
                }
            }
            Happening::Reached(event, value) => self.buffers.retain(|open| {
                // What has ended by then, the value says as well as its end.
                let by = |(own, at): &(Arc<EventBody>, u64)| Arc::ptr_eq(own, event) && at <= value;
                !(open.signals.last().is_some_and(by) && open.state.has_ended())
            }),
            _ => {}
        }
    }

    /// The CPU has seen that nothing in flight touches a part of this memory.
    pub(super) fn news(&self, memory: &Arc<dyn Allocation>) -> Vec<News> {
        let address = address(memory);
        let mut news = Vec::new();
        for open in self.buffers.iter().filter(|open| open.memories.contains(&address)) {
            if open.state.has_ended() {
                news.push(News::Ended(Arc::clone(&open.state)));
                continue;
            }
            let reached = open.signals.iter().filter(|(event, value)| event.value_now() >= *value);
            news.extend(reached.map(|(event, value)| News::Reached(Arc::clone(event), *value)));
        }
        news
    }
}

impl News {
    pub(super) fn happening(&self) -> Happening<'_> {
        match self {
            Self::Ended(state) => Happening::Completed(state),
            Self::Reached(event, value) => Happening::Reached(event, *value),
        }
    }
}

/// The memory that a recording touches.
fn memories(recording: &Recording) -> SmallVec<[usize; 4]> {
    let transfers = recording.transfers.iter().flat_map(|transfer| bodies(transfer).into_iter().flatten());
    let mut memories: SmallVec<[usize; 4]> = transfers
        .map(|body| match body {
            Body::Buffer(body) => address(&body.allocation),
            Body::Texture(body) => address(&body.allocation),
        })
        .chain(recording.buffers.iter().map(|body| address(&body.allocation)))
        .chain(recording.textures.iter().map(|view| address(&view.body.allocation)))
        .collect();
    memories.sort_unstable();
    memories.dedup();
    memories
}

fn address(allocation: &Arc<dyn Allocation>) -> usize {
    Arc::as_ptr(allocation).addr()
}

/// So many command buffers of a device whose end nobody has asked for are many.
const MOST: usize = 4096;
