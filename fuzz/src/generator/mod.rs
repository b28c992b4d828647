//! Random WGSL compute kernels with one right answer.
//!
//! A kernel may nest everything that WGSL nests (branches, switches, three kinds of loop, calls, returns in the middle), use
//! structs, vectors, matrices, arrays, pointers, private and workgroup memory, atomics and barriers. It never does what WGSL leaves
//! open: no race (an invocation writes its own places; what others read lies behind a barrier), no result of a contended atomic, no
//! index out of range, no float that rounds, no barrier in flow that is not uniform. So every device must give the same bytes.

mod expression;
mod program;
mod scope;
mod statement;
mod types;

use fencepost_bench::Workload;

use crate::Choices;
use scope::{Function, Variable};
use types::Type;

/// Floats in variables stay within this magnitude.
const STORED: f64 = 256.0;
/// Float expressions stay within this magnitude: integers below 2²⁴ are exact, and a factor of four is kept in hand.
const LIMIT: f64 = 4_194_304.0;
/// Loop iterations of one invocation, all nested loops and calls taken together.
const WORK: u32 = 2_000;
/// Words of `output` that belong to one invocation.
const OWN_WORDS: u32 = 16;

/// The kernel that these choices make, with its data.
pub fn kernel(choices: &mut Choices) -> Workload {
    program::generate(choices)
}

/// What is known while a kernel is being written.
struct Generator<'a> {
    choices: &'a mut Choices,
    text: String,
    indent: usize,
    /// Types of the fields of each struct.
    structs: Vec<Vec<Type>>,
    functions: Vec<Function>,
    /// Visible variables, inner ones last.
    scope: Vec<Variable>,
    names: u32,
    /// How often the current place runs, at most.
    repeats: u32,
    /// Statements that this function may still hold.
    statements_left: u32,
    frame: Frame,
}

/// What is allowed at the current place.
#[derive(Clone, Copy, Debug, Default)]
struct Frame {
    /// Depth of nested blocks.
    depth: u32,
    /// `continue` has a loop to go to.
    in_loop: bool,
    /// `break` has something to leave.
    can_break: bool,
    /// What `return` gives; none where returning is not allowed.
    returns: Option<Returns>,
    /// Operations on the workgroup's tally are allowed: between barriers that keep reads apart.
    tally: bool,
}

/// What a `return` statement looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Returns {
    Nothing,
    A(Type),
}

impl Generator<'_> {
    fn line(&mut self, text: &str) {
        for _ in 0..self.indent {
            self.text.push_str("    ");
        }
        self.text.push_str(text);
        self.text.push('\n');
    }

    fn name(&mut self, prefix: &str) -> String {
        self.names += 1;
        format!("{prefix}{}", self.names)
    }

    /// Writes `opening {`, the body, and `}`; variables of the body end with it.
    fn block(&mut self, opening: &str, body: impl FnOnce(&mut Self)) {
        self.line(&format!("{opening} {{"));
        self.indent += 1;
        let (visible, frame) = (self.scope.len(), self.frame);
        self.frame.depth += 1;
        body(self);
        self.frame = frame;
        self.scope.truncate(visible);
        self.indent -= 1;
        self.line("}");
    }
}
