//! Signals that were handed over and have not run.
use std::collections::VecDeque;

use fencepost_core::NodeId;

/// In the order of handing over, and nearly in that of running.
#[derive(Debug, Default)]
pub(super) struct Promises {
    list: VecDeque<Promise>,
    largest: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Promise {
    device: usize,
    value: u64,
    node: NodeId,
}

impl Promises {
    pub(super) fn add(&mut self, device: usize, value: u64, node: NodeId) {
        self.list.push_back(Promise { device, value, node });
        self.largest = self.largest.max(value);
    }

    /// It was kept or broken.
    pub(super) fn remove(&mut self, device: usize, value: u64, node: NodeId) {
        let promise = Promise { device, value, node };
        let Some(index) = self.list.iter().position(|known| *known == promise) else { return };
        self.list.remove(index);
        if value == self.largest {
            self.largest = self.list.iter().map(|promise| promise.value).max().unwrap_or(0);
        }
    }

    /// The largest value that is promised; 0 where nothing is.
    pub(super) fn largest(&self) -> u64 {
        self.largest
    }

    /// Those that give a value: devices and nodes.
    pub(super) fn of(&self, value: u64) -> impl Iterator<Item = (usize, NodeId)> + '_ {
        let enough = move |promise: &&Promise| promise.value >= value;
        self.list.iter().filter(enough).map(|promise| (promise.device, promise.node))
    }

    /// Whether some signal gives the value. Nobody needs to promise 0.
    pub(super) fn reach(&self, value: u64) -> bool {
        self.largest >= value
    }
}
