//! Random statements. Each list of statements ends by a choice of its own, so that reduction can drop one cleanly.

use super::expression::Value;
use super::scope::Function;
use super::types::{BOOL, I32, Scalar, Type, U32};
use super::{Generator, OWN_WORDS, Returns, WORK};

/// Operations whose order does not matter, one for each eight words of `shared_sums`.
const ATOMICS: [&str; 6] = ["atomicAdd", "atomicXor", "atomicOr", "atomicAnd", "atomicMax", "atomicMin"];

impl Generator<'_> {
    /// Statements until a choice, or the budget of the function, ends them.
    pub(super) fn statements(&mut self) {
        loop {
            self.choices.begin("statement");
            let more = self.statements_left > 0 && self.choices.below(6) > 0;
            if more {
                self.statements_left -= 1;
                self.statement();
            }
            self.choices.end();
            if !more {
                break;
            }
        }
    }

    fn statement(&mut self) {
        let nested = self.frame.depth < 4;
        match self.choices.below(20) {
            0 | 1 => self.write_output(),
            2 => self.new_let(),
            3 | 4 => self.new_variable(),
            5 | 6 => self.assign(),
            7 => self.compound_assign(),
            8 | 9 if nested => self.branch(),
            10 if nested => self.for_loop(),
            11 if nested => self.bare_loop(),
            12 if nested => self.while_loop(),
            13 if nested => self.switch(),
            14 if nested => self.block("", Self::statements),
            15 => self.leave(),
            16 => self.call_with_pointer(),
            17 => self.contended_atomic(),
            18 => self.own_atomic(),
            19 => self.record(),
            _ => self.assign(),
        }
    }

    /// The value as bits in an own word of the output.
    fn write_output(&mut self) {
        let slot = self.choices.below(OWN_WORDS);
        let of = self.scalar_type();
        let value = self.expression(of, 3);
        let text = self.as_word(of, value);
        let operator = self.choices.pick(&["=", "^=", "+="]);
        self.line(&format!("output[me * {OWN_WORDS}u + {slot}u] {operator} {text};"));
    }

    pub(super) fn as_word(&mut self, of: Type, value: Value) -> String {
        match of.scalar() {
            Some(Scalar::U32) => value.text,
            Some(Scalar::F32) => format!("bitcast<u32>(i32({}))", self.clamped(of, value)),
            Some(Scalar::I32) => format!("bitcast<u32>({})", value.text_at_run_time_as("i32")),
            _ => format!("u32({})", value.text),
        }
    }

    fn new_let(&mut self) {
        let of = self.any_type();
        if of.scalar().is_none() {
            return self.new_variable();
        }
        // A `let` of literals would be a constant of its own.
        let value = self.run_time(of, 3);
        let (name, text) = (self.name("l"), self.clamped(of, value));
        self.line(&format!("let {name} = {text};"));
        self.declare(&name, of, false, false);
    }

    fn new_variable(&mut self) {
        let of = self.any_type();
        let name = self.name("v");
        if self.choices.below(4) == 1 {
            self.line(&format!("var {name}: {};", of.name()));
        } else {
            let value = self.expression(of, 3);
            let text = self.clamped(of, value);
            self.line(&format!("var {name}: {} = {text};", of.name()));
        }
        self.declare(&name, of, true, true);
    }

    fn assign(&mut self) {
        let of = self.any_type();
        let Some(place) = self.place(of, true) else { return self.write_output() };
        let value = self.expression(of, 3);
        let text = self.clamped(of, value);
        self.line(&format!("{place} = {text};"));
    }

    fn compound_assign(&mut self) {
        let scalar = self.choices.pick(&[Scalar::U32, Scalar::I32]);
        let width = self.choices.below(4);
        let of = if width == 0 { Type::Scalar(scalar) } else { Type::Vector(scalar, 1 + width) };
        let Some(place) = self.place(of, true) else { return self.write_output() };
        let operator = self.choices.pick(&["+=", "-=", "*=", "^=", "|=", "&="]);
        let value = self.expression(of, 2);
        self.line(&format!("{place} {operator} {};", value.text));
    }

    fn branch(&mut self) {
        let condition = self.expression(BOOL, 2);
        self.block(&format!("if ({})", condition.text), Self::statements);
        match self.choices.below(3) {
            0 => {}
            1 => self.block("else", Self::statements),
            _ => {
                let condition = self.expression(BOOL, 2);
                self.block(&format!("else if ({})", condition.text), Self::statements);
                self.block("else", Self::statements);
            }
        }
    }

    /// How often a loop at this place may run; 0 where the kernel works enough already.
    fn iterations(&mut self) -> u32 {
        let most = (WORK / self.repeats.max(1)).min(7);
        if most == 0 { 0 } else { 1 + self.choices.below(most) }
    }

    /// The body of a loop that runs at most this often.
    fn loop_body(&mut self, iterations: u32, body: impl FnOnce(&mut Self)) {
        let repeats = self.repeats;
        self.repeats = repeats.saturating_mul(iterations.max(1));
        (self.frame.in_loop, self.frame.can_break) = (true, true);
        body(self);
        self.repeats = repeats;
    }

    fn for_loop(&mut self) {
        let n = self.iterations();
        let name = self.name("n");
        let head = match self.choices.below(3) {
            0 => format!("for (var {name} = 0u; {name} < {n}u; {name}++)"),
            1 => format!("for (var {name} = {n}u; {name} > 0u; {name} -= 1u)"),
            _ => format!("for (var {name} = me % 3u; {name} < {n}u; {name} += 1u)"),
        };
        self.block(&head, |body| {
            body.declare(&name, U32, false, false);
            body.loop_body(n, Self::statements);
        });
    }

    fn bare_loop(&mut self) {
        let n = self.iterations();
        let name = self.name("n");
        self.line(&format!("var {name} = 0u;"));
        self.declare(&name, U32, false, false);
        let break_if = self.choices.below(2) == 1;
        self.block("loop", |body| {
            if !break_if {
                body.line(&format!("if ({name} >= {n}u) {{ break; }}"));
            }
            body.loop_body(n, Self::statements);
            body.block("continuing", |tail| {
                tail.line(&format!("{name} += 1u;"));
                if break_if {
                    // Variables of the body are not visible here: `continue` may have skipped their declaration.
                    tail.line(&format!("break if {name} >= {n}u;"));
                }
            });
        });
    }

    fn while_loop(&mut self) {
        let n = self.iterations();
        let name = self.name("n");
        self.line(&format!("var {name} = 0u;"));
        self.declare(&name, U32, false, false);
        let also = self.expression(BOOL, 1).text;
        let condition = if self.choices.below(2) == 0 { String::new() } else { format!(" && {also}") };
        self.block(&format!("while ({name} < {n}u{condition})"), |body| {
            body.line(&format!("{name} += 1u;"));
            body.loop_body(n, Self::statements);
        });
    }

    fn switch(&mut self) {
        let of = self.choices.pick(&[U32, I32]);
        let suffix = if of == U32 { "u" } else { "i" };
        let selector = self.expression(of, 2).text_at_run_time_as(&of.name());
        let cases = 1 + self.choices.below(3);
        self.block(&format!("switch ({selector} & 3{suffix})"), |body| {
            body.frame.can_break = true;
            let mut next = 0;
            for _ in 0..cases {
                let label = if body.choices.below(3) == 2 {
                    format!("case {next}{suffix}, {}{suffix}:", next + 1)
                } else {
                    format!("case {next}{suffix}:")
                };
                next += 2;
                body.block(&label, Self::statements);
            }
            body.block("default:", Self::statements);
        });
    }

    /// `break`, `continue` or `return`, under a condition.
    fn leave(&mut self) {
        let mut ways = Vec::new();
        if self.frame.can_break {
            ways.push(0);
        }
        if self.frame.in_loop {
            ways.push(1);
        }
        if self.frame.returns.is_some() {
            ways.push(2);
        }
        if ways.is_empty() {
            return self.write_output();
        }
        let condition = self.expression(BOOL, 2);
        let way = self.choices.pick(&ways);
        self.block(&format!("if ({})", condition.text), |body| match way {
            0 => body.line("break;"),
            1 => body.line("continue;"),
            _ => body.give_back(),
        });
    }

    /// The `return` of the current function.
    pub(super) fn give_back(&mut self) {
        match self.frame.returns {
            Some(Returns::A(of)) => {
                let value = self.expression(of, 2);
                let text = self.clamped(of, value);
                self.line(&format!("return {text};"));
            }
            Some(Returns::Nothing) | None => self.line("return;"),
        }
    }

    /// A call that changes a variable of the caller.
    fn call_with_pointer(&mut self) {
        let fits: Vec<Function> = self
            .functions
            .iter()
            .filter(|function| function.work.saturating_mul(self.repeats) <= WORK)
            .filter(|function| function.pointer.is_some())
            .cloned()
            .collect();
        let count = u32::try_from(fits.len()).unwrap_or(0);
        if count == 0 {
            return self.assign();
        }
        let function = fits[self.choices.below(count) as usize].clone();
        let targets: Vec<_> = self
            .scope
            .iter()
            .filter(|variable| variable.addressable && Some(variable.of) == function.pointer)
            .map(|variable| variable.text.clone())
            .collect();
        let count = u32::try_from(targets.len()).unwrap_or(0);
        if count == 0 {
            return self.assign();
        }
        let target = targets[self.choices.below(count) as usize].clone();
        let mut arguments = self.arguments(&function, 1);
        if !arguments.is_empty() {
            arguments.push_str(", ");
        }
        let name = self.name("l");
        self.line(&format!("let {name} = {}({arguments}&{target});", function.name));
        self.declare(&name, function.returns, false, false);
    }

    /// An atomic that others hit too: only its effect counts, and its order cannot be seen.
    fn contended_atomic(&mut self) {
        let kind = self.choices.below(6);
        let operand = self.expression(U32, 2).text;
        let operation = ATOMICS[kind as usize];
        if self.frame.tally && self.choices.below(2) == 1 {
            self.line(&format!("{operation}(&tally[{kind}u], {operand});"));
        } else {
            let word = self.expression(U32, 1).text_at_run_time();
            self.line(&format!("{operation}(&shared_sums[{}u + ({word} & 7u)], {operand});", kind * 8));
        }
    }

    /// An atomic on a word that nobody else touches: its result counts too.
    fn own_atomic(&mut self) {
        let operand = self.expression(U32, 2).text;
        let name = self.name("l");
        match self.choices.below(9) {
            kind @ 0..6 => {
                self.line(&format!("let {name} = {}(&own[me], {operand});", ATOMICS[kind as usize]))
            }
            6 => self.line(&format!("let {name} = atomicExchange(&own[me], {operand});")),
            7 => self.line(&format!("let {name} = atomicSub(&own[me], {operand});")),
            _ => {
                let expected = self.expression(U32, 1).text;
                self.line(&format!(
                    "let {name} = atomicCompareExchangeWeak(&own[me], {expected}, {operand}).old_value;"
                ));
            }
        }
        self.declare(&name, U32, false, false);
    }

    /// A struct in storage memory: written whole or by field, read back.
    fn record(&mut self) {
        if self.structs.is_empty() {
            return self.write_output();
        }
        let count = self.structs[0].len();
        match self.choices.below(3) {
            0 => {
                let field = self.choices.below(u32::try_from(count).unwrap_or(1)) as usize;
                let of = self.structs[0][field];
                let value = self.expression(of, 2);
                let text = self.clamped(of, value);
                let text =
                    if of.scalar() == Some(Scalar::F32) { without_sign_of_zero(of, &text) } else { text };
                self.line(&format!("records[me].f{field} = {text};"));
            }
            1 => {
                let name = self.name("l");
                self.line(&format!("let {name} = records[me];"));
                self.declare(&name, Type::Struct(0), false, false);
            }
            _ => {
                let name = self.name("v");
                self.line(&format!("var {name} = records[me];"));
                self.declare(&name, Type::Struct(0), true, true);
            }
        }
    }
}

/// The float through an integer and back: −0 becomes 0. The `|` keeps a compiler from folding the way there and back.
fn without_sign_of_zero(of: Type, text: &str) -> String {
    let integer = of.of(Scalar::I32).name();
    format!("{}({integer}({text}) | {integer}(i32(u.zero)))", of.name())
}
