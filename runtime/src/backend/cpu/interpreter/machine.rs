//! The state of a running workgroup, and the loop over instructions.
//!
//! The loop exists twice: once for every machine, once for those with AVX2 and fused multiply-add. The second is the same code, compiled
//! with more instructions to choose from; results are the same to the bit.
use std::cell::Cell;
use std::sync::atomic::AtomicU32;

use super::code::{ACTIVE, EVERY_LANE, Instruction, Operand, Slot};
use super::vector::{self, Source, Words, any, fill, map, map3};
use super::{BoundResource, Stop, Stopped, arithmetic};
use crate::backend::cpu::texel::TexelView;

/// A workgroup and all it can reach.
pub(super) struct Machine<'a> {
    pub(super) slots: Words<'a>,
    pub(super) uniforms: &'a [Cell<u32>],
    pub(super) private: Words<'a>,
    pub(super) private_words: usize,
    pub(super) workgroup: &'a [Cell<u32>],
    pub(super) tables: &'a [u32],
    pub(super) frames: &'a [Cell<u8>],
    pub(super) bound: &'a [BoundResource<'a>],
    pub(super) stop: &'a Stop,
    /// Steps that a slot has.
    pub(super) steps: usize,
    /// Steps with active lanes lie in this range.
    pub(super) first_step: usize,
    pub(super) end_step: usize,
    /// Every lane is active, whatever the slot of active lanes says.
    pub(super) everybody: bool,
}

/// What a frame says of its slot.
const NOBODY: u8 = 0;
/// Some lanes are kept.
const SOME: u8 = 1;

impl<'a> Machine<'a> {
    /// Runs a workgroup from the first instruction on.
    pub(super) fn run(&mut self, code: &[Instruction]) -> Result<(), Stopped> {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
            // SAFETY: the machine has just said that it has these features.
            return unsafe { self.run_avx2(code) };
        }
        self.run_anywhere(code)
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    fn run_avx2(&mut self, code: &[Instruction]) -> Result<(), Stopped> {
        self.run_inlined(code)
    }

    fn run_anywhere(&mut self, code: &[Instruction]) -> Result<(), Stopped> {
        self.run_inlined(code)
    }

    #[inline(always)]
    fn run_inlined(&mut self, code: &[Instruction]) -> Result<(), Stopped> {
        let mut next = 0;
        loop {
            let instruction = &code[next];
            next += 1;
            match instruction {
                Instruction::End => return Ok(()),
                Instruction::Jump { target } => next = *target as usize,
                Instruction::Branch { condition, when, target } => {
                    if (self.uniform(*condition) != 0) == *when {
                        next = *target as usize;
                    }
                }
                Instruction::JumpIfNobody { target } => {
                    if self.first_step == self.end_step {
                        next = *target as usize;
                    }
                }
                Instruction::Repeat { target } => {
                    if self.stop.is_raised() {
                        return Err(Stopped);
                    }
                    if self.first_step != self.end_step {
                        next = *target as usize;
                    }
                }
                Instruction::Split { condition, negate, kept, frame, target } => {
                    if !self.split(*condition, *negate, *kept, *frame) {
                        next = *target as usize;
                    }
                }
                Instruction::Else { kept, frame, target } => {
                    if self.frames[*frame as usize].get() == NOBODY {
                        next = *target as usize;
                    } else {
                        self.change_places(*kept);
                    }
                }
                Instruction::RestWhere { condition, negate, rest, frame, target } => {
                    if !self.rest_where(*condition, *negate, *rest, *frame) {
                        next = *target as usize;
                    }
                }
                _ => self.step(instruction),
            }
        }
    }

    /// An instruction after which the next one follows.
    #[inline(always)]
    fn step(&mut self, instruction: &Instruction) {
        match *instruction {
            Instruction::Unary { operation, to, a } => {
                vector::unary(operation, self.lanes(to), self.lanes(a));
            }
            Instruction::Binary { operation, to, a, b } => {
                vector::binary(operation, self.lanes(to), self.source(a), self.source(b));
            }
            Instruction::FusedMultiplyAdd { to, a, b, c } => {
                let (a, b, c) = (self.source(a), self.source(b), self.source(c));
                map3(self.lanes(to), a, b, c, arithmetic::fused_multiply_add);
            }
            Instruction::Select { to, condition, accept, reject } => {
                let (condition, accept) = (self.source(condition), self.source(accept));
                map3(self.lanes(to), condition, accept, self.source(reject), arithmetic::select);
            }
            Instruction::Copy { to, from } => self.copy(to, from),
            Instruction::CopyActive { to, from } => self.copy_active(to, from),
            Instruction::Load { to, space, base, index } => self.load(to, space, base, index),
            Instruction::Store { space, base, index, value } => self.store(space, base, index, value),
            Instruction::Query { to, binding, query, level } => {
                let view = self.texture(binding);
                map(self.lanes(to), self.lanes(level), |level| view.query(query, level));
            }
            Instruction::Atomic(ref instruction) => self.atomic(instruction),
            Instruction::Texel(ref instruction) => self.texel(instruction),
            Instruction::StoreTexel(ref instruction) => self.store_texel(instruction),
            Instruction::Join { kept, frame } | Instruction::Leave { rest: kept, frame } => {
                self.come_back(kept, frame);
            }
            Instruction::Fence => std::sync::atomic::fence(std::sync::atomic::Ordering::SeqCst),
            Instruction::Enter { frame } => self.frames[frame as usize].set(NOBODY),
            Instruction::Rest { rest, frame } => self.rest(rest, frame),
            _ => self.step_uniform(instruction),
        }
    }

