//! Masks, memory, bounds, atomics, partial groups, the stop flag.
use super::*;

/// Builds a kernel whose lanes each store one word at their own index.
fn per_lane(size: u32, f: impl FnOnce(&mut Writer, Value) -> Value) -> Vec<u32> {
    let mut writer = Writer::new([size, 1, 1], 1);
    let lane = writer.lane();
    let result = f(&mut writer, lane);
    writer.store(Space::Buffer(0), 0, Some(lane), result);
    run(&writer.finish(), &[vec![0; size as usize]], grid([1, 1, 1])).pop().unwrap()
}

/// `for i in 0..lane { if i % 3 == 1 { continue } if sum > 40 { break } sum += i }`, with a value made in the loop used behind it.
#[test]
fn a_loop_that_lanes_leave_one_by_one() {
    let found = per_lane(50, |writer, lane| {
        let (index, sum) = (writer.variable(), writer.variable());
        let [zero, one, three, forty] = [0, 1, 3, 40].map(|word| writer.constant(word));
        writer.set(index, zero);
        writer.block(|writer, outside| {
            writer.repeat(|writer| {
                let i = writer.get(index);
                let goes_on = writer.binary(BinaryOperation::LessU, i, lane);
                writer.when(goes_on, |_| (), |writer| writer.exit(outside));
                writer.block(|writer, next| {
                    let rest = writer.binary(BinaryOperation::RemainderU, i, three);
                    let skip = writer.binary(BinaryOperation::Equal, rest, one);
                    writer.when(skip, |writer| writer.exit(next), |_| ());
                    let before = writer.get(sum);
                    let enough = writer.binary(BinaryOperation::LessU, forty, before);
                    writer.when(enough, |writer| writer.exit(outside), |_| ());
                    let after = writer.binary(BinaryOperation::Add, before, i);
                    writer.set(sum, after);
                });
                let next = writer.binary(BinaryOperation::Add, i, one);
                writer.set(index, next);
            });
        });
        let (sum, index) = (writer.get(sum), writer.get(index));
        let hundred = writer.constant(100);
        let scaled = writer.binary(BinaryOperation::Multiply, sum, hundred);
        writer.binary(BinaryOperation::Add, scaled, index)
    });
    for (lane, found) in found.into_iter().enumerate() {
        let (mut i, mut sum) = (0, 0);
        while i < lane as u32 {
            if i % 3 != 1 {
                if sum > 40 {
                    break;
                }
                sum += i;
            }
            i += 1;
        }
        assert_eq!(found, sum * 100 + i, "lane {lane}");
    }
}

/// A uniform early return inside a loop that some lanes have already left: those must still run what follows the loop.
#[test]
fn a_uniform_exit_does_not_take_resting_lanes_along() {
    let found = per_lane(32, |writer, lane| {
        let [one, two, four] = [1, 2, 4].map(|word| writer.constant(word));
        let result = writer.variable();
        writer.block(|writer, everything| {
            writer.block(|writer, outside| {
                writer.repeat(|writer| {
                    let odd = writer.binary(BinaryOperation::And, lane, one);
                    writer.when(odd, |writer| writer.exit(outside), |_| ());
                    writer.set(result, two);
                    writer.exit(everything);
                });
            });
            writer.set(result, four);
        });
        writer.get(result)
    });
    assert!(
        found.iter().enumerate().all(|(lane, &word)| word == if lane % 2 == 1 { 4 } else { 2 }),
        "{found:?}"
    );
}

/// A value made in a loop and used behind it: each lane sees the one of its own last iteration.
#[test]
fn a_value_outlives_its_loop() {
    let found = per_lane(20, |writer, lane| {
        let count = writer.variable();
        let one = writer.constant(1);
        let mut last = lane;
        writer.block(|writer, outside| {
            writer.repeat(|writer| {
                let before = writer.get(count);
                last = writer.binary(BinaryOperation::Multiply, before, before);
                let done = writer.binary(BinaryOperation::LessEqualU, lane, before);
                writer.when(done, |writer| writer.exit(outside), |_| ());
                let after = writer.binary(BinaryOperation::Add, before, one);
                writer.set(count, after);
            });
        });
        last
    });
    assert_eq!(found, (0..20).map(|lane| lane * lane).collect::<Vec<u32>>());
}

