//! Random kernels: nested branches, loops and blocks with exits anywhere, over few variables, so that masks, uniformity and slots get
//! into each other's way. A seed is a kernel; a failure prints it.
use super::reference;
use super::*;
use crate::shader::lane::UnaryOperation;

/// A small generator of random numbers (xorshift), so that a seed means the same kernel for ever.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 33) % u64::from(limit)) as u32
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.below(100) < percent
    }
}

struct Generator {
    random: Random,
    writer: Writer,
    /// Values that may be used here, by list.
    visible: Vec<Value>,
    variables: Vec<Variable>,
    /// Blocks around, outermost first.
    labels: Vec<Label>,
    /// Words of the output that this kernel writes, each lane its own.
    statements: u32,
}

const LANE_WORDS: u32 = 8;

impl Generator {
    fn kernel(seed: u64) -> Kernel {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let sizes = [[1, 1, 1], [5, 1, 1], [16, 1, 1], [8, 4, 1], [3, 3, 5], [64, 1, 1], [20, 2, 1]];
        let size = sizes[random.below(sizes.len() as u32) as usize];
        let mut writer = Writer::new(size, 2);
        writer.kernel.private_words = 4;
        writer.kernel.constants = vec![3, 1, 4, 1, 5, 9, 2, 6];
        let variables = (0..4).map(|_| writer.variable()).collect();
        let mut generator =
            Self { random, writer, visible: Vec::new(), variables, labels: Vec::new(), statements: 0 };
        let lane = generator.writer.lane();
        let group = generator.writer.emit(Operation::Builtin(Builtin::WorkgroupId(0)));
        let three = generator.writer.constant(3);
        generator.visible = vec![lane, group, three];
        generator.list(0);
        generator.leave_results();
        generator.writer.finish()
    }

    /// What variables and private words hold at the end.
    fn leave_results(&mut self) {
        for index in 0..self.variables.len() {
            let value = self.writer.get(self.variables[index]);
            self.store_own(index as u32, value);
        }
        for word in 0..4 {
            let value = self.writer.load(Space::Private, word, None);
            self.store_own(4 + word, value);
        }
    }

    fn store_own(&mut self, word: u32, value: Value) {
        let writer = &mut self.writer;
        let size: u32 = writer.kernel.workgroup_size.iter().product();
        let (lane, group) = (writer.lane(), writer.emit(Operation::Builtin(Builtin::WorkgroupId(0))));
        let size = writer.constant(size);
        let first = writer.binary(BinaryOperation::Multiply, group, size);
        let global = writer.binary(BinaryOperation::Add, first, lane);
        let scale = writer.constant(LANE_WORDS);
        let index = writer.binary(BinaryOperation::Multiply, global, scale);
        writer.store(Space::Buffer(1), word, Some(index), value);
    }

    fn list(&mut self, depth: u32) {
        let visible = self.visible.len();
        for _ in 0..=self.random.below(5) {
            self.statement(depth);
        }
        self.visible.truncate(visible);
    }

    fn statement(&mut self, depth: u32) {
        self.statements += 1;
        let deep = depth >= 5 || self.statements > 120;
        match self.random.below(if deep { 50 } else { 100 }) {
            0..25 => {
                let value = self.operation();
                self.visible.push(value);
            }
            25..40 => {
                let (variable, value) = (self.any_variable(), self.any_value());
                self.writer.set(variable, value);
            }
            40..44 => {
                let (index, value) = (self.small_index(), self.any_value());
                self.writer.store(Space::Private, 0, Some(index), value);
            }
            44..47 => {
                let value = self.any_value();
                let word = self.random.below(LANE_WORDS);
                self.store_own(word, value);
            }
            47..50 => {
                if let Some(label) = self.any_label() {
                    self.writer.exit(label);
                }
            }
            50..72 => self.branch(depth),
            72..84 => self.block(depth),
            _ => self.repeat(depth),
        }
    }

    fn branch(&mut self, depth: u32) {
        let condition = self.condition();
        let shape = self.random.below(5);
        let accept = self.inner(|generator| generator.branch_side(depth, shape == 0, shape == 1));
        let reject = self.inner(|generator| generator.branch_side(depth, shape == 2, shape >= 3));
        self.writer.push(Statement::If { condition, accept, reject });
    }

    fn branch_side(&mut self, depth: u32, exits: bool, empty: bool) {
        match self.any_label() {
            Some(label) if exits => self.writer.exit(label),
            _ if empty => {}
            _ => self.list(depth + 1),
        }
    }

    fn block(&mut self, depth: u32) {
        self.writer.labels += 1;
        let label = Label(self.writer.labels);
        self.labels.push(label);
        let body = self.inner(|generator| generator.list(depth + 1));
        self.labels.pop();
        self.writer.push(Statement::Block { label, body });
    }

