//! Texel operations over lanes.
use super::BoundResource;
use super::code::{Operand, StoreTexelInstruction, TexelInstruction, TexelKind};
use super::machine::Machine;
use super::vector::{Lanes, Source, WIDTH};
use crate::SamplerDescriptor;
use crate::backend::cpu::texel::lanes::Texels;

/// Operands of one step.
struct Step {
    coordinates: [Lanes; 2],
    slice: Lanes,
    level: Lanes,
    reference: Lanes,
}

impl Machine<'_> {
    #[inline(always)]
    pub(super) fn texel(&self, instruction: &TexelInstruction) {
        let zero = Source::Uniform(0);
        let source = |operand: Option<Operand>| operand.map_or(zero, |operand| self.source(operand));
        let coordinates = instruction.coordinates.map(|operand| self.source(operand));
        let slice = source(instruction.slice);
        let (level, reference) = match instruction.kind {
            TexelKind::Load { level } => (source(level), zero),
            TexelKind::Sample { level, reference, .. } => (source(level), source(reference)),
            TexelKind::Gather { reference, .. } => (zero, source(reference)),
        };
        let step = |step| Step {
            coordinates: coordinates.map(|source| source.step(step)),
            slice: slice.step(step),
            level: level.step(step),
            reference: reference.step(step),
        };
        if instruction.uniform {
            let texel = self.one_texel(instruction, &step(0), 0);
            for (to, word) in instruction.results.iter().zip(texel) {
                if let Some(to) = to {
                    self.uniforms[*to as usize].set(word);
                }
            }
            return;
        }
        let active = self.active();
        for at in 0..self.end_step - self.first_step {
            let operands = step(at);
            let active = active[at].get();
            let results = match self.together(instruction, &operands) {
                Some(results) => results,
                None => self.one_by_one(instruction, &operands, &active),
            };
            for (to, result) in instruction.results.iter().zip(results) {
                if let Some(to) = to {
                    self.lanes(*to)[at].set(result);
                }
            }
        }
    }

    /// All lanes of a step at once, where they look at one image in one way.
    #[inline(always)]
    fn together(&self, instruction: &TexelInstruction, step: &Step) -> Option<Texels> {
        let same = |lanes: &Lanes| lanes.iter().all(|&word| word == lanes[0]);
        if !same(&step.slice) || !same(&step.level) {
            return None;
        }
        let view = self.texture(instruction.binding);
        let [x, y] = &step.coordinates;
        match instruction.kind {
            TexelKind::Load { .. } => Some(view.load_lanes(x, y, step.slice[0], step.level[0])),
            TexelKind::Sample { sampler, offset, reference, .. } => {
                let (sampler, level) = (self.sampler(sampler), f32::from_bits(step.level[0]));
                let reference = reference.map(|_| &step.reference);
                Some(view.sample_lanes(sampler, [x, y], step.slice[0] as i32, level, offset, reference))
            }
            TexelKind::Gather { .. } => None,
        }
    }

    fn one_by_one(&self, instruction: &TexelInstruction, step: &Step, active: &Lanes) -> Texels {
        let mut results = [[0; WIDTH]; 4];
        for lane in (0..WIDTH).filter(|&lane| active[lane] != 0) {
            let texel = self.one_texel(instruction, step, lane);
            for (result, word) in results.iter_mut().zip(texel) {
                result[lane] = word;
            }
        }
        results
    }

    fn one_texel(&self, instruction: &TexelInstruction, step: &Step, lane: usize) -> [u32; 4] {
        let view = self.texture(instruction.binding);
        let [x, y] = step.coordinates.map(|lanes| lanes[lane]);
        let slice = step.slice[lane];
        let at = [f32::from_bits(x), f32::from_bits(y)];
        let compare = |wanted: Option<Operand>| wanted.map(|_| f32::from_bits(step.reference[lane]));
        match instruction.kind {
            TexelKind::Load { .. } => view.load([x, y], slice, step.level[lane]),
            TexelKind::Sample { sampler, offset, reference, .. } => {
                let level = f32::from_bits(step.level[lane]);
                view.sample(self.sampler(sampler), at, slice as i32, level, offset, compare(reference))
            }
            TexelKind::Gather { sampler, component, offset, reference } => {
                let sampler = self.sampler(sampler);
                view.gather(sampler, component, at, slice as i32, offset, compare(reference))
            }
        }
    }

    #[inline(always)]
    pub(super) fn store_texel(&self, instruction: &StoreTexelInstruction) {
        let view = self.texture(instruction.binding);
        let coordinates = instruction.coordinates.map(|operand| self.source(operand));
        let slice = instruction.slice.map_or(Source::Uniform(0), |operand| self.source(operand));
        let texel = instruction.texel.map(|operand| self.source(operand));
        for (step, active) in self.active().iter().enumerate() {
            let active = active.get();
            let [x, y] = coordinates.map(|source| source.step(step));
            let (slice, texel) = (slice.step(step), texel.map(|source| source.step(step)));
            if slice.iter().all(|&word| word == slice[0]) {
                view.store_lanes(&x, &y, slice[0], &texel, &active);
                continue;
            }
            for lane in (0..WIDTH).filter(|&lane| active[lane] != 0) {
                view.store([x[lane], y[lane]], slice[lane], texel.map(|component| component[lane]));
            }
        }
    }

    fn sampler(&self, binding: u32) -> &SamplerDescriptor {
        match self.bound[binding as usize] {
            BoundResource::Sampler(sampler) => sampler,
            _ => unreachable!("what is bound was checked against the kernel's bindings"),
        }
    }
}
