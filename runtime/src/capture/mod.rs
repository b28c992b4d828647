//! Captures: what a running app asked of its devices, as a program.
//!
//! A race that shows once a week is judged best where nothing runs: as a program in text, which the tool checks, draws, mends and runs in
//! any legal order. A capture writes that program down while the app runs: declarations of what was used, command buffers with every
//! pass, command and synchronization, what was committed when, and what the CPU did in between. Accesses come from reflection, as
//! they do for the app's own order, so the program has exactly the order that the app has.
//!
//! What kernels compute is not in a program; what they touch is. The CPU is one thread there, in the order of the app's calls: how
//! threads tell each other something cannot be seen from here, so a handler or a thread that has seen work end counts as having told
//! whoever acts later.
mod journal;

use std::path::Path;
use std::sync::Arc;

use fencepost_core::program::{DeviceIndex, Program};

use crate::error::CaptureError;
use crate::observe::{Watch, Watcher};
use crate::{CommandQueue, Device, Error};

use journal::Journal;

/// Writes down what an app does, from its making to [`finish`](Self::finish).
///
/// Start it while nothing is in flight: what was committed before is not in the program. Work that waits for values which were
/// reached before the start finds them raised in the program too.
///
/// ```
/// use fencepost::capture::{self, Capture};
/// use fencepost::{Device, ResourceOptions};
///
/// let device = Device::cpu();
/// let queue = device.new_command_queue();
/// let numbers = device.new_buffer(256, ResourceOptions::SHARED)?;
/// numbers.set_label("numbers");
///
/// let capture = Capture::start(&[&device]);
/// let work = queue.command_buffer();
/// let mut blit = work.blit_command_encoder()?;
/// blit.fill_buffer(&numbers, 0..128, 7)?;
/// blit.end_encoding();
/// work.commit()?;
/// work.wait_until_completed()?;
/// let first = numbers.read::<u8>(..4)?;
/// # assert_eq!(first, [7; 4]);
///
/// let program = capture.finish();
/// assert_eq!(
///     capture::print(&program)?,
///     "queue queue1 mode=tracked\n\
///      buffer numbers size=256 storage=shared\n\
///      \n\
///      command-buffer command-buffer1 queue=queue1 {\n  \
///        blit blit1 {\n    \
///          fill fill1 numbers:0..128 value=7\n  \
///        }\n\
///      }\n\
///      \n\
///      commit command-buffer1\n\
///      wait-until-completed command-buffer1\n\
///      read numbers:0..4\n"
/// );
/// # Ok::<(), fencepost::Error>(())
/// ```
#[doc(alias = "MTLCaptureManager")]
#[doc(alias = "MTLCaptureScope")]
#[derive(Debug)]
pub struct Capture {
    journal: Arc<Journal>,
    watches: Vec<Arc<Watch>>,
}

impl Capture {
    /// Starts to capture these devices together. What they share (shared events, the CPU) is in one program.
    #[doc(alias = "startCapture")]
    pub fn start(devices: &[&Device]) -> Self {
        let journal = Arc::new(Journal::default());
        let mut watches: Vec<Arc<Watch>> = Vec::new();
        for device in devices {
            let watch = &device.shared.watch;
            if watches.iter().any(|known| Arc::ptr_eq(known, watch)) {
                continue;
            }
            let number = journal.add_device(watches.len());
            watch.add(Arc::clone(&journal) as _, number);
            watches.push(Arc::clone(watch));
        }
        Self { journal, watches }
    }

    /// Ends the capture: the program of all that was done meanwhile.
    #[doc(alias = "stopCapture")]
    pub fn finish(self) -> Program {
        self.stop();
        self.journal.take()
    }

    /// Ends the capture, and writes the program to a file that `fencepost check`, `draw` and `run` take.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn finish_to_file(self, path: impl AsRef<Path>) -> Result<(), Error> {
        let path = path.as_ref();
        let text = print(&self.finish())?;
        std::fs::write(path, text).map_err(|cause| {
            CaptureError::File { path: path.display().to_string(), cause: cause.to_string() }.into()
        })
    }

    fn stop(&self) {
        let watcher: Arc<dyn Watcher> = Arc::clone(&self.journal) as _;
        self.watches.iter().for_each(|watch| watch.remove(&watcher));
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Device {
    /// Starts to write down what is asked of this device; see [`Capture`].
    pub fn start_capture(&self) -> Capture {
        Capture::start(&[self])
    }
}

impl CommandQueue {
    /// Starts to write down what is asked of this queue, and with it of the other queues of its device, since what it waits for may
    /// come from any of them; see [`Capture`].
    pub fn record(&self) -> Capture {
        self.device().start_capture()
    }
}

/// The text of a program, as the tool reads it.
///
/// # Errors
/// A program that names what it does not declare, or has names with blanks or colons. No captured program does.
pub fn print(program: &Program) -> Result<String, Error> {
    fencepost_format::print(program).map_err(|cause| CaptureError::Text { cause: cause.to_string() }.into())
}

/// The number of a device among those that are captured.
pub(super) const fn device(number: usize) -> DeviceIndex {
    DeviceIndex(number as u32)
}
