//! The frame of a kernel: bindings, structs, functions, and a main function in phases between barriers.

use std::fmt::Write as _;

use fencepost_bench::{Resource, Workload};

use super::scope::Function;
use super::types::{Scalar, Type, U32};
use super::{Frame, Generator, OWN_WORDS, Returns};
use crate::Choices;

const WORKGROUPS: [[u32; 3]; 7] =
    [[1, 1, 1], [4, 1, 1], [64, 1, 1], [32, 2, 1], [8, 8, 1], [3, 5, 2], [33, 1, 1]];
const INPUT_WORDS: u32 = 64;
/// Room for one element of `records`, whatever its fields.
const RECORD_BYTES: u32 = 256;

pub(super) fn generate(choices: &mut Choices) -> Workload {
    let workgroup = choices.pick(&WORKGROUPS);
    let groups = [1 + choices.below(3), 1 + choices.below(2), 1];
    let lanes: u32 = workgroup.iter().product();
    let invocations = lanes * groups.iter().product::<u32>();
    let input: Vec<u32> = (0..INPUT_WORDS).map(|i| i.wrapping_mul(0x9e37_79b9) >> (i % 23)).collect();
    let mut generator = Generator {
        choices,
        text: String::new(),
        indent: 0,
        structs: Vec::new(),
        functions: Vec::new(),
        scope: Vec::new(),
        names: 0,
        repeats: 1,
        statements_left: 0,
        frame: Frame::default(),
    };
    generator.structs();
    generator.globals(lanes);
    for _ in 0..generator.choices.below(4) {
        generator.function();
    }
    generator.main(workgroup, groups, lanes);
    let resources = vec![
        Resource::storage(&input),
        Resource::zeros((invocations * OWN_WORDS * 4) as usize),
        Resource::storage(&(0..48).map(|i: u32| i.wrapping_mul(0x0123_4567)).collect::<Vec<u32>>()),
        Resource::zeros((invocations * 4) as usize),
        Resource::zeros((invocations * RECORD_BYTES) as usize),
        Resource::Uniform(bytemuck_words(&[0, 1, 7, 0xdead_beef])),
    ];
    Workload { name: "random".to_owned(), source: generator.text, resources, groups }
}

fn bytemuck_words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_ne_bytes()).collect()
}

