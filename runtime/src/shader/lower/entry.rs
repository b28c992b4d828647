//! The entry point: what it is bound to, its memory, its arguments.

use naga::valid::GlobalUse;
use naga::{
    AddressSpace, BuiltIn, Expression, GlobalVariable, Handle, ImageClass, ImageDimension, ScalarKind,
    TypeInner,
};

use super::memory::{Place, Root};
use super::shape::{Layout, Shape};
use super::{Lowered, Lowerer, Refusal, Result, Words};
use crate::shader::lane::{
    Binding, BindingKind, Builtin, Kernel, Operation, SampleKind, Space, StorageFormat, TextureDimension,
};

/// Most lanes of a workgroup.
const LANES_MAX: u32 = 1024;

/// Most bytes of workgroup memory, as on the hardware that Metal runs on.
const WORKGROUP_BYTES_MAX: u32 = 32 * 1024;

/// The size of a workgroup, within what a device runs.
pub(super) fn workgroup_size(entry: &naga::EntryPoint) -> Result<[u32; 3]> {
    let [x, y, z] = entry.workgroup_size;
    let lanes = u64::from(x).checked_mul(u64::from(y)).and_then(|lanes| lanes.checked_mul(u64::from(z)));
    match lanes {
        Some(0) => Err(Refusal::invalid(format!("`{}` has an empty workgroup ({x}, {y}, {z})", entry.name))),
        Some(lanes) if lanes <= u64::from(LANES_MAX) => Ok(entry.workgroup_size),
        _ => Err(Refusal::too_large(format!(
            "`{}` has a workgroup of ({x}, {y}, {z}) invocations, more than {LANES_MAX}",
            entry.name
        ))),
    }
}

