//! An event: its value, who has promised to raise it, and who is told.
//!
//! Those who wait are told in one of three ways. Gates of devices are opened, tasks and threads are woken, both by whoever raises the
//! value and outside of the lock. Notifications go to their listeners in the order of their values, also where several threads raise
//! at once: one of them delivers at a time, and takes along what the others bring.
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::task::Waker;
use std::time::Duration;

use fencepost_core::NodeId;
use parking_lot::{Mutex, MutexGuard};
use smallvec::SmallVec;

use super::gate::Gate;
use super::level::Level;
use super::outside::Outside;
use super::promises::Promises;
use super::rights::Rights;
use super::sleeper;
use super::{EventHandle, SharedEventListener};
use crate::observe::Watches;
use crate::{Error, PendingSignal};

/// A device's submission, as events see it.
pub(crate) trait EventUser: Send + Sync + fmt::Debug {
    /// A value was raised that a queue of this device waits for.
    fn pump(&self);
    /// Somebody who could raise a value that a queue of this device waits for is gone.
    fn review(&self);
    /// The value that a node in flight waits for is there.
    fn open(&self, node: NodeId);
    /// What was to raise the value that a node in flight waits for failed, and nothing in flight will: unless something that was
    /// committed and is held back may still do so, the wait fails.
    fn gate_doubted(&self, gate: &Arc<Gate>, error: &Error);
    /// Nothing will raise the value that a node in flight waits for.
    fn gate_failed(&self, node: NodeId, error: &Error);
    /// Signals of an event that were committed and not handed over.
    fn signals_of(&self, event: &EventBody) -> Vec<PendingSignal>;
    /// The CPU looks at a value that work of this device may raise.
    fn drive(&self);
    /// Somebody on the CPU goes on who waited for what work of this device has just done.
    fn let_go(&self);
    /// A thread goes to sleep until work of this device has gone on, and wakes up again.
    fn wait_begins(&self);
    fn wait_ends(&self);
}

/// How a wait for a value stands.
#[derive(Clone, Debug)]
pub(crate) enum Standing {
    /// The value is there.
    Reached,
    /// A signal that was handed over already will raise it, unless it fails; another one may be sooner.
    Promised,
    /// Who had promised it failed, and nobody else has. The device is told when the value grows.
    Broken(Error),
    /// Nobody has promised it. The device is told when the value grows.
    Held,
}

/// An event's value and its waiters.
pub(crate) struct EventBody {
    pub(super) level: Level,
    shared: bool,
    /// Some device that uses this event holds work back until somebody looks.
    driven: AtomicBool,
    /// Handles of the program, through which it may raise the value, and signals that were recorded and not given up.
    pub(super) rights: Rights,
    table: Mutex<Table>,
    /// Who is told what the CPU does with it.
    watches: Watches,
    /// What other processes see of it.
    outside: Outside,
    this: Weak<Self>,
}

#[derive(Default)]
struct Table {
    label: String,
    promises: Promises,
    broken: Option<(u64, Error)>,
    /// Nodes in flight, those of the smallest values first.
    gates: VecDeque<Arc<Gate>>,
    /// The CPU's, by value and then in the order in which they came.
    waiters: BTreeMap<Place, Waiter>,
    next_waiter: u64,
    /// Notifications whose value is there.
    due: VecDeque<Notification>,
    /// Somebody delivers them.
    delivering: bool,
    /// Devices with a queue that waits for a value that nobody has promised.
    held: Users,
    /// Devices whose work may raise this event.
    users: Users,
}

type Users = SmallVec<[Weak<dyn EventUser>; 2]>;

/// Where a waiter stands: its value and a number of its own.
pub(super) type Place = (u64, u64);

/// Someone on the CPU.
enum Waiter {
    Notification(Notification),
    /// A task or a thread.
    Task(Waker),
}

/// A callback of a listener, once.
struct Notification {
    listener: SharedEventListener,
    handler: Handler,
}

type Handler = Box<dyn FnOnce(&EventHandle, u64) + Send>;

/// Who is told when the lock is free.
#[derive(Default)]
struct Told {
    gates: SmallVec<[Arc<Gate>; 4]>,
    tasks: SmallVec<[Waker; 4]>,
    notifications: bool,
    held: Users,
}

