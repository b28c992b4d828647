//! Commit: recordings leave their command buffers, all of a group or none.
use std::sync::Arc;

use parking_lot::Mutex;

use super::{CommandBuffer, CommandBufferShared, Phase};
use crate::api::command_allocator::AllocatorShared;
use crate::api::commit::{Commit, CommitOptions, FeedbackGroup};
use crate::api::queue::QueueShared;
use crate::error::EncodeError;
use crate::observe::{Happening, Site};
use crate::record::{Recorder, Recording};
use crate::submit::CommandBufferState;
use crate::{Error, QueueMode};

/// Recordings on their way. Those that do not arrive go back to their command buffers when this is dropped.
#[derive(Default)]
pub(crate) struct Taken {
    members: Vec<Member>,
}

struct Member {
    buffer: Arc<CommandBufferShared>,
    recording: Arc<Recording>,
    state: Arc<CommandBufferState>,
    /// Emptied where the commit fails, so that handlers do not keep a buffer that never runs.
    handlers: Option<Arc<Mutex<Option<Arc<CommandBufferShared>>>>>,
    /// Taken along: the buffer may begin anew, with another one, before its commit returns.
    allocator: Option<Arc<AllocatorShared>>,
}

impl Taken {
    /// Takes the recording of a command buffer that `queue` can commit.
    pub(crate) fn take(&mut self, buffer: &CommandBuffer, queue: &Arc<QueueShared>) -> Result<(), Error> {
        let shared = &buffer.shared;
        if self.members.iter().any(|member| Arc::ptr_eq(&member.buffer, shared)) {
            return Err(EncodeError::TwiceInGroup { buffer: shared.describe() }.into());
        }
        check_queue(shared, queue)?;
        let mut inner = shared.inner.lock();
        let recorder = match std::mem::replace(&mut inner.phase, Phase::Committed) {
            Phase::Open(recorder) if shared.is_tracked() => recorder,
            Phase::Ended(recorder) => recorder,
            other => {
                inner.phase = other;
                return Err(cannot_commit(shared, &inner.phase));
            }
        };
        let Recorder { recording, .. } = *recorder;
        let label = |index| recording.label(Some(index)).unwrap_or_default().to_owned();
        inner.signposts = recording.signposts.iter().map(|&(pass, text)| (pass, label(text))).collect();
        let allocator = inner.allocator.take();
        drop(inner);
        let state = match &shared.tracked {
            Some((_, state)) => Arc::clone(state),
            None => {
                let state = shared.device.submission.new_free_command_buffer();
                state.set_label(&buffer.label());
                state
            }
        };
        let (buffer, recording) = (Arc::clone(shared), Arc::new(recording));
        self.members.push(Member { buffer, recording, state, handlers: None, allocator });
        Ok(())
    }

    /// A group of nothing has a place on its queue all the same: its handlers are called when everything before it has ended.
    fn stand_in(&mut self, queue: &QueueShared) {
        let CommandBuffer { shared: buffer } = CommandBuffer::explicit(&queue.device);
        let recording = Arc::new(queue.device.pool.take());
        let state = queue.device.submission.new_free_command_buffer();
        self.members.push(Member { buffer, recording, state, handlers: None, allocator: None });
    }

    /// Hands all of them over.
    pub(crate) fn commit(
        mut self,
        queue: &Arc<QueueShared>,
        options: CommitOptions,
        site: Site,
    ) -> Result<Commit, Error> {
        if self.members.is_empty() && options.has_handlers() {
            self.stand_in(queue);
        }
        if queue.device.lent.ever() {
            self.members.iter().try_for_each(|member| member.recording.check_contents("`commit`"))?;
        }
        let states: Arc<[_]> = self.members.iter().map(|member| Arc::clone(&member.state)).collect();
        self.members.iter_mut().for_each(|member| member.arm_handlers(site));
        let feedback = FeedbackGroup::watch(&states, options, &queue.device.watch, site);
        let group: Vec<_> = self
            .members
            .iter()
            .map(|member| (Arc::clone(&member.recording), Arc::clone(&member.state)))
            .collect();
        if let Err(error) = hand_over(queue, group, site) {
            if let Some(feedback) = feedback {
                feedback.cancel();
            }
            return Err(error);
        }
        for member in self.members.drain(..) {
            if let Some(allocator) = member.allocator {
                allocator.commit(&member.state);
            }
        }
        Ok(Commit::new(states, &queue.device.watch))
    }
}