    /// A loop that ends: a counter of its own, checked first of all, by a condition that is uniform or not.
    fn repeat(&mut self, depth: u32) {
        let counter = self.writer.variable();
        let zero = self.writer.constant(0);
        self.writer.set(counter, zero);
        let limit = match self.random.below(3) {
            0 => {
                let lane = self.any_value();
                let mask = self.writer.constant(7);
                self.writer.binary(BinaryOperation::And, lane, mask)
            }
            _ => {
                let limit = self.random.below(5);
                self.writer.constant(limit)
            }
        };
        self.writer.labels += 1;
        let label = Label(self.writer.labels);
        let body = self.inner(|generator| {
            let body = generator.inner(|generator| {
                let visible = generator.visible.len();
                let count = generator.writer.get(counter);
                let goes_on = generator.writer.binary(BinaryOperation::LessU, count, limit);
                generator.writer.when(goes_on, |_| (), |writer| writer.exit(label));
                let one = generator.writer.constant(1);
                let next = generator.writer.binary(BinaryOperation::Add, count, one);
                generator.writer.set(counter, next);
                generator.visible.push(count);
                generator.labels.push(label);
                generator.list(depth + 1);
                generator.labels.pop();
                // Half of the time the loop's values stay visible behind it: those before the first exit dominate the end.
                let keep = if generator.random.chance(50) { visible + 1 } else { visible };
                generator.visible.truncate(keep);
            });
            generator.writer.push(Statement::Loop { body });
        });
        self.writer.push(Statement::Block { label, body });
    }

    fn inner(&mut self, f: impl FnOnce(&mut Self)) -> Vec<Statement> {
        self.writer.open.push(Vec::new());
        f(self);
        self.writer.open.pop().unwrap()
    }

    fn operation(&mut self) -> Value {
        use BinaryOperation as B;
        let (a, b) = (self.any_value(), self.any_value());
        match self.random.below(10) {
            0 => {
                let word = self.random.below(9);
                self.writer.constant(word)
            }
            1..4 => {
                let variable = self.any_variable();
                self.writer.get(variable)
            }
            4 => self.writer.load(Space::Buffer(0), 0, Some(a)),
            5 => {
                let index = self.small_index();
                let space = if self.random.chance(50) { Space::Private } else { Space::Constant };
                self.writer.load(space, 0, Some(index))
            }
            6 => {
                let condition = self.condition();
                self.writer.emit(Operation::Select(condition, a, b))
            }
            7 => self.writer.emit(Operation::Unary(UnaryOperation::BitwiseNot, a)),
            _ => {
                let operations = [B::Add, B::Subtract, B::Multiply, B::ExclusiveOr, B::MinU, B::And];
                let operation = operations[self.random.below(6) as usize];
                self.writer.binary(operation, a, b)
            }
        }
    }

    fn condition(&mut self) -> Value {
        use BinaryOperation as B;
        let (a, b) = (self.any_value(), self.any_value());
        let operations = [B::Equal, B::NotEqual, B::LessS, B::LessU, B::And];
        let operation = operations[self.random.below(5) as usize];
        self.writer.binary(operation, a, b)
    }

    fn small_index(&mut self) -> Value {
        let value = self.any_value();
        // One more than there are words: the last index is outside.
        let mask = self.writer.constant(if self.random.chance(80) { 3 } else { 7 });
        self.writer.binary(BinaryOperation::And, value, mask)
    }

    fn any_value(&mut self) -> Value {
        let count = self.visible.len() as u32;
        // Mostly recent ones.
        let back =
            if self.random.chance(60) { self.random.below(count.min(4)) } else { self.random.below(count) };
        self.visible[(count - 1 - back) as usize]
    }

    fn any_variable(&mut self) -> Variable {
        self.variables[self.random.below(self.variables.len() as u32) as usize]
    }

    fn any_label(&mut self) -> Option<Label> {
        let count = self.labels.len() as u32;
        (count > 0).then(|| self.labels[self.random.below(count) as usize])
    }
}

fn check(seed: u64) {
    let kernel = Generator::kernel(seed);
    let size: u32 = kernel.workgroup_size.iter().product();
    let mut grid = grid([3, 1, 1]);
    if seed.is_multiple_of(3) {
        grid.threads =
            Some([3 * kernel.workgroup_size[0] - 1, kernel.workgroup_size[1], kernel.workgroup_size[2]]);
    }
    let input: Vec<u32> = (0..50_u32).map(|word| word.wrapping_mul(0x9e37_79b9) >> 28).collect();
    let mut expected = vec![input, vec![77; (3 * size * LANE_WORDS) as usize]];
    let found = run(&kernel, &expected, grid);
    reference::run(&kernel, &mut expected, grid);
    assert!(found == expected, "seed {seed} differs:\n{kernel}");
}

#[test]
fn random_kernels_agree_with_the_reference() {
    let count = match std::env::var("FENCEPOST_RANDOM_KERNELS") {
        Ok(count) => count.parse().unwrap(),
        Err(_) if cfg!(miri) => 3,
        Err(_) => 1500,
    };
    for seed in 0..count {
        check(seed);
    }
}
