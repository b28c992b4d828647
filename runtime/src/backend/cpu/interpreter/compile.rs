//! From the statement tree to instructions: control flow. What single statements become is in [`super::emit`].
//!
//! A list of statements whose lanes may all be gone after some statement gets a jump to its end there; whoever rests at an outer
//! block is woken when that block ends. So no list runs without active lanes, and what is uniform in it may be computed once.
use std::collections::HashMap;

use super::code::{FIRST_CONSTANT, FIRST_FREE_SLOT, Instruction, Operand, Slot, Target, UniformSlot};
use super::outline::{List, Outline, Position};
use super::places::Places;
use super::slots::Slots;
use super::uniform::Uniformity;
use crate::shader::lane::{Builtin, Kernel, Statement, Value, Variable};

/// A compiled kernel.
#[derive(Debug)]
pub(super) struct Code {
    pub(super) instructions: Vec<Instruction>,
    /// Words of the uniforms from [`FIRST_CONSTANT`] on.
    pub(super) constants: Vec<u32>,
    pub(super) uniforms: u32,
    pub(super) slots: Slot,
    pub(super) frames: u32,
    /// Slots to be filled with numbers of lanes.
    pub(super) lane_numbers: Vec<(Builtin, Slot)>,
}

pub(super) struct Compiler<'k> {
    pub(super) outline: Outline<'k>,
    pub(super) uniformity: Uniformity,
    pub(super) places: Places,
    pub(super) workgroup_size: [u32; 3],
    pub(super) instructions: Vec<Instruction>,
    pub(super) slots: Slots,
    pub(super) values: Vec<Option<Operand>>,
    pub(super) variables: Vec<Option<Operand>>,
    pub(super) constants: HashMap<u32, UniformSlot>,
    pub(super) uniforms: u32,
    pub(super) lane_numbers: Vec<(Builtin, Slot)>,
    /// Slots that are needed from a position on.
    openings: HashMap<Position, Vec<Opening>>,
    /// Exits that leave other lanes behind, and the blocks they go to.
    partings: Vec<(Position, Position)>,
    frames: u32,
    /// Jumps to the end of each list being compiled, innermost last.
    list_ends: Vec<Vec<usize>>,
    /// Blocks being compiled.
    blocks: HashMap<Position, OpenBlock>,
}

#[derive(Clone, Copy)]
enum Opening {
    Variable(Variable, Position),
    Value(Value, Position),
}

#[derive(Default)]
struct OpenBlock {
    rest: Slot,
    frame: u32,
    jumps: Vec<usize>,
}

impl<'k> Compiler<'k> {
    pub(super) fn new(kernel: &'k Kernel) -> Self {
        let outline = Outline::new(kernel);
        let uniformity = Uniformity::new(kernel, &outline);
        let places = Places::new(&outline, &uniformity);
        let constants = number_constants(&outline);
        let lane_numbers = lane_numbers(&outline, kernel.workgroup_size);
        let mut compiler = Self {
            places,
            uniformity,
            workgroup_size: kernel.workgroup_size,
            instructions: Vec::new(),
            slots: Slots::new(FIRST_FREE_SLOT + lane_numbers.len() as Slot),
            values: vec![None; kernel.values as usize],
            variables: vec![None; kernel.variables as usize],
            uniforms: FIRST_CONSTANT + constants.len() as u32,
            constants,
            lane_numbers,
            openings: HashMap::new(),
            partings: Vec::new(),
            frames: 0,
            list_ends: Vec::new(),
            blocks: HashMap::new(),
            outline,
        };
        compiler.find_partings();
        compiler.place_variables();
        compiler.place_escaping_values();
        compiler
    }

    pub(super) fn compile(mut self) -> Code {
        self.open(0);
        for index in 0..self.variables.len() {
            if let Some(place) = self.variables[index]
                && self.outline.variables[index].starts_zero
            {
                let zero = Operand::Uniform(self.constants[&0]);
                self.copy(place, zero);
            }
        }
        self.list(0);
        self.instructions.push(Instruction::End);
        let mut constants = vec![0; self.constants.len()];
        for (&word, &slot) in &self.constants {
            constants[(slot - FIRST_CONSTANT) as usize] = word;
        }
        Code {
            instructions: self.instructions,
            constants,
            uniforms: self.uniforms,
            slots: self.slots.count(),
            frames: self.frames,
            lane_numbers: self.lane_numbers,
        }
    }

    pub(super) fn new_uniform(&mut self) -> UniformSlot {
        self.uniforms += 1;
        self.uniforms - 1
    }

    fn find_partings(&mut self) {
        for (position, node) in self.outline.nodes.iter().enumerate() {
            let position = position as Position;
            if let Statement::Exit { label } = node.statement
                && let Some(&block) = self.outline.blocks.get(label)
                && !self.uniformity.exit_is_jump(&self.outline, position, block)
            {
                self.partings.push((position, block));
            }
        }
    }

