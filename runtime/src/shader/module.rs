//! A library of kernels: parsed and validated once, lowered per function and set of override constants.

use std::borrow::Cow;
use std::error::Error;
use std::fmt::Write;
use std::sync::Arc;

use naga::back::pipeline_constants::{PipelineConstantError, process_overrides};
use naga::valid::{Capabilities, ModuleInfo, ValidationError, ValidationFlags, Validator};
use naga::{Block, ShaderStage, Statement, WithSpan, front};

use super::{Function, ShaderError, ShaderErrorKind, lane, lower, optimize, stack, verify};

/// A module without override constants, and what is known of it.
pub(super) type Constant<'a> = (Cow<'a, naga::Module>, Cow<'a, ModuleInfo>);

/// Most blocks within each other in one function: whoever walks it, or drops it, recurses as deep.
const NESTING_MAX: usize = 512;

/// A validated module. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Module {
    module: Arc<naga::Module>,
    info: Arc<ModuleInfo>,
    /// Absent for SPIR-V.
    source: Option<Arc<str>>,
}

impl Module {
    /// Parses and validates WGSL.
    pub(crate) fn from_wgsl(source: &str) -> Result<Self, ShaderError> {
        stack::with_levels(stack::levels_of_wgsl(source), || {
            let module = front::wgsl::parse_str(source).map_err(|error| syntax_error(&error, source))?;
            Self::validated(module, Some(source.to_owned()))
        })
    }

    /// Parses and validates SPIR-V. The words are in the machine's order; a module in the other order is turned round.
    pub(crate) fn from_spirv(words: &[u32]) -> Result<Self, ShaderError> {
        const MAGIC: u32 = 0x0723_0203;
        let swap = words.first() == Some(&MAGIC.swap_bytes());
        let words = || words.iter().map(|&word| if swap { word.swap_bytes() } else { word });
        stack::with_levels(stack::levels_of_spirv(words()), || {
            let options = front::spv::Options { adjust_coordinate_space: false, ..Default::default() };
            let module =
                front::spv::Frontend::new(words(), &options).parse().map_err(|error| spirv_error(&error))?;
            Self::validated(module, None)
        })
    }

    fn validated(module: naga::Module, source: Option<String>) -> Result<Self, ShaderError> {
        let functions = module.functions.iter().map(|(_, function)| function);
        let entries = module.entry_points.iter().map(|entry| &entry.function);
        if functions.chain(entries).any(|function| depth(&function.body) > NESTING_MAX) {
            let message = format!("more than {NESTING_MAX} blocks within each other");
            return Err(ShaderError::new(ShaderErrorKind::TooLarge, message));
        }
        // All capabilities: what the device lacks is refused by the function that uses it, so that one exotic
        // entry point does not cost the whole library.
        let info = Validator::new(ValidationFlags::all(), Capabilities::all())
            .validate(&module)
            .map_err(|error| invalid(&error, source.as_deref()))?;
        Ok(Self { module: Arc::new(module), info: Arc::new(info), source: source.map(Arc::from) })
    }

    /// Names of the compute functions, in the order of the source.
    pub(crate) fn function_names(&self) -> impl Iterator<Item = &str> {
        self.module.entry_points.iter().filter(|e| e.stage == ShaderStage::Compute).map(|e| e.name.as_str())
    }

    /// One function, with values for override constants by name or decimal id.
    pub(crate) fn function(&self, name: &str, constants: &[(&str, f64)]) -> Result<Function, ShaderError> {
        stack::with_levels(0, || {
            let mut kernel = self.lowered(name, constants)?;
            debug_assert_eq!(verify::verify(&kernel), Ok(()), "{kernel}");
            optimize::optimize(&mut kernel);
            debug_assert_eq!(verify::verify(&kernel), Ok(()), "{kernel}");
            Ok(Function::kernel(kernel, self, constants))
        })
    }

    /// The same before it is optimized.
    pub(super) fn lowered(&self, name: &str, given: &[(&str, f64)]) -> Result<lane::Kernel, ShaderError> {
        if !self.function_names().any(|known| known == name) {
            return Err(self.not_found(name));
        }
        let (module, info) = self.with_constants(name, given)?;
        lower::lower(&module, &info, name).map_err(|refusal| refusal.into_error(self.source.as_deref()))
    }

