//! An event: its value, who has promised to raise it, and who is told.
use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use fencepost_core::NodeId;
use parking_lot::{Condvar, Mutex};
use smallvec::SmallVec;

use super::SharedEventListener;
use super::level::Level;
use crate::observe::Watches;
use crate::{Error, PendingSignal};

/// A device's submission, as events see it.
pub(crate) trait EventUser: Send + Sync + fmt::Debug {
    /// A value was raised that a queue of this device waits for.
    fn pump(&self);
    /// Signals of an event that were committed and not handed over.
    fn signals_of(&self, event: &EventBody) -> Vec<PendingSignal>;
    /// The CPU looks at a value that work of this device may raise.
    fn drive(&self);
    /// A thread goes to sleep until work of this device has gone on, and wakes up again.
    fn wait_begins(&self);
    fn wait_ends(&self);
}

/// How a wait for a value stands.
#[derive(Clone, Debug)]
pub(crate) enum Standing {
    /// The value is there.
    Reached,
    /// A node that was handed over already will raise it. Only of plain events.
    Promised(NodeId),
    /// Who had promised it failed, and nobody else has.
    Broken(Error),
    /// Nobody has promised it. The device is told when the value grows.
    Held,
}

/// An event's value and its waiters.
pub(crate) struct EventBody {
    level: Level,
    shared: bool,
    /// Some device that uses this event holds work back until somebody looks.
    driven: AtomicBool,
    table: Mutex<Table>,
    raised: Condvar,
    /// Who is told what the CPU does with it.
    watches: Watches,
    this: Weak<Self>,
}

#[derive(Default)]
struct Table {
    label: String,
    /// In the order of handing over, and nearly in that of running.
    promises: VecDeque<Promise>,
    broken: Option<(u64, Error)>,
    notifications: Vec<Notification>,
    /// Devices with a queue that waits for a value that nobody has promised.
    held: SmallVec<[Weak<dyn EventUser>; 2]>,
    /// Devices whose work may raise this event.
    users: SmallVec<[Weak<dyn EventUser>; 2]>,
    sleepers: usize,
}

/// A signal that was handed over and has not run yet.
struct Promise {
    device: usize,
    value: u64,
    node: NodeId,
}

impl Table {
    fn take_promise(&mut self, device: usize, node: NodeId) {
        let kept = |promise: &Promise| (promise.device, promise.node) == (device, node);
        if let Some(index) = self.promises.iter().position(kept) {
            self.promises.remove(index);
        }
    }
}

/// A callback of a listener, once.
struct Notification {
    value: u64,
    listener: SharedEventListener,
    handler: Handler,
}

type Handler = Box<dyn FnOnce(&Arc<EventBody>, u64) + Send>;