    fn place_variables(&mut self) {
        for index in 0..self.variables.len() {
            let variable = Variable(index as u32);
            let Some((first, last)) = self.places.variable_extent(variable) else { continue };
            if self.uniformity.variable_varies(variable) {
                self.openings.entry(first).or_default().push(Opening::Variable(variable, last));
            } else {
                self.variables[index] = Some(Operand::Uniform(self.new_uniform()));
            }
        }
    }

    /// A value that outlives its loop keeps its slot from the start of the loop on: lanes that have left rely on it.
    fn place_escaping_values(&mut self) {
        for (index, value) in self.outline.values.iter().enumerate() {
            if let Some(first) = value.escapes.filter(|_| value.alive) {
                let opening = Opening::Value(Value(index as u32), value.until);
                self.openings.entry(first).or_default().push(opening);
            }
        }
    }

    fn open(&mut self, position: Position) {
        for opening in self.openings.remove(&position).unwrap_or_default() {
            match opening {
                Opening::Variable(variable, until) => {
                    self.variables[variable.0 as usize] = Some(Operand::Lanes(self.slots.take(until)));
                }
                Opening::Value(value, until) => {
                    self.values[value.0 as usize] = Some(Operand::Lanes(self.slots.take(until)));
                }
            }
        }
    }

    fn list(&mut self, list: List) {
        self.list_ends.push(Vec::new());
        let nodes = std::mem::take(&mut self.outline.lists[list as usize].nodes);
        for &position in &nodes {
            if let Some(before) = position.checked_sub(1) {
                self.slots.release(before);
            }
            self.open(position);
            if !self.outline.is_needed(position) {
                continue;
            }
            self.statement(position);
            let statement = self.outline.nodes[position as usize].statement;
            if matches!(statement, Statement::Loop { .. } | Statement::Exit { .. }) {
                // Nobody gets any further.
                break;
            }
            if self.may_lose_everybody(position) {
                self.jump_to_list_end(Instruction::JumpIfNobody { target: 0 });
            }
        }
        self.outline.lists[list as usize].nodes = nodes;
        for jump in self.list_ends.pop().unwrap_or_default() {
            self.land(jump);
        }
    }

    fn statement(&mut self, position: Position) {
        let node = &self.outline.nodes[position as usize];
        let inner = node.inner;
        match node.statement {
            Statement::If { condition, .. } => {
                if self.uniformity.varies(*condition) {
                    self.divergent_if(position, *condition, inner);
                } else {
                    self.uniform_if(*condition, inner);
                }
            }
            Statement::Block { .. } => self.block(position, inner[0]),
            Statement::Loop { .. } => {
                let target = self.here();
                self.list(inner[0]);
                self.instructions.push(Instruction::Repeat { target });
            }
            Statement::Exit { label } => {
                let Some(&block) = self.outline.blocks.get(label) else { return };
                self.exit(position, block);
            }
            statement => self.simple_statement(position, statement),
        }
    }

    fn uniform_if(&mut self, condition: Value, [accept, reject]: [List; 2]) {
        let Operand::Uniform(condition) = self.operand(condition) else {
            unreachable!("a condition that does not vary has a uniform")
        };
        if let Some(block) = self.jump_of(accept) {
            let jump = self.push(Instruction::Branch { condition, when: true, target: 0 });
            self.jump_to_block_end(block, jump);
            self.list(reject);
        } else if let Some(block) = self.jump_of(reject) {
            let jump = self.push(Instruction::Branch { condition, when: false, target: 0 });
            self.jump_to_block_end(block, jump);
            self.list(accept);
        } else {
            let over = self.push(Instruction::Branch { condition, when: false, target: 0 });
            self.list(accept);
            if self.outline.lists[reject as usize].nodes.is_empty() {
                self.land(over);
            } else {
                let end = self.push(Instruction::Jump { target: 0 });
                self.land(over);
                self.list(reject);
                self.land(end);
            }
        }
    }

    fn divergent_if(&mut self, position: Position, condition: Value, [accept, reject]: [List; 2]) {
        let Operand::Lanes(condition) = self.operand(condition) else {
            unreachable!("a condition that varies has a slot")
        };
        for (exit, other, negate) in [(accept, reject, false), (reject, accept, true)] {
            if let Some(block) = self.exit_of(exit) {
                let OpenBlock { rest, frame, .. } = self.blocks[&block];
                let target = 0;
                self.jump_to_list_end(Instruction::RestWhere { condition, negate, rest, frame, target });
                self.list(other);
                return;
            }
        }
        let kept = self.slots.take(self.outline.nodes[position as usize].end + 1);
        let frame = self.new_frame();
        let is_empty = |list: List| self.outline.lists[list as usize].nodes.is_empty();
        let (negate, first, second) =
            if is_empty(accept) { (true, reject, accept) } else { (false, accept, reject) };
        let has_second = !is_empty(second);
        let split = self.push(Instruction::Split { condition, negate, kept, frame, target: 0 });
        self.list(first);
        if has_second {
            let end = self.push(Instruction::Else { kept, frame, target: 0 });
            self.land(split);
            self.list(second);
            self.push(Instruction::Join { kept, frame });
            self.land(end);
        } else {
            self.push(Instruction::Join { kept, frame });
            self.land(split);
        }
    }