    /// The module of one function, its override constants replaced by values.
    pub(super) fn with_constants(
        &self,
        name: &str,
        given: &[(&str, f64)],
    ) -> Result<Constant<'_>, ShaderError> {
        let constants = self.constants(given)?;
        let entry_point = Some((ShaderStage::Compute, name));
        process_overrides(&self.module, &self.info, entry_point, &constants)
            .map_err(|error| self.constant_error(&error, given))
    }

    /// The constants by the keys that naga wants: the id where there is one, else the name.
    fn constants(&self, given: &[(&str, f64)]) -> Result<naga::back::PipelineConstants, ShaderError> {
        let mut constants = naga::back::PipelineConstants::default();
        for &(name, value) in given {
            let id = name.parse::<u16>().ok();
            let known = || self.module.overrides.iter().map(|(_, constant)| constant);
            let found = known().find(|constant| {
                constant.name.as_deref() == Some(name) || (id.is_some() && constant.id == id)
            });
            let Some(found) = found else {
                let names: Vec<_> = known()
                    .filter_map(|constant| {
                        constant.name.clone().or_else(|| constant.id.map(|id| id.to_string()))
                    })
                    .collect();
                let message = format!("no override constant `{name}`; the module has ({})", names.join(", "));
                return Err(ShaderError::new(ShaderErrorKind::Constant, message));
            };
            let key = found.id.map_or_else(|| name.to_owned(), |id| id.to_string());
            if constants.insert(key, value).is_some() {
                let message = format!("the override constant `{name}` is given twice");
                return Err(ShaderError::new(ShaderErrorKind::ConstantValue, message));
            }
        }
        Ok(constants)
    }

    fn not_found(&self, name: &str) -> ShaderError {
        let message = match self.module.entry_points.iter().find(|entry| entry.name == name) {
            Some(entry) => format!("`{name}` is a {:?} function, not a compute function", entry.stage),
            None => {
                let names: Vec<_> = self.function_names().collect();
                format!("no compute function `{name}`; the module has ({})", names.join(", "))
            }
        };
        ShaderError::new(ShaderErrorKind::FunctionNotFound, message)
    }

    fn constant_error(&self, error: &PipelineConstantError, given: &[(&str, f64)]) -> ShaderError {
        use PipelineConstantError as E;
        let given =
            || given.iter().map(|(name, value)| format!("{name} = {value}")).collect::<Vec<_>>().join(", ");
        let (kind, message) = match error {
            E::ValidationError(error) => return invalid(error, self.source.as_deref()),
            E::MissingValue(name) => {
                let mend = "Give it one with `new_function_with_constants`";
                let message = format!("the override constant `{name}` has no default and no value. {mend}");
                (ShaderErrorKind::Constant, message)
            }
            E::SrcNeedsToBeFinite | E::DstRangeTooSmall => {
                let message =
                    format!("an override constant is given a value that its type cannot hold ({})", given());
                (ShaderErrorKind::ConstantValue, message)
            }
            E::NegativeWorkgroupSize => {
                let message =
                    format!("the workgroup has a side below 1 with these override constants ({})", given());
                (ShaderErrorKind::ConstantValue, message)
            }
            other => (ShaderErrorKind::Constant, chain(other)),
        };
        ShaderError::new(kind, message)
    }
}

fn syntax_error(error: &front::wgsl::ParseError, source: &str) -> ShaderError {
    let mut message = error.message().to_owned();
    // Whom to tell about a gap of the front end is no news for who wrote the shader.
    for note in error.notes().filter(|note| !note.contains("Naga maintainers")) {
        // Writing into a string cannot fail.
        let _ = write!(message, "; note: {note}");
    }
    let span = error.labels().next().map_or(naga::Span::UNDEFINED, |(span, _)| span);
    // The front end types no reasons; this is how it words extensions that it knows and lacks.
    let lacks = message.contains("not yet supported") || message.contains("not yet implemented");
    let kind = if lacks { ShaderErrorKind::Unsupported } else { ShaderErrorKind::Syntax };
    ShaderError::new(kind, message).at(Some(source), span)
}

fn spirv_error(error: &front::spv::Error) -> ShaderError {
    use front::spv::Error as E;
    let kind = match error {
        E::UnsupportedInstruction(..)
        | E::UnsupportedCapability(_)
        | E::UnsupportedExtension(_)
        | E::UnsupportedExtSet(_)
        | E::UnsupportedExtInstSet(_)
        | E::UnsupportedExtInst(_)
        | E::UnsupportedType(_)
        | E::UnsupportedExecutionModel(_)
        | E::UnsupportedExecutionMode(_)
        | E::UnsupportedStorageClass(_)
        | E::UnsupportedImageDim(_)
        | E::UnsupportedImageFormat(_)
        | E::UnsupportedBuiltIn(_)
        | E::UnsupportedControlFlow(_)
        | E::UnsupportedBinaryOperator(_)
        | E::UnsupportedRuntimeArrayStorageClass
        | E::UnsupportedMatrixStride { .. }
        | E::UnsupportedGroupOperation(_)
        | E::InvalidStorageImageWithoutFormat
        | E::NonBindingArrayOfImageOrSamplers => ShaderErrorKind::Unsupported,
        _ => ShaderErrorKind::Syntax,
    };
    ShaderError::new(kind, format!("SPIR-V: {}", chain(error)))
}

fn invalid(error: &WithSpan<ValidationError>, source: Option<&str>) -> ShaderError {
    let span =
        error.spans().find(|(span, _)| span.is_defined()).map_or(naga::Span::UNDEFINED, |(span, _)| *span);
    ShaderError::new(ShaderErrorKind::Invalid, chain(error.as_inner())).at(source, span)
}

/// Blocks within each other.
fn depth(block: &Block) -> usize {
    let inner = block.iter().map(|statement| match statement {
        Statement::Block(block) => depth(block),
        Statement::If { accept, reject, .. } => depth(accept).max(depth(reject)),
        Statement::Switch { cases, .. } => cases.iter().map(|case| depth(&case.body)).max().unwrap_or(0),
        Statement::Loop { body, continuing, .. } => depth(body).max(depth(continuing)),
        _ => 0,
    });
    1 + inner.max().unwrap_or(0)
}

/// An error with its causes on one line.
fn chain(error: &dyn Error) -> String {
    let mut message = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let _ = write!(message, ": {cause}");
        next = cause.source();
    }
    message
}
