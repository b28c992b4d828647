//! Names of things, one type each, so that a queue is never taken for a fence.

macro_rules! identity {
    ($(#[$doc:meta])* $name:ident, $inner:ty) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub $inner);
    };
}

identity!(/** A queue of one engine. */ QueueId, u32);
identity!(/** A resource: a buffer or a texture. */ ResourceId, u32);
identity!(/** A piece of memory; resources placed in one overlap where their bytes do. */ MemoryId, u32);
identity!(/** A fence. */ FenceId, u32);
identity!(/** A pass of one engine: one encoder from its creation to its end. */ PassId, u64);
identity!(/** Where in a program a primitive stands; the caller's number, carried into explanations. */ Site, u32);
identity!(/** A node of the order graph: a work item or a point that orders others. Grows in release order. */ NodeId, u64);
