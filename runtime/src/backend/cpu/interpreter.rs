//! Runs lane IR, one operation at a time over all lanes of a workgroup.
//!
//! There is no generated code here, so this runs wherever Rust does; it is also what any compiler on the same IR is compared with. What
//! makes it bearably fast: an instruction costs a few nanoseconds once for all lanes of a workgroup, its loop over lanes becomes vector
//! instructions, and what is the same for all lanes is computed once.
//!
//! ```text
//!   lane::Kernel ─ outline ─► positions, lives, scopes
//!                ─ uniform ─► what varies, where lanes part
//!                ─ places  ─► values that share a slot with a variable
//!                ─ compile, emit ─► instructions over slots          (once a pipeline)
//!   instructions ─ machine (vector, access, texels, arithmetic) ─►   (for every workgroup)
//! ```
//!
//! All lanes run in step, so a barrier is nothing to do, and workgroup memory belongs to the thread that runs the workgroup. Buffers and
//! textures are shared with other threads: they are read and written by relaxed atomics only, so that a program without its barriers is
//! wrong but never undefined.
use std::cell::Cell;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};

use crate::SamplerDescriptor;
use crate::backend::cpu::texel::TexelView;
use crate::record::Grid;
use crate::shader::lane::{self, Builtin};

mod access;
mod arithmetic;
mod code;
mod compile;
mod emit;
mod machine;
mod outline;
mod places;
mod slots;
mod texels;
mod uniform;
mod vector;

#[cfg(test)]
mod tests;

use code::{
    ACTIVE, EVERY_LANE, FIRST_CONSTANT, FIRST_FREE_SLOT, FIRST_INVOCATION, NUM_WORKGROUPS, WORKGROUP_ID,
};
use compile::{Code, Compiler};
use machine::Machine;
use vector::{Lanes, WIDTH};

/// A kernel in the form the interpreter runs.
#[derive(Debug)]
pub(crate) struct Prepared {
    code: Code,
    workgroup_size: [u32; 3],
    lanes: usize,
    steps: usize,
    private_words: usize,
    workgroup_words: usize,
    tables: Vec<u32>,
    /// What stands in the first slots whenever a workgroup starts: which lanes there are, and their numbers.
    first_slots: Vec<Step>,
    /// Tells a scratch what was set up in it.
    identity: u64,
}

