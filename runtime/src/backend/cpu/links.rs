//! The words through which nodes wait for each other: a count of what a node still waits for, and a list of who waits for it.
//!
//! A node's list is a stack of edges, each a word in its *successor* that names the next edge; so a node needs no memory of its own for
//! those who wait for it, however many. The list is closed when the node ends: whoever comes to link later learns that there is
//! nothing to wait for.
//!
//! ```text
//!   pred.head ─► edge (succ B, 0) ─► edge (succ A, 1) ─► NONE          ended: pred.head = CLOSED
//! ```
#[cfg(loom)]
use loom::sync::atomic::{AtomicU32, Ordering};
#[cfg(not(loom))]
use std::sync::atomic::{AtomicU32, Ordering};

/// Predecessors that one node can wait for. Those with more wait through nodes between.
pub(super) const EDGES: usize = 6;

/// No edge.
pub(super) const NONE: u32 = u32::MAX;
/// The node has ended.
const CLOSED: u32 = u32::MAX - 1;

/// A node's place in the graph. An edge is named by slot and index: `slot * EDGES + index`.
#[derive(Debug)]
pub(super) struct Links {
    pending: AtomicU32,
    head: AtomicU32,
    next: [AtomicU32; EDGES],
}

impl Links {
    pub(super) fn new() -> Self {
        Self {
            pending: AtomicU32::new(0),
            head: AtomicU32::new(CLOSED),
            next: std::array::from_fn(|_| AtomicU32::new(NONE)),
        }
    }

    /// A node that waits for `predecessors` and for its own [`settle`](Self::settle). Nobody else knows of it yet.
    pub(super) fn open(&self, predecessors: u32) {
        self.pending.store(predecessors + 1, Ordering::Relaxed);
        self.head.store(NONE, Ordering::Release);
    }

    /// Puts `edge`, which lies in `successor`, into this node's list. False: this node has ended.
    pub(super) fn link(&self, successor: &Self, edge: u32) -> bool {
        let next = &successor.next[edge as usize % EDGES];
        let mut head = self.head.load(Ordering::Acquire);
        loop {
            if head == CLOSED {
                return false;
            }
            next.store(head, Ordering::Relaxed);
            match self.head.compare_exchange_weak(head, edge, Ordering::Release, Ordering::Acquire) {
                Ok(_) => return true,
                Err(now) => head = now,
            }
        }
    }

    /// All links are made; `missing` of them found their node ended. True: the node is ready.
    pub(super) fn settle(&self, missing: u32) -> bool {
        self.release(missing + 1)
    }

    /// One predecessor has ended. True: the node is ready.
    pub(super) fn release_one(&self) -> bool {
        self.release(1)
    }

    /// Ends the node: the first edge of those who wait for it. Walk them by [`next`](Self::next), each before its release.
    pub(super) fn close(&self) -> u32 {
        self.head.swap(CLOSED, Ordering::AcqRel)
    }

    /// The edge behind one that lies in this node.
    pub(super) fn next(&self, edge: u32) -> u32 {
        self.next[edge as usize % EDGES].load(Ordering::Relaxed)
    }

    fn release(&self, count: u32) -> bool {
        self.pending.fetch_sub(count, Ordering::AcqRel) == count
    }
}

/// A stack of free slots: many push, one takes all, so that no slot is ever seen twice by a compare-exchange.
#[derive(Debug)]
pub(super) struct FreeList {
    head: AtomicU32,
}

impl FreeList {
    pub(super) fn new() -> Self {
        Self { head: AtomicU32::new(NONE) }
    }

    /// Gives a slot back; `next` is a word of that slot.
    pub(super) fn push(&self, slot: u32, next: &FreeLink) {
        let mut head = self.head.load(Ordering::Relaxed);
        loop {
            next.0.store(head, Ordering::Relaxed);
            match self.head.compare_exchange_weak(head, slot, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => head = now,
            }
        }
    }

    /// Takes all of them: the first; the others by [`FreeLink::next`].
    pub(super) fn take(&self) -> u32 {
        self.head.swap(NONE, Ordering::Acquire)
    }
}

