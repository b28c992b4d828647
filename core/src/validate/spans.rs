//! Bytes and what is known of them: ranges that split where knowledge differs and join again where it does not.
use core::ops::Range;
use std::collections::BTreeMap;

/// A value for every byte of one memory; the default where nothing was noted.
#[derive(Clone, Debug)]
pub(super) struct Spans<T> {
    /// By first byte; each with its end. They do not overlap.
    list: BTreeMap<u64, (u64, T)>,
}

impl<T> Default for Spans<T> {
    fn default() -> Self {
        Self { list: BTreeMap::new() }
    }
}

impl<T: Clone + Default + PartialEq> Spans<T> {
    /// Every value in a range, in ascending order, to be read or changed.
    pub(super) fn over(&mut self, range: &Range<u64>, mut each: impl FnMut(Range<u64>, &mut T)) {
        if range.is_empty() {
            return;
        }
        // Nearly always the same bytes are touched again. Their neighbours are left as they are.
        if let Some((end, value)) = self.list.get_mut(&range.start)
            && *end == range.end
        {
            each(range.clone(), value);
            return;
        }
        self.split(range.start);
        self.split(range.end);
        self.fill(range);
        for (start, (end, value)) in self.list.range_mut(range.clone()) {
            each(*start..*end, value);
        }
        self.join(range);
    }

    /// Every value that was noted.
    pub(super) fn values(&self) -> impl Iterator<Item = &T> {
        self.list.values().map(|(_, value)| value)
    }

    /// Every value that was noted, to be changed.
    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.list.values_mut().map(|(_, value)| value)
    }

    /// How many spans there are.
    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// Makes a span begin at a byte, where one goes over it.
    fn split(&mut self, at: u64) {
        let Some((_, (end, value))) = self.list.range_mut(..at).next_back() else { return };
        if *end > at {
            let rest = (core::mem::replace(end, at), value.clone());
            self.list.insert(at, rest);
        }
    }

    /// Gives every byte of a range a span.
    fn fill(&mut self, range: &Range<u64>) {
        let mut free = range.start;
        let mut gaps = Vec::new();
        for (start, (end, _)) in self.list.range(range.clone()) {
            if free < *start {
                gaps.push(free..*start);
            }
            free = *end;
        }
        if free < range.end {
            gaps.push(free..range.end);
        }
        self.list.extend(gaps.into_iter().map(|gap| (gap.start, (gap.end, T::default()))));
    }

    /// Joins equal neighbours in and at the edges of a range.
    fn join(&mut self, range: &Range<u64>) {
        let mut at = match self.list.range(..range.start).next_back() {
            Some((start, (end, _))) if *end == range.start => *start,
            _ => range.start,
        };
        while at < range.end {
            let Some((end, value)) = self.list.get(&at) else { return };
            let end = *end;
            match self.list.get(&end) {
                Some((_, next)) if next == value => {
                    let longer = self.list.remove(&end).map_or(end, |(end, _)| end);
                    if let Some(span) = self.list.get_mut(&at) {
                        span.0 = longer;
                    }
                }
                Some(_) => at = end,
                None => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(spans: &Spans<u32>) -> Vec<(u64, u64, u32)> {
        spans.list.iter().map(|(start, (end, value))| (*start, *end, *value)).collect()
    }

    #[test]
    fn ranges_split_and_join() {
        let mut spans = Spans::default();
        spans.over(&(10..20), |_, value| *value = 1);
        spans.over(&(15..30), |_, value| *value += 1);
        assert_eq!(shown(&spans), [(10, 15, 1), (15, 20, 2), (20, 30, 1)]);
        spans.over(&(15..20), |_, value| *value = 1);
        assert_eq!(shown(&spans), [(10, 15, 1), (15, 20, 1), (20, 30, 1)], "neighbours are left as they are");
        spans.over(&(10..30), |_, _| {});
        assert_eq!(shown(&spans), [(10, 30, 1)], "a wider look joins them");
        spans.over(&(0..0), |_, value| *value = 9);
        spans.over(&(30..31), |_, value| *value = 1);
        spans.over(&(40..41), |_, value| *value = 1);
        assert_eq!(shown(&spans), [(10, 31, 1), (40, 41, 1)]);
    }

    #[test]
    fn every_byte_of_a_range_is_seen_once() {
        let mut spans = Spans::<u32>::default();
        spans.over(&(3..5), |_, value| *value = 1);
        spans.over(&(8..9), |_, value| *value = 2);
        let mut seen = Vec::new();
        spans.over(&(0..10), |range, value| seen.push((range, *value)));
        assert_eq!(seen, [(0..3, 0), (3..5, 1), (5..8, 0), (8..9, 2), (9..10, 0)]);
    }
}
