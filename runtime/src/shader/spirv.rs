//! Kernels for devices that take SPIR-V.
//!
//! The words come from naga's writer, with three things of our own. Bindings are numbered as the function numbers them, all in one set.
//! A grid that ends inside of a group needs the kernel's help: a variant of it looks first whether its invocation is one of the grid, by a
//! limit that the driver is told beside the dispatch. And chains of pointers are flattened: the writer makes a pointer from a pointer, and
//! tools that look for what a kernel reads and writes see only pointers that start at a variable.
//!
//! Bounds follow the lane IR's rule: an index outside of a buffer reads 0 and writes nothing, one outside of any other object is clamped.
//! In a kernel with atomics in buffers, where the writer knows no such thing, indices into buffers are clamped too.
use std::collections::HashMap;

use naga::back::spv;
use naga::proc::{BoundsCheckPolicies, BoundsCheckPolicy};
use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use naga::{
    AddressSpace, BinaryOperator, Binding, Block, BuiltIn, Expression, FunctionArgument, GlobalVariable,
    Module, RelationalFunction, ResourceBinding, Scalar, ShaderStage, Span, Statement, Type, TypeInner,
    VectorSize,
};

use super::{Function, ShaderError, ShaderErrorKind, stack};

/// Which variant of a kernel is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct SpirvOptions {
    /// Invocations outside of a grid given in 12 bytes of push constants (x, y, z) do nothing.
    pub(crate) partial: bool,
    /// Loops get an end that no program sees, so that a compiler may not take an endless one for unreachable.
    pub(crate) bound_loops: bool,
}

impl Function {
    /// The kernel as SPIR-V 1.3, its entry point named as the function, binding `n` of the function as binding `n` of set 0. `None` for a host
    /// function.
    pub(crate) fn spirv(&self, options: SpirvOptions) -> Option<Result<Vec<u32>, ShaderError>> {
        let source = self.source.as_ref()?;
        let constants: Vec<_> =
            source.constants.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        Some(stack::with_levels(0, || {
            let (module, info) = source.module.with_constants(self.name(), &constants)?;
            if !options.partial {
                return self.write(&module, &info, options);
            }
            let mut module = module.into_owned();
            stop_outside_of_grid(&mut module)?;
            let info = validate(&module)?;
            self.write(&module, &info, options)
        }))
    }

    fn write(
        &self,
        module: &Module,
        info: &ModuleInfo,
        options: SpirvOptions,
    ) -> Result<Vec<u32>, ShaderError> {
        let place = |(number, binding): (u32, &super::lane::Binding)| {
            let place = spv::BindingInfo { descriptor_set: 0, binding: number, binding_array_size: None };
            (ResourceBinding { group: binding.group, binding: binding.binding }, place)
        };
        let mut options = spv::Options {
            lang_version: (1, 3),
            flags: spv::WriterFlags::empty(),
            binding_map: (0..).zip(self.bindings()).map(place).collect(),
            bounds_check_policies: BoundsCheckPolicies {
                index: BoundsCheckPolicy::Restrict,
                buffer: BoundsCheckPolicy::ReadZeroSkipWrite,
                image_load: BoundsCheckPolicy::ReadZeroSkipWrite,
                binding_array: BoundsCheckPolicy::Restrict,
            },
            force_loop_bounding: options.bound_loops,
            ..spv::Options::default()
        };
        let entry =
            spv::PipelineOptions { shader_stage: ShaderStage::Compute, entry_point: self.name().to_owned() };
        let written = match spv::write_vec(module, info, &options, Some(&entry)) {
            // The writer cannot leave an atomic out.
            Err(spv::Error::FeatureNotImplemented(_)) => {
                options.bounds_check_policies.buffer = BoundsCheckPolicy::Restrict;
                spv::write_vec(module, info, &options, Some(&entry))
            }
            written => written,
        };
        let words = written.map_err(|error| {
            let message = format!("`{}` has no form in SPIR-V: {error}", self.name());
            ShaderError::new(ShaderErrorKind::Unsupported, message)
        })?;
        Ok(flatten(&words))
    }
}

fn validate(module: &Module) -> Result<ModuleInfo, ShaderError> {
    Validator::new(ValidationFlags::all(), Capabilities::all()).validate(module).map_err(|error| {
        ShaderError::new(
            ShaderErrorKind::Invalid,
            format!("the variant for partial groups: {}", error.as_inner()),
        )
    })
}

