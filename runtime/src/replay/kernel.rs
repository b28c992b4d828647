//! The synthetic kernel of a dispatch as WGSL.
//!
//! Each part is a binding of exactly its bytes, reads first. One invocation computes word `i` of every write, from word `i` modulo its length of
//! every read: the arithmetic is that of `fencepost_core::program::value`. Atomics add, so that their order does not matter.

use std::fmt::Write;

/// Invocations of a group: few, so that a small buffer is several groups that can be interleaved with others.
pub(super) const GROUP: u32 = 16;

/// What a kernel depends on. Lengths are in words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Kernel {
    pub(super) hash: u32,
    pub(super) reads: Vec<u32>,
    pub(super) writes: Vec<u32>,
    pub(super) atomics: Vec<u32>,
    pub(super) cost: u32,
}

impl Kernel {
    /// Groups that cover the longest write.
    pub(super) fn groups(&self) -> u32 {
        self.writes.iter().chain(&self.atomics).max().map_or(1, |words| words.div_ceil(GROUP)).max(1)
    }

    /// The source, with one function `kernel`.
    pub(super) fn wgsl(&self) -> String {
        let mut source = String::new();
        // Writing to a string cannot fail, hence the ignored results.
        let mut binding = 0..;
        let mut declare = |name: &str, index: usize, access: &str, element: &str| {
            let slot = binding.next().unwrap_or(0);
            let _ = writeln!(
                source,
                "@group(0) @binding({slot}) var<storage, {access}> {name}{index}: array<{element}>;"
            );
        };
        (0..self.reads.len()).for_each(|index| declare("read", index, "read", "u32"));
        (0..self.writes.len()).for_each(|index| declare("write", index, "read_write", "u32"));
        (0..self.atomics.len()).for_each(|index| declare("sum", index, "read_write", "atomic<u32>"));
        let _ = write!(
            source,
            "@compute @workgroup_size({GROUP})\nfn kernel(@builtin(global_invocation_id) id: vec3<u32>) {{\n  \
             let i = id.x;\n  let start = {}u ^ (i * 2654435761u);\n  var x = start;\n",
            self.hash
        );
        for (index, words) in self.reads.iter().enumerate().filter(|(_, words)| **words > 0) {
            let _ = writeln!(source, "  x = (x ^ read{index}[i % {words}u]) * 16777619u;");
        }
        if self.cost > 1 {
            let _ = writeln!(
                source,
                "  var scratch = x;\n  for (var turn = 1u; turn < {}u; turn++) {{ scratch = (scratch ^ i) * 16777619u; }}\n  \
                 if scratch == x && i == 4294967295u {{ x = scratch; }}",
                self.cost
            );
        }
        for (index, words) in self.writes.iter().enumerate() {
            let _ = writeln!(source, "  if i < {words}u {{ write{index}[i] = x + {index}u; }}");
        }
        for (index, words) in self.atomics.iter().enumerate() {
            let _ = writeln!(source, "  if i < {words}u {{ atomicAdd(&sum{index}[i], start); }}");
        }
        source.push_str("}\n");
        source
    }
}
