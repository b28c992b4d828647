//! Events: numbers that queues raise and wait for.
use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::api::device::DeviceShared;
use crate::observe::Happening;
use crate::signal::{EventBody, EventHandle, SharedEventListener, Signaled, sleep_until_any};
use crate::{Device, Error};

/// A number that queues of one device raise and wait for. It starts at 0 and never falls.
///
/// A signal raises it once everything earlier on its queue has completed; signalling a smaller value changes nothing. A wait holds
/// everything later on its queue until the value is reached, and may be committed long before the signal.
///
/// ```
/// use fencepost::Device;
/// let device = Device::cpu();
/// let event = device.new_event();
/// let (producer, consumer) = (device.new_command_queue(), device.new_command_queue());
/// let second = consumer.command_buffer();
/// second.encode_wait_for_event(&event, 1)?;
/// second.commit()?;
/// let first = producer.command_buffer();
/// first.encode_signal_event(&event, 1)?;
/// first.commit()?;
/// second.wait_until_completed()?;
/// # Ok::<(), fencepost::Error>(())
/// ```
#[doc(alias = "MTLEvent")]
#[derive(Clone)]
pub struct Event {
    pub(crate) body: EventHandle,
    device: Arc<DeviceShared>,
}

impl Event {
    pub(crate) fn create(device: &Arc<DeviceShared>) -> Self {
        Self { body: EventHandle::new(false), device: Arc::clone(device) }
    }

    /// The device whose queues may use it.
    pub fn device(&self) -> Device {
        Device { shared: Arc::clone(&self.device) }
    }

    /// Its label; empty where there is none.
    pub fn label(&self) -> String {
        self.body.label()
    }

    /// Gives it a name for messages.
    #[doc(alias = "setLabel")]
    pub fn set_label(&self, label: &str) {
        self.body.set_label(label);
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event").field("label", &self.label()).finish_non_exhaustive()
    }
}

/// An event that the CPU and queues of any device raise and wait for, also in other processes.
///
/// ```
/// use fencepost::Device;
/// let device = Device::cpu();
/// let (queue, event) = (device.new_command_queue(), device.new_shared_event());
/// let work = queue.command_buffer();
/// work.encode_wait_for_event(&event, 1)?;
/// work.encode_signal_event(&event, 2)?;
/// work.commit()?;
/// event.set_signaled_value(1);
/// assert!(event.wait_until_signaled_value(2, std::time::Duration::from_secs(10)));
/// # Ok::<(), fencepost::Error>(())
/// ```
#[doc(alias = "MTLSharedEvent")]
#[derive(Clone)]
pub struct SharedEvent {
    pub(crate) body: EventHandle,
}

impl SharedEvent {
    pub(crate) fn create(device: &Arc<DeviceShared>) -> Self {
        Self::of_body(device, EventHandle::new(true))
    }

    pub(crate) fn of_body(device: &Arc<DeviceShared>, body: EventHandle) -> Self {
        body.watches().add(&device.watch);
        Self { body }
    }

    /// The value now. Who has seen a value may read all that was written before it was signalled.
    #[doc(alias = "signaledValue")]
    #[inline]
    #[track_caller]
    pub fn signaled_value(&self) -> u64 {
        let value = self.body.signaled_value();
        if value > 0 {
            self.body.watches().tell(Happening::Reached(&self.body, value), Location::caller());
        }
        value
    }

    /// Raises the value and releases whoever waits for it; a smaller or equal one changes nothing.
    #[doc(alias = "setSignaledValue")]
    #[inline]
    #[track_caller]
    pub fn set_signaled_value(&self, value: u64) {
        self.body.watches().tell(Happening::Raise(&self.body, value), Location::caller());
        self.body.raise(value);
    }

    /// Sleeps until the value is reached: true. False where `timeout` passed first.
    #[doc(alias = "waitUntilSignaledValue:timeoutMS:")]
    #[inline]
    #[track_caller]
    pub fn wait_until_signaled_value(&self, value: u64, timeout: Duration) -> bool {
        let reached = self.body.wait_until(value, Some(timeout));
        if reached && value > 0 {
            self.body.watches().tell(Happening::Reached(&self.body, value), Location::caller());
        }
        reached
    }

    /// Sleeps until each event has reached its value: true. False where `timeout` passed first.
    ///
    /// Metal has no such call; there a program waits for one after the other, as this does.
    #[track_caller]
    pub fn wait_until_all_signaled(waits: &[(&Self, u64)], timeout: Duration) -> bool {
        // A time that the clock cannot tell is no limit.
        let deadline = Instant::now().checked_add(timeout);
        waits.iter().all(|(event, value)| {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            event.wait_until_signaled_value(*value, left.unwrap_or(Duration::MAX))
        })
    }

    /// Sleeps until some event has reached its value: which, the first one in the list where there are several. `None` where `timeout`
    /// passed first, or there is nothing to wait for.
    ///
    /// ```
    /// use std::time::Duration;
    /// use fencepost::{Device, SharedEvent};
    /// let device = Device::cpu();
    /// let (frame, stop) = (device.new_shared_event(), device.new_shared_event());
    /// stop.set_signaled_value(1);
    /// let first = SharedEvent::wait_until_any_signaled(&[(&frame, 8), (&stop, 1)], Duration::from_secs(1));
    /// assert_eq!(first, Some(1));
    /// ```
    #[track_caller]
    pub fn wait_until_any_signaled(waits: &[(&Self, u64)], timeout: Duration) -> Option<usize> {
        if waits.is_empty() {
            return None;
        }
        let bodies: Vec<(&EventBody, u64)> =
            waits.iter().map(|(event, value)| (&**event.body, *value)).collect();
        let first = sleep_until_any(&bodies, Some(timeout))?;
        let (event, value) = waits[first];
        if value > 0 {
            event.body.watches().tell(Happening::Reached(&event.body, value), Location::caller());
        }
        Some(first)
    }