#[test]
fn addresses_outside_yield_zero_and_change_nothing() {
    let mut writer = Writer::new([40, 1, 1], 2);
    let lane = writer.lane();
    let half = writer.constant(u32::MAX / 2 + 1);
    let sign = writer.binary(BinaryOperation::Multiply, lane, half);
    let far = writer.binary(BinaryOperation::Add, lane, sign);
    // Odd lanes are far outside; base and index together overflow 32 bits for them.
    let loaded = writer.load(Space::Buffer(0), u32::MAX - 5, Some(far));
    let near = writer.load(Space::Buffer(0), 0, Some(far));
    let sum = writer.binary(BinaryOperation::Add, loaded, near);
    writer.store(Space::Buffer(1), 0, Some(lane), sum);
    writer.store(Space::Buffer(0), 3, Some(far), lane);
    writer.store(Space::Buffer(0), u32::MAX, Some(lane), lane);
    let address = Address { space: Space::Buffer(0), base: 9, index: Some(lane) };
    // Word 9 was set to 6 by lane 6 above.
    let old = writer.atomic(address, AtomicOperation::Add(lane));
    writer.store(Space::Buffer(1), 40, Some(lane), old);
    let out = run(&writer.finish(), &[(100..110).collect(), vec![7; 90]], grid([1, 1, 1]));
    for lane in 0..40_u32 {
        let even_inside = lane % 2 == 0 && lane < 10;
        assert_eq!(out[1][lane as usize], if even_inside { 100 + lane } else { 0 }, "lane {lane}");
        assert_eq!(out[1][40 + lane as usize], if lane == 0 { 6 } else { 0 });
    }
    for word in 0..10_u32 {
        let stored = word >= 3 && (word - 3) % 2 == 0;
        assert_eq!(out[0][word as usize], if stored { word - 3 } else { 100 + word }, "word {word}");
    }
}

/// Every atomic, on a buffer and on workgroup memory, alone so that the result is known.
#[test]
fn atomics_do_what_they_say() {
    use AtomicOperation as A;
    let old = 0xffff_fff0_u32;
    /// An operation, its operand, and what is there afterwards.
    type Case = (fn(Value) -> A, u32, u32);
    let operations: [Case; 12] = [
        (|_| A::Load, 5, old),
        (A::Store, 5, 5),
        (A::Add, 0x20, 0x10),
        (A::Subtract, 0x20, 0xffff_ffd0),
        (A::And, 0xff, 0xf0),
        (A::Or, 0xf, u32::MAX),
        (A::ExclusiveOr, u32::MAX, 0xf),
        (A::SignedMin, 5, old),
        (A::SignedMax, 5, 5),
        (A::UnsignedMin, 5, 5),
        (A::UnsignedMax, 5, old),
        (A::Exchange, 5, 5),
    ];
    for space in [Space::Buffer(0), Space::Workgroup] {
        for (operation, operand, expected) in operations {
            let mut writer = Writer::new([1, 1, 1], 1);
            writer.kernel.workgroup_words = 1;
            let address = Address { space, base: 0, index: None };
            let (start, value) = (writer.constant(old), writer.constant(operand));
            writer.store(space, 0, None, start);
            let former = writer.atomic(address, operation(value));
            let now = writer.load(space, 0, None);
            writer.store(Space::Buffer(0), 1, None, former);
            writer.store(Space::Buffer(0), 2, None, now);
            let out = run(&writer.finish(), &[vec![0; 3]], grid([1, 1, 1]));
            assert_eq!(out[0][2], expected, "{:?} {operand:#x}", operation(value));
            if !matches!(operation(value), A::Store(_)) {
                assert_eq!(out[0][1], old, "{:?}", operation(value));
            }
        }
    }
}

