//! The choices that a kernel is made from, and which of them belong together.

/// Where the next choice comes from, and a record of all that were taken.
#[derive(Debug)]
pub struct Choices {
    given: Vec<u32>,
    /// Where more come from when the given ones are used up; without it, every further choice is 0.
    random: Option<u64>,
    taken: Vec<u32>,
    spans: Vec<Span>,
    open: Vec<usize>,
}

/// Choices that made one part of the kernel: a node of the generator's tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// What it made. Parts of one label can stand in for each other.
    pub label: &'static str,
    /// The first choice.
    pub start: usize,
    /// One past the last choice.
    pub end: usize,
}

impl Choices {
    /// Choices without end, from a seed.
    pub fn random(seed: u64) -> Self {
        Self { random: Some(seed), ..Self::replay(Vec::new()) }
    }

    /// These choices, then zeros.
    pub fn replay(given: Vec<u32>) -> Self {
        Self { given, random: None, taken: Vec::new(), spans: Vec::new(), open: Vec::new() }
    }

    /// A number below `limit`. 0 is always the simplest option.
    pub fn below(&mut self, limit: u32) -> u32 {
        let at = self.taken.len();
        let raw = match (self.given.get(at), &mut self.random) {
            (Some(given), _) => *given,
            (None, Some(state)) => next(state),
            (None, None) => 0,
        };
        let choice = raw % limit.max(1);
        self.taken.push(choice);
        choice
    }

    /// True once in `n` times; false is simplest.
    pub fn one_in(&mut self, n: u32) -> bool {
        self.below(n) == n - 1 && n > 1
    }

    /// One of several; the first is simplest.
    pub fn pick<T: Copy>(&mut self, options: &[T]) -> T {
        options[self.below(u32::try_from(options.len()).unwrap_or(u32::MAX)) as usize]
    }

    /// Opens a node of the tree.
    pub fn begin(&mut self, label: &'static str) {
        self.open.push(self.spans.len());
        self.spans.push(Span { label, start: self.taken.len(), end: self.taken.len() });
    }

    /// Closes the node that was opened last.
    pub fn end(&mut self) {
        if let Some(index) = self.open.pop() {
            self.spans[index].end = self.taken.len();
        }
    }

    /// What was taken, each below its limit, and the nodes in order of their begin.
    pub fn into_taken(self) -> (Vec<u32>, Vec<Span>) {
        (self.taken, self.spans)
    }
}

/// splitmix64, the upper half.
fn next(state: &mut u64) -> u32 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_replays() {
        let mut first = Choices::random(7);
        first.begin("a");
        let numbers: Vec<u32> = (1..50).map(|limit| first.below(limit)).collect();
        first.end();
        let (taken, spans) = first.into_taken();
        assert_eq!(taken, numbers);
        assert_eq!(spans, [Span { label: "a", start: 0, end: 49 }]);
        let mut second = Choices::replay(taken);
        assert_eq!((1..50).map(|limit| second.below(limit)).collect::<Vec<_>>(), numbers);
        assert_eq!(second.below(100), 0);
    }
}
