//! Where the callbacks of shared events run.
use std::fmt;
use std::sync::{Arc, OnceLock};

use super::SerialQueue;

/// A place where callbacks of shared events run, one after another, off every other thread.
///
/// Clones are the same listener. Its thread exists only while there is something to call. An application that has threads of its own
/// gives [an executor](Self::with_executor) instead.
#[doc(alias = "MTLSharedEventListener")]
#[derive(Clone, Debug)]
pub struct SharedEventListener {
    place: Place,
}

#[derive(Clone)]
enum Place {
    Own(Arc<SerialQueue>),
    Executor(Arc<dyn Fn(Job) + Send + Sync>),
}

type Job = Box<dyn FnOnce() + Send>;

impl SharedEventListener {
    /// A listener of its own: its callbacks wait for nobody else's.
    ///
    /// ```
    /// use fencepost::{Device, SharedEventListener};
    /// let (sender, reached) = std::sync::mpsc::channel();
    /// let event = Device::cpu().new_shared_event();
    /// event.notify(&SharedEventListener::new(), 2, move |event, value| {
    ///     assert_eq!(event.signaled_value(), value);
    ///     sender.send(value).expect("somebody waits for it"); // may block: this thread is the listener's own
    /// });
    /// event.set_signaled_value(2);
    /// assert_eq!(reached.recv(), Ok(2));
    /// ```
    pub fn new() -> Self {
        Self { place: Place::Own(Arc::new(SerialQueue::new("fencepost listener"))) }
    }

    /// A listener whose callbacks run where the application wants them: `execute` is called once for each, in the order in which they
    /// are due, and sees to it that the job runs.
    ///
    /// It is called by whatever thread has raised the event, a device's own too: it must hand the job over and return, not run it.
    /// Callbacks come one after another if the executor runs one job at a time.
    ///
    /// ```
    /// use fencepost::{Device, SharedEventListener};
    /// let (sender, jobs) = std::sync::mpsc::channel::<Box<dyn FnOnce() + Send>>();
    /// let listener = SharedEventListener::with_executor(move |job| {
    ///     sender.send(job).ok();
    /// });
    /// let event = Device::cpu().new_shared_event();
    /// event.notify(&listener, 1, |_, value| println!("reached {value}"));
    /// event.set_signaled_value(1);
    /// jobs.recv().expect("the job is due")(); // on this thread
    /// ```
    #[doc(alias = "initWithDispatchQueue:")]
    #[doc(alias = "dispatchQueue")]
    pub fn with_executor(execute: impl Fn(Box<dyn FnOnce() + Send>) + Send + Sync + 'static) -> Self {
        Self { place: Place::Executor(Arc::new(execute)) }
    }

    /// The one listener that everybody shares, for short callbacks.
    ///
    /// ```
    /// use fencepost::{Device, SharedEventListener};
    /// let device = Device::cpu();
    /// let (queue, event) = (device.new_command_queue(), device.new_shared_event());
    /// // The CPU's part in the middle of a command buffer: it goes on when the callback has raised the value.
    /// event.notify(&SharedEventListener::shared(), 1, |event, _| event.set_signaled_value(2));
    /// let work = queue.command_buffer();
    /// work.encode_signal_event(&event, 1)?;
    /// work.encode_wait_for_event(&event, 2)?;
    /// work.commit()?;
    /// work.wait_until_completed()?;
    /// # Ok::<(), fencepost::Error>(())
    /// ```
    #[doc(alias = "sharedListener")]
    pub fn shared() -> Self {
        static SHARED: OnceLock<SharedEventListener> = OnceLock::new();
        SHARED.get_or_init(Self::new).clone()
    }

    pub(super) fn push(&self, job: Job) {
        match &self.place {
            Place::Own(queue) => queue.push(job),
            Place::Executor(execute) => execute(job),
        }
    }
}

impl Default for SharedEventListener {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own(queue) => queue.fmt(f),
            Self::Executor(_) => f.write_str("Executor"),
        }
    }
}
