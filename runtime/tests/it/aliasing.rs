//! Heaps against models that know bytes and nothing else: who has which place, and what is in it (rules 2.3 and 11.4).
use fencepost::{
    BlitCommandEncoder, Buffer, CpuOptions, Device, ErrorKind, Heap, HeapDescriptor, HeapKind,
    ResourceOptions, Schedule,
};

use crate::common::{misuse, run};

/// Numbers that a seed decides.
struct Tape(u64);

impl Tape {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit.max(1)
    }
}

/// A buffer of an automatic heap, as the model knows it.
struct Owned {
    buffer: Buffer,
    id: u64,
    place: std::ops::Range<usize>,
    aliasable: bool,
    lost: bool,
}

/// Every byte of an automatic heap: whose it is, and what it holds.
struct Model {
    owners: Vec<Option<u64>>,
    bytes: Vec<u8>,
    all: Vec<Owned>,
    next: u64,
}

impl Model {
    fn longest_free(&self) -> u64 {
        self.owners.split(Option::is_some).map(<[_]>::len).max().unwrap_or(0) as u64
    }

    fn used(&self) -> u64 {
        self.owners.iter().flatten().count() as u64
    }

    fn free(&mut self, place: std::ops::Range<usize>) {
        self.owners[place].fill(None);
    }

    fn allocate(&mut self, heap: &Heap, length: u64) {
        let size =
            heap.device().heap_buffer_size_and_align(length, ResourceOptions::SHARED).expect("a length");
        let made = heap.new_buffer(length, ResourceOptions::SHARED);
        if self.longest_free() < size.size {
            let error = made.expect_err("no piece is large enough");
            assert_eq!(error.kind(), ErrorKind::HeapExhausted, "{error}");
            return;
        }
        let buffer = made.expect("there is room");
        let start = buffer.heap_offset().expect("it is on a heap");
        assert!(start.is_multiple_of(size.align), "{start}");
        let place = start as usize..(start + size.size) as usize;
        assert!(self.owners[place.clone()].iter().all(Option::is_none), "somebody has {place:?}");
        for former in self.all.iter_mut().filter(|former| former.aliasable) {
            former.lost |= former.place.start < place.end && place.start < former.place.end;
        }
        self.owners[place.clone()].fill(Some(self.next));
        self.all.push(Owned { buffer, id: self.next, place, aliasable: false, lost: false });
        self.next += 1;
    }

    /// Writes a part, and reads all.
    fn touch(&mut self, index: usize, tape: &mut Tape) {
        let owned = &self.all[index];
        if owned.lost {
            misuse(owned.buffer.read::<u8>(..), ErrorKind::Aliasing, &["buffer"]);
            misuse(owned.buffer.write(0, &[1u8]), ErrorKind::Aliasing, &["buffer"]);
            return;
        }
        let length = owned.buffer.length();
        let offset = tape.below(length);
        let bytes = vec![owned.id as u8; 1 + tape.below(length - offset) as usize];
        owned.buffer.write(offset, &bytes).expect("nothing is in flight");
        let start = owned.place.start + offset as usize;
        self.bytes[start..start + bytes.len()].fill(owned.id as u8);
        let all = owned.place.start..owned.place.start + length as usize;
        assert_eq!(owned.buffer.read::<u8>(..).expect("nothing is in flight"), self.bytes[all]);
    }
}

#[test]
fn an_automatic_heap_gives_every_byte_to_one_owner() {
    const SIZE: u64 = 24 * 256;
    let device = Device::cpu();
    for seed in 0..200 {
        let mut tape = Tape(seed);
        let heap = device.new_heap(&HeapDescriptor { size: SIZE, ..Default::default() }).expect("memory");
        let mut model = Model {
            owners: vec![None; SIZE as usize],
            bytes: vec![0; SIZE as usize],
            all: Vec::new(),
            next: 1,
        };
        for _ in 0..60 {
            let any = tape.below(model.all.len() as u64) as usize;
            match tape.below(6) {
                0..=2 => model.allocate(&heap, 1 + tape.below(1500)),
                _ if model.all.is_empty() => {}
                3 => {
                    model.all[any].buffer.make_aliasable().expect("it is on a heap");
                    let owned = &mut model.all[any];
                    assert!(owned.buffer.is_aliasable());
                    if !std::mem::replace(&mut owned.aliasable, true) {
                        let place = owned.place.clone();
                        model.free(place);
                    }
                }
                4 => {
                    let gone = model.all.swap_remove(any);
                    if !gone.aliasable {
                        model.free(gone.place);
                    }
                }
                _ => model.touch(any, &mut tape),
            }
            assert_eq!(heap.used_size(), model.used(), "seed {seed}");
            assert_eq!(
                heap.max_available_size(256).expect("a power of two"),
                model.longest_free(),
                "seed {seed}"
            );
        }
    }
}

