//! Makes a failing kernel small: delta debugging over the tree of choices that made it.
//!
//! Every edit gives a valid kernel again, because the generator reads whatever is left. An edit stays when the kernel still fails.

use crate::{Choices, Span};

/// Smaller choices that still fail. `fails` generates from the choices, says whether the kernel fails, and gives the choices back.
pub fn reduce(choices: Vec<u32>, mut fails: impl FnMut(&mut Choices) -> bool, limit: usize) -> Vec<u32> {
    let mut best = Best { choices, spans: Vec::new(), left: limit };
    let all = best.choices.clone();
    if !best.attempt(all, &mut fails) {
        return best.choices;
    }
    loop {
        let before = best.choices.clone();
        best.drop_nodes(&mut fails);
        best.lift_children(&mut fails);
        best.lower(&mut fails);
        if best.choices == before || best.left == 0 {
            return best.choices;
        }
    }
}

struct Best {
    choices: Vec<u32>,
    spans: Vec<Span>,
    left: usize,
}

impl Best {
    /// Takes the candidate over if it fails too.
    fn attempt(&mut self, candidate: Vec<u32>, fails: &mut impl FnMut(&mut Choices) -> bool) -> bool {
        if self.left == 0 {
            return false;
        }
        self.left -= 1;
        let mut choices = Choices::replay(candidate);
        if !fails(&mut choices) {
            return false;
        }
        let (mut taken, spans) = choices.into_taken();
        while taken.last() == Some(&0) {
            taken.pop();
        }
        (self.choices, self.spans) = (taken, spans);
        true
    }

    /// A span's choices, as far as they were not cut off as trailing zeros.
    fn range(&self, index: usize) -> Option<std::ops::Range<usize>> {
        let span = self.spans.get(index)?;
        let range = span.start.min(self.choices.len())..span.end.min(self.choices.len());
        (!range.is_empty()).then_some(range)
    }

    /// Leaves whole parts out, or makes them the simplest of their kind.
    fn drop_nodes(&mut self, fails: &mut impl FnMut(&mut Choices) -> bool) {
        let mut index = 0;
        while index < self.spans.len() {
            if let Some(range) = self.range(index) {
                let mut without = self.choices.clone();
                without.drain(range.clone());
                if self.attempt(without, fails) {
                    continue;
                }
                if self.choices[range.clone()].iter().any(|choice| *choice != 0) {
                    let mut simplest = self.choices.clone();
                    simplest.splice(range, [0]);
                    if self.attempt(simplest, fails) {
                        continue;
                    }
                }
            }
            index += 1;
        }
    }

    /// Puts a part inside a part of the same kind in its place.
    fn lift_children(&mut self, fails: &mut impl FnMut(&mut Choices) -> bool) {
        let mut index = 0;
        while index < self.spans.len() {
            let lifted = self.range(index).is_some_and(|outer| {
                let label = self.spans[index].label;
                let inner: Vec<_> = (index + 1..self.spans.len())
                    .filter(|child| self.spans[*child].label == label)
                    .filter_map(|child| self.range(child))
                    .filter(|child| child.end <= outer.end && child.len() < outer.len())
                    .collect();
                inner.into_iter().any(|child| {
                    let mut candidate = self.choices.clone();
                    let part = candidate[child].to_vec();
                    candidate.splice(outer.clone(), part);
                    self.attempt(candidate, fails)
                })
            });
            if !lifted {
                index += 1;
            }
        }
    }

    /// Makes single choices smaller: 0, half, one less.
    fn lower(&mut self, fails: &mut impl FnMut(&mut Choices) -> bool) {
        let mut index = 0;
        while index < self.choices.len() {
            let now = self.choices[index];
            let tries = [0, now / 2, now.saturating_sub(1)];
            for smaller in tries.into_iter().filter(|smaller| *smaller < now) {
                let mut candidate = self.choices.clone();
                candidate[index] = smaller;
                if self.attempt(candidate, fails) {
                    break;
                }
            }
            index += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A list of lists; fails when some inner list holds a number above 50.
    fn nested(choices: &mut Choices) -> bool {
        let mut found = false;
        for _ in 0..choices.below(8) {
            choices.begin("list");
            for _ in 0..choices.below(8) {
                choices.begin("number");
                found |= choices.below(100) > 50;
                choices.end();
            }
            choices.end();
        }
        found
    }

    #[test]
    fn a_failing_tree_shrinks_to_its_cause() {
        let mut tried = 0;
        for seed in 0..200 {
            let mut choices = Choices::random(seed);
            if !nested(&mut choices) {
                continue;
            }
            tried += 1;
            let small = reduce(choices.into_taken().0, nested, 2000);
            assert!(nested(&mut Choices::replay(small.clone())), "seed {seed}");
            assert!(small.len() <= 6, "seed {seed}: {small:?}");
        }
        assert!(tried > 100);
    }

    #[test]
    fn what_does_not_fail_is_left_alone() {
        assert_eq!(reduce(vec![1, 2, 3], |_| false, 100), [1, 2, 3]);
    }
}
