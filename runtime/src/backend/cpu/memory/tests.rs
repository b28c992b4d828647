//! The byte operations against a plain array of bytes.
use proptest::prelude::*;

use super::bytes::Stores;
use super::*;
use crate::ErrorKind;

/// Enough for the long paths, which start at a few hundred bytes.
const SIZE: usize = 2048;

#[derive(Clone, Debug)]
enum Step {
    Write { offset: usize, bytes: Vec<u8> },
    Fill { offset: usize, length: usize, value: u8 },
    Copy { from: usize, to: usize, length: usize },
    CopyRows { from: usize, to: usize, rows: Rows },
}

/// What is large enough to go past the caches is too large for this test, so it is asked for.
fn stores() -> impl Strategy<Value = Stores> {
    prop_oneof![Just(Stores::Cached), Just(Stores::Streaming)]
}

fn range() -> impl Strategy<Value = (usize, usize)> {
    (0..=SIZE)
        .prop_flat_map(|offset| (Just(offset), prop_oneof![0..=(SIZE - offset), 0..=(SIZE - offset).min(9)]))
}

fn step() -> impl Strategy<Value = Step> {
    let write = range().prop_flat_map(|(offset, length)| {
        prop::collection::vec(any::<u8>(), length).prop_map(move |bytes| Step::Write { offset, bytes })
    });
    let fill =
        (range(), any::<u8>()).prop_map(|((offset, length), value)| Step::Fill { offset, length, value });
    let copy = (range(), 0..=SIZE).prop_map(|((from, length), to)| {
        let length = length.min(SIZE - to);
        Step::Copy { from, to, length }
    });
    let rows = (0_usize..5, 0_usize..250, 0_usize..20, 0_usize..20, 0_usize..4, 0_usize..4).prop_map(
        |(count, bytes, skip, other_skip, from, to)| Step::CopyRows {
            from,
            to: SIZE / 2 + to,
            rows: Rows {
                bytes: bytes.min(180),
                count,
                source_pitch: bytes.min(180) + skip,
                destination_pitch: bytes.min(180) + other_skip,
            },
        },
    );
    prop_oneof![write, fill, copy, rows]
}

fn apply(memory: &Memory, model: &mut [u8], step: &Step, stores: Stores) {
    match *step {
        Step::Write { offset, ref bytes } => {
            memory.write_part(offset as u64, bytes, stores);
            model[offset..offset + bytes.len()].copy_from_slice(bytes);
        }
        Step::Fill { offset, length, value } => {
            memory.fill(offset as u64, length as u64, value, stores);
            model[offset..offset + length].fill(value);
        }
        Step::Copy { from, to, length } => {
            memory.copy_from(to as u64, memory, from as u64, length as u64, stores);
            model.copy_within(from..from + length, to);
        }
        Step::CopyRows { from, to, rows } => {
            memory.copy_rows_from(to as u64, memory, from as u64, rows, stores);
            for row in 0..rows.count {
                let source = from + row * rows.source_pitch;
                model.copy_within(source..source + rows.bytes, to + row * rows.destination_pitch);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 4 } else { 256 }, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn bytes_behave_like_an_array(
        steps in prop::collection::vec((step(), stores()), 1..20),
        (offset, length) in range(),
        stores in stores(),
    ) {
        let memory = Memory::new(SIZE as u64).unwrap();
        let mut model = vec![0; SIZE];
        for (step, stores) in &steps {
            apply(&memory, &mut model, step, *stores);
        }
        let mut out = vec![0; SIZE];
        memory.read_part(0, &mut out, stores);
        prop_assert_eq!(&out, &model);
        let mut part = vec![0; length];
        memory.read_part(offset as u64, &mut part, stores);
        prop_assert_eq!(&part[..], &model[offset..offset + length]);
    }
}

#[test]
#[cfg_attr(miri, ignore = "miri ends the program where an allocator would answer null")]
fn a_size_nobody_has_is_an_error() {
    for length in [1 << 60, u64::MAX, u64::MAX - 2, i64::MAX as u64] {
        let error = Memory::new(length).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OutOfMemory, "{length}");
    }
}

#[test]
fn memory_starts_zeroed_and_may_be_empty() {
    let memory = Memory::new(4099).unwrap();
    assert_eq!((memory.length(), memory.words().len()), (4099, 1025));
    assert!(memory.words().iter().all(|word| word.load(std::sync::atomic::Ordering::Relaxed) == 0));
    let empty = Memory::new(0).unwrap();
    assert!(empty.words().is_empty());
    empty.write(0, &[]);
    empty.fill(0, 0, 1, Stores::Streaming);
}

#[test]
#[should_panic(expected = "outside of their memory")]
fn a_range_outside_never_gets_through() {
    Memory::new(16).unwrap().read(15, &mut [0; 2]);
}

/// Threads that write neighbouring bytes of the same words lose none of each other's.
#[test]
fn neighbouring_bytes_survive_each_other() {
    let memory = Memory::new(64).unwrap();
    let rounds = if cfg!(miri) { 3 } else { 2000 };
    std::thread::scope(|scope| {
        for thread in 0..3_u8 {
            let memory = &memory;
            scope.spawn(move || {
                for round in 0..rounds {
                    for byte in (u64::from(thread)..64).step_by(3) {
                        memory.write(byte, &[thread ^ (round as u8)]);
                    }
                }
                for byte in (u64::from(thread)..64).step_by(3) {
                    memory.write(byte, &[thread + 1]);
                }
            });
        }
    });
    let mut out = [0; 64];
    memory.read(0, &mut out);
    assert!(out.iter().enumerate().all(|(at, &byte)| usize::from(byte) == at % 3 + 1), "{out:?}");
}