impl Lowerer<'_> {
    pub(super) fn entry_point(mut self, index: usize) -> Result<Kernel> {
        self.bind(index)?;
        self.module_variables(index)?;
        let function = self.frame.function;
        for argument in &function.arguments {
            let words = self.argument(argument)?;
            self.frame.arguments.push(Lowered::Words(words));
        }
        self.function_body()?;
        for binding in &mut self.bindings {
            binding.atomic_only &= binding.reads || binding.writes;
        }
        let entry = &self.module.entry_points[index];
        let mut kernel = Kernel {
            name: entry.name.clone(),
            workgroup_size: entry.workgroup_size,
            values: 0,
            variables: 0,
            private_words: self.private.high,
            workgroup_words: self.workgroup_words,
            constants: self.constants,
            bindings: self.bindings,
            body: Vec::new(),
        };
        self.builder.finish(&mut kernel);
        Ok(kernel)
    }

    /// Lists what the entry point is bound to, by group and binding.
    fn bind(&mut self, index: usize) -> Result<()> {
        let module = self.module;
        let uses = self.info.get_entry_point(index);
        let mut bound: Vec<_> = module
            .global_variables
            .iter()
            .filter(|&(handle, _)| uses[handle] != GlobalUse::empty())
            .filter_map(|(handle, variable)| {
                variable.binding.map(|binding| (binding.group, binding.binding, handle))
            })
            .collect();
        bound.sort_unstable_by_key(|&(group, binding, _)| (group, binding));
        for (group, binding, handle) in bound {
            let variable = &module.global_variables[handle];
            let index = self.bindings.len() as u32;
            let span = module.global_variables.get_span(handle);
            let kind = self.binding_kind(variable).map_err(|refusal| refusal.or_at(span))?;
            let is_buffer = matches!(kind, BindingKind::Buffer { .. });
            let name = variable.name.clone().unwrap_or_else(|| format!("group {group} binding {binding}"));
            let described =
                Binding { group, binding, name, kind, reads: false, writes: false, atomic_only: is_buffer };
            self.builder.bound(index, &described);
            self.bindings.push(described);
            let lowered = if is_buffer {
                let shape = self.shapes.get(variable.ty)?;
                Lowered::Place(Place::new(Root::Memory(Space::Buffer(index)), 0, shape))
            } else {
                Lowered::Resource(index)
            };
            self.globals.insert(handle, lowered);
        }
        Ok(())
    }

    fn binding_kind(&mut self, variable: &GlobalVariable) -> Result<BindingKind> {
        match self.module.types[variable.ty].inner {
            TypeInner::Image { dim, arrayed, class } => {
                let dimension = dimension(dim, arrayed)?;
                match class {
                    ImageClass::Sampled { multi: true, .. } | ImageClass::Depth { multi: true } => {
                        Err(Refusal::unsupported("a multisampled texture"))
                    }
                    ImageClass::Sampled { kind, .. } => {
                        Ok(BindingKind::SampledTexture { sample: sample_kind(kind)?, dimension })
                    }
                    ImageClass::Depth { .. } => {
                        Ok(BindingKind::SampledTexture { sample: SampleKind::Float, dimension })
                    }
                    ImageClass::External => Err(Refusal::unsupported("an external texture")),
                    ImageClass::Storage { format, .. } => {
                        Ok(BindingKind::StorageTexture { format: storage_format(format)?, dimension })
                    }
                }
            }
            TypeInner::Sampler { comparison } => Ok(BindingKind::Sampler { comparison }),
            _ => {
                let bytes = u64::from(self.shapes.get(variable.ty)?.host_words()) * 4;
                let Ok(minimum_bytes) = u32::try_from(bytes) else {
                    return Err(Refusal::too_large(format!("a buffer of {bytes} bytes")));
                };
                Ok(BindingKind::Buffer { minimum_bytes, uniform: variable.space == AddressSpace::Uniform })
            }
        }
    }

    /// Places for workgroup and private variables that the kernel uses; private ones start with their value.
    fn module_variables(&mut self, index: usize) -> Result<()> {
        let module = self.module;
        let uses = self.info.get_entry_point(index);
        for (handle, variable) in module.global_variables.iter() {
            if uses[handle] == GlobalUse::empty() || self.globals.contains_key(&handle) {
                continue;
            }
            let span = module.global_variables.get_span(handle);
            let place = self.module_variable(handle, variable).map_err(|refusal| refusal.or_at(span))?;
            self.globals.insert(handle, Lowered::Place(place));
        }
        Ok(())
    }

    fn module_variable(
        &mut self,
        handle: Handle<GlobalVariable>,
        variable: &GlobalVariable,
    ) -> Result<Place> {
        let shape = self.shapes.get(variable.ty)?;
        match variable.space {
            AddressSpace::WorkGroup => {
                let base = self.workgroup_words;
                self.workgroup_words = base.saturating_add(shape.words);
                if self.workgroup_words > WORKGROUP_BYTES_MAX / 4 {
                    let bytes = u64::from(self.workgroup_words) * 4;
                    let what = format!("{bytes} bytes of workgroup memory, more than {WORKGROUP_BYTES_MAX}");
                    return Err(Refusal::too_large(what));
                }
                Ok(Place::new(Root::Memory(Space::Workgroup), base, shape))
            }
            AddressSpace::Private => {
                let dynamic = self.usage.global(handle);
                let place = self.allocate(&shape, dynamic)?;
                if let Some(init) = variable.init {
                    let words = self.global_expression(init)?;
                    self.store(&place, &words);
                }
                Ok(place)
            }
            AddressSpace::Immediate => Err(Refusal::unsupported("immediate data (`var<immediate>`)")),
            _ => Err(Refusal::unsupported(format!("a variable in the address space {:?}", variable.space))),
        }
    }

    /// A constant expression of the module.
    pub(super) fn global_expression(&mut self, handle: Handle<Expression>) -> Result<Words> {
        let module = self.module;
        let shape_of = |lowerer: &mut Self, handle| lowerer.shapes.get(handle);
        match module.global_expressions[handle] {
            Expression::Literal(literal) => self.literal(literal),
            Expression::Constant(constant) => self.global_expression(module.constants[constant].init),
            Expression::ZeroValue(ty) => {
                let shape = shape_of(self, ty)?;
                self.zeroes(&shape)
            }
            Expression::Compose { ty, ref components } => {
                let shape = shape_of(self, ty)?;
                self.check_words(&shape)?;
                let mut words = Words::new();
                for &component in components {
                    words.extend(self.global_expression(component)?);
                }
                Ok(words)
            }
            Expression::Splat { size, value } => {
                let word = self.global_expression(value)?;
                Ok(std::iter::repeat_n(word[0], size as usize).collect())
            }
            Expression::Swizzle { size, vector, pattern } => {
                let words = self.global_expression(vector)?;
                Ok(pattern[..size as usize].iter().map(|&component| words[component as usize]).collect())
            }
            Expression::AccessIndex { base, index } => {
                let words = self.global_expression(base)?;
                let ty = &self.info[base];
                let shape = match ty.handle() {
                    Some(handle) => self.shapes.get(handle)?,
                    None => self.shapes.of(ty.inner_with(&module.types))?,
                };
                part_of(&shape, &words, index)
            }
            ref other => Err(Refusal::unsupported(format!("the constant expression {other:?}"))),
        }
    }

    fn argument(&mut self, argument: &naga::FunctionArgument) -> Result<Words> {
        let module = self.module;
        let bindings = match (&argument.binding, &module.types[argument.ty].inner) {
            (Some(binding), _) => vec![binding],
            (None, TypeInner::Struct { members, .. }) => {
                members.iter().filter_map(|member| member.binding.as_ref()).collect()
            }
            (None, _) => Vec::new(),
        };
        let mut words = Words::new();
        for binding in bindings {
            let naga::Binding::BuiltIn(builtin) = *binding else {
                return Err(Refusal::unsupported("an entry point argument that is no builtin"));
            };
            self.builtin(builtin, &mut words)?;
        }
        Ok(words)
    }

    fn builtin(&mut self, builtin: BuiltIn, words: &mut Words) -> Result<()> {
        let of_axis: fn(u8) -> Builtin = match builtin {
            BuiltIn::GlobalInvocationId => Builtin::GlobalInvocationId,
            BuiltIn::LocalInvocationId => Builtin::LocalInvocationId,
            BuiltIn::WorkGroupId => Builtin::WorkgroupId,
            BuiltIn::NumWorkGroups => Builtin::NumWorkgroups,
            BuiltIn::LocalInvocationIndex => {
                words.push(self.builder.emit(Operation::Builtin(Builtin::LocalInvocationIndex)));
                return Ok(());
            }
            BuiltIn::WorkGroupSize => {
                let size = self.builder.workgroup_size();
                words.extend(size.map(|size| self.builder.constant(size)));
                return Ok(());
            }
            other => return Err(Refusal::unsupported(format!("the builtin {other:?}"))),
        };
        for axis in 0..3 {
            words.push(self.builder.emit(Operation::Builtin(of_axis(axis))));
        }
        Ok(())
    }
}

