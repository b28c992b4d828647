//! Other processes: this test binary once more, with a part to play and a socket as its standard input.
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, ExitStatus, Stdio};

use fencepost_ipc::{Counter, PeerWatch, SharedMemory, receive_handle};

/// A process that is killed with the test that started it.
pub(crate) struct Other {
    pub(crate) child: Child,
    pub(crate) socket: UnixStream,
}

/// Starts this binary to play `part`.
pub(crate) fn start(part: &str) -> Other {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "other::plays_its_part", "--quiet", "--test-threads", "1"])
        .env(PART, part)
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    Other { child, socket: ours }
}

impl Other {
    pub(crate) fn watch(&self) -> PeerWatch {
        PeerWatch::socket(&self.socket).unwrap()
    }

    pub(crate) fn send(&self, counter: &Counter) {
        fencepost_ipc::send_handle(&self.socket, &counter.handle("a test's").unwrap()).unwrap();
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn ends(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        // It is gone already where the test went well.
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

/// What the other process does. In the test run itself it is a test that has nothing to do.
#[test]
fn plays_its_part() {
    let Ok(part) = std::env::var(PART) else { return };
    let socket = std::io::stdin();
    let counter = || Counter::try_from(receive_handle(&socket).unwrap()).unwrap();
    match &*part {
        "pong" => crate::processes::pong(&counter(), &counter(), &PeerWatch::socket(&socket).unwrap()),
        "wait for 1" => assert!(counter().wait(1, None)),
        "write" => {
            let memory = SharedMemory::try_from(receive_handle(&socket).unwrap()).unwrap();
            crate::processes::write(&memory, &counter());
        }
        "leaks" => crate::leaks::rounds(),
        "kills" => crate::processes::kills(),
        "old kernel" => crate::old_kernel::part(),
        part => panic!("no part `{part}`"),
    }
}

/// A number from the environment, for runs that take longer than every change can wait.
pub(crate) fn setting(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |text| text.parse().unwrap())
}

const PART: &str = "FENCEPOST_IPC_PART";
