//! Metal's objects in Rust case, one file each.
//!
//! Names are Metal's. What differs between Metal 3 and Metal 4 is the mode of a queue, not a second set of types: a *tracked* queue
//! gives birth to its command buffers and orders conflicting uses of tracked resources by itself; an *explicit* queue takes command
//! buffers in groups and orders nothing that no barrier, fence or event orders. Nothing here names a backend.
mod fence;
mod label;
mod options;
mod pixel_format;
mod resource;
mod sampler;

pub(crate) use fence::FenceBody;
pub(crate) use resource::ResourceCore;

pub use options::*;
pub use pixel_format::PixelFormat;
pub use sampler::{AddressMode, CompareFunction, Filter, MipFilter, SamplerDescriptor};