/// A transfer between buffers that overlap on a placement heap, in the heap and in the model.
fn transfer(blit: &mut BlitCommandEncoder, buffers: &[(Buffer, usize)], bytes: &mut [u8], tape: &mut Tape) {
    let part = |tape: &mut Tape| {
        let (buffer, start) = &buffers[tape.below(buffers.len() as u64) as usize];
        let offset = tape.below(buffer.length());
        (buffer, offset, 1 + tape.below(buffer.length() - offset), start + offset as usize)
    };
    let (to, offset, length, place) = part(tape);
    if tape.below(3) == 0 {
        let value = tape.below(256) as u8;
        blit.fill_buffer(to, offset..offset + length, value).expect("inside");
        bytes[place..place + length as usize].fill(value);
        return;
    }
    let (from, start, room, source) = part(tape);
    let length = length.min(room);
    match blit.copy_buffer(from, start, to, offset, length) {
        Ok(()) => bytes.copy_within(source..source + length as usize, place),
        // Of one buffer, ranges that overlap are refused; of two names for the same bytes nobody is told.
        Err(error) => assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}"),
    }
}

#[test]
fn a_placement_heap_holds_what_was_last_written_to_its_bytes() {
    const SIZE: u64 = 8 * 256;
    let seeds = std::env::var("FENCEPOST_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(60);
    for seed in 0..seeds {
        let mut tape = Tape(seed);
        let schedule = if seed % 3 == 0 { Schedule::Parallel } else { Schedule::Adversarial(seed) };
        let device = Device::cpu_with(CpuOptions { schedule, ..CpuOptions::default() });
        // Of a tracked heap, passes take turns with all that is on it, whatever overlaps.
        let options = ResourceOptions::SHARED.tracked();
        let heap = HeapDescriptor { size: SIZE, kind: HeapKind::Placement, options };
        let heap = device.new_heap(&heap).expect("there is memory");
        let whole = heap.new_buffer_at(SIZE, options, 0).expect("inside");
        let mut buffers = vec![(whole.clone(), 0)];
        for _ in 0..2 + tape.below(4) {
            let offset = tape.below(8) * 256;
            let length = 1 + tape.below(SIZE - offset);
            buffers.push((heap.new_buffer_at(length, options, offset).expect("inside"), offset as usize));
        }
        assert_eq!(heap.used_size(), SIZE, "overlaps count once");
        let mut bytes: Vec<u8> = (0..SIZE).map(|byte| (byte * 7) as u8).collect();
        whole.write(0, &bytes).expect("nothing is in flight");
        let queues = [device.new_command_queue(), device.new_command_queue()];
        let mut committed = Vec::new();
        for _ in 0..1 + tape.below(3) {
            let work = queues[tape.below(2) as usize].command_buffer();
            for _ in 0..1 + tape.below(3) {
                let mut blit = work.blit_command_encoder().expect("it is open");
                for _ in 0..1 + tape.below(4) {
                    transfer(&mut blit, &buffers, &mut bytes, &mut tape);
                }
                blit.end_encoding();
            }
            work.commit().expect("nothing is held");
            committed.push(work);
        }
        committed.iter().for_each(|work| work.wait_until_completed().expect("it runs"));
        assert_eq!(whole.read::<u8>(..).expect("it has completed"), bytes, "seed {seed}");
        for (buffer, start) in &buffers {
            let part = &bytes[*start..start + buffer.length() as usize];
            assert_eq!(buffer.read::<u8>(..).expect("it has completed"), part, "seed {seed}");
        }
    }
}

#[test]
fn work_in_flight_keeps_what_it_uses_whether_or_not_it_says_so() {
    let device = Device::cpu();
    let queue = device.new_command_queue();
    let back = device.new_buffer(64, ResourceOptions::SHARED).expect("there is memory");
    for retained in [true, false] {
        let gate = device.new_event();
        let work = match retained {
            true => queue.command_buffer(),
            false => queue.command_buffer_with_unretained_references(),
        };
        assert_eq!(work.retained_references(), retained);
        let heap = device.new_heap(&HeapDescriptor { size: 256, ..Default::default() }).expect("memory");
        let buffer = heap.new_buffer(64, ResourceOptions::SHARED).expect("there is room");
        buffer.write(0, &[9u8; 64]).expect("nothing is in flight");
        work.encode_wait_for_event(&gate, 1).expect("it is open");
        let mut blit = work.blit_command_encoder().expect("it is open");
        blit.copy_buffer(&buffer, 0, &back, 0, 64).expect("inside");
        blit.end_encoding();
        work.commit().expect("nothing is held");
        drop((buffer, heap));
        // Others may want memory meanwhile.
        let others: Vec<_> =
            (0..32).map(|_| device.new_buffer_with_bytes(&[1; 256], ResourceOptions::SHARED)).collect();
        let signal = device.new_command_queue().command_buffer();
        signal.encode_signal_event(&gate, 1).expect("it is open");
        run(&signal);
        work.wait_until_completed().expect("the gate is open");
        drop(others);
        assert_eq!(back.read::<u8>(..).expect("it has completed"), [9; 64]);
    }
}
