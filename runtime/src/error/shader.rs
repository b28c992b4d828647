//! Shaders word their own errors, since only they have the source.
use super::{Cause, ErrorKind};
use crate::shader::{ShaderError, ShaderErrorKind};

impl Cause for ShaderError {
    fn kind(&self) -> ErrorKind {
        match Self::kind(self) {
            ShaderErrorKind::Syntax | ShaderErrorKind::Invalid => ErrorKind::InvalidShader,
            ShaderErrorKind::FunctionNotFound | ShaderErrorKind::Constant => ErrorKind::NotFound,
            ShaderErrorKind::ConstantValue => ErrorKind::InvalidArgument,
            ShaderErrorKind::Unsupported | ShaderErrorKind::TooLarge => ErrorKind::Unsupported,
        }
    }
}