/// The words of a part of a value.
pub(super) fn part_of(shape: &Shape, words: &Words, index: u32) -> Result<Words> {
    let part = shape.part(index, Layout::Packed);
    let found = part.and_then(|(part, offset)| {
        let offset = offset as usize;
        words.get(offset..offset + part.words as usize)
    });
    match found {
        Some(words) => Ok(words.into()),
        None => Err(Refusal::invalid(format!("an index of {index} is outside of its object"))),
    }
}

fn dimension(dim: ImageDimension, arrayed: bool) -> Result<TextureDimension> {
    match (dim, arrayed) {
        (ImageDimension::D2, false) => Ok(TextureDimension::D2),
        (ImageDimension::D2, true) => Ok(TextureDimension::D2Array),
        (ImageDimension::D1, _) => Err(Refusal::unsupported("a 1D texture")),
        (ImageDimension::D3, _) => Err(Refusal::unsupported("a 3D texture")),
        (ImageDimension::Cube, _) => Err(Refusal::unsupported("a cube texture")),
    }
}

fn sample_kind(kind: ScalarKind) -> Result<SampleKind> {
    match kind {
        ScalarKind::Float => Ok(SampleKind::Float),
        ScalarKind::Sint => Ok(SampleKind::Sint),
        ScalarKind::Uint => Ok(SampleKind::Uint),
        other => Err(Refusal::unsupported(format!("a texture of {other:?}"))),
    }
}

fn storage_format(format: naga::StorageFormat) -> Result<StorageFormat> {
    use naga::StorageFormat as F;
    Ok(match format {
        F::R8Unorm => StorageFormat::R8Unorm,
        F::Rg8Unorm => StorageFormat::Rg8Unorm,
        F::Rgba8Unorm => StorageFormat::Rgba8Unorm,
        F::R16Float => StorageFormat::R16Float,
        F::Rgba16Float => StorageFormat::Rgba16Float,
        F::R32Float => StorageFormat::R32Float,
        F::Rgba32Float => StorageFormat::Rgba32Float,
        F::R32Uint => StorageFormat::R32Uint,
        F::Rgba32Uint => StorageFormat::Rgba32Uint,
        other => return Err(Refusal::unsupported(format!("a storage texture of the format {other:?}"))),
    })
}