    /// Completes when the value is reached. Needs no runtime of any kind: whoever raises the value wakes the task. A future that is dropped
    /// before leaves nothing behind; it holds the event's value, but is no handle through which somebody could raise it.
    ///
    /// Under any executor, the plainest one too:
    ///
    /// ```
    /// let event = fencepost::Device::cpu().new_shared_event();
    /// let raising = event.clone();
    /// let thread = std::thread::spawn(move || raising.set_signaled_value(2));
    /// pollster::block_on(event.signaled(2));
    /// # thread.join().unwrap();
    /// ```
    ///
    /// Under tokio, with a time limit of tokio's:
    ///
    /// ```
    /// use std::time::Duration;
    /// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    /// # runtime.block_on(async {
    /// let device = fencepost::Device::cpu();
    /// let (queue, event) = (device.new_command_queue(), device.new_shared_event());
    /// let work = queue.command_buffer();
    /// work.encode_signal_event(&event, 1)?;
    /// work.commit()?;
    /// let reached = tokio::time::timeout(Duration::from_secs(10), event.signaled(1)).await;
    /// assert!(reached.is_ok());
    /// # work.wait_until_completed()
    /// # })?;
    /// # Ok::<(), fencepost::Error>(())
    /// ```
    #[doc(alias = "valueSignaled")]
    #[track_caller]
    pub fn signaled(&self, value: u64) -> Signaled {
        Signaled::new(&self.body, value, Location::caller())
    }

    /// Calls `handler` once, on the listener, as soon as the value is reached, with the event and its value then. Never on the calling
    /// thread, also where the value is reached already.
    #[doc(alias = "notifyListener:atValue:block:")]
    #[track_caller]
    pub fn notify(
        &self,
        listener: &SharedEventListener,
        value: u64,
        handler: impl FnOnce(&Self, u64) + Send + 'static,
    ) {
        let site = Location::caller();
        let call = move |body: &EventHandle, reached| {
            body.watches().tell(Happening::Reached(body, value), site);
            handler(&Self { body: body.clone() }, reached);
        };
        self.body.notify(listener, value, Box::new(call));
    }

    /// For how long a thread that waits for the value looks for it before it sleeps, here and wherever another clone of the event is.
    ///
    /// Looking finds a value within a tenth of a microsecond and burns a core; being woken takes tens of them. By itself a wait looks as long
    /// as that has paid lately, at most as long as a wake-up costs. Each process chooses for itself.
    ///
    /// ```
    /// use fencepost::{Device, Spin};
    /// let event = Device::cpu().new_shared_event();
    /// event.set_spin(Spin::Never); // the value comes once in a while, and the core has other work
    /// # event.set_signaled_value(1);
    /// # assert!(event.wait_until_signaled_value(1, std::time::Duration::ZERO));
    /// ```
    #[cfg(target_os = "linux")]
    pub fn set_spin(&self, spin: fencepost_ipc::Spin) {
        self.body.set_spin(spin);
    }

    /// Its label; empty where there is none.
    pub fn label(&self) -> String {
        self.body.label()
    }

    /// Gives it a name for messages.
    #[doc(alias = "setLabel")]
    pub fn set_label(&self, label: &str) {
        self.body.set_label(label);
    }
}

impl fmt::Debug for SharedEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedEvent").field("label", &self.label()).field("body", &self.body).finish()
    }
}

/// An [`Event`] or a [`SharedEvent`], where either will do.
pub trait AnyEvent: sealed::Sealed {}

impl AnyEvent for Event {}
impl AnyEvent for SharedEvent {}

pub(crate) mod sealed {
    use super::{Arc, DeviceShared, EventBody};

    /// Only this crate has events.
    pub trait Sealed {
        #[doc(hidden)]
        fn inside(&self) -> Inside<'_>;
    }

    /// What an event is, for this crate alone.
    #[derive(Debug)]
    pub struct Inside<'a> {
        pub(crate) body: &'a Arc<EventBody>,
        /// Absent for shared events, which belong to no device.
        pub(crate) owner: Option<&'a Arc<DeviceShared>>,
    }
}

impl sealed::Sealed for Event {
    fn inside(&self) -> sealed::Inside<'_> {
        sealed::Inside { body: &self.body, owner: Some(&self.device) }
    }
}

impl sealed::Sealed for SharedEvent {
    fn inside(&self) -> sealed::Inside<'_> {
        sealed::Inside { body: &self.body, owner: None }
    }
}

/// The body of an event that work of `device` may use.
pub(crate) fn usable(
    event: &impl AnyEvent,
    device: &Arc<DeviceShared>,
    user: impl FnOnce() -> String,
) -> Result<Arc<EventBody>, Error> {
    let sealed::Inside { body, owner } = event.inside();
    if let Some(owner) = owner {
        device.owns(owner, || body.describe(), user)?;
    }
    Ok(Arc::clone(body))
}