    /// The same for instructions on uniforms.
    #[inline(always)]
    fn step_uniform(&self, instruction: &Instruction) {
        let (to, word) = match *instruction {
            Instruction::UniformUnary { operation, to, a } => {
                (to, arithmetic::unary(operation, self.uniform(a)))
            }
            Instruction::UniformBinary { operation, to, a, b } => {
                (to, arithmetic::binary(operation, self.uniform(a), self.uniform(b)))
            }
            Instruction::UniformFusedMultiplyAdd { to, a, b, c } => {
                let [a, b, c] = [a, b, c].map(|slot| self.uniform(slot));
                (to, arithmetic::fused_multiply_add(a, b, c))
            }
            Instruction::UniformSelect { to, condition, accept, reject } => {
                let [condition, accept, reject] = [condition, accept, reject].map(|slot| self.uniform(slot));
                (to, arithmetic::select(condition, accept, reject))
            }
            Instruction::UniformCopy { to, from } => (to, self.uniform(from)),
            Instruction::UniformLoad { to, space, base, index } => {
                (to, self.load_uniform(space, base, self.uniform(index)))
            }
            Instruction::UniformBufferWords { to, binding } => (to, self.buffer(binding).len() as u32),
            Instruction::UniformQuery { to, binding, query, level } => {
                (to, self.texture(binding).query(query, self.uniform(level)))
            }
            _ => unreachable!("every other instruction is run before this is asked"),
        };
        self.uniforms[to as usize].set(word);
    }

