//! Libraries: functions in source form.
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::shader::Module;
use crate::{Error, Function};

/// Functions from one source, not yet bound to a device.
///
/// ```
/// use fencepost::Device;
/// let library = Device::cpu().new_library_with_wgsl(
///     "override factor: u32 = 2;
///      @group(0) @binding(0) var<storage, read_write> numbers: array<u32>;
///      @compute @workgroup_size(64) fn scale(@builtin(global_invocation_id) id: vec3u) { numbers[id.x] *= factor; }",
/// )?;
/// assert_eq!(library.function_names(), ["scale"]);
/// let triple = library.new_function_with_constants("scale", &[("factor", 3.0)])?;
/// assert_eq!(triple.threads_per_threadgroup(), [64, 1, 1]);
/// # Ok::<(), fencepost::Error>(())
/// ```
#[doc(alias = "MTLLibrary")]
#[derive(Clone)]
pub struct Library {
    module: Arc<Module>,
    label: Arc<Mutex<String>>,
}

impl Library {
    pub(crate) fn from_wgsl(source: &str) -> Result<Self, Error> {
        Ok(Self::new(Module::from_wgsl(source)?))
    }

    pub(crate) fn from_spirv(words: &[u32]) -> Result<Self, Error> {
        Ok(Self::new(Module::from_spirv(words)?))
    }

    fn new(module: Module) -> Self {
        Self { module: Arc::new(module), label: Arc::default() }
    }

    /// Names of its functions, in the order of the source.
    #[doc(alias = "functionNames")]
    pub fn function_names(&self) -> Vec<&str> {
        self.module.function_names().collect()
    }

    /// A function by name; override constants keep the values of the source.
    ///
    /// # Errors
    /// A name that is not there; an override constant without a value; use of what no device here has.
    #[doc(alias = "newFunctionWithName")]
    pub fn new_function(&self, name: &str) -> Result<Function, Error> {
        self.new_function_with_constants(name, &[])
    }

    /// A function with values for override constants, by name or by decimal `@id`. Booleans are 0 and 1.
    ///
    /// # Errors
    /// As [`new_function`](Self::new_function), and constants that are not there, are given twice or do not fit their type.
    #[doc(alias = "newFunctionWithName:constantValues:")]
    #[doc(alias = "MTLFunctionConstantValues")]
    pub fn new_function_with_constants(
        &self,
        name: &str,
        constants: &[(&str, f64)],
    ) -> Result<Function, Error> {
        Ok(self.module.function(name, constants)?)
    }

    /// Its label; empty where there is none.
    pub fn label(&self) -> String {
        self.label.lock().clone()
    }

    /// Gives it a name for people.
    #[doc(alias = "setLabel")]
    pub fn set_label(&self, label: &str) {
        label.clone_into(&mut self.label.lock());
    }
}

impl fmt::Debug for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Library")
            .field("label", &self.label())
            .field("functions", &self.function_names())
            .finish()
    }
}