impl EventBody {
    /// An event with value 0. Only a shared one is for the CPU and for several devices.
    pub(crate) fn new(shared: bool) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            level: Level::new(),
            shared,
            driven: AtomicBool::new(false),
            table: Mutex::default(),
            raised: Condvar::new(),
            watches: Watches::default(),
            this: this.clone(),
        })
    }

    /// Whether only the CPU may release a wait for a value, or work that is still to be handed over: it is a shared event, the value is
    /// not there, and no work in flight will raise it.
    pub(crate) fn is_for_others(&self, value: u64) -> bool {
        let below = || self.level.value() < value;
        // The look after the promises counts: a promise that was kept meanwhile has raised the value.
        self.shared && below() && !self.is_promised(value) && below()
    }

    /// Whether the CPU and other devices may use it.
    pub(crate) fn is_shared(&self) -> bool {
        self.shared
    }

    /// The value now, or the largest that a signal in flight will raise it to.
    pub(crate) fn promised(&self) -> u64 {
        let promised = self.table.lock().promises.iter().map(|promise| promise.value).max();
        self.level.value().max(promised.unwrap_or(0))
    }

    /// Who is told what the CPU does with it.
    pub(crate) fn watches(&self) -> &Watches {
        &self.watches
    }

    pub(crate) fn label(&self) -> String {
        self.table.lock().label.clone()
    }

    /// "event `label`", for messages.
    pub(crate) fn describe(&self) -> String {
        match &*self.label() {
            "" => "event without a label".to_owned(),
            label => format!("event `{label}`"),
        }
    }

    pub(crate) fn set_label(&self, label: &str) {
        label.clone_into(&mut self.table.lock().label);
    }

    /// The value now. Gets a device going that holds work back until somebody looks.
    pub(crate) fn signaled_value(&self) -> u64 {
        if self.driven.load(Ordering::Relaxed) {
            self.each_user(|user| user.drive());
        }
        self.level.value()
    }

    /// The value now. Gets nothing going.
    pub(crate) fn value_now(&self) -> u64 {
        self.level.value()
    }

    /// Whether a signal in flight, of whatever device, will raise it to a value.
    pub(crate) fn is_promised(&self, value: u64) -> bool {
        self.table.lock().promises.iter().any(|promise| promise.value >= value)
    }

    /// Signals that were committed and not handed over, of all devices that use it.
    pub(crate) fn pending_signals(&self) -> Vec<PendingSignal> {
        let mut signals = Vec::new();
        self.each_user(|user| signals.extend(user.signals_of(self)));
        signals
    }

    /// Raises the value; a smaller or equal one changes nothing. Tells threads, listeners and queues.
    pub(crate) fn raise(&self, value: u64) {
        if self.level.raise(value) {
            self.tell();
        }
    }

    /// Sleeps until the value is there; false when `timeout` ran out first (`None`: never).
    pub(crate) fn wait_until(&self, value: u64, timeout: Option<Duration>) -> bool {
        if self.level.value() >= value {
            return true;
        }
        let users: SmallVec<[_; 2]> = self.table.lock().users.iter().filter_map(Weak::upgrade).collect();
        for user in &users {
            user.wait_begins();
        }
        let reached =
            self.sleep_until(value, timeout.and_then(|timeout| Instant::now().checked_add(timeout)));
        for user in &users {
            user.wait_ends();
        }
        reached
    }

    /// Calls `handler` on the listener, once, when the value is there, in the order of the values waited for; also when it is there
    /// already, and never inline.
    pub(crate) fn notify(&self, listener: &SharedEventListener, value: u64, handler: Handler) {
        let mut table = self.table.lock();
        let notification = Notification { value, listener: listener.clone(), handler };
        let place = table.notifications.partition_point(|earlier| earlier.value <= value);
        table.notifications.insert(place, notification);
        self.watch_and_deliver(&mut table);
        drop(table);
        if self.driven.load(Ordering::Relaxed) {
            self.each_user(|user| user.drive());
        }
    }

    /// A device uses this event: whoever waits for it must get that device going.
    pub(crate) fn attach(&self, user: &Weak<dyn EventUser>, holds_back: bool) {
        let mut table = self.table.lock();
        if !table.users.iter().any(|known| Weak::ptr_eq(known, user)) {
            table.users.retain(|known| known.strong_count() > 0);
            table.users.push(user.clone());
        }
        if holds_back {
            self.driven.store(true, Ordering::Relaxed);
        }
    }

    /// A signal was handed over: `node` of `device` will raise the value.
    pub(crate) fn promise(&self, device: usize, value: u64, node: NodeId) {
        self.table.lock().promises.push_back(Promise { device, value, node });
    }

    /// The signal has run.
    pub(crate) fn fulfil(&self, device: usize, value: u64, node: NodeId) {
        let telling = {
            let mut table = self.table.lock();
            table.take_promise(device, node);
            self.level.raise(value)
        };
        if telling {
            self.tell();
        }
    }

    /// The signal will never run: what it follows failed. Queues that wait for it are told.
    pub(crate) fn break_promise(&self, device: usize, value: u64, node: NodeId, error: &Error) {
        pump(&self.note_broken(device, value, Some(node), error));
    }

    /// The same, and whoever is to be told comes back. `node` is absent where the signal was never handed over.
    pub(crate) fn note_broken(
        &self,
        device: usize,
        value: u64,
        node: Option<NodeId>,
        error: &Error,
    ) -> SmallVec<[Weak<dyn EventUser>; 2]> {
        let mut table = self.table.lock();
        if let Some(node) = node {
            table.take_promise(device, node);
        }
        if table.broken.as_ref().is_none_or(|broken| broken.0 < value) {
            table.broken = Some((value, error.clone()));
        }
        std::mem::take(&mut table.held)
    }

    /// How a wait of `device` for a value stands. When held, `user` is told of the next change.
    pub(crate) fn standing(&self, device: usize, value: u64, user: &Weak<dyn EventUser>) -> Standing {
        if self.level.value() >= value {
            return Standing::Reached;
        }
        let mut table = self.table.lock();
        if self.level.watch() >= value {
            return Standing::Reached;
        }
        // The first one handed over: it will most likely run first, and any that is large enough will do.
        let promised = table.promises.iter().find(|promise| promise.value >= value);
        match (promised, &table.broken) {
            // A shared event is for the CPU and for other devices to raise meanwhile (rule L3), so no wait for one is tied to a signal.
            (Some(promise), _) if promise.device == device && !self.shared => {
                return Standing::Promised(promise.node);
            }
            (None, Some((broken, error))) if *broken >= value => return Standing::Broken(error.clone()),
            _ => {}
        }
        if !table.held.iter().any(|known| Weak::ptr_eq(known, user)) {
            table.held.push(user.clone());
        }
        Standing::Held
    }

    fn sleep_until(&self, value: u64, deadline: Option<Instant>) -> bool {
        let mut table = self.table.lock();
        table.sleepers += 1;
        let reached = loop {
            if self.level.watch() >= value {
                break true;
            }
            match deadline {
                None => self.raised.wait(&mut table),
                Some(deadline) => {
                    if self.raised.wait_until(&mut table, deadline).timed_out() {
                        break self.level.value() >= value;
                    }
                }
            }
        };
        table.sleepers -= 1;
        reached
    }

    fn tell(&self) {
        let held = {
            let mut table = self.table.lock();
            self.watch_and_deliver(&mut table);
            if table.sleepers > 0 {
                self.raised.notify_all();
            } else if table.notifications.is_empty() {
                self.level.unwatch();
            }
            std::mem::take(&mut table.held)
        };
        pump(&held);
    }

    /// Hands every notification whose value is there to its listener.
    fn watch_and_deliver(&self, table: &mut Table) {
        let now = self.level.watch();
        let due = table.notifications.partition_point(|notification| notification.value <= now);
        for Notification { listener, handler, .. } in table.notifications.drain(..due) {
            // Whoever raises or registers holds the event.
            let Some(event) = self.this.upgrade() else { return };
            listener.push(Box::new(move || handler(&event, event.level.value())));
        }
    }

    fn each_user(&self, mut call: impl FnMut(&dyn EventUser)) {
        let users: SmallVec<[_; 2]> = self.table.lock().users.iter().filter_map(Weak::upgrade).collect();
        for user in &users {
            call(&**user);
        }
    }
}

fn pump(held: &[Weak<dyn EventUser>]) {
    for user in held.iter().filter_map(Weak::upgrade) {
        user.pump();
    }
}

impl fmt::Debug for EventBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventBody").field("value", &self.level.value()).finish_non_exhaustive()
    }
}
