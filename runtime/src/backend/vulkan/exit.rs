//! The end of the process while a watcher is at work.
//!
//! A program that has seen its work complete may return from `main` while the watcher still gives back what the work held. Drivers and
//! layers take themselves apart at exit, and must not be called then. So a watcher says when it may call the driver, and the exit of the
//! process waits for it to be done, and keeps it from beginning again.
#![allow(unsafe_code, reason = "names a function of the C library")]
use std::ffi::c_int;
use std::sync::Once;
use std::time::Duration;

use parking_lot::{RwLock, RwLockReadGuard};

static BUSY: RwLock<()> = RwLock::new(());

// SAFETY: the C library's function of this name and type. It may be called at any time, and calls back on the thread that exits.
unsafe extern "C" {
    safe fn atexit(at_exit: extern "C" fn()) -> c_int;
}

/// From here on, exits wait for watchers. Called when a driver has been loaded, so that what it does at exit comes later.
pub(super) fn watch_for_exit() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Without room for one more function, exits are as they were.
        atexit(at_exit);
    });
}

/// The driver may be called as long as this is held. After the process has begun to exit, it is never given.
pub(super) fn busy() -> RwLockReadGuard<'static, ()> {
    // Recursive: whoever exits waits for all, and must not come between two of one thread.
    BUSY.read_recursive()
}

extern "C" fn at_exit() {
    // A handler of the program may be the one who exits, on a watcher's own thread: that is not waited for.
    std::mem::forget(BUSY.try_write_for(PATIENCE));
}

const PATIENCE: Duration = Duration::from_secs(1);
