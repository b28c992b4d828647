//! What an app does, told to whoever watches: captures and the validator.
//!
//! Order can be judged only by who sees everything in one order, so all that matters goes through one place of a device, its
//! [`Watch`]: commits, operations on queues, what the CPU reads and writes, and when the CPU learns that work has come so far. A
//! *turn* is the right to tell; a commit keeps it until the queue has accepted the work, so that what is told stands in the order in
//! which it was accepted. While nobody watches there are no turns, and asking costs one load.
//!
//! The CPU is told as one timeline, in the order of its calls, whatever the thread: how threads of an app tell each other
//! something (a channel, a semaphore, a handler) cannot be seen from here, and whoever acts later may have been told.
//!
//! Lock order: a turn, then whatever the submission locks. So nothing below the submission's lock may ask for a turn; objects that go,
//! which may happen there, only leave a note.
mod follow;
mod ledger;
mod names;
mod open;
mod translate;

use std::panic::Location;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use fencepost_core::program::DeviceIndex;
use fencepost_core::{Extent, FenceId, MemoryId, QueueId, ResourceId};
use parking_lot::{Mutex, MutexGuard};
use smallvec::SmallVec;

use crate::Error;
use crate::api::QueueShared;
use crate::backend::Allocation;
use crate::record::{BufferBody, Recording, TextureBody};
use crate::signal::EventBody;
use crate::submit::CommandBufferState;

pub(crate) use follow::Follow;
pub(crate) use ledger::{Declare, Ledger};
pub(crate) use translate::Sites;

use open::OpenWork;

/// Where in the app a call stands.
pub(crate) type Site = &'static Location<'static>;

/// Command buffers that are committed together, with what was recorded into each.
pub(crate) type Group = [(Arc<Recording>, Arc<CommandBufferState>)];