/// Commits a group, and tells whoever watches, in the order in which the queue accepts.
fn hand_over(
    queue: &QueueShared,
    group: Vec<(Arc<Recording>, Arc<CommandBufferState>)>,
    site: Site,
) -> Result<(), Error> {
    let submission = &queue.device.submission;
    let Some(mut turn) = queue.device.watch.turn() else { return submission.commit(queue.id, group) };
    for (recording, _) in &group {
        for item in &recording.items {
            if let Some(event) = item.event() {
                event.watches().add(&queue.device.watch);
            }
        }
    }
    // Before the work can run, and so before its signals can have raised anything.
    turn.tell(Happening::Sight(queue, &group), site);
    turn.judge(queue, &group, site)?;
    if let Err(error) = submission.commit(queue.id, group.clone()) {
        turn.undo();
        return Err(error);
    }
    turn.tell(Happening::Commit(queue, &group), site);
    Ok(())
}

impl Drop for Taken {
    fn drop(&mut self) {
        for member in self.members.drain(..) {
            member.put_back();
        }
    }
}

impl Member {
    /// The state gets one handler for all of the buffer's. It holds the buffer, but only from the commit to the end.
    fn arm_handlers(&mut self, site: Site) {
        let inner = self.buffer.inner.lock();
        let (scheduled, completed) =
            (!inner.scheduled_handlers.is_empty(), !inner.completed_handlers.is_empty());
        drop(inner);
        if !scheduled && !completed {
            return;
        }
        let cell = Arc::new(Mutex::new(Some(Arc::clone(&self.buffer))));
        // A state that was committed takes no handlers; then its commit fails as well, and says so.
        if scheduled {
            let cell = Arc::clone(&cell);
            let _added = self.state.add_scheduled_handler(Box::new(move |_| {
                let buffer = cell.lock().clone();
                call(buffer, |inner| &mut inner.scheduled_handlers);
            }));
        }
        // Always, for it empties the cell.
        let last = Arc::clone(&cell);
        let _added = self.state.add_completed_handler(Box::new(move |state| {
            let buffer = last.lock().take();
            if let Some(buffer) = buffer.as_ref().filter(|_| completed) {
                // Whoever it tells may act on what has ended.
                buffer.device.watch.tell(Happening::Completed(state), site);
            }
            call(buffer, |inner| &mut inner.completed_handlers);
        }));
        self.handlers = Some(cell);
    }

    fn put_back(self) {
        if let Some(cell) = self.handlers {
            cell.lock().take();
        }
        // Whoever else had it let go when the commit failed.
        let Some(recording) = Arc::into_inner(self.recording) else { return };
        let recorder = Box::new(Recorder::new(recording, self.buffer.device.watch.is_on()));
        let phase = if self.buffer.is_tracked() { Phase::Open(recorder) } else { Phase::Ended(recorder) };
        let mut inner = self.buffer.inner.lock();
        inner.phase = phase;
        inner.allocator = self.allocator;
    }
}

fn call(
    buffer: Option<Arc<CommandBufferShared>>,
    handlers: impl FnOnce(&mut super::Inner) -> &mut Vec<super::Handler>,
) {
    let Some(shared) = buffer else { return };
    let handlers = std::mem::take(handlers(&mut shared.inner.lock()));
    let buffer = CommandBuffer { shared };
    for handler in handlers {
        handler(&buffer);
    }
}

fn check_queue(buffer: &CommandBufferShared, queue: &Arc<QueueShared>) -> Result<(), Error> {
    queue.device.owns(&buffer.device, || buffer.describe(), || queue.describe())?;
    match (&buffer.tracked, queue.mode) {
        (Some((own, _)), QueueMode::Tracked) if Arc::ptr_eq(own, queue) => Ok(()),
        (None, QueueMode::Explicit) => Ok(()),
        (Some(_), QueueMode::Tracked) => {
            Err(EncodeError::WrongQueue { buffer: buffer.describe(), queue: queue.describe() }.into())
        }
        (tracked, _) => Err(EncodeError::WrongMode {
            call: "commit to this queue",
            belongs: if tracked.is_some() { "explicit queues" } else { "tracked queues" },
            object: format!("{} of {}", buffer.describe(), queue.describe()),
            is: if tracked.is_some() { "of a tracked queue" } else { "for explicit queues" },
            mend: "Commit it to a queue of its own mode",
        }
        .into()),
    }
}

fn cannot_commit(buffer: &CommandBufferShared, phase: &Phase) -> Error {
    match phase {
        // Open, then: not ended yet.
        Phase::Open(_) => EncodeError::NotEnded { buffer: buffer.describe() }.into(),
        other => buffer.not_open("`commit`", other),
    }
}
