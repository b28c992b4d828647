//! The room for what crosses a process boundary: a monotone counter in shared memory, its waiters, the hand-over of
//! file descriptors. It holds nothing yet; events of one device need none of it.
#![forbid(unsafe_code)]