#[test]
fn compare_exchange_replaces_only_what_was_expected() {
    let mut writer = Writer::new([32, 1, 1], 1);
    let lane = writer.lane();
    let (expected, offset) = (writer.constant(0), writer.constant(100));
    let desired = writer.binary(BinaryOperation::Add, lane, offset);
    let address = Address { space: Space::Buffer(0), base: 0, index: None };
    let former = writer.atomic(address, AtomicOperation::CompareExchange { expected, desired });
    writer.store(Space::Buffer(0), 1, Some(lane), former);
    let out = run(&writer.finish(), &[vec![0; 33]], grid([1, 1, 1])).pop().unwrap();
    // Exactly one lane saw the 0; all others saw what that one wrote.
    let winners: Vec<usize> = (0..32).filter(|&lane| out[1 + lane] == 0).collect();
    assert_eq!(winners.len(), 1);
    assert_eq!(out[0], 100 + winners[0] as u32);
    assert!((0..32).all(|lane| lane == winners[0] || out[1 + lane] == out[0]));
}

/// Threads that count in one buffer lose nothing, and no former value is seen twice.
#[test]
fn atomics_of_several_threads() {
    let mut writer = Writer::new([64, 1, 1], 2);
    let one = writer.constant(1);
    let address = Address { space: Space::Buffer(0), base: 0, index: None };
    let former = writer.atomic(address, AtomicOperation::Add(one));
    let seen = Address { space: Space::Buffer(1), base: 0, index: Some(former) };
    writer.push(Statement::Atomic { result: None, address: seen, operation: AtomicOperation::Add(one) });
    let prepared = Prepared::new(&writer.finish());
    let groups = if cfg!(miri) { 2_u64 } else { 500 };
    let count = words(&[0]);
    let seen = words(&vec![0; 64 * 3 * groups as usize]);
    std::thread::scope(|scope| {
        for thread in 0..3 {
            let (prepared, count, seen) = (&prepared, &count, &seen);
            scope.spawn(move || {
                let bound = [BoundResource::Buffer(count), BoundResource::Buffer(seen)];
                let range = thread * groups..(thread + 1) * groups;
                let grid = grid([3 * groups as u32, 1, 1]);
                prepared.run(&bound, &grid, range, &mut Scratch::default(), &Stop::new()).unwrap();
            });
        }
    });
    assert_eq!(read(&count), [64 * 3 * groups as u32]);
    assert!(read(&seen).iter().all(|&times| times == 1));
}

/// Each lane writes its neighbour's word between two barriers; memory is zero at the start of every workgroup.
#[test]
fn workgroup_memory_is_shared_and_zeroed() {
    let mut writer = Writer::new([48, 1, 1], 1);
    writer.kernel.workgroup_words = 48;
    let lane = writer.lane();
    let group = writer.emit(Operation::Builtin(Builtin::WorkgroupId(0)));
    let [one, count, ten] = [1, 48, 10].map(|word| writer.constant(word));
    let before = writer.load(Space::Workgroup, 0, Some(lane));
    let next = writer.binary(BinaryOperation::Add, lane, one);
    let neighbour = writer.binary(BinaryOperation::RemainderU, next, count);
    let tens = writer.binary(BinaryOperation::Multiply, lane, ten);
    let mine = writer.binary(BinaryOperation::Add, tens, group);
    writer.push(Statement::Barrier);
    writer.store(Space::Workgroup, 0, Some(neighbour), mine);
    writer.push(Statement::Barrier);
    let found = writer.load(Space::Workgroup, 0, Some(lane));
    let sum = writer.binary(BinaryOperation::Add, found, before);
    let global = writer.emit(Operation::Builtin(Builtin::GlobalInvocationId(0)));
    writer.store(Space::Buffer(0), 0, Some(global), sum);
    let out = run(&writer.finish(), &[vec![9; 48 * 3]], grid([3, 1, 1])).pop().unwrap();
    for (index, found) in out.into_iter().enumerate() {
        let (group, lane) = (index as u32 / 48, index as u32 % 48);
        assert_eq!(found, (lane + 47) % 48 * 10 + group);
    }
}