/// Puts `if any(id >= limit) { return; }` in front of the kernel.
fn stop_outside_of_grid(module: &mut Module) -> Result<(), ShaderError> {
    let scalar = Scalar::U32;
    let inner = TypeInner::Vector { size: VectorSize::Tri, scalar };
    let triple = module.types.insert(Type { name: None, inner }, Span::UNDEFINED);
    let limit = GlobalVariable {
        name: Some("grid_limit".to_owned()),
        space: AddressSpace::Immediate,
        binding: None,
        ty: triple,
        init: None,
        memory_decorations: naga::MemoryDecorations::empty(),
    };
    let limit = module.global_variables.append(limit, Span::UNDEFINED);
    let place = module.entry_points.first().and_then(|entry| global_id(module, &entry.function));
    let Some(entry) = module.entry_points.first_mut() else {
        return Err(ShaderError::new(ShaderErrorKind::FunctionNotFound, "a module without its entry point"));
    };
    let function = &mut entry.function;
    let (argument, member) = place.unwrap_or_else(|| {
        let binding = Some(Binding::BuiltIn(BuiltIn::GlobalInvocationId));
        function.arguments.push(FunctionArgument { name: None, ty: triple, binding });
        (function.arguments.len() as u32 - 1, None)
    });
    let mut add = |expression| function.expressions.append(expression, Span::UNDEFINED);
    let argument = add(Expression::FunctionArgument(argument));
    let limit = add(Expression::GlobalVariable(limit));
    let first = function.expressions.len();
    let mut add = |expression| function.expressions.append(expression, Span::UNDEFINED);
    let id = member.map_or(argument, |index| add(Expression::AccessIndex { base: argument, index }));
    let limit = add(Expression::Load { pointer: limit });
    let outside = add(Expression::Binary { op: BinaryOperator::GreaterEqual, left: id, right: limit });
    let condition = add(Expression::Relational { fun: RelationalFunction::Any, argument: outside });
    let emitted = function.expressions.range_from(first);
    let mut body = Block::new();
    body.push(Statement::Emit(emitted), Span::UNDEFINED);
    let accept = Block::from_vec(vec![Statement::Return { value: None }]);
    body.push(Statement::If { condition, accept, reject: Block::new() }, Span::UNDEFINED);
    for (statement, span) in function.body.clone().span_into_iter() {
        body.push(statement, span);
    }
    function.body = body;
    Ok(())
}

/// Where an entry point has its invocation's place in the grid: the argument, and the member where that is a struct.
fn global_id(module: &Module, function: &naga::Function) -> Option<(u32, Option<u32>)> {
    let wanted = Some(Binding::BuiltIn(BuiltIn::GlobalInvocationId));
    (0..).zip(&function.arguments).find_map(|(number, argument)| {
        if argument.binding == wanted {
            return Some((number, None));
        }
        let TypeInner::Struct { members, .. } = &module.types[argument.ty].inner else { return None };
        (0..)
            .zip(members)
            .find(|(_, member)| member.binding == wanted)
            .map(|(index, _)| (number, Some(index)))
    })
}

/// Makes every pointer from a pointer one from what that one came from.
fn flatten(words: &[u32]) -> Vec<u32> {
    const HEADER: usize = 5;
    const ACCESS_CHAIN: u32 = 65;
    const IN_BOUNDS_ACCESS_CHAIN: u32 = 66;
    // What each chain starts at, and its indices.
    let mut chains: HashMap<u32, (u32, Vec<u32>)> = HashMap::new();
    let mut flat = words[..HEADER.min(words.len())].to_vec();
    let mut at = HEADER;
    while let Some(&first) = words.get(at) {
        let (operation, length) = (first & 0xffff, (first >> 16) as usize);
        // The writer's own words; were they cut short, the driver's front end would say so.
        let Some(instruction) = words.get(at..at + length.max(1)) else { break };
        at += length.max(1);
        match (operation, instruction) {
            (ACCESS_CHAIN | IN_BOUNDS_ACCESS_CHAIN, [_, kind, result, base, indices @ ..]) => {
                let (root, mut path) = chains.get(base).cloned().unwrap_or((*base, Vec::new()));
                path.extend_from_slice(indices);
                flat.push((4 + path.len() as u32) << 16 | operation);
                flat.extend([*kind, *result, root]);
                flat.extend_from_slice(&path);
                chains.insert(*result, (root, path));
            }
            _ => flat.extend_from_slice(instruction),
        }
    }
    flat
}
