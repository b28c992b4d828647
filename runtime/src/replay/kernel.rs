//! The synthetic kernel of a stage as WGSL.
//!
//! Each part is a binding that begins with its first word, reads first. One invocation computes word `i` of every write, from word `i` modulo
//! its length of every read: the arithmetic is that of `fencepost_core::program::value`. Atomics add, so that their order does not matter.
//!
//! A kernel whose own parts overlap would read what another invocation has written. It runs *in steps* instead: one group computes all
//! words into memory of its own, and stores them when all have been read.

use std::fmt::Write;

/// Invocations of a group: few, so that a small buffer is several groups that can be interleaved with others.
pub(super) const GROUP: u32 = 16;

/// What a kernel depends on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Kernel {
    pub(super) hash: u32,
    /// Set to zero before anything else.
    pub(super) clears: Vec<Words>,
    pub(super) reads: Vec<Words>,
    pub(super) writes: Vec<Words>,
    /// The number of each write among those of its command: what is added to its words.
    pub(super) numbers: Vec<u32>,
    pub(super) atomics: Vec<Words>,
    pub(super) cost: u32,
    /// Everything is read before anything is written, through a last binding of as many words as the longest write.
    pub(super) in_steps: bool,
}

/// Where the words of a part are in its binding: runs with gaps between them, as the levels of some slices are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Words {
    /// First word and how many, in ascending order; the first run starts at 0.
    pub(super) runs: Vec<(u32, u32)>,
}

impl Words {
    pub(super) fn count(&self) -> u32 {
        self.runs.iter().map(|run| run.1).sum()
    }
}

impl Kernel {
    /// Words of the longest part that is touched besides the reads.
    pub(super) fn longest(&self) -> u32 {
        let written = self.clears.iter().chain(&self.writes).chain(&self.atomics);
        written.map(Words::count).max().unwrap_or(0)
    }

    /// Words of the longest write.
    pub(super) fn longest_write(&self) -> u32 {
        self.writes.iter().map(Words::count).max().unwrap_or(0)
    }

    /// Groups that cover the longest part.
    pub(super) fn groups(&self) -> u32 {
        if self.in_steps { 1 } else { self.longest().div_ceil(GROUP).max(1) }
    }

    /// The source, with one function `kernel`.
    pub(super) fn wgsl(&self) -> String {
        // Writing to a string cannot fail, hence the ignored results.
        let mut source = String::new();
        let parts = [
            ("clear", &self.clears, "read_write", "u32"),
            ("read", &self.reads, "read", "u32"),
            ("write", &self.writes, "read_write", "u32"),
            ("sum", &self.atomics, "read_write", "atomic<u32>"),
        ];
        let mut binding = 0;
        for (name, words, access, element) in parts {
            for (index, words) in words.iter().enumerate() {
                let _ = writeln!(
                    source,
                    "@group(0) @binding({binding}) var<storage, {access}> {name}{index}: array<{element}>;\n{}",
                    place(&format!("{name}{index}"), words)
                );
                binding += 1;
            }
        }
        if self.in_steps {
            let _ = writeln!(
                source,
                "@group(0) @binding({binding}) var<storage, read_write> values: array<u32>;"
            );
        }
        source.push_str(&self.value());
        let _ = writeln!(
            source,
            "@compute @workgroup_size({GROUP})\nfn kernel(@builtin(global_invocation_id) id: vec3<u32>) {{"
        );
        source.push_str(&if self.in_steps { self.steps() } else { self.at_once() });
        source.push_str("}\n");
        source
    }

    /// The functions that give a word's first value, and what reading makes of it.
    fn value(&self) -> String {
        let mut source = format!(
            "fn start(i: u32) -> u32 {{ return {}u ^ (i * 2654435761u); }}\nfn value(i: u32) -> u32 {{\n  var x = start(i);\n",
            self.hash
        );
        for (index, words) in self.reads.iter().enumerate() {
            let _ = writeln!(
                source,
                "  x = (x ^ read{index}[place_read{index}(i % {}u)]) * 16777619u;",
                words.count()
            );
        }
        if self.cost > 1 {
            let _ = writeln!(
                source,
                "  var scratch = x;\n  for (var turn = 1u; turn < {}u; turn++) {{ scratch = (scratch ^ i) * 16777619u; }}\n  \
                 if scratch == x && i == 4294967295u {{ x = scratch; }}",
                self.cost
            );
        }
        source.push_str("  return x;\n}\n");
        source
    }

    fn at_once(&self) -> String {
        let mut source = String::from("  let i = id.x;\n");
        for (index, words) in self.clears.iter().enumerate() {
            let _ = writeln!(
                source,
                "  if i < {}u {{ clear{index}[place_clear{index}(i)] = 0u; }}",
                words.count()
            );
        }
        if !self.writes.is_empty() {
            source.push_str("  let x = value(i);\n");
        }
        for (index, (words, number)) in self.writes.iter().zip(&self.numbers).enumerate() {
            let _ = writeln!(
                source,
                "  if i < {}u {{ write{index}[place_write{index}(i)] = x + {number}u; }}",
                words.count()
            );
        }
        for (index, words) in self.atomics.iter().enumerate() {
            let _ = writeln!(
                source,
                "  if i < {}u {{ atomicAdd(&sum{index}[place_sum{index}(i)], start(i)); }}",
                words.count()
            );
        }
        source
    }

    /// One step after another, each over all words.
    fn steps(&self) -> String {
        let mut source = String::new();
        let mut step = |words: u32, body: String| {
            let _ = writeln!(
                source,
                "  for (var i = id.x; i < {words}u; i += {GROUP}u) {{ {body} }}\n  storageBarrier();"
            );
        };
        for (index, words) in self.clears.iter().enumerate() {
            step(words.count(), format!("clear{index}[place_clear{index}(i)] = 0u;"));
        }
        step(self.longest_write(), "values[i] = value(i);".into());
        for (index, (words, number)) in self.writes.iter().zip(&self.numbers).enumerate() {
            step(words.count(), format!("write{index}[place_write{index}(i)] = values[i] + {number}u;"));
        }
        for (index, words) in self.atomics.iter().enumerate() {
            step(words.count(), format!("atomicAdd(&sum{index}[place_sum{index}(i)], start(i));"));
        }
        source
    }
}

/// The function from a word of a part to its place in the binding.
fn place(name: &str, words: &Words) -> String {
    let mut source = format!("fn place_{name}(i: u32) -> u32 {{\n  var place = i;\n");
    let mut before = 0;
    for (start, count) in &words.runs {
        if *start != before {
            let _ = writeln!(source, "  if i >= {before}u {{ place = i + {}u; }}", start - before);
        }
        before += count;
    }
    source.push_str("  return place;\n}");
    source
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_stepped_over() {
        let words = Words { runs: vec![(0, 4), (8, 4), (20, 1)] };
        assert_eq!(words.count(), 9);
        let source = place("x", &words);
        assert!(source.contains("if i >= 4u { place = i + 4u; }"), "{source}");
        assert!(source.contains("if i >= 8u { place = i + 12u; }"), "{source}");
    }
}