    fn block(&mut self, position: Position, body: List) {
        let diverges = self.uniformity.diverges(&self.outline, position);
        let mut block = OpenBlock::default();
        if diverges {
            block.rest = self.slots.take(self.outline.nodes[position as usize].end + 1);
            block.frame = self.new_frame();
            self.push(Instruction::Enter { frame: block.frame });
        }
        self.blocks.insert(position, block);
        self.list(body);
        let Some(block) = self.blocks.remove(&position) else { return };
        for jump in block.jumps {
            self.land(jump);
        }
        if diverges {
            self.push(Instruction::Leave { rest: block.rest, frame: block.frame });
        }
    }

    fn exit(&mut self, position: Position, block: Position) {
        if self.uniformity.exit_is_jump(&self.outline, position, block) {
            let jump = self.push(Instruction::Jump { target: 0 });
            self.jump_to_block_end(block, jump);
        } else {
            let OpenBlock { rest, frame, .. } = self.blocks[&block];
            self.push(Instruction::Rest { rest, frame });
            self.jump_to_list_end(Instruction::Jump { target: 0 });
        }
    }

    /// The block that a list consisting of one `Exit` leaves.
    fn exit_of(&self, list: List) -> Option<Position> {
        let [only] = self.outline.lists[list as usize].nodes[..] else { return None };
        let Statement::Exit { label } = self.outline.nodes[only as usize].statement else { return None };
        self.outline.blocks.get(label).copied()
    }

    /// The same where all lanes leave together.
    fn jump_of(&self, list: List) -> Option<Position> {
        let block = self.exit_of(list)?;
        let exit = self.outline.lists[list as usize].nodes[0];
        self.uniformity.exit_is_jump(&self.outline, exit, block).then_some(block)
    }

    /// Whether lanes may leave a statement for the end of a block around it, one after another.
    fn may_lose_everybody(&self, position: Position) -> bool {
        self.partings.iter().any(|&(exit, block)| {
            self.outline.contains(position, exit) && !self.outline.contains(position, block)
        })
    }

    fn new_frame(&mut self) -> u32 {
        self.frames += 1;
        self.frames - 1
    }

    pub(super) fn push(&mut self, instruction: Instruction) -> usize {
        self.instructions.push(instruction);
        self.instructions.len() - 1
    }

    fn here(&self) -> Target {
        self.instructions.len() as Target
    }

    fn jump_to_list_end(&mut self, instruction: Instruction) {
        let jump = self.push(instruction);
        if let Some(ends) = self.list_ends.last_mut() {
            ends.push(jump);
        }
    }

    fn jump_to_block_end(&mut self, block: Position, jump: usize) {
        if let Some(block) = self.blocks.get_mut(&block) {
            block.jumps.push(jump);
        }
    }

    /// Makes a jump made earlier end here.
    fn land(&mut self, jump: usize) {
        let here = self.here();
        match &mut self.instructions[jump] {
            Instruction::Jump { target }
            | Instruction::Branch { target, .. }
            | Instruction::Split { target, .. }
            | Instruction::Else { target, .. }
            | Instruction::RestWhere { target, .. }
            | Instruction::JumpIfNobody { target } => *target = here,
            other => unreachable!("only jumps are remembered, not {other:?}"),
        }
    }
}

/// A uniform for every constant word of the kernel, and for 0.
fn number_constants(outline: &Outline<'_>) -> HashMap<u32, UniformSlot> {
    let mut constants = HashMap::from([(0, FIRST_CONSTANT)]);
    for node in &outline.nodes {
        if let Statement::Let { operation: crate::shader::lane::Operation::Constant(word), .. } =
            node.statement
        {
            let next = FIRST_CONSTANT + constants.len() as u32;
            constants.entry(*word).or_insert(next);
        }
    }
    constants
}

/// A slot for every number of lanes that the kernel looks at. Global numbers are made from local ones.
fn lane_numbers(outline: &Outline<'_>, workgroup_size: [u32; 3]) -> Vec<(Builtin, Slot)> {
    let mut numbers: Vec<(Builtin, Slot)> = Vec::new();
    for node in &outline.nodes {
        let Statement::Let { operation: crate::shader::lane::Operation::Builtin(builtin), .. } =
            node.statement
        else {
            continue;
        };
        let local = match *builtin {
            Builtin::LocalInvocationId(axis) | Builtin::GlobalInvocationId(axis)
                if workgroup_size.get(usize::from(axis)).is_some_and(|&size| size > 1) =>
            {
                Builtin::LocalInvocationId(axis)
            }
            Builtin::LocalInvocationIndex if workgroup_size != [1; 3] => Builtin::LocalInvocationIndex,
            _ => continue,
        };
        if !numbers.iter().any(|&(number, _)| number == local) {
            numbers.push((local, FIRST_FREE_SLOT + numbers.len() as Slot));
        }
    }
    numbers
}