    /// A slot's words for the steps that have active lanes.
    #[inline(always)]
    pub(super) fn lanes(&self, slot: Slot) -> Words<'a> {
        let start = slot as usize * self.steps;
        &self.slots[start + self.first_step..start + self.end_step]
    }

    #[inline(always)]
    pub(super) fn uniform(&self, slot: u32) -> u32 {
        self.uniforms[slot as usize].get()
    }

    #[inline(always)]
    pub(super) fn source(&self, operand: Operand) -> Source<'a> {
        match operand {
            Operand::Lanes(slot) => Source::Lanes(self.lanes(slot)),
            Operand::Uniform(slot) => Source::Uniform(self.uniform(slot)),
        }
    }

    /// Which lanes are active, for the steps that have any.
    #[inline(always)]
    pub(super) fn active(&self) -> Words<'a> {
        self.lanes(if self.everybody { EVERY_LANE } else { ACTIVE })
    }

    #[inline(always)]
    pub(super) fn buffer(&self, binding: u32) -> &'a [AtomicU32] {
        match self.bound[binding as usize] {
            BoundResource::Buffer(words) => words,
            _ => unreachable!("what is bound was checked against the kernel's bindings"),
        }
    }

    #[inline(always)]
    pub(super) fn texture(&self, binding: u32) -> &'a TexelView<'a> {
        match &self.bound[binding as usize] {
            BoundResource::Texture(view) => view,
            _ => unreachable!("what is bound was checked against the kernel's bindings"),
        }
    }

    #[inline(always)]
    fn copy(&self, to: Slot, from: Operand) {
        match self.source(from) {
            Source::Lanes(from) => map(self.lanes(to), from, |word| word),
            Source::Uniform(word) => fill(self.lanes(to), word),
        }
    }

    #[inline(always)]
    fn copy_active(&self, to: Slot, from: Operand) {
        if self.everybody {
            return self.copy(to, from);
        }
        let to = self.lanes(to);
        let (active, old) = (Source::Lanes(self.active()), Source::Lanes(to));
        map3(to, active, self.source(from), old, |active, new, old| (new & active) | (old & !active));
    }

    /// All steps of a slot, for masks: they must be right for lanes that are not active too.
    #[inline(always)]
    fn mask(&self, slot: Slot) -> Words<'a> {
        let start = slot as usize * self.steps;
        &self.slots[start..start + self.steps]
    }

    /// The slot that says now which lanes are active.
    #[inline(always)]
    fn active_mask(&self) -> Words<'a> {
        self.mask(if self.everybody { EVERY_LANE } else { ACTIVE })
    }

    /// Keeps lanes whose condition does not hold. Where it holds for none, nothing is kept, the others stay active, and it says `false`.
    #[inline(always)]
    fn split(&mut self, condition: Slot, negate: bool, kept: Slot, frame: u32) -> bool {
        let flip = if negate { u32::MAX } else { 0 };
        let kept = self.mask(kept);
        let (mut some_stay, mut some_go) = (false, false);
        for ((condition, active), kept) in self.mask(condition).iter().zip(self.active_mask()).zip(kept) {
            let (condition, active) = (condition.get(), active.get());
            let mut go = [0; vector::WIDTH];
            let mut stay = [0; vector::WIDTH];
            for lane in 0..vector::WIDTH {
                let holds = (if condition[lane] != 0 { u32::MAX } else { 0 }) ^ flip;
                stay[lane] = active[lane] & holds;
                go[lane] = active[lane] & !holds;
            }
            some_stay |= any(&stay);
            some_go |= any(&go);
            kept.set(go);
        }
        if some_stay && some_go {
            for ((active, before), kept) in self.mask(ACTIVE).iter().zip(self.active_mask()).zip(kept) {
                let (before, kept) = (before.get(), kept.get());
                let mut stay = [0; vector::WIDTH];
                for lane in 0..vector::WIDTH {
                    stay[lane] = before[lane] & !kept[lane];
                }
                active.set(stay);
            }
            self.look();
            self.frames[frame as usize].set(SOME);
        } else {
            self.frames[frame as usize].set(NOBODY);
        }
        some_stay
    }

    /// Active lanes and those kept change places.
    #[inline(always)]
    fn change_places(&mut self, kept: Slot) {
        for (active, kept) in self.mask(ACTIVE).iter().zip(self.mask(kept)) {
            active.swap(kept);
        }
        self.look();
    }

    /// Those kept become active too.
    #[inline(always)]
    fn come_back(&mut self, kept: Slot, frame: u32) {
        if self.frames[frame as usize].get() == NOBODY {
            return;
        }
        for (active, kept) in self.mask(ACTIVE).iter().zip(self.mask(kept)) {
            let (mut result, kept) = (active.get(), kept.get());
            for lane in 0..vector::WIDTH {
                result[lane] |= kept[lane];
            }
            active.set(result);
        }
        self.look();
    }

    /// Lanes whose condition holds go to rest. Says whether any is left.
    #[inline(always)]
    fn rest_where(&mut self, condition: Slot, negate: bool, rest: Slot, frame: u32) -> bool {
        let flip = if negate { u32::MAX } else { 0 };
        let mut some = false;
        for (condition, active) in self.lanes(condition).iter().zip(self.active()) {
            let (condition, active) = (condition.get(), active.get());
            let mut go = 0;
            for lane in 0..vector::WIDTH {
                go |= active[lane] & ((if condition[lane] != 0 { u32::MAX } else { 0 }) ^ flip);
            }
            some |= go != 0;
        }
        if !some {
            return true;
        }
        let had_some = self.frames[frame as usize].replace(SOME) == SOME;
        let before = self.active_mask();
        let steps = self.mask(condition).iter().zip(before).zip(self.mask(rest)).zip(self.mask(ACTIVE));
        for (((condition, before), rest), active) in steps {
            let (condition, before) = (condition.get(), before.get());
            let mut resting = if had_some { rest.get() } else { [0; vector::WIDTH] };
            let mut stay = [0; vector::WIDTH];
            for lane in 0..vector::WIDTH {
                let holds = (if condition[lane] != 0 { u32::MAX } else { 0 }) ^ flip;
                resting[lane] |= before[lane] & holds;
                stay[lane] = before[lane] & !holds;
            }
            rest.set(resting);
            active.set(stay);
        }
        self.look();
        self.first_step != self.end_step
    }

    /// All active lanes go to rest.
    #[inline(always)]
    fn rest(&mut self, rest: Slot, frame: u32) {
        let had_some = self.frames[frame as usize].replace(SOME) == SOME;
        let before = self.active_mask();
        for ((before, rest), active) in before.iter().zip(self.mask(rest)).zip(self.mask(ACTIVE)) {
            let mut resting = before.get();
            if had_some {
                let others = rest.get();
                for lane in 0..vector::WIDTH {
                    resting[lane] |= others[lane];
                }
            }
            rest.set(resting);
            active.set([0; vector::WIDTH]);
        }
        (self.everybody, self.first_step, self.end_step) = (false, 0, 0);
    }

    /// Finds out where active lanes are, from their slot.
    #[inline(always)]
    pub(super) fn look(&mut self) {
        let (mut first, mut end, mut everybody) = (self.steps, 0, true);
        for (step, (active, every)) in self.mask(ACTIVE).iter().zip(self.mask(EVERY_LANE)).enumerate() {
            let (active, every) = (active.get(), every.get());
            everybody &= active == every;
            if any(&active) {
                first = first.min(step);
                end = step + 1;
            }
        }
        (self.everybody, self.first_step, self.end_step) = (everybody, first.min(end), end);
    }
}