/// A buffer or a texture.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Body<'a> {
    Buffer(&'a Arc<BufferBody>),
    Texture(&'a Arc<TextureBody>),
}

/// Something that the app did, in the order of its calls.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Happening<'a> {
    /// The CPU loaded a part.
    Read(Body<'a>, &'a Extent),
    /// The CPU stored to a part.
    Write(Body<'a>, &'a Extent),
    /// The CPU told a managed resource which bytes it has written.
    Published(Body<'a>, &'a Extent),
    /// A queue is about to be given command buffers: what they name may be seen for the first time.
    Sight(&'a QueueShared, &'a Group),
    /// A queue accepted command buffers.
    Commit(&'a QueueShared, &'a Group),
    /// A place on a tracked queue was reserved.
    Enqueue(&'a QueueShared, &'a Arc<CommandBufferState>),
    /// An explicit queue accepted a signal.
    Signal(&'a QueueShared, &'a Arc<EventBody>, u64),
    /// An explicit queue accepted a wait.
    Wait(&'a QueueShared, &'a Arc<EventBody>, u64),
    /// The CPU has learnt that a command buffer has ended.
    Completed(&'a Arc<CommandBufferState>),
    /// The CPU is about to raise a shared event.
    Raise(&'a Arc<EventBody>, u64),
    /// The CPU has learnt that a shared event has a value.
    Reached(&'a Arc<EventBody>, u64),
    /// The heap may give the memory to others.
    Aliasable(Body<'a>),
}

/// An object whose name in the order engine is free again.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Gone {
    Queue(QueueId),
    Resource(ResourceId),
    Memory(MemoryId),
    Fence(FenceId),
    /// A command buffer that was never committed, by the address of its state.
    Buffer(usize),
}

/// How many devices of this process somebody watches: so that an event, which belongs to none, need not ask any.
static WATCHED: AtomicUsize = AtomicUsize::new(0);

/// Who is told. Called one at a time for a device; a watcher of several devices is told by each.
pub(crate) trait Watcher: Send + Sync + std::fmt::Debug {
    /// Something happened on a device, or on the CPU with something of it.
    fn tell(&self, device: DeviceIndex, happening: Happening<'_>, site: Site);
    /// Whether a queue may accept command buffers. `Sight` was told before; `Commit` follows where it has accepted them, and
    /// [`undo`](Self::undo) where somebody has refused them.
    fn judge(
        &self,
        _device: DeviceIndex,
        _queue: &QueueShared,
        _group: &Group,
        _site: Site,
    ) -> Result<(), Error> {
        Ok(())
    }
    /// What was judged was not committed.
    fn undo(&self, _device: DeviceIndex) {}
    /// Another process has raised a shared event. Told before anything here can come of it.
    fn outside(&self, event: &Arc<EventBody>, value: u64);
    /// Watchers of several devices that are one answer alike: an event that they share is told to one of them.
    fn identity(&self) -> usize;
    /// An object of the device is gone.
    fn gone(&self, device: DeviceIndex, gone: Gone);
    /// A turn is over: no lock is held.
    fn after(&self) {}
}

/// Where a device tells what happens.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// Somebody watches.
    on: AtomicBool,
    inner: Mutex<Inner>,
    /// Told at the start of the next turn: before any object can have the name anew.
    gone: Mutex<Vec<Gone>>,
}

#[derive(Debug, Default)]
struct Inner {
    watchers: Vec<(Arc<dyn Watcher>, DeviceIndex)>,
    open: OpenWork,
}

/// The right to tell: nobody else tells meanwhile.
pub(crate) struct Turn<'a> {
    /// Absent only at its end.
    inner: Option<MutexGuard<'a, Inner>>,
}

impl Watch {
    /// Whether somebody watches.
    #[inline]
    pub(crate) fn is_on(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }

    /// The right to tell, where somebody watches.
    #[inline]
    pub(crate) fn turn(&self) -> Option<Turn<'_>> {
        self.is_on().then(|| self.begin())
    }

    /// Tells of something that happens by itself.
    #[inline]
    pub(crate) fn tell(&self, happening: Happening<'_>, site: Site) {
        if let Some(mut turn) = self.turn() {
            turn.tell(happening, site);
        }
    }

    /// The CPU has seen that nothing in flight touches a part of some memory: it knows of the end of all that did.
    #[inline]
    pub(crate) fn learn(&self, memory: &Arc<dyn Allocation>, site: Site) {
        let Some(mut turn) = self.turn() else { return };
        for news in turn.news(memory) {
            turn.tell(news.happening(), site);
        }
    }

    /// Notes that an object is gone. Any lock may be held.
    #[inline]
    pub(crate) fn gone(&self, gone: Gone) {
        if self.is_on() {
            self.gone.lock().push(gone);
        }
    }

    /// From now on, somebody is told what happens; the device has this number with him.
    pub(crate) fn add(&self, watcher: Arc<dyn Watcher>, device: DeviceIndex) {
        let mut inner = self.inner.lock();
        inner.watchers.push((watcher, device));
        self.switch(true);
    }

    /// He is told nothing any more.
    pub(crate) fn remove(&self, watcher: &Arc<dyn Watcher>) {
        let mut inner = self.inner.lock();
        inner.watchers.retain(|(known, _)| !Arc::ptr_eq(known, watcher));
        if inner.watchers.is_empty() {
            inner.open = OpenWork::default();
        }
        self.switch(!inner.watchers.is_empty());
    }

    /// The lock of what is inside is held.
    fn switch(&self, on: bool) {
        match (self.on.swap(on, Ordering::Relaxed), on) {
            (false, true) => WATCHED.fetch_add(1, Ordering::Relaxed),
            (true, false) => WATCHED.fetch_sub(1, Ordering::Relaxed),
            _ => 0,
        };
    }

    #[cold]
    fn begin(&self) -> Turn<'_> {
        let inner = self.inner.lock();
        let gone = std::mem::take(&mut *self.gone.lock());
        for gone in gone {
            for (watcher, device) in &inner.watchers {
                watcher.gone(*device, gone);
            }
        }
        Turn { inner: Some(inner) }
    }
}

/// The devices that are told what the CPU does with an event.
#[derive(Debug, Default)]
pub(crate) struct Watches(Mutex<SmallVec<[Weak<Watch>; 1]>>);

impl Watches {
    /// One more device, unless it is there.
    pub(crate) fn add(&self, watch: &Arc<Watch>) {
        let mut all = self.0.lock();
        if !all.iter().any(|known| std::ptr::eq(known.as_ptr(), Arc::as_ptr(watch))) {
            all.retain(|known| known.strong_count() > 0);
            all.push(Arc::downgrade(watch));
        }
    }

