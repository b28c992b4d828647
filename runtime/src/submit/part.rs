//! What has been handed over together, and what its end means for everybody else.
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use fencepost_core::{NodeId, QueueId};

use super::command_buffer::CommandBufferState;
use super::queue::Stretch;
use super::{Submission, dependency};
use crate::Error;
use crate::backend::{Completion, Outcome, PlannedNode};
use crate::record::Recording;
use crate::signal::{EventBody, EventUser, Gate, SignalRight};

/// A run of nodes: the share of one command buffer, or a signal of a queue.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) submission: Arc<Submission>,
    pub(super) queue: QueueId,
    pub(super) owner: Option<Arc<CommandBufferState>>,
    pub(super) recording: Option<Arc<Recording>>,
    /// Items of the recording.
    pub(super) items: Range<usize>,
    /// The node behind the last one.
    pub(super) nodes_end: NodeId,
    pub(super) signals: Vec<Signal>,
    /// What is behind its last signal belongs to this.
    pub(super) stretch: Arc<Stretch>,
    /// Pairs of a node and one that it follows, by node; kept only where a wait is in flight that some of it may be behind.
    pub(super) edges: Box<[(NodeId, NodeId)]>,
    /// The wait that all of it is behind: its first node.
    pub(super) waited: Option<Waited>,
    /// The wait, or another one in front of it, has failed: nothing of this runs any more.
    pub(super) refused: OnceLock<Error>,
    /// Nodes that have not ended.
    pub(super) remaining: AtomicU32,
    /// Items before this one have ended, and somebody may have seen it: a signal behind them has run.
    pub(super) reached: AtomicUsize,
    /// A signal of it has run: all that its queue was given before has ended, whether or not that has been noted yet.
    pub(super) signaled: AtomicBool,
}

/// A wait in flight.
#[derive(Debug)]
pub(super) struct Waited {
    pub(super) gate: Arc<Gate>,
    pub(super) event: Arc<EventBody>,
}

/// A signal among the nodes.
#[derive(Debug)]
pub(super) struct Signal {
    pub(super) event: SignalRight,
    pub(super) value: u64,
    pub(super) node: NodeId,
    /// The item behind it.
    pub(super) item: usize,
    /// Passes of its command buffer that are before it.
    pub(super) passes: u32,
    pub(super) vouches: Arc<Stretch>,
}

/// The tag of nodes that nobody waits for by themselves.
pub(super) const GATE: u32 = PlannedNode::ALONE - 1;

impl Part {
    pub(super) fn has_ended(&self) -> bool {
        self.remaining.load(Ordering::Acquire) == 0
    }

    /// It is behind a wait that has failed.
    pub(super) fn refuse(&self, error: &Error) {
        self.refused.set(error.clone()).ok();
        if self.signals.is_empty() {
            self.stretch.fail(error);
        }
        if let Some(owner) = &self.owner {
            owner.fail(error);
        }
    }

    /// A signal's turn has come. Whether it is executed is decided by what it vouches for alone (rule 6.18): what else is before it on the
    /// queue may have failed, and been forgotten or not.
    fn signal_ended(&self, index: u32) {
        let Some(signal) = self.signals.get(index as usize) else { return };
        let Signal { event, value, node, item, passes, vouches } = signal;
        let own = || self.owner.as_ref().and_then(|owner| owner.failed_before(*passes));
        let error = self.refused.get().cloned().or_else(own).or_else(|| vouches.error().cloned());
        let Some(error) = error else {
            self.reached.fetch_max(*item, Ordering::AcqRel);
            self.signaled.store(true, Ordering::Release);
            self.submission.progress.step();
            return event.fulfil(self.submission.device(), *value, *node);
        };
        let error = dependency(&error);
        if let Some(owner) = &self.owner {
            owner.fail(&error);
        }
        event.break_promise(self.submission.device(), *value, *node, &error);
    }

    fn pass_ended(&self, owner: &CommandBufferState, pass: u32, count: u32, outcome: &Outcome) {
        owner.pass_ended(pass, count, outcome);
        if let Outcome::Failed(error) | Outcome::Skipped(error) = outcome
            && self.signals.last().is_none_or(|last| pass >= last.passes)
        {
            self.stretch.fail(error);
        }
    }

    fn ended(&self) {
        self.submission.progress.step();
        if let Some(owner) = &self.owner {
            let failed = owner.has_failed();
            owner.close();
            if failed {
                // What is left of the buffer is not to be handed over any more.
                self.submission.pump();
            }
        }
        self.submission.retire_soon();
    }
}

impl Completion for Part {
    fn refused(&self) -> Option<Error> {
        self.refused.get().cloned()
    }

    fn completed(&self, tag: u32, count: u32, outcome: &Outcome) {
        if tag & PlannedNode::ALONE != 0 {
            self.signal_ended(tag & !PlannedNode::ALONE);
        } else if let Some(owner) = &self.owner {
            match (tag, outcome) {
                (GATE, _) => {}
                _ => self.pass_ended(owner, tag, count, outcome),
            }
        }
        if self.remaining.fetch_sub(count, Ordering::AcqRel) == count {
            self.ended();
        }
    }
}
