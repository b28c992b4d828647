//! Purgeable memory: content that the device may take when memory runs short.
//!
//! A cache that can be made again need not stand in the way of what cannot. So a program lends its memory back: *volatile* memory goes,
//! the longest lent first, when an allocation finds no room. An adversarial device takes it at once, so that a program that never looks
//! whether its content is still there fails where its author can see it. What is lent or gone is out of bounds: the CPU's accessors and
//! commits refuse it until it is made nonvolatile again, and that call says whether the content has survived.
//!
//! ```text
//!                 ┌──────── NonVolatile: "Volatile", content as it was ◄──┐
//!   NonVolatile ──┴─► Volatile ── no room, or adversary ─► Empty ─────────┴─► NonVolatile: "Empty", content undefined
//!        └──────────────────────────── Empty ───────────────▲
//! ```
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use smallvec::SmallVec;

use crate::Error;
use crate::api::device::DeviceShared;
use crate::backend::{Allocation, Residence};

/// Whether the device may take an allocation's content.
#[doc(alias = "MTLPurgeableState")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PurgeableState {
    /// Changes nothing: to ask what the state is. Never an answer.
    KeepCurrent,
    /// The content stays. What every allocation begins with.
    #[default]
    NonVolatile,
    /// The content may go at any time, to make room for others. Nobody may use it meanwhile.
    Volatile,
    /// The content is gone, and its memory with it. Nobody may use it until it is nonvolatile again, and its content is undefined then.
    Empty,
}

/// The state of one allocation, and what goes with its content.
#[derive(Debug)]
pub(crate) struct Purgeable {
    /// Never `KeepCurrent`.
    state: Mutex<PurgeableState>,
    memory: SmallVec<[Arc<dyn Allocation>; 2]>,
}

/// What a device may take.
#[derive(Debug, Default)]
pub(crate) struct Lent {
    /// Something has been lent once: so that commits of programs that never lend need not look.
    ever: AtomicBool,
    /// The longest lent first.
    volatile: Mutex<VecDeque<Weak<Purgeable>>>,
}

impl Purgeable {
    /// Nonvolatile, so far.
    pub(crate) fn new(memory: SmallVec<[Arc<dyn Allocation>; 2]>) -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), memory })
    }

    pub(crate) fn state(&self) -> PurgeableState {
        *self.state.lock()
    }

    /// Sets the state; what it was before. The caller has made sure that nobody uses the memory.
    pub(crate) fn set(self: &Arc<Self>, device: &DeviceShared, asked: PurgeableState) -> PurgeableState {
        let mut state = self.state.lock();
        let before = *state;
        match (before, asked) {
            (_, PurgeableState::KeepCurrent) | (PurgeableState::Empty, PurgeableState::Volatile) => {}
            (_, PurgeableState::NonVolatile) => *state = asked,
            (PurgeableState::Empty, PurgeableState::Empty) => {}
            (_, PurgeableState::Empty) => self.discard(&mut state),
            (_, PurgeableState::Volatile) if device.backend().holds_back() => self.discard(&mut state),
            (_, PurgeableState::Volatile) => *state = asked,
        }
        let after = *state;
        drop(state);
        device.lent.note(self, before, after);
        before
    }

    /// Takes the content, where it may be taken.
    fn take(&self) -> bool {
        let mut state = self.state.lock();
        let volatile = *state == PurgeableState::Volatile;
        if volatile {
            self.discard(&mut state);
        }
        volatile
    }

    fn discard(&self, state: &mut PurgeableState) {
        *state = PurgeableState::Empty;
        self.memory.iter().for_each(|memory| memory.discard());
    }
}

impl Lent {
    /// Whether any memory of the device was ever lent.
    pub(crate) fn ever(&self) -> bool {
        self.ever.load(Ordering::Acquire)
    }

    fn note(&self, memory: &Arc<Purgeable>, before: PurgeableState, after: PurgeableState) {
        let (was, is) = (before == PurgeableState::Volatile, after == PurgeableState::Volatile);
        if after != PurgeableState::NonVolatile {
            self.ever.store(true, Ordering::Release);
        }
        if was == is {
            return;
        }
        let mut volatile = self.volatile.lock();
        let own = Arc::as_ptr(memory);
        volatile.retain(|other| other.strong_count() > 0 && !std::ptr::eq(other.as_ptr(), own));
        if is {
            volatile.push_back(Arc::downgrade(memory));
        }
    }

    /// Takes the content that was lent for the longest. False: nothing is lent.
    fn take_one(&self) -> bool {
        loop {
            let Some(oldest) = self.volatile.lock().pop_front() else { return false };
            if oldest.upgrade().is_some_and(|oldest| oldest.take()) {
                return true;
            }
        }
    }
}

impl DeviceShared {
    /// Zeroed memory. Where there is no room, what was lent goes, until there is.
    pub(crate) fn allocate(&self, bytes: u64, residence: Residence) -> Result<Arc<dyn Allocation>, Error> {
        loop {
            match self.backend().allocate(bytes, residence) {
                Err(error) if error.kind() == crate::ErrorKind::OutOfMemory => {
                    if !self.lent.take_one() {
                        return Err(error);
                    }
                }
                done => return done,
            }
        }
    }
}
