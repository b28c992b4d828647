//! How many uncompleted command buffers a queue takes (rule 1.1.6): asking for one more sleeps until one has completed.
use std::sync::Arc;

use parking_lot::{Condvar, Mutex};

/// The places of one queue.
#[derive(Debug)]
pub(super) struct Slots {
    free: Mutex<usize>,
    freed: Condvar,
}

/// One place, given back when dropped.
#[derive(Debug)]
pub(super) struct Slot {
    slots: Arc<Slots>,
}

impl Slots {
    pub(super) fn new(count: usize) -> Arc<Self> {
        Arc::new(Self { free: Mutex::new(count.max(1)), freed: Condvar::new() })
    }

    pub(super) fn try_take(self: &Arc<Self>) -> Option<Slot> {
        let mut free = self.free.lock();
        *free = free.checked_sub(1)?;
        Some(Slot { slots: Arc::clone(self) })
    }

    pub(super) fn take(self: &Arc<Self>) -> Slot {
        // Small buffers complete sooner than a thread falls asleep and wakes up.
        for look in 0..LOOKS {
            if let Some(slot) = self.try_take() {
                return slot;
            }
            if look % 4 == 3 {
                std::thread::yield_now();
            } else {
                (0..32).for_each(|_| std::hint::spin_loop());
            }
        }
        let mut free = self.free.lock();
        while *free == 0 {
            self.freed.wait(&mut free);
        }
        *free -= 1;
        Slot { slots: Arc::clone(self) }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        *self.slots.free.lock() += 1;
        self.slots.freed.notify_one();
    }
}

/// Looks before sleeping, some microseconds in all.
const LOOKS: u32 = 32;
