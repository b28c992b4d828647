//! Textures: texels by coordinates, samples at an explicit level, sizes.
//!
//! A compute kernel has no neighbours to take derivatives from, so every sample names its level, or the derivatives that give it.

use naga::{Expression as E, Handle, ImageClass, ImageQuery, SampleLevel, TypeInner};

use super::shape::Kind;
use super::{Lowered, Lowerer, Refusal, Result, Words};
use crate::shader::lane::{
    BinaryOperation as B, Operation, Statement, TexelOperation, TextureQuery, UnaryOperation as U, Value,
};

impl Lowerer<'_> {
    pub(super) fn image_load(
        &mut self,
        image: Handle<E>,
        coordinate: Handle<E>,
        slice: Option<Handle<E>>,
        level: Option<Handle<E>>,
    ) -> Result<Words> {
        let binding = self.resource(image)?;
        let operation = TexelOperation::Load {
            binding,
            coordinates: self.coordinates(coordinate)?,
            slice: self.optional(slice)?,
            level: self.optional(level)?,
        };
        self.bindings[binding as usize].reads = true;
        let texel = self.builder.texel(operation);
        self.visible(image, &texel)
    }

    pub(super) fn image_store(
        &mut self,
        image: Handle<E>,
        coordinate: Handle<E>,
        slice: Option<Handle<E>>,
        value: Handle<E>,
    ) -> Result<()> {
        let binding = self.resource(image)?;
        let coordinates = self.coordinates(coordinate)?;
        let slice = self.optional(slice)?;
        let words = self.words(value)?;
        let Ok(texel) = <[Value; 4]>::try_from(words.as_slice()) else {
            return Err(Refusal::invalid("a texel of other than four components".to_owned()));
        };
        self.bindings[binding as usize].writes = true;
        self.builder.push(Statement::StoreTexel { binding, coordinates, slice, texel });
        Ok(())
    }

    pub(super) fn image_query(&mut self, image: Handle<E>, query: ImageQuery) -> Result<Words> {
        let binding = self.resource(image)?;
        let level = match query {
            ImageQuery::Size { level } => self.optional(level)?,
            ImageQuery::NumLevels | ImageQuery::NumLayers | ImageQuery::NumSamples => None,
        };
        let queries: &[TextureQuery] = match query {
            ImageQuery::Size { .. } => &[TextureQuery::Width, TextureQuery::Height],
            ImageQuery::NumLevels => &[TextureQuery::Levels],
            ImageQuery::NumLayers => &[TextureQuery::Slices],
            ImageQuery::NumSamples => return Err(Refusal::unsupported("a multisampled texture")),
        };
        let ask = |&query| self.builder.emit(Operation::TextureQuery { binding, query, level });
        Ok(queries.iter().map(ask).collect())
    }

    pub(super) fn image_sample(&mut self, handle: Handle<E>) -> Result<Words> {
        let E::ImageSample {
            image,
            sampler,
            gather,
            coordinate,
            array_index,
            offset,
            level,
            depth_ref,
            clamp_to_edge,
        } = self.frame.function.expressions[handle]
        else {
            return Err(Refusal::invalid("a sample that is none".to_owned()));
        };
        let binding = self.resource(image)?;
        let sampler = self.resource(sampler)?;
        let mut coordinates = self.coordinates(coordinate)?;
        if clamp_to_edge {
            coordinates = self.clamp_to_edge(binding, coordinates);
        }
        let slice = match array_index {
            Some(index) => Some(self.slice(index)?),
            None => None,
        };
        let offset = self.offset(offset)?;
        let reference = self.optional(depth_ref)?;
        self.bindings[binding as usize].reads = true;
        self.bindings[sampler as usize].reads = true;
        if let Some(component) = gather {
            let component = component as u8;
            let gathered =
                TexelOperation::Gather { binding, sampler, component, coordinates, slice, offset, reference };
            return Ok(self.builder.texel(gathered).as_slice().into());
        }
        let level = self.level(binding, level)?;
        let sampled =
            TexelOperation::Sample { binding, sampler, coordinates, slice, level, offset, reference };
        let texel = self.builder.texel(sampled);
        if reference.is_some() {
            return Ok(Words::from_slice(&texel[..1]));
        }
        self.visible(image, &texel)
    }

    fn resource(&mut self, handle: Handle<E>) -> Result<u32> {
        match self.lowered(handle)? {
            Lowered::Resource(binding) => Ok(binding),
            Lowered::Words(_) | Lowered::Place(_) => {
                Err(Refusal::unsupported("a texture or sampler that is no binding"))
            }
        }
    }

    fn optional(&mut self, handle: Option<Handle<E>>) -> Result<Option<Value>> {
        handle.map(|handle| self.word(handle)).transpose()
    }

    fn coordinates(&mut self, handle: Handle<E>) -> Result<[Value; 2]> {
        match *self.words(handle)? {
            [x, y] => Ok([x, y]),
            _ => Err(Refusal::unsupported("a texture of other than two dimensions")),
        }
    }

    /// All four components, or the only one of a depth texture.
    fn visible(&mut self, image: Handle<E>, texel: &[Value; 4]) -> Result<Words> {
        let ty = self.frame.info[image].ty.inner_with(&self.module.types);
        let is_depth = matches!(ty, TypeInner::Image { class: ImageClass::Depth { .. }, .. });
        Ok(texel[..if is_depth { 1 } else { 4 }].into())
    }

    /// A slice as a signed number.
    fn slice(&mut self, index: Handle<E>) -> Result<Value> {
        let word = self.word(index)?;
        if self.shape(index)?.kind() == Some(Kind::Unsigned) {
            let most = self.builder.constant(i32::MAX as u32);
            return Ok(self.binary(B::MinU, word, most));
        }
        Ok(word)
    }

    fn offset(&mut self, offset: Option<Handle<E>>) -> Result<[i32; 2]> {
        let Some(offset) = offset else { return Ok([0, 0]) };
        let words = self.words(offset)?;
        let constants: Vec<_> = words.iter().filter_map(|&word| self.builder.constant_of(word)).collect();
        match *constants {
            [x, y] => Ok([x as i32, y as i32]),
            _ => Err(Refusal::unsupported("a texel offset that is not constant")),
        }
    }

    fn level(&mut self, binding: u32, level: SampleLevel) -> Result<Option<Value>> {
        match level {
            SampleLevel::Zero => Ok(None),
            SampleLevel::Exact(level) => {
                let word = self.word(level)?;
                Ok(Some(match self.shape(level)?.kind() {
                    Some(Kind::Signed) => self.unary(U::SToF, word),
                    Some(Kind::Unsigned) => self.unary(U::UToF, word),
                    _ => word,
                }))
            }
            SampleLevel::Gradient { x, y } => {
                let (x, y) = (self.words(x)?, self.words(y)?);
                Ok(Some(self.gradient_level(binding, &x, &y)))
            }
            SampleLevel::Auto => Err(Refusal::unsupported("`textureSample` without a level")),
            SampleLevel::Bias(_) => Err(Refusal::unsupported("`textureSampleBias`")),
        }
    }

    /// The level at which the longer of two steps, in texels of level 0, is one texel: `log2` of it.
    fn gradient_level(&mut self, binding: u32, x: &[Value], y: &[Value]) -> Value {
        let size = self.size(binding);
        let mut square = |step: &[Value]| {
            let texels = self.zip(B::MultiplyF, step, &size);
            self.dot(&texels, &texels, B::MultiplyF, B::AddF)
        };
        let (x, y) = (square(x), square(y));
        let longer = self.binary(B::MaxF, x, y);
        let level = self.unary(U::Log2, longer);
        // The root of the square.
        let half = self.float(0.5);
        self.binary(B::MultiplyF, level, half)
    }

    /// Width and height of level 0 as floats.
    fn size(&mut self, binding: u32) -> [Value; 2] {
        [TextureQuery::Width, TextureQuery::Height].map(|query| {
            let texels = self.builder.emit(Operation::TextureQuery { binding, query, level: None });
            self.unary(U::UToF, texels)
        })
    }

    /// Coordinates at least half a texel inside.
    fn clamp_to_edge(&mut self, binding: u32, coordinates: [Value; 2]) -> [Value; 2] {
        let size = self.size(binding);
        let (half, one) = (self.float(0.5), self.float(1.0));
        let mut clamped = coordinates;
        for (coordinate, texels) in clamped.iter_mut().zip(size) {
            let least = self.binary(B::DivideF, half, texels);
            let most = self.binary(B::SubtractF, one, least);
            let raised = self.binary(B::MaxF, *coordinate, least);
            *coordinate = self.binary(B::MinF, raised, most);
        }
        clamped
    }
}
