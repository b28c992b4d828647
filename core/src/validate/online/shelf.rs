//! Indices that are used again, but not before nothing names them any more.

/// The indices of one kind of thing.
#[derive(Clone, Debug, Default)]
pub(super) struct Shelf {
    places: Vec<Place>,
    free: Vec<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Live,
    /// Removed, and perhaps still named by what is remembered.
    Removed,
    Free,
}

impl Shelf {
    /// An index for something new.
    pub(super) fn take(&mut self) -> u32 {
        match self.free.pop() {
            Some(index) => {
                self.places[index as usize] = Place::Live;
                index
            }
            None => {
                self.places.push(Place::Live);
                self.places.len() as u32 - 1
            }
        }
    }

    pub(super) fn is_live(&self, index: u32) -> bool {
        self.places.get(index as usize) == Some(&Place::Live)
    }

    /// What is there and was not removed.
    pub(super) fn live(&self) -> impl Iterator<Item = u32> {
        (0..).zip(&self.places).filter(|(_, place)| **place == Place::Live).map(|(index, _)| index)
    }

    /// What is there, removed or not, as long as it is remembered.
    pub(super) fn held(&self) -> impl Iterator<Item = u32> {
        (0..).zip(&self.places).filter(|(_, place)| **place != Place::Free).map(|(index, _)| index)
    }

    /// Whether it was removed and is still remembered.
    pub(super) fn is_removed(&self, index: u32) -> bool {
        self.places.get(index as usize) == Some(&Place::Removed)
    }

    /// What was removed and is still remembered.
    pub(super) fn removed(&self) -> impl Iterator<Item = u32> {
        (0..).zip(&self.places).filter(|(_, place)| **place == Place::Removed).map(|(index, _)| index)
    }

    /// How many indices there are, in use or not.
    pub(super) const fn len(&self) -> usize {
        self.places.len()
    }

    /// Nothing new will name it. `false` where it was not there.
    pub(super) fn remove(&mut self, index: u32) -> bool {
        match self.places.get_mut(index as usize) {
            Some(place @ Place::Live) => {
                *place = Place::Removed;
                true
            }
            _ => false,
        }
    }

    /// Frees what was removed and is not named; tells which.
    pub(super) fn free(&mut self, is_named: impl Fn(u32) -> bool, mut freed: impl FnMut(u32)) {
        if !self.places.contains(&Place::Removed) {
            return;
        }
        for (index, place) in (0..).zip(&mut self.places) {
            if *place == Place::Removed && !is_named(index) {
                *place = Place::Free;
                self.free.push(index);
                freed(index);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_returns_when_nothing_names_it() {
        let mut shelf = Shelf::default();
        assert_eq!([shelf.take(), shelf.take()], [0, 1]);
        assert!(shelf.remove(0) && !shelf.remove(0) && !shelf.is_live(0));
        shelf.free(|index| index == 0, |_| unreachable!("it is named"));
        assert_eq!(shelf.take(), 2);
        let mut freed = Vec::new();
        shelf.free(|_| false, |index| freed.push(index));
        assert_eq!((freed, shelf.take(), shelf.take(), shelf.len()), (vec![0], 0, 3, 4));
    }
}
