//! What buffers and textures have in common.
use crate::api::label::Label;

/// The part of a resource that is the same for buffers and textures.
#[derive(Debug, Default)]
pub(crate) struct ResourceCore {
    pub(crate) label: Label,
}