    /// Tells each watcher once, however many of the devices he watches.
    #[inline]
    pub(crate) fn tell(&self, happening: Happening<'_>, site: Site) {
        if WATCHED.load(Ordering::Relaxed) > 0 {
            self.each_once(Some(&happening), |watcher, device| watcher.tell(device, happening, site));
        }
    }

    /// Tells each watcher once that another process has raised the event.
    #[inline]
    pub(crate) fn outside(&self, event: &Arc<EventBody>, value: u64) {
        if WATCHED.load(Ordering::Relaxed) > 0 {
            self.each_once(None, |watcher, _| watcher.outside(event, value));
        }
    }

    /// All devices have their turn at once: so what one of them is about to tell has been told.
    #[cold]
    fn each_once(&self, happening: Option<&Happening<'_>>, mut tell: impl FnMut(&dyn Watcher, DeviceIndex)) {
        let on = |watch: &Weak<Watch>| watch.upgrade().filter(|watch| watch.is_on());
        let mut watches: SmallVec<[Arc<Watch>; 2]> = self.0.lock().iter().filter_map(on).collect();
        // Whoever takes several turns takes them in the same order.
        watches.sort_unstable_by_key(|watch| Arc::as_ptr(watch).addr());
        let mut turns: SmallVec<[Turn<'_>; 2]> = watches.iter().filter_map(|watch| watch.turn()).collect();
        if let Some(happening) = happening {
            turns.iter_mut().for_each(|turn| turn.note(happening));
        }
        let mut told: SmallVec<[usize; 2]> = SmallVec::new();
        for (watcher, device) in turns.iter().flat_map(Turn::watchers) {
            let identity = watcher.identity();
            if !told.contains(&identity) {
                tell(&**watcher, *device);
                told.push(identity);
            }
        }
        let watchers: SmallVec<[Arc<dyn Watcher>; 2]> = turns.iter_mut().flat_map(Turn::end).collect();
        watchers.iter().for_each(|watcher| watcher.after());
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // The last objects of the device are gone too.
        drop(self.turn());
        self.switch(false);
    }
}

impl Turn<'_> {
    /// Tells everybody.
    pub(crate) fn tell(&mut self, happening: Happening<'_>, site: Site) {
        self.note(&happening);
        for (watcher, device) in self.watchers() {
            watcher.tell(*device, happening, site);
        }
    }

    /// Notes which work has an end that the CPU does not know of.
    fn note(&mut self, happening: &Happening<'_>) {
        let Some(inner) = &mut self.inner else { return };
        match happening {
            Happening::Commit(queue, group) => inner.open.committed(queue.id, group),
            other => inner.open.told(other),
        }
    }

    fn news(&self, memory: &Arc<dyn Allocation>) -> Vec<open::News> {
        self.inner.as_ref().map_or_else(Vec::new, |inner| inner.open.news(memory))
    }

    /// Whether everybody lets a queue accept command buffers. If not, nobody has judged them.
    pub(crate) fn judge(&mut self, queue: &QueueShared, group: &Group, site: Site) -> Result<(), Error> {
        for (watcher, device) in self.watchers() {
            if let Err(error) = watcher.judge(*device, queue, group, site) {
                self.undo();
                return Err(error);
            }
        }
        Ok(())
    }

    /// What everybody let pass was not committed.
    pub(crate) fn undo(&mut self) {
        self.watchers().iter().for_each(|(watcher, device)| watcher.undo(*device));
    }

    fn watchers(&self) -> &[(Arc<dyn Watcher>, DeviceIndex)] {
        self.inner.as_ref().map_or(&[], |inner| &inner.watchers)
    }

    /// Others may tell again. Who has been told.
    fn end(&mut self) -> SmallVec<[Arc<dyn Watcher>; 2]> {
        let watchers = self.watchers().iter().map(|(watcher, _)| Arc::clone(watcher)).collect();
        self.inner = None;
        watchers
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.end().iter().for_each(|watcher| watcher.after());
    }
}