/// One bound resource, in the order of the kernel's bindings.
#[derive(Clone, Copy, Debug)]
pub(crate) enum BoundResource<'a> {
    /// Words of a buffer, exactly those bound.
    Buffer(&'a [AtomicU32]),
    /// A texture.
    Texture(TexelView<'a>),
    /// A sampler.
    Sampler(&'a SamplerDescriptor),
}

/// Memory that a worker thread keeps from one dispatch to the next.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    slots: Vec<Step>,
    private: Vec<Step>,
    uniforms: Vec<u32>,
    workgroup: Vec<u32>,
    frames: Vec<u8>,
    /// The kernel whose constants and lane numbers are in place.
    set_up_for: u64,
}

/// Words of one step on their own cache line.
#[derive(Clone, Copy, Debug, Default, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C, align(64))]
struct Step(Lanes);

/// A flag that ends kernels which run too long: looked at once per loop iteration and workgroup.
#[derive(Debug, Default)]
pub(crate) struct Stop(AtomicBool);

/// The kernel was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stopped;

impl Stop {
    /// Not raised.
    pub(crate) const fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    /// Ends every kernel that looks at this.
    pub(crate) fn raise(&self) {
        self.0.store(true, Relaxed);
    }

    /// Takes it back, once the kernel that it was for has ended.
    pub(crate) fn lower(&self) {
        self.0.store(false, Relaxed);
    }

    /// Whether kernels are to end.
    pub(crate) fn is_raised(&self) -> bool {
        self.0.load(Relaxed)
    }
}

impl Prepared {
    /// Compiles a kernel.
    pub(crate) fn new(kernel: &lane::Kernel) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let lanes = kernel.workgroup_size.iter().map(|&size| size as usize).product::<usize>().max(1);
        let steps = lanes.div_ceil(WIDTH);
        let code = Compiler::new(kernel).compile();
        Self {
            first_slots: first_slots(&code, kernel.workgroup_size, lanes),
            code,
            workgroup_size: kernel.workgroup_size,
            lanes,
            steps,
            private_words: kernel.private_words as usize,
            workgroup_words: kernel.workgroup_words as usize,
            tables: kernel.constants.clone(),
            identity: NEXT.fetch_add(1, Relaxed),
        }
    }

    /// Runs workgroups `groups` (numbered with x fastest) of a grid, one after another. `bound` is in the order of the kernel's bindings
    /// and fits them: whoever recorded the dispatch has checked that.
    pub(crate) fn run(
        &self,
        bound: &[BoundResource<'_>],
        grid: &Grid,
        groups: Range<u64>,
        scratch: &mut Scratch,
        stop: &Stop,
    ) -> Result<(), Stopped> {
        scratch.fit(self);
        let mut machine = Machine {
            slots: cells(bytemuck::cast_slice_mut(&mut scratch.slots)),
            uniforms: cells(&mut scratch.uniforms),
            private: cells(bytemuck::cast_slice_mut(&mut scratch.private)),
            private_words: self.private_words,
            workgroup: &cells(&mut scratch.workgroup)[..self.workgroup_words],
            tables: &self.tables,
            frames: cells(&mut scratch.frames),
            bound,
            stop,
            steps: self.steps,
            first_step: 0,
            end_step: self.steps,
            everybody: true,
        };
        for axis in 0..3 {
            machine.uniforms[NUM_WORKGROUPS as usize + axis].set(grid.groups[axis]);
        }
        let [columns, rows, _] = grid.groups.map(|count| u64::from(count.max(1)));
        for group in groups {
            if stop.is_raised() {
                return Err(Stopped);
            }
            let group = [group % columns, group / columns % rows, group / columns / rows];
            self.start_workgroup(&mut machine, group.map(|number| number as u32), grid);
            if machine.first_step < machine.end_step {
                machine.run(&self.code.instructions)?;
            }
        }
        Ok(())
    }

    /// Zeroes memory, and says which lanes run.
    fn start_workgroup(&self, machine: &mut Machine<'_>, group: [u32; 3], grid: &Grid) {
        let mut partial = false;
        for axis in 0..3 {
            let size = self.workgroup_size[axis];
            let first = group[axis].wrapping_mul(size);
            machine.uniforms[WORKGROUP_ID as usize + axis].set(group[axis]);
            machine.uniforms[FIRST_INVOCATION as usize + axis].set(first);
            partial |= grid.threads.is_some_and(|threads| threads[axis].saturating_sub(first) < size);
        }
        machine.workgroup.iter().for_each(|word| word.set(0));
        machine.private[..self.private_words * self.steps].iter().for_each(|step| step.set([0; WIDTH]));
        (machine.everybody, machine.first_step, machine.end_step) = (true, 0, self.steps);
        if partial && let Some(threads) = grid.threads {
            let active = &machine.slots[ACTIVE as usize * self.steps..][..self.steps];
            for (step, active) in active.iter().enumerate() {
                active.set(std::array::from_fn(|lane| {
                    let local = local_id(step * WIDTH + lane, self.workgroup_size);
                    let inside = (0..3).all(|axis| {
                        u64::from(group[axis]) * u64::from(self.workgroup_size[axis]) + u64::from(local[axis])
                            < u64::from(threads[axis])
                    });
                    if inside && step * WIDTH + lane < self.lanes { u32::MAX } else { 0 }
                }));
            }
            machine.look();
        }
    }
}

impl Scratch {
    /// Makes room for a kernel, and puts in place what stays the same from one workgroup to the next.
    fn fit(&mut self, kernel: &Prepared) {
        if self.set_up_for == kernel.identity {
            return;
        }
        let Code { constants, uniforms, slots, frames, .. } = &kernel.code;
        grow(&mut self.slots, *slots as usize * kernel.steps);
        grow(&mut self.private, kernel.private_words * kernel.steps);
        grow(&mut self.uniforms, *uniforms as usize);
        grow(&mut self.workgroup, kernel.workgroup_words);
        grow(&mut self.frames, *frames as usize);
        self.uniforms[FIRST_CONSTANT as usize..][..constants.len()].copy_from_slice(constants);
        self.slots[..kernel.first_slots.len()].copy_from_slice(&kernel.first_slots);
        self.set_up_for = kernel.identity;
    }
}

/// The slots that stay the same from one workgroup to the next.
fn first_slots(code: &Code, workgroup_size: [u32; 3], lanes: usize) -> Vec<Step> {
    let steps = lanes.div_ceil(WIDTH);
    let mut slots = vec![Step::default(); (FIRST_FREE_SLOT as usize + code.lane_numbers.len()) * steps];
    let mut fill = |slot: u32, word: &dyn Fn(usize) -> u32| {
        for (step, words) in slots[slot as usize * steps..][..steps].iter_mut().enumerate() {
            words.0 = std::array::from_fn(|lane| word(step * WIDTH + lane));
        }
    };
    fill(EVERY_LANE, &|lane| if lane < lanes { u32::MAX } else { 0 });
    for &(number, slot) in &code.lane_numbers {
        match number {
            Builtin::LocalInvocationId(axis) => {
                fill(slot, &|lane| local_id(lane, workgroup_size)[usize::from(axis)]);
            }
            _ => fill(slot, &|lane| lane as u32),
        }
    }
    slots
}

/// The position of a lane in its workgroup.
fn local_id(lane: usize, workgroup_size: [u32; 3]) -> [u32; 3] {
    let [width, height, _] = workgroup_size.map(|size| size.max(1));
    let lane = lane as u32;
    [lane % width, lane / width % height, lane / width / height]
}

fn grow<T: Clone + Default>(words: &mut Vec<T>, length: usize) {
    if words.len() < length {
        words.resize(length, T::default());
    }
}

fn cells<T>(words: &mut [T]) -> &[Cell<T>] {
    Cell::from_mut(words).as_slice_of_cells()
}
