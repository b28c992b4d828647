//! Those who run a kernel, and whether they agree.

use std::fmt;
use std::panic::{self, AssertUnwindSafe};

use fencepost::Schedule;
use fencepost_bench::Workload;
use fencepost_bench::lavapipe::Peer;
use fencepost_bench::ours::Ours;

/// Every device that runs kernels here.
#[derive(Debug)]
pub struct Judges {
    ours: Ours,
    /// The CPU device again, where there is no other judge.
    adversary: Ours,
    peer: Option<Peer>,
}

/// What came of one kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All gave the same bytes.
    Agree,
    /// Two gave different words.
    Differ {
        /// Who against whom.
        who: String,
        /// The binding.
        binding: usize,
        /// The word of the binding.
        word: usize,
        /// What the first gave.
        first: u32,
        /// What the second gave.
        second: u32,
    },
    /// One refused to run it.
    Refused {
        /// Who, and its message.
        message: String,
    },
}

impl Verdict {
    /// What must stay the same while a kernel is reduced: the way in which it fails.
    pub fn kind(&self) -> String {
        match self {
            Self::Agree => "agree".to_owned(),
            Self::Differ { who, .. } => who.clone(),
            Self::Refused { message } => message.split(['\n', ':']).take(2).collect(),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Agree => write!(out, "agree"),
            Self::Differ { who, binding, word, first, second } => {
                write!(out, "{who} differ at word {word} of binding {binding}: {first:#x} and {second:#x}")
            }
            Self::Refused { message } => write!(out, "refused: {message}"),
        }
    }
}

/// Bindings that a random kernel writes.
const RESULTS: std::ops::Range<usize> = 1..5;

impl Judges {
    /// Whoever is on this machine.
    pub fn new() -> Self {
        Self { ours: Ours::new(), adversary: Ours::with(Schedule::Adversarial(1)), peer: Peer::lavapipe() }
    }

    /// For people.
    pub fn names(&self) -> String {
        let peer = self.peer.as_ref().map_or("itself in an adversarial schedule", |peer| &peer.name);
        format!("{} and {peer}", self.ours.device.name())
    }

    /// Runs the kernel everywhere.
    pub fn judge(&self, workload: &Workload) -> Verdict {
        let mine = match results(&self.ours, workload) {
            Ok(mine) => mine,
            Err(message) => return Verdict::Refused { message },
        };
        match &self.peer {
            Some(peer) => {
                let prepared = peer.prepare(workload);
                prepared.run();
                let theirs: Vec<_> = RESULTS.map(|binding| prepared.read(binding)).collect();
                differ("the CPU device and lavapipe", &mine, &theirs)
            }
            None => match results(&self.adversary, workload) {
                Ok(again) => differ("two schedules of the CPU device", &mine, &again),
                Err(message) => Verdict::Refused { message },
            },
        }
    }
}

/// What the CPU device makes of the kernel. A panic is caught: it is a failure like any other, and can be reduced.
fn results(ours: &Ours, workload: &Workload) -> Result<Vec<Vec<u8>>, String> {
    let run = || -> Result<Vec<Vec<u8>>, fencepost::Error> {
        let prepared = ours.prepare(workload)?;
        prepared.run()?;
        RESULTS.map(|binding| prepared.read(binding)).collect()
    };
    match panic::catch_unwind(AssertUnwindSafe(run)) {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
            Err(format!("panic: {text}"))
        }
    }
}

impl Default for Judges {
    fn default() -> Self {
        Self::new()
    }
}

/// The first word that differs.
fn differ(who: &str, first: &[Vec<u8>], second: &[Vec<u8>]) -> Verdict {
    for (at, (a, b)) in first.iter().zip(second).enumerate() {
        let words = |bytes: &[u8]| -> Vec<u32> {
            bytes.as_chunks::<4>().0.iter().map(|word| u32::from_ne_bytes(*word)).collect()
        };
        let (a, b) = (words(a), words(b));
        if let Some(word) = (0..a.len().max(b.len())).find(|word| !same(a.get(*word), b.get(*word))) {
            return Verdict::Differ {
                who: who.to_owned(),
                binding: RESULTS.start + at,
                word,
                first: a.get(word).copied().unwrap_or_default(),
                second: b.get(word).copied().unwrap_or_default(),
            };
        }
    }
    Verdict::Agree
}

/// Equal, or the two zeros: WGSL leaves the sign of a zero open, and compilers fold `f32(i32(x))` either way.
fn same(a: Option<&u32>, b: Option<&u32>) -> bool {
    a == b || matches!((a, b), (Some(a), Some(b)) if a | b == 0x8000_0000)
}