/// Private memory is each lane's own, indexed by lane-dependent words, and zero at the start.
#[test]
fn private_memory_is_private() {
    let mut writer = Writer::new([40, 1, 1], 1);
    writer.kernel.private_words = 5;
    let lane = writer.lane();
    let five = writer.constant(5);
    let mine = writer.binary(BinaryOperation::RemainderU, lane, five);
    let before = writer.load(Space::Private, 0, Some(mine));
    let written = writer.binary(BinaryOperation::Add, lane, before);
    writer.store(Space::Private, 0, Some(mine), written);
    let mut sum = writer.constant(0);
    let hundred = writer.constant(100);
    for word in 0..5 {
        let loaded = writer.load(Space::Private, word, None);
        let scaled = writer.binary(BinaryOperation::Multiply, sum, hundred);
        sum = writer.binary(BinaryOperation::Add, scaled, loaded);
    }
    let outside = writer.load(Space::Private, 3, Some(five));
    let sum = writer.binary(BinaryOperation::Add, sum, outside);
    let global = writer.emit(Operation::Builtin(Builtin::GlobalInvocationId(0)));
    writer.store(Space::Buffer(0), 0, Some(global), sum);
    let out = run(&writer.finish(), &[vec![0; 80]], grid([2, 1, 1])).pop().unwrap();
    for (index, found) in out.into_iter().enumerate() {
        let lane = index as u32 % 40;
        assert_eq!(found, lane.wrapping_mul(100_u32.pow(4 - lane % 5)), "lane {lane}");
    }
}

#[test]
fn partial_groups_run_only_their_threads() {
    for threads in [[1_u32, 1, 1], [7, 3, 1], [8, 4, 2], [9, 5, 3], [16, 7, 2]] {
        let mut writer = Writer::new([8, 4, 2], 1);
        let [x, y, z] =
            [0, 1, 2].map(|axis| writer.emit(Operation::Builtin(Builtin::GlobalInvocationId(axis))));
        let [twenty, one] = [20, 1].map(|word| writer.constant(word));
        let rows = writer.binary(BinaryOperation::Multiply, z, twenty);
        let row = writer.binary(BinaryOperation::Add, rows, y);
        let start = writer.binary(BinaryOperation::Multiply, row, twenty);
        let index = writer.binary(BinaryOperation::Add, start, x);
        let address = Address { space: Space::Buffer(0), base: 0, index: Some(index) };
        writer.push(Statement::Atomic { result: None, address, operation: AtomicOperation::Add(one) });
        let groups = [threads[0].div_ceil(8), threads[1].div_ceil(4), threads[2].div_ceil(2)];
        let out = run(&writer.finish(), &[vec![0; 20 * 20 * 20]], Grid { groups, threads: Some(threads) });
        for (index, &count) in out[0].iter().enumerate() {
            let index = index as u32;
            let inside = index % 20 < threads[0] && index / 20 % 20 < threads[1] && index / 400 < threads[2];
            assert_eq!(count, u32::from(inside), "{threads:?} at {index}");
        }
    }
}

