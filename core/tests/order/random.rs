//! Random programs with every primitive: small, dense, and as odd as an application may write them.
use fencepost_core::program::{
    Attachment, BufferOptions, Builder, CommandBufferIndex, DispatchType, EventIndex, FenceIndex, LoadAction,
    MemoryScope, Part, PassBuilder, PassKind, Placement, Primitive, Program, QueueIndex, QueueItems,
    QueueMode, ResourceIndex, Step, Steps, StoreAction, TextureOptions, TrackingMode, Work,
};
use fencepost_core::{Stages, Visibility};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

const EVENTS: u32 = 3;
const FENCES: u32 = 2;
const TEXTURE: u32 = 7;
const RESOURCES: u32 = 8;

#[derive(Clone, Debug)]
enum PassOp {
    Work(Vec<Part>, Vec<Part>, u8),
    Sync(Primitive),
    Use(u32, bool, bool),
}

#[derive(Clone, Debug)]
enum Op {
    Pass(u8, Vec<PassOp>),
    Event { signal: bool, event: u32, value: u64 },
}

#[derive(Clone, Debug)]
enum Cpu {
    Commit,
    Enqueue(u8),
    QueueEvent { queue: u8, signal: bool, event: u32, value: u64 },
    Completed(u8),
    Set(u64),
    Signaled(u64, bool),
    Notify(u64, Vec<Self>),
    Thread(Vec<Self>),
    Touch(bool, Part),
}

pub(crate) fn programs() -> impl Strategy<Value = Program> {
    let modes = vec(select(vec![QueueMode::Tracked, QueueMode::Explicit]), 1..=3);
    let buffers = vec((0..3u8, vec(op(), 1..=4)), 1..=5);
    let script = vec(cpu(), 3..=10);
    (modes, buffers, script, any::<u64>())
        .prop_map(|(modes, buffers, script, shuffle)| build(&modes, buffers, script, shuffle))
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (0..6u8, vec(pass_op(), 0..=5)).prop_map(|(kind, ops)| Op::Pass(kind, ops)),
        1 => (signal(), 0..EVENTS, 0..4u64).prop_map(|(signal, event, value)| Op::Event { signal, event, value }),
    ]
}

/// More signals than waits, so that fewer programs are stuck.
fn signal() -> impl Strategy<Value = bool> {
    proptest::bool::weighted(0.7)
}

fn pass_op() -> impl Strategy<Value = PassOp> {
    let work = (vec(part(), 0..=2), vec(part(), 0..=2), any::<u8>());
    prop_oneof![
        5 => work.prop_map(|(reads, writes, kind)| PassOp::Work(reads, writes, kind)),
        4 => primitive().prop_map(PassOp::Sync),
        1 => (0..RESOURCES, any::<bool>(), any::<bool>()).prop_map(|(resource, read, write)| {
            PassOp::Use(resource, read || !write, write)
        }),
    ]
}

fn part() -> impl Strategy<Value = Part> {
    let part = |(resource, a, b, whole): (u32, u64, u64, bool)| {
        let index = ResourceIndex(resource);
        match resource {
            _ if whole => index.whole(),
            TEXTURE => {
                index.subresources((a % 3) as u32..(a % 3 + 1 + b % 2).min(3) as u32, 0..1 + (b % 2) as u32)
            }
            _ => index.bytes(a..(a + b + 1).min(16)),
        }
    };
    (0..RESOURCES, 0..15u64, 0..8u64, any::<bool>()).prop_map(part)
}

fn stages() -> impl Strategy<Value = Stages> {
    let one = select(vec![Stages::VERTEX, Stages::FRAGMENT, Stages::DISPATCH, Stages::BLIT]);
    prop_oneof![
        6 => vec(one, 1..=2).prop_map(|all| all.into_iter().collect()),
        1 => Just(Stages::ALL),
        1 => Just(Stages::empty()),
        1 => Just(Stages::MESH | Stages::TILE),
    ]
}