impl Generator<'_> {
    /// Struct 0 is always there: it is the element of `records`. Fields can be in any memory, so no bool.
    fn structs(&mut self) {
        for index in 0..=self.choices.below(3) as usize {
            self.choices.begin("struct");
            let mut fields = Vec::new();
            for _ in 0..=self.choices.below(4) {
                let scalar = self.choices.pick(&[Scalar::U32, Scalar::I32, Scalar::F32]);
                fields.push(match self.choices.below(4) {
                    0 | 1 => Type::Scalar(scalar),
                    2 => Type::Vector(scalar, 2 + self.choices.below(3)),
                    _ if index > 0 && self.choices.below(2) == 1 => {
                        Type::Struct(self.choices.below(u32::try_from(index).unwrap_or(1)) as usize)
                    }
                    _ => Type::Array(
                        if scalar == Scalar::F32 { Scalar::U32 } else { scalar },
                        1 + self.choices.below(5),
                    ),
                });
            }
            self.choices.end();
            let mut text = format!("struct S{index} {{ ");
            for (field, of) in fields.iter().enumerate() {
                let _ = write!(text, "f{field}: {}, ", of.name());
            }
            self.line(&format!("{text}}}"));
            self.structs.push(fields);
        }
    }

    fn globals(&mut self, lanes: u32) {
        self.text.push_str(
            "struct Uniforms { zero: u32, one: u32, seven: u32, bits: u32 }\n\
             @group(0) @binding(0) var<storage, read> input: array<u32>;\n\
             @group(0) @binding(1) var<storage, read_write> output: array<u32>;\n\
             @group(0) @binding(2) var<storage, read_write> shared_sums: array<atomic<u32>, 48>;\n\
             @group(0) @binding(3) var<storage, read_write> own: array<atomic<u32>>;\n\
             @group(0) @binding(4) var<storage, read_write> records: array<S0>;\n\
             @group(0) @binding(5) var<uniform> u: Uniforms;\n\
             const TABLE = array<u32, 8>(3u, 1u, 4u, 1u, 5u, 9u, 2u, 6u);\n\
             var<private> me: u32;\n",
        );
        self.line(&format!("var<workgroup> exchange: array<u32, {lanes}>;"));
        self.line("var<workgroup> tally: array<atomic<u32>, 6>;");
        self.line("var<workgroup> agreed: u32;");
        for text in ["me", "u.one", "u.seven", "u.bits"] {
            self.declare(text, U32, false, false);
        }
        for _ in 0..self.choices.below(3) {
            let of = self.any_type();
            let name = self.name("p");
            self.line(&format!("var<private> {name}: {};", of.name()));
            self.declare(&name, of, true, false);
        }
    }

    fn function(&mut self) {
        self.choices.begin("function");
        let name = self.name("g");
        let visible = self.scope.len();
        let mut signature = Vec::new();
        let mut parameters = Vec::new();
        for _ in 0..self.choices.below(4) {
            let of = self.any_type();
            let parameter = self.name("a");
            signature.push(format!("{parameter}: {}", of.name()));
            self.declare(&parameter, of, false, false);
            parameters.push(of);
        }
        let pointer = (self.choices.below(3) == 2).then(|| self.any_type());
        if let Some(of) = pointer {
            let parameter = self.name("a");
            signature.push(format!("{parameter}: ptr<function, {}>", of.name()));
            self.declare(&format!("(*{parameter})"), of, true, false);
        }
        let returns = match self.any_type() {
            of @ (Type::Scalar(_) | Type::Vector(..) | Type::Struct(_)) => of,
            Type::Array(scalar, _) => Type::Scalar(scalar),
        };
        self.statements_left = 12;
        // Each call may run this often before the budget of main is asked for: loops in functions are kept short.
        self.repeats = super::WORK / 40;
        self.frame = Frame { returns: Some(Returns::A(returns)), ..Frame::default() };
        self.block(&format!("fn {name}({}) -> {}", signature.join(", "), returns.name()), |body| {
            body.statements();
            body.give_back();
        });
        self.repeats = 1;
        self.scope.truncate(visible);
        self.functions.push(Function { name, parameters, pointer, returns, work: 40 });
        self.choices.end();
    }

    fn main(&mut self, workgroup: [u32; 3], groups: [u32; 3], lanes: u32) {
        let [x, y, z] = workgroup;
        self.line(&format!("@compute @workgroup_size({x}, {y}, {z})"));
        let head = "fn main(@builtin(local_invocation_index) lane: u32, @builtin(local_invocation_id) local: vec3<u32>, \
                    @builtin(workgroup_id) group: vec3<u32>, @builtin(global_invocation_id) global: vec3<u32>, \
                    @builtin(num_workgroups) count: vec3<u32>)";
        self.frame = Frame::default();
        self.statements_left = 40;
        self.block(head, |body| {
            body.declare("lane", U32, false, false);
            for name in ["local", "group", "global", "count"] {
                body.declare(name, Type::Vector(Scalar::U32, 3), false, false);
            }
            body.line(&format!("me = (group.y * {}u + group.x) * {lanes}u + lane;", groups[0]));
            loop {
                body.choices.begin("phase");
                let kind = body.choices.below(5);
                match kind {
                    0 => {}
                    1 => body.statements(),
                    2 => body.exchange(lanes),
                    3 => body.tally(),
                    _ => body.uniform_loop(lanes),
                }
                body.choices.end();
                if kind == 0 || body.statements_left == 0 {
                    break;
                }
            }
            body.frame.returns = Some(Returns::Nothing);
            body.statements();
        });
    }

    /// Every lane leaves a word, a barrier, every lane reads any of them, a barrier.
    fn exchange(&mut self, lanes: u32) {
        let value = self.expression(U32, 2).text;
        self.line(&format!("exchange[lane] = {value};"));
        self.line("workgroupBarrier();");
        let from = self.expression(U32, 1).text_at_run_time();
        let name = self.name("l");
        self.line(&format!("let {name} = exchange[{from} % {lanes}u];"));
        self.line("workgroupBarrier();");
        self.declare(&name, U32, false, false);
    }

    /// Every lane adds to the tally in any flow, a barrier, every lane reads it, a barrier.
    fn tally(&mut self) {
        self.frame.tally = true;
        self.statements();
        self.frame.tally = false;
        self.line("workgroupBarrier();");
        let name = self.name("l");
        let word = self.choices.below(6);
        self.line(&format!("let {name} = atomicLoad(&tally[{word}u]);"));
        self.line("workgroupBarrier();");
        self.declare(&name, U32, false, false);
    }

    /// A loop that all lanes run equally often, with barriers in it. How often may come out of memory.
    fn uniform_loop(&mut self, lanes: u32) {
        let name = self.name("n");
        let n = if self.choices.below(2) == 0 {
            (1 + self.choices.below(3)).to_string() + "u"
        } else {
            let value = self.expression(U32, 1).text;
            let leader = self.choices.below(lanes);
            self.line(&format!("if (lane == {leader}u) {{ agreed = {value}; }}"));
            self.line("workgroupBarrier();");
            let n = self.name("l");
            self.line(&format!("let {n} = workgroupUniformLoad(&agreed) & 3u;"));
            n
        };
        self.block(&format!("for (var {name} = 0u; {name} < {n}; {name}++)"), |body| {
            body.declare(&name, U32, false, false);
            let repeats = std::mem::replace(&mut body.repeats, 4);
            body.statements();
            body.exchange(lanes);
            body.repeats = repeats;
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kernel_is_accepted_by_the_front_end() {
        for seed in 0..3000 {
            let workload = generate(&mut Choices::random(seed));
            let checked = fencepost_bench::lavapipe::validate(&workload.source);
            assert!(checked.is_ok(), "seed {seed}: {}\n{}", checked.unwrap_err(), workload.source);
        }
    }

    #[test]
    fn nothing_chosen_is_a_kernel_too() {
        let workload = generate(&mut Choices::replay(Vec::new()));
        assert!(fencepost_bench::lavapipe::validate(&workload.source).is_ok(), "{}", workload.source);
    }

    #[test]
    fn equal_choices_give_equal_kernels() {
        let mut choices = Choices::random(3);
        let first = generate(&mut choices).source;
        let second = generate(&mut Choices::replay(choices.into_taken().0)).source;
        assert_eq!(first, second);
    }
}
