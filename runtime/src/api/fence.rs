//! Fences: edges between passes.
use fencepost_core::FenceId;

use crate::api::label::Label;

/// A fence's name in the order engine, given back at the end.
#[derive(Debug)]
pub(crate) struct FenceBody {
    pub(crate) fence: FenceId,
    pub(crate) label: Label,
}
