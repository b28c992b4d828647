//! naga IR to lane IR.

use naga::Span;
use naga::valid::ModuleInfo;

use super::lane::Kernel;
use super::{ShaderError, ShaderErrorKind};

/// Why a function was not lowered, and where.
#[derive(Debug)]
pub(super) struct Refusal {
    kind: ShaderErrorKind,
    message: String,
    span: Span,
}

impl Refusal {
    pub(super) fn into_error(self, source: Option<&str>) -> ShaderError {
        ShaderError::new(self.kind, self.message).at(source, self.span)
    }
}

/// Lowers one compute entry point of a module without overrides.
pub(super) fn lower(_module: &naga::Module, _info: &ModuleInfo, name: &str) -> Result<Kernel, Refusal> {
    Err(Refusal {
        kind: ShaderErrorKind::Unsupported,
        message: format!("`{name}`: lowering"),
        span: Span::UNDEFINED,
    })
}
