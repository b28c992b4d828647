//! Whether the other side still lives. A counter cannot know: a process that died looks like one that takes its time.
//!
//! The system tells in two ways, both a descriptor that becomes ready. A connected socket hangs up when the last process that holds its
//! other end is gone or has closed it, which is what two processes have anyway that have sent each other handles. A process itself, where
//! one knows its number for certain, as a parent knows its child's.
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::net::{AddressFamily, SocketType, sockopt};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::time::{Duration, Instant};

use crate::{Error, file};

/// Tells whether another process still lives.
///
/// ```
/// use fencepost_ipc::{Counter, PeerWatch, Waited};
/// let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
/// let (counter, peer) = (Counter::new()?, PeerWatch::socket(&ours)?);
/// assert!(!peer.has_gone());
/// drop(theirs); // the other process was killed
/// assert_eq!(counter.wait_while(1, None, || !peer.has_gone()), Waited::Abandoned);
/// # Ok::<(), fencepost_ipc::Error>(())
/// ```
#[derive(Debug)]
pub struct PeerWatch {
    file: OwnedFd,
    /// What the descriptor says when the other side has gone.
    sign: PollFlags,
}

impl PeerWatch {
    /// Watches the other end of a connected Unix socket (a stream, or sequential packets). It has gone when no process holds that end any
    /// more: its own death, or its own wish. A child that it left behind with that end open counts as itself.
    ///
    /// # Errors
    /// Another kind of socket, which would never tell; no descriptor left.
    pub fn socket(socket: impl AsFd) -> Result<Self, Error> {
        let domain = sockopt::socket_domain(&socket).map_err(|_| Error::NotAConnection)?;
        let kind = sockopt::socket_type(&socket).map_err(|_| Error::NotAConnection)?;
        if domain != AddressFamily::UNIX || !matches!(kind, SocketType::STREAM | SocketType::SEQPACKET) {
            return Err(Error::NotAConnection);
        }
        Ok(Self { file: file::duplicate(socket)?, sign: PollFlags::HUP | PollFlags::ERR })
    }

    /// Watches a process of this number. Right for a child of the caller that was not waited for yet; the number of any other process may
    /// belong to somebody else by now.
    ///
    /// # Errors
    /// No such process; no descriptor left.
    pub fn process(id: u32) -> Result<Self, Error> {
        const CALL: &str = "watch a process";
        let id = i32::try_from(id).ok().and_then(Pid::from_raw);
        let id = id.ok_or(rustix::io::Errno::SRCH).map_err(Error::system(CALL))?;
        let file = pidfd_open(id, PidfdFlags::empty()).map_err(Error::system(CALL))?;
        Ok(Self { file, sign: PollFlags::IN | PollFlags::HUP | PollFlags::ERR })
    }

    /// Whether it has gone. It never comes back.
    pub fn has_gone(&self) -> bool {
        self.look(Some(Duration::ZERO))
    }

    /// Sleeps until it has gone: true. False where `deadline` passed first; `None` waits for ever.
    pub fn wait(&self, deadline: Option<Instant>) -> bool {
        loop {
            let rest = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if self.look(rest) {
                return true;
            }
            if rest.is_some_and(|rest| rest.is_zero()) {
                return false;
            }
        }
    }

    fn look(&self, timeout: Option<Duration>) -> bool {
        // Longer than any program runs, and still a number that the system takes.
        let timeout = timeout.map(|timeout| timeout.min(Duration::from_secs(1 << 30)));
        let timeout = timeout.map(|timeout| Timespec {
            tv_sec: timeout.as_secs() as i64,
            tv_nsec: i64::from(timeout.subsec_nanos()),
        });
        let mut asked = [PollFd::new(&self.file, self.sign & PollFlags::IN)];
        // An interrupted look has seen nothing.
        matches!(poll(&mut asked, timeout.as_ref()), Ok(1..)) && asked[0].revents().intersects(self.sign)
    }
}

impl AsFd for PeerWatch {
    /// For an event loop of one's own: it becomes ready (hang-up for a socket, readable for a process) when the other side has gone.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}
