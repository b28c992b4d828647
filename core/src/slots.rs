//! A table whose places are used again, with names that notice.
//!
//! Long-running applications make and drop resources without end, so places must be reused; a name kept too long
//! must not mean its place's next owner. A name is a place (24 bits) and the count of its owners (8 bits), and
//! free places queue up, so that a place returns as late as possible.
use std::collections::VecDeque;

#[derive(Clone, Debug)]
pub(crate) struct Slots<T> {
    places: Vec<(u8, Option<T>)>,
    free: VecDeque<u32>,
}

const PLACE_BITS: u32 = 24;
const PLACE_MASK: u32 = (1 << PLACE_BITS) - 1;

impl<T> Slots<T> {
    pub(crate) const fn new() -> Self {
        Self { places: Vec::new(), free: VecDeque::new() }
    }

    pub(crate) fn add(&mut self, value: T) -> u32 {
        // A short queue is left alone, so that one place is not handed out again and again.
        if self.free.len() >= FREE_KEPT
            && let Some(place) = self.free.pop_front()
            && let Some((owner, slot)) = self.places.get_mut(place as usize)
        {
            *owner = owner.wrapping_add(1);
            *slot = Some(value);
            return u32::from(*owner) << PLACE_BITS | place;
        }
        let place = self.places.len() as u32 & PLACE_MASK;
        self.places.push((0, Some(value)));
        place
    }

    pub(crate) fn remove(&mut self, name: u32) -> Option<T> {
        let (owner, slot) = self.places.get_mut((name & PLACE_MASK) as usize)?;
        if u32::from(*owner) != name >> PLACE_BITS {
            return None;
        }
        let value = slot.take()?;
        self.free.push_back(name & PLACE_MASK);
        Some(value)
    }

    pub(crate) fn get(&self, name: u32) -> Option<&T> {
        let (owner, slot) = self.places.get((name & PLACE_MASK) as usize)?;
        if u32::from(*owner) == name >> PLACE_BITS { slot.as_ref() } else { None }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.places.iter().filter_map(|(_, slot)| slot.as_ref())
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.places.iter_mut().filter_map(|(_, slot)| slot.as_mut())
    }

    pub(crate) fn get_mut(&mut self, name: u32) -> Option<&mut T> {
        let (owner, slot) = self.places.get_mut((name & PLACE_MASK) as usize)?;
        if u32::from(*owner) == name >> PLACE_BITS { slot.as_mut() } else { None }
    }
}

const FREE_KEPT: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_name_does_not_find_the_next_owner() {
        let mut slots = Slots::new();
        let names: Vec<u32> = (0..100).map(|n| slots.add(n)).collect();
        for &name in &names {
            assert!(slots.remove(name).is_some());
            assert!(slots.remove(name).is_none(), "removed once");
        }
        let again: Vec<u32> = (0..36).map(|n| slots.add(n)).collect();
        assert_eq!(slots.places.len(), 100, "places are used again");
        assert!(names.iter().all(|&name| slots.get(name).is_none()));
        assert!(again.iter().all(|&name| slots.get(name).is_some()));
    }
}