impl EventBody {
    /// An event with value 0. Only a shared one is for the CPU and for several devices.
    pub(super) fn new(shared: bool) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            level: Level::new(),
            shared,
            driven: AtomicBool::new(false),
            rights: Rights::new(),
            table: Mutex::default(),
            watches: Watches::default(),
            outside: Outside::default(),
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

    #[cfg(target_os = "linux")]
    #[inline]
    pub(super) fn outside(&self) -> &Outside {
        &self.outside
    }

    #[cfg(target_os = "linux")]
    pub(super) fn weak(&self) -> Weak<Self> {
        self.this.clone()
    }

    /// Whether the CPU and other devices may use it.
    pub(crate) fn is_shared(&self) -> bool {
        self.shared
    }

    /// Whether another process may have it.
    pub(crate) fn is_open(&self) -> bool {
        self.outside.is_open()
    }

    /// The value now, or the largest that a signal in flight will raise it to.
    pub(crate) fn promised(&self) -> u64 {
        let promised = self.table.lock().promises.largest();
        self.level.value().max(promised)
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
    #[inline]
    pub(crate) fn signaled_value(&self) -> u64 {
        self.drive();
        self.fetch();
        self.level.value()
    }

    /// The value now. Gets nothing going.
    #[inline]
    pub(crate) fn value_now(&self) -> u64 {
        self.level.value()
    }

    /// Whether a signal in flight, of whatever device, will raise it to a value.
    pub(crate) fn is_promised(&self, value: u64) -> bool {
        self.table.lock().promises.reach(value)
    }

    /// Devices and nodes of the signals in flight that will raise it to a value.
    pub(crate) fn promises_of(&self, value: u64) -> SmallVec<[(usize, NodeId); 4]> {
        self.table.lock().promises.of(value).collect()
    }

    /// Whether another device than this one uses it.
    pub(crate) fn is_used_elsewhere(&self, device: usize) -> bool {
        let other = |user: &Weak<dyn EventUser>| user.as_ptr().cast::<()>().addr() != device;
        self.shared && self.table.lock().users.iter().any(|user| other(user) && user.strong_count() > 0)
    }

    /// Signals that were committed and not handed over, of all devices that use it.
    pub(crate) fn pending_signals(&self) -> Vec<PendingSignal> {
        let mut signals = Vec::new();
        self.each_user(|user| signals.extend(user.signals_of(self)));
        signals
    }

    /// Whether the program has a handle left, through which it could raise the value, or another process may have one.
    pub(crate) fn has_handles(&self) -> bool {
        self.rights.has_handles() || self.is_outside()
    }

    /// How many signals were recorded and not given up: what is still to be committed, what is held back, what is in flight.
    pub(crate) fn recorded_signals(&self) -> usize {
        self.rights.signals()
    }

    /// Raises the value; a smaller or equal one changes nothing. Tells threads, listeners and queues.
    #[inline]
    pub(crate) fn raise(&self, value: u64) {
        let telling = self.level.raise(value);
        self.raise_outside(value);
        if telling {
            self.tell();
        }
    }

    /// Sleeps until the value is there; false when `timeout` ran out first (`None`: never).
    #[inline]
    pub(crate) fn wait_until(&self, value: u64, timeout: Option<Duration>) -> bool {
        self.level.value() >= value || sleeper::sleep_until_any(&[(self, value)], timeout).is_some()
    }

    /// Calls `handler` on the listener, once, when the value is there, in the order of the values waited for; also when it is there
    /// already, and never inline.
    pub(crate) fn notify(&self, listener: &SharedEventListener, value: u64, handler: Handler) {
        let mut table = self.table.lock();
        let notification = Notification { listener: listener.clone(), handler };
        table.add(value, Waiter::Notification(notification));
        let told = self.collect(&mut table);
        drop(table);
        self.tell_all(told);
        self.drive();
    }

    /// Wakes a task when the value is there; true, and nothing noted down, where it is there already. `place` is where the task stands
    /// already, and where it stands from now on.
    pub(super) fn enroll(&self, value: u64, waker: &Waker, place: &mut Option<Place>) -> bool {
        let mut table = self.table.lock();
        if self.level.watch() >= value {
            let gone = place.take().and_then(|place| table.waiters.remove(&place));
            drop(table);
            drop(gone);
            return true;
        }
        // A waker is the program's: what it was goes when the lock is free.
        let mut before = waker.clone();
        match place.and_then(|place| table.waiters.get_mut(&place)) {
            Some(Waiter::Task(known)) => std::mem::swap(known, &mut before),
            _ => *place = Some(table.add(value, Waiter::Task(before))),
        }
        self.watch_outside();
        drop(table);
        false
    }

    /// A task waits no longer.
    pub(super) fn withdraw(&self, place: Place) {
        // What it holds may be anything of the program's, and goes when the lock is free.
        let gone = self.table.lock().waiters.remove(&place);
        drop(gone);
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
        self.table.lock().promises.add(device, value, node);
    }

    /// The signal has run.
    pub(crate) fn fulfil(&self, device: usize, value: u64, node: NodeId) {
        let telling = {
            let mut table = self.table.lock();
            table.promises.remove(device, value, node);
            self.level.raise(value)
        };
        self.raise_outside(value);
        if telling {
            let told = self.collect(&mut self.table.lock());
            if self.driven.load(Ordering::Relaxed) && (told.notifications || !told.tasks.is_empty()) {
                self.each_user(|user| user.let_go());
            }
            self.tell_all(told);
        }
    }

    /// The signal will never run: what it follows failed. Those who may have counted on it are told, also where another one in flight has
    /// promised enough: that one may be behind them.
    pub(crate) fn break_promise(&self, device: usize, value: u64, node: NodeId, error: &Error) {
        let mut doubted = SmallVec::<[Arc<Gate>; 4]>::new();
        let held = {
            let mut table = self.table.lock();
            table.promises.remove(device, value, node);
            let reached = self.level.value();
            doubted.extend(table.gates_between(reached, value).map(Arc::clone));
            table.note_broken(value, error)
        };
        for gate in doubted {
            gate.doubt(error);
        }
        pump(&held);
    }

    /// A signal that was never handed over will never run. Devices that wait for the event come back: they are to be told.
    pub(crate) fn break_signal(&self, value: u64, error: &Error) -> Users {
        let mut table = self.table.lock();
        let mut told = table.note_broken(value, error);
        for gate in table.gates_between(self.level.value(), value) {
            if !told.iter().any(|known| Weak::ptr_eq(known, gate.user())) {
                told.push(gate.user().clone());
            }
        }
        told
    }

    /// How a wait for a value stands. When held, `user` is told of the next change.
    pub(crate) fn standing(&self, value: u64, user: &Weak<dyn EventUser>) -> Standing {
        if self.level.value() >= value {
            return Standing::Reached;
        }
        let mut table = self.table.lock();
        if self.level.watch() >= value {
            return Standing::Reached;
        }
        if table.promises.reach(value) {
            return Standing::Promised;
        }
        if !table.held.iter().any(|known| Weak::ptr_eq(known, user)) {
            table.held.push(user.clone());
        }
        self.watch_outside();
        table.broken_for(value).map_or(Standing::Held, Standing::Broken)
    }

    /// What the signal of such a value failed of, where one did.
    pub(crate) fn broken(&self, value: u64) -> Option<Error> {
        self.table.lock().broken_for(value)
    }

    /// A node is in flight that waits for a value which was promised when it was handed over: it is opened or failed from here on.
    pub(crate) fn enroll_gate(&self, gate: &Arc<Gate>) {
        let mut table = self.table.lock();
        if self.level.watch() >= gate.value() {
            drop(table);
            return gate.open();
        }
        if gate.is_open() {
            return;
        }
        let place = table.gates.partition_point(|earlier| earlier.value() <= gate.value());
        table.gates.insert(place, Arc::clone(gate));
        self.watch_outside();
        // Whatever has promised the value since may be behind this wait.
        let broken = table.broken_for(gate.value());
        drop(table);
        if let Some(error) = broken {
            gate.doubt(&error);
        }
    }

    /// A node waits no longer.
    pub(crate) fn withdraw_gate(&self, gate: &Arc<Gate>) {
        self.table.lock().gates.retain(|known| !Arc::ptr_eq(known, gate));
    }

    /// Someone who could have raised the value is gone, and no handle is left: queues that wait look whether anybody else can.
    pub(super) fn someone_left(&self) {
        if self.level.is_watched() {
            let held = self.table.lock().held.clone();
            for user in held.iter().filter_map(Weak::upgrade) {
                user.review();
            }
        }
    }

    /// Whether some device that uses it holds work back until somebody looks or sleeps.
    pub(super) fn is_driven(&self) -> bool {
        self.driven.load(Ordering::Relaxed)
    }

    /// Whether another process may have it.
    pub(crate) fn is_outside(&self) -> bool {
        self.outside.is_open()
    }

    /// Gets devices going that hold work back until somebody looks.
    #[inline]
    pub(super) fn drive(&self) {
        if self.is_driven() {
            self.each_user(|user| user.drive());
        }
    }

    #[cold]
    fn tell(&self) {
        let told = self.collect(&mut self.table.lock());
        self.tell_all(told);
    }

    fn tell_all(&self, told: Told) {
        for gate in told.gates {
            gate.open();
        }
        told.tasks.into_iter().for_each(Waker::wake);
        if told.notifications {
            self.deliver();
        }
        pump(&told.held);
    }

    /// Takes out everyone whose value is there.
    fn collect(&self, table: &mut Table) -> Told {
        let now = self.level.watch();
        let mut told = Told { held: std::mem::take(&mut table.held), ..Told::default() };
        let due = table.gates.partition_point(|gate| gate.value() <= now);
        told.gates.extend(table.gates.drain(..due));
        while let Some(first) = table.waiters.first_entry().filter(|first| first.key().0 <= now) {
            match first.remove() {
                Waiter::Notification(notification) => {
                    table.due.push_back(notification);
                    told.notifications = true;
                }
                Waiter::Task(waker) => told.tasks.push(waker),
            }
        }
        if table.waiters.is_empty() && table.gates.is_empty() {
            self.level.unwatch();
        } else {
            self.watch_outside();
        }
        told
    }

    /// Hands notifications to their listeners, unless somebody else is at it already.
    fn deliver(&self) {
        let mut table = self.table.lock();
        if table.delivering {
            return;
        }
        table.delivering = true;
        while let Some(Notification { listener, handler }) = table.due.pop_front() {
            // Whoever raises or registers holds the event.
            let Some(event) = self.this.upgrade().map(EventHandle::of) else { break };
            MutexGuard::unlocked(&mut table, move || {
                let job = Box::new(move || handler(&event, event.value_now()));
                // An executor of the program's may panic: it loses this job, and no other.
                let _caught = catch_unwind(AssertUnwindSafe(|| listener.push(job)));
            });
        }
        table.delivering = false;
    }

    /// Devices whose work may raise it.
    pub(super) fn users(&self) -> SmallVec<[Arc<dyn EventUser>; 2]> {
        self.table.lock().users.iter().filter_map(Weak::upgrade).collect()
    }

    fn each_user(&self, mut call: impl FnMut(&dyn EventUser)) {
        for user in self.users() {
            call(&*user);
        }
    }
}

impl Table {
    fn add(&mut self, value: u64, waiter: Waiter) -> Place {
        let place = (value, self.next_waiter);
        self.next_waiter += 1;
        self.waiters.insert(place, waiter);
        place
    }

    /// Nodes in flight that wait for more than one value and for no more than another.
    fn gates_between(&self, above: u64, most: u64) -> impl Iterator<Item = &Arc<Gate>> {
        let first = self.gates.partition_point(|gate| gate.value() <= above);
        self.gates.range(first..).take_while(move |gate| gate.value() <= most)
    }

    fn broken_for(&self, value: u64) -> Option<Error> {
        self.broken.as_ref().filter(|(broken, _)| *broken >= value).map(|(_, error)| error.clone())
    }

    fn note_broken(&mut self, value: u64, error: &Error) -> Users {
        if self.broken.as_ref().is_none_or(|broken| broken.0 < value) {
            self.broken = Some((value, error.clone()));
        }
        std::mem::take(&mut self.held)
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