fn primitive() -> impl Strategy<Value = Primitive> {
    let visibility = select(vec![Visibility::DEVICE, Visibility::empty(), Visibility::RESOURCE_ALIAS]);
    let scoped =
        (stages(), stages(), visibility, 0..3u8).prop_map(|(after, before, visibility, kind)| match kind {
            0 => Primitive::Barrier { after, before, visibility },
            1 => Primitive::ConsumerBarrier { after_queue: after, before, visibility },
            _ => Primitive::ProducerBarrier { after, before_queue: before, visibility },
        });
    let fence =
        (any::<bool>(), 0..FENCES, proptest::option::of(stages())).prop_map(|(update, fence, stages)| {
            let fence = FenceIndex(fence);
            if update {
                Primitive::UpdateFence { fence, after: stages }
            } else {
                Primitive::WaitForFence { fence, before: stages }
            }
        });
    let kinds =
        (any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(buffers, textures, render_targets)| {
            MemoryScope::Kinds { buffers, textures, render_targets }
        });
    let listed = vec(0..RESOURCES, 1..=2)
        .prop_map(|all| MemoryScope::Resources(all.into_iter().map(ResourceIndex).collect()));
    let optional = || proptest::option::of(stages());
    let memory = (prop_oneof![kinds, listed], optional(), optional())
        .prop_map(|(scope, after, before)| Primitive::MemoryBarrier { scope, after, before });
    prop_oneof![4 => scoped, 3 => fence, 1 => memory]
}

fn cpu() -> impl Strategy<Value = Cpu> {
    let leaf = prop_oneof![
        6 => Just(Cpu::Commit),
        2 => any::<u8>().prop_map(Cpu::Enqueue),
        2 => (any::<u8>(), signal(), 0..EVENTS, 0..4u64)
            .prop_map(|(queue, signal, event, value)| Cpu::QueueEvent { queue, signal, event, value }),
        1 => any::<u8>().prop_map(Cpu::Completed),
        2 => (0..4u64).prop_map(Cpu::Set),
        1 => (0..4u64, any::<bool>()).prop_map(|(value, timed)| Cpu::Signaled(value, timed)),
        1 => (any::<bool>(), part()).prop_map(|(read, part)| Cpu::Touch(read, part)),
    ];
    leaf.prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            (0..4u64, vec(inner.clone(), 0..=2)).prop_map(|(value, body)| Cpu::Notify(value, body)),
            vec(inner, 1..=3).prop_map(Cpu::Thread),
        ]
    })
}

fn build(modes: &[QueueMode], buffers: Vec<(u8, Vec<Op>)>, script: Vec<Cpu>, shuffle: u64) -> Program {
    let mut p = Program::builder();
    let queues: Vec<QueueIndex> =
        modes.iter().enumerate().map(|(n, mode)| p.queue(&format!("q{n}"), *mode)).collect();
    declare(&mut p);
    let mut left: Vec<CommandBufferIndex> = Vec::new();
    for (n, (queue, ops)) in buffers.into_iter().enumerate() {
        let queue = queues[queue as usize % queues.len()];
        left.push(p.command_buffer(&format!("cb{n}"), queue, |items| {
            ops.into_iter().enumerate().for_each(|(m, op)| write_op(items, op, &format!("P{n}{m}")));
        }));
    }
    let all = left.clone();
    // A commit takes one or two of the buffers that are left, in an order of its own.
    let mut random = shuffle;
    let mut take = move |left: &mut Vec<CommandBufferIndex>| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let place = (random >> 33) as usize % left.len();
        left.remove(place)
    };
    let steps = p.steps();
    write_steps(steps, script, &all, &queues, &mut |steps| {
        if !left.is_empty() {
            let first = take(&mut left);
            let group = if left.len() > 2 { vec![first, take(&mut left)] } else { vec![first] };
            steps.commit(group);
        }
    });
    p.build()
}

fn declare(p: &mut Builder) {
    let tracked = p.heap("H", 64, true);
    let untracked = p.heap("N", 64, false);
    let place = |heap, offset, tracking| BufferOptions {
        placement: Placement::Heap { heap, offset },
        tracking,
        ..BufferOptions::default()
    };
    p.buffer("A", 16);
    p.buffer("B", 16);
    p.buffer_with("U", 16, BufferOptions { tracking: TrackingMode::Untracked, ..BufferOptions::default() });
    p.buffer_with("R", 16, place(tracked, 0, TrackingMode::Default));
    p.buffer_with("S", 16, place(tracked, 32, TrackingMode::Tracked));
    p.buffer_with("O", 16, place(tracked, 16, TrackingMode::Untracked));
    p.buffer_with("V", 16, place(untracked, 0, TrackingMode::Tracked));
    p.texture("T", 8, 8, TextureOptions { mips: 3, slices: 2, ..TextureOptions::default() });
    for n in 0..FENCES {
        p.fence(&format!("F{n}"));
    }
    p.shared_event("X");
    for n in 1..EVENTS {
        p.event(&format!("E{n}"));
    }
}

