//! What is known of a commit afterwards, and who is told.
use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::Error;
use crate::observe::{Happening, Site, Watch};
use crate::submit::CommandBufferState;

/// Handlers of one commit.
#[doc(alias = "MTL4CommitOptions")]
#[derive(Default)]
pub struct CommitOptions {
    handlers: Vec<Feedback>,
}

type Feedback = Box<dyn FnOnce(&CommitFeedback) + Send>;

impl CommitOptions {
    /// No handlers.
    pub fn new() -> Self {
        Self::default()
    }

    pub(crate) fn has_handlers(&self) -> bool {
        !self.handlers.is_empty()
    }

    /// Calls `handler` once, off the thread that commits, when every command buffer of the group has ended.
    ///
    /// ```
    /// use fencepost::{CommitOptions, Device};
    /// let device = Device::cpu();
    /// let queue = device.new_explicit_command_queue();
    /// let (allocator, work) = (device.new_command_allocator(), device.new_command_buffer());
    /// work.begin(&allocator)?;
    /// work.end()?;
    /// let (sender, receiver) = std::sync::mpsc::channel();
    /// let options = CommitOptions::new().with_feedback_handler(move |feedback| {
    ///     sender.send(feedback.error.is_none()).ok();
    /// });
    /// queue.commit_with_options(&[&work], options)?;
    /// assert!(receiver.recv().expect("the handler ran"));
    /// # Ok::<(), fencepost::Error>(())
    /// ```
    #[doc(alias = "addFeedbackHandler")]
    #[must_use]
    pub fn with_feedback_handler(mut self, handler: impl FnOnce(&CommitFeedback) + Send + 'static) -> Self {
        self.handlers.push(Box::new(handler));
        self
    }
}

impl fmt::Debug for CommitOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommitOptions").field("handlers", &self.handlers.len()).finish()
    }
}

/// How a group of command buffers ended.
#[doc(alias = "MTL4CommitFeedback")]
#[derive(Clone, Debug)]
pub struct CommitFeedback {
    /// The first error of the group, in its order.
    pub error: Option<Error>,
    /// When the first command started, since the device was made; `None` where nothing ran.
    pub gpu_start_time: Option<Duration>,
    /// When the last command ended, since the device was made; `None` where nothing ran.
    pub gpu_end_time: Option<Duration>,
}

/// A group of command buffers on its way.
///
/// ```
/// use fencepost::Device;
/// let device = Device::cpu();
/// let queue = device.new_explicit_command_queue();
/// let (allocator, work) = (device.new_command_allocator(), device.new_command_buffer());
/// work.begin(&allocator)?;
/// work.end()?;
/// queue.commit(&[&work])?.wait_until_completed()?;
/// # Ok::<(), fencepost::Error>(())
/// ```
#[derive(Clone)]
pub struct Commit {
    states: Arc<[Arc<CommandBufferState>]>,
    watch: Arc<Watch>,
}

impl Commit {
    pub(crate) fn new(states: Arc<[Arc<CommandBufferState>]>, watch: &Arc<Watch>) -> Self {
        Self { states, watch: Arc::clone(watch) }
    }

    /// Sleeps until every command buffer of the group has ended and its handlers have run.
    ///
    /// # Errors
    /// The first error of the group, in its order.
    #[track_caller]
    pub fn wait_until_completed(&self) -> Result<(), Error> {
        for state in self.states.iter() {
            state.wait_until_completed();
        }
        self.tell_completed(Location::caller());
        self.feedback().error.map_or(Ok(()), Err)
    }

    /// Whether every command buffer of the group has ended. Never sleeps.
    #[track_caller]
    pub fn is_completed(&self) -> bool {
        let completed =
            self.states.iter().all(|state| state.status() >= crate::CommandBufferStatus::Completed);
        if completed {
            self.tell_completed(Location::caller());
        }
        completed
    }

    /// What is known so far; final once the group has ended.
    #[track_caller]
    pub fn feedback(&self) -> CommitFeedback {
        // Who sees the end may act on what has ended.
        if self.states.iter().all(|state| state.has_ended()) {
            self.tell_completed(Location::caller());
        }
        feedback(&self.states)
    }

    fn tell_completed(&self, site: Site) {
        self.states.iter().for_each(|state| self.watch.tell(Happening::Completed(state), site));
    }
}

impl fmt::Debug for Commit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Commit").field("buffers", &self.states).finish()
    }
}

/// Calls the handlers when the last of the group has ended. A commit that fails takes them back.
pub(crate) struct FeedbackGroup {
    inner: Mutex<Pending>,
    watch: Arc<Watch>,
    /// Of the commit.
    site: Site,
}

#[derive(Default)]
struct Pending {
    missing: usize,
    states: Option<Arc<[Arc<CommandBufferState>]>>,
    handlers: Vec<Feedback>,
}

impl FeedbackGroup {
    /// Before the commit: waits for all of `states`. `None` where nobody wants to be told.
    pub(crate) fn watch(
        states: &Arc<[Arc<CommandBufferState>]>,
        options: CommitOptions,
        watch: &Arc<Watch>,
        site: Site,
    ) -> Option<Arc<Self>> {
        if options.handlers.is_empty() {
            return None;
        }
        let pending =
            Pending { missing: states.len(), states: Some(Arc::clone(states)), handlers: options.handlers };
        let watch = Arc::clone(watch);
        let group = Arc::new(Self { inner: Mutex::new(pending), watch, site });
        for state in states.iter() {
            let group = Arc::clone(&group);
            // False where it was committed meanwhile: then the commit of the group fails too, and takes the handlers back.
            let _added = state.add_completed_handler(Box::new(move |_| group.one_ended()));
        }
        Some(group)
    }

    /// The commit failed: nobody is told.
    pub(crate) fn cancel(&self) {
        *self.inner.lock() = Pending::default();
    }

    fn one_ended(&self) {
        let done = {
            let mut inner = self.inner.lock();
            inner.missing = inner.missing.saturating_sub(1);
            if inner.missing > 0 {
                return;
            }
            std::mem::take(&mut *inner)
        };
        let Some(states) = done.states else { return };
        // Whoever the handlers tell may act on what has ended.
        states.iter().for_each(|state| self.watch.tell(Happening::Completed(state), self.site));
        let feedback = feedback(&states);
        for handler in done.handlers {
            handler(&feedback);
        }
    }
}

fn feedback(states: &[Arc<CommandBufferState>]) -> CommitFeedback {
    let times = || states.iter().filter_map(|state| state.times());
    CommitFeedback {
        error: states.iter().find_map(|state| state.error()),
        gpu_start_time: times().map(|(start, _)| start).min().map(Duration::from_nanos),
        gpu_end_time: times().map(|(_, end)| end).max().map(Duration::from_nanos),
    }
}