#[test]
fn an_endless_kernel_is_stopped() {
    let mut uniform = Writer::new([64, 1, 1], 1);
    uniform.repeat(|_| ());
    let mut divergent = Writer::new([64, 1, 1], 1);
    let lane = divergent.lane();
    divergent.block(|writer, outside| {
        writer.repeat(|writer| writer.when(lane, |writer| writer.exit(outside), |_| ()));
    });
    for writer in [uniform, divergent] {
        let prepared = Prepared::new(&writer.finish());
        let buffer = words(&[0]);
        let stop = Stop::new();
        std::thread::scope(|scope| {
            let running = scope.spawn(|| {
                let bound = [BoundResource::Buffer(&buffer)];
                prepared.run(&bound, &grid([1, 1, 1]), 0..1, &mut Scratch::default(), &stop)
            });
            std::thread::sleep(std::time::Duration::from_millis(5));
            assert!(!running.is_finished());
            stop.raise();
            assert_eq!(running.join().unwrap(), Err(Stopped));
        });
    }
}

/// One scratch serves kernels of different sizes in turn.
#[test]
fn a_scratch_serves_one_kernel_after_another() {
    let store_lane = |size: u32| {
        let mut writer = Writer::new([size, 1, 1], 1);
        let lane = writer.lane();
        let constant = writer.constant(size);
        let sum = writer.binary(BinaryOperation::Add, lane, constant);
        writer.store(Space::Buffer(0), 0, Some(lane), sum);
        Prepared::new(&writer.finish())
    };
    let kernels = [store_lane(8), store_lane(300), store_lane(17)];
    let mut scratch = Scratch::default();
    for round in 0..6 {
        let size = [8, 300, 17][round % 3];
        let buffer = words(&vec![0; 300]);
        let bound = [BoundResource::Buffer(&buffer)];
        kernels[round % 3].run(&bound, &grid([1, 1, 1]), 0..1, &mut scratch, &Stop::new()).unwrap();
        for (lane, word) in read(&buffer).into_iter().enumerate() {
            assert_eq!(word, if lane < size { (lane + size) as u32 } else { 0 });
        }
    }
}

#[test]
fn builtins_and_buffer_lengths() {
    let mut writer = Writer::new([2, 1, 3], 2);
    let mut base = 0;
    let global_x = writer.emit(Operation::Builtin(Builtin::GlobalInvocationId(0)));
    let global_z = writer.emit(Operation::Builtin(Builtin::GlobalInvocationId(2)));
    let [four, hundred] = [4, 100].map(|word| writer.constant(word));
    let row = writer.binary(BinaryOperation::Multiply, global_z, four);
    let index = writer.binary(BinaryOperation::Add, row, global_x);
    let start = writer.binary(BinaryOperation::Multiply, index, hundred);
    let mut builtins = vec![Operation::Builtin(Builtin::LocalInvocationIndex), Operation::BufferWords(1)];
    for axis in 0..3 {
        builtins.push(Operation::Builtin(Builtin::LocalInvocationId(axis)));
        builtins.push(Operation::Builtin(Builtin::GlobalInvocationId(axis)));
        builtins.push(Operation::Builtin(Builtin::WorkgroupId(axis)));
        builtins.push(Operation::Builtin(Builtin::NumWorkgroups(axis)));
    }
    for builtin in builtins {
        let value = writer.emit(builtin);
        writer.store(Space::Buffer(0), base, Some(start), value);
        base += 1;
    }
    let out = run(&writer.finish(), &[vec![0; 4000], vec![0; 123]], grid([2, 3, 2]));
    for z in 0..6_u32 {
        for x in 0..4_u32 {
            // Workgroups that differ only in y write the same place; the last one is y = 2.
            let (local, group) = ([x % 2, 0, z % 3], [x / 2, 2, z / 3]);
            let expected: Vec<u32> = [local[0] + 2 * local[2], 123]
                .into_iter()
                .chain((0..3).flat_map(|axis| {
                    let size = [2, 1, 3][axis];
                    [local[axis], group[axis] * size + local[axis], group[axis], [2, 3, 2][axis]]
                }))
                .collect();
            let start = (z * 4 + x) as usize * 100;
            assert_eq!(out[0][start..start + 14], expected);
        }
    }
}
