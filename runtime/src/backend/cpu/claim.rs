//! Units of one command given out to several threads, and the moment when the last one has run.
#[cfg(loom)]
use loom::sync::atomic::{AtomicU64, Ordering};
use std::ops::Range;
#[cfg(not(loom))]
use std::sync::atomic::{AtomicU64, Ordering};

/// Units from a first one on, in pieces.
#[derive(Debug)]
pub(super) struct Claims {
    next: AtomicU64,
    left: AtomicU64,
    end: u64,
    piece: u64,
}

impl Claims {
    /// Gives out `units` in pieces of `piece`.
    pub(super) fn new(units: Range<u64>, piece: u64) -> Self {
        let left = units.end.saturating_sub(units.start);
        Self {
            next: AtomicU64::new(units.start),
            left: AtomicU64::new(left),
            end: units.end,
            piece: piece.max(1),
        }
    }

    /// The next piece, to be run or given up, and told to [`done`](Self::done). `None`: all are given out.
    pub(super) fn claim(&self) -> Option<Range<u64>> {
        // A look first: late helpers must not push the counter on until it wraps.
        if self.next.load(Ordering::Relaxed) >= self.end {
            return None;
        }
        let first = self.next.fetch_add(self.piece, Ordering::Relaxed);
        (first < self.end).then(|| first..self.end.min(first + self.piece))
    }

    /// A piece is over. True, once: it was the last, and whatever all the others wrote is seen here.
    pub(super) fn done(&self, piece: &Range<u64>) -> bool {
        let count = piece.end - piece.start;
        self.left.fetch_sub(count, Ordering::AcqRel) == count
    }
}

#[cfg(all(test, loom))]
mod models {
    use loom::sync::Arc;
    use loom::sync::atomic::{AtomicU32, Ordering};

    use super::Claims;

    /// Every unit is given out once, one thread ends the command, and it sees all writes.
    #[test]
    fn the_last_one_sees_everything() {
        loom::model(|| {
            let claims = Arc::new(Claims::new(1..4, 2));
            let written: Arc<[AtomicU32; 4]> = Arc::new(std::array::from_fn(|_| AtomicU32::new(0)));
            let work = {
                let (claims, written) = (Arc::clone(&claims), Arc::clone(&written));
                move || {
                    let mut ended = 0;
                    while let Some(piece) = claims.claim() {
                        for unit in piece.clone() {
                            let word = &written[unit as usize];
                            word.store(word.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
                        }
                        if claims.done(&piece) {
                            ended += 1;
                            let all: Vec<u32> =
                                written.iter().map(|word| word.load(Ordering::Relaxed)).collect();
                            assert_eq!(all, [0, 1, 1, 1]);
                        }
                    }
                    ended
                }
            };
            let other = loom::thread::spawn(work.clone());
            let mine = work();
            assert_eq!(mine + other.join().unwrap(), 1);
        });
    }
}
