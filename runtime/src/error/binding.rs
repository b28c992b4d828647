//! What is wrong with a dispatch: its pipeline, its grid, what is bound for it.
use super::{Cause, ErrorKind};

#[derive(Debug, thiserror::Error)]
pub(crate) enum BindingError {
    #[error("{encoder} dispatches without a pipeline. Call `set_compute_pipeline_state` first")]
    NoPipeline { encoder: String },
    #[error("`{function}` needs {needed} at {place}, and nothing is bound there. {mend}")]
    Missing { function: String, needed: String, place: Place, mend: &'static str },
    #[error("`{function}` needs {needed} at {place}, but {bound} is bound there. {mend}")]
    Wrong { function: String, needed: String, place: Place, bound: String, mend: String },
    #[error(
        "`{function}` needs {needed} bytes at {place}, but only {bound_bytes} bytes of {bound} are bound there. \
         Bind a larger range"
    )]
    TooSmall { function: String, needed: u64, place: Place, bound: String, bound_bytes: u64 },
    #[error(
        "binding index (group {group}, binding {binding}) is out of range: groups go to {groups}, bindings to {bindings}"
    )]
    Index { group: u32, binding: u32, groups: u32, bindings: u32 },
    #[error(
        "a dispatch of `{function}` with {grid:?} {unit} has a dimension of 0. Leave the dispatch out, or give each dimension 1 or more"
    )]
    EmptyGrid { function: String, grid: [u32; 3], unit: &'static str },
    #[error(
        "a dispatch of `{function}` asks for {groups:?} threadgroups, but at most {limit:?} fit, \
         and no more than 2^32 threads in one dimension. Split it"
    )]
    LargeGrid { function: String, groups: [u32; 3], limit: [u32; 3] },
    #[error("`set_bytes` takes from 1 to {limit} bytes, not {length}. Use a buffer for more")]
    BytesLength { length: usize, limit: usize },
}

/// A binding, for messages.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) name: String,
    pub(crate) group: u32,
    pub(crate) binding: u32,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "binding `{}` (group {}, binding {})", self.name, self.group, self.binding)
    }
}

impl Cause for BindingError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NoPipeline { .. } => ErrorKind::MissingPipeline,
            Self::Missing { .. } => ErrorKind::MissingBinding,
            Self::Wrong { .. } => ErrorKind::WrongBinding,
            Self::TooSmall { .. } => ErrorKind::BindingTooSmall,
            Self::Index { .. } | Self::BytesLength { .. } => ErrorKind::InvalidArgument,
            Self::EmptyGrid { .. } | Self::LargeGrid { .. } => ErrorKind::InvalidGrid,
        }
    }
}