fn write_op(items: &mut QueueItems, op: Op, label: &str) {
    match op {
        Op::Event { signal: true, event, value } => items.signal_event(label, EventIndex(event), value),
        Op::Event { signal: false, event, value } => items.wait_for_event(label, EventIndex(event), value),
        Op::Pass(kind, ops) => {
            let attachment = |load| Attachment {
                texture: ResourceIndex(TEXTURE).subresources(0..1, 0..1),
                load,
                store: StoreAction::Store,
            };
            let pass = match kind {
                0 => PassKind::Blit,
                1 => PassKind::Render { color: vec![attachment(LoadAction::Load)], depth: None },
                2 => PassKind::Render { color: Vec::new(), depth: Some(attachment(LoadAction::Clear)) },
                3 => PassKind::Compute { dispatch_type: Some(DispatchType::Concurrent) },
                4 => PassKind::Compute { dispatch_type: Some(DispatchType::Serial) },
                _ => PassKind::Compute { dispatch_type: None },
            };
            items.pass(label, pass.clone(), |out| {
                ops.into_iter()
                    .enumerate()
                    .for_each(|(n, op)| write_pass_op(out, &pass, op, &format!("c{n}")));
            });
        }
    }
}

fn write_pass_op(out: &mut PassBuilder, pass: &PassKind, op: PassOp, label: &str) {
    match op {
        PassOp::Sync(primitive) => {
            out.primitive(None, primitive);
        }
        PassOp::Use(resource, read, write) => {
            out.use_resource(ResourceIndex(resource), read, write);
        }
        PassOp::Work(mut reads, mut writes, kind) => {
            let part = |list: &mut Vec<Part>| list.pop().unwrap_or_else(|| ResourceIndex(0).bytes(0..4));
            let work = match (pass, kind % 8) {
                (PassKind::Render { .. }, _) => {
                    let (vertex_writes, fragment_writes) =
                        if kind % 2 == 0 { (writes, Vec::new()) } else { (Vec::new(), writes) };
                    let fragment_reads = reads.pop().into_iter().collect();
                    Work::Draw { vertex_reads: reads, vertex_writes, fragment_reads, fragment_writes }
                }
                (_, 0) => Work::GenerateMipmaps { texture: ResourceIndex(TEXTURE) },
                (_, 1) => Work::Optimize { texture: ResourceIndex(TEXTURE), for_gpu: true },
                (_, 2) => Work::Fill { to: part(&mut writes), value: kind },
                (PassKind::Blit, _) | (_, 3) => Work::Copy { from: part(&mut reads), to: part(&mut writes) },
                (_, 4) => {
                    Work::Dispatch { reads, writes: Vec::new(), atomics: writes, cost: 1, indirect: false }
                }
                (_, kind) => {
                    Work::Dispatch { reads, writes, atomics: Vec::new(), cost: 1, indirect: kind == 5 }
                }
            };
            out.command(label, work);
        }
    }
}

fn write_steps(
    steps: &mut Steps,
    script: Vec<Cpu>,
    all: &[CommandBufferIndex],
    queues: &[QueueIndex],
    commit: &mut dyn FnMut(&mut Steps),
) {
    let shared = EventIndex(0);
    for step in script {
        match step {
            Cpu::Commit => commit(steps),
            Cpu::Enqueue(n) => {
                steps.enqueue(all[n as usize % all.len()]);
            }
            Cpu::QueueEvent { queue, signal, event, value } => {
                let queue = queues[queue as usize % queues.len()];
                if signal {
                    steps.signal_event("s", queue, EventIndex(event), value);
                } else {
                    steps.wait_for_event("w", queue, EventIndex(event), value);
                }
            }
            Cpu::Completed(n) => {
                steps.wait_until_completed(all[n as usize % all.len()]);
            }
            Cpu::Set(value) => {
                steps.set_signaled_value(shared, value);
            }
            Cpu::Signaled(value, timed) => {
                let timeout_ms = timed.then_some(1);
                steps.step(Step::WaitUntilSignaled { event: shared, value, timeout_ms });
            }
            Cpu::Notify(value, body) => {
                steps.notify(shared, value, |steps| write_steps(steps, body, all, queues, &mut *commit));
            }
            Cpu::Thread(body) => {
                steps.thread("t", |steps| write_steps(steps, body, all, queues, &mut *commit));
            }
            Cpu::Touch(read, part) => {
                steps.step(if read { Step::Read(part) } else { Step::Write(part) });
            }
        }
    }
}