/// A word of a slot that names the next free one.
#[derive(Debug)]
pub(super) struct FreeLink(AtomicU32);

impl FreeLink {
    pub(super) fn new() -> Self {
        Self(AtomicU32::new(NONE))
    }

    pub(super) fn next(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(all(test, loom))]
mod models {
    use loom::sync::Arc;
    use loom::sync::atomic::{AtomicU32, Ordering};
    use loom::thread;

    use super::*;

    /// Ends node 0, whose only possible successor is node 1: true when that made it ready.
    fn end(nodes: &[Links; 3], index: usize) -> u32 {
        let mut ready = 0;
        let mut edge = nodes[index].close();
        while edge != NONE {
            let successor = &nodes[edge as usize / EDGES];
            edge = successor.next(edge);
            ready += u32::from(successor.release_one());
        }
        ready
    }

    /// A node that links while its predecessor ends becomes ready exactly once, and sees what the predecessor wrote.
    #[test]
    fn a_successor_is_released_once() {
        loom::model(|| {
            let nodes: Arc<[Links; 3]> = Arc::new(std::array::from_fn(|_| Links::new()));
            let written = Arc::new(AtomicU32::new(0));
            nodes[0].open(0);
            nodes[0].settle(0);
            let ending = {
                let (nodes, written) = (Arc::clone(&nodes), Arc::clone(&written));
                thread::spawn(move || {
                    written.store(7, Ordering::Relaxed);
                    let ready = end(&nodes, 0);
                    if ready > 0 {
                        assert_eq!(written.load(Ordering::Relaxed), 7);
                    }
                    ready
                })
            };
            nodes[1].open(1);
            let edge = EDGES as u32;
            let missing = u32::from(!nodes[0].link(&nodes[1], edge));
            let ready = u32::from(nodes[1].settle(missing));
            if ready > 0 {
                assert_eq!(written.load(Ordering::Relaxed), 7, "ready without what came before");
            }
            assert_eq!(ready + ending.join().unwrap(), 1);
        });
    }

    /// Two predecessors end at once: the last one makes the successor ready and sees the writes of both.
    #[test]
    fn the_last_predecessor_releases() {
        loom::model(|| {
            let nodes: Arc<[Links; 3]> = Arc::new(std::array::from_fn(|_| Links::new()));
            let written: Arc<[AtomicU32; 2]> = Arc::new(std::array::from_fn(|_| AtomicU32::new(0)));
            for node in 0..2 {
                nodes[node].open(0);
                nodes[node].settle(0);
            }
            nodes[2].open(2);
            for node in 0..2 {
                assert!(nodes[node].link(&nodes[2], (2 * EDGES + node) as u32));
            }
            nodes[2].settle(0);
            let run = |index: usize| {
                let (nodes, written) = (Arc::clone(&nodes), Arc::clone(&written));
                move || {
                    written[index].store(1, Ordering::Relaxed);
                    let ready = end(&nodes, index);
                    if ready > 0 {
                        assert!(written.iter().all(|word| word.load(Ordering::Relaxed) == 1));
                    }
                    ready
                }
            };
            let other = thread::spawn(run(0));
            let mine = run(1)();
            assert_eq!(mine + other.join().unwrap(), 1);
        });
    }

    /// No slot given back is lost or given out twice.
    #[test]
    fn free_slots_come_back_once() {
        loom::model(|| {
            let list = Arc::new(FreeList::new());
            let links: Arc<[FreeLink; 2]> = Arc::new(std::array::from_fn(|_| FreeLink::new()));
            let other = {
                let (list, links) = (Arc::clone(&list), Arc::clone(&links));
                thread::spawn(move || list.push(0, &links[0]))
            };
            list.push(1, &links[1]);
            let mut seen = [0, 0];
            let mut collect = || {
                let mut slot = list.take();
                while slot != NONE {
                    seen[slot as usize] += 1;
                    slot = links[slot as usize].next();
                }
            };
            collect();
            other.join().unwrap();
            collect();
            assert_eq!(seen, [1, 1]);
        });
    }
}
