//! Random programs that name only what is there. Every choice is a number of a tape, so that a shorter tape or smaller
//! numbers make a simpler program.

use fencepost_core::program::*;
use fencepost_core::{Extent, Stages, Visibility};

struct Tape<'t> {
    numbers: core::slice::Iter<'t, u32>,
}

impl Tape<'_> {
    fn below(&mut self, limit: usize) -> usize {
        self.numbers.next().map_or(0, |number| *number as usize % limit.max(1))
    }

    fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }

    fn coin(&mut self) -> bool {
        self.below(2) == 1
    }

    fn index(&mut self, list_length: usize) -> u32 {
        self.below(list_length) as u32
    }

    fn range(&mut self, end: u64) -> core::ops::Range<u64> {
        let start = self.below(end as usize + 1) as u64;
        start..start + self.below((end - start) as usize + 1) as u64
    }

    fn label(&mut self, number: usize) -> String {
        let stem = self.one(&["c", "k", "a b", "7", "true", "ü\"\\\n", "", "x.y", "-1", "\u{200e}"]);
        format!("{stem}{number}")
    }

    fn stages(&mut self) -> Stages {
        match self.below(4) {
            0 => Stages::ALL,
            1 => Stages::DISPATCH,
            _ => {
                let bits = (self.below(32) as u64) | ((self.below(32) as u64) << 26);
                Stages::from_bits_retain(bits)
            }
        }
    }
}

/// The program that a tape stands for.
pub(crate) fn program(tape: &[u32]) -> Program {
    let mut tape = Tape { numbers: tape.iter() };
    let mut program = Program::default();
    declarations(&mut tape, &mut program);
    for number in 0..tape.below(4) {
        let buffer = command_buffer(&mut tape, &program, number);
        program.command_buffers.push(buffer);
    }
    let mut names = 0;
    program.steps = steps(&mut tape, &program, 0, &mut names);
    expectations(&mut tape, &mut program);
    program
}

fn declarations(tape: &mut Tape<'_>, program: &mut Program) {
    for number in 0..1 + tape.below(3) {
        let kind = tape.one(&[DeviceKind::Any, DeviceKind::Cpu, DeviceKind::Vulkan]);
        let name = if number == 0 { "gpu".to_owned() } else { format!("gpu{number}") };
        program.devices.push(DeviceDeclaration { name, kind });
    }
    let device = |tape: &mut Tape<'_>, program: &Program| DeviceIndex(tape.index(program.devices.len()));
    for number in 0..1 + tape.below(3) {
        let mode = tape.one(&[QueueMode::Explicit, QueueMode::Tracked]);
        let device = device(tape, program);
        program.queues.push(QueueDeclaration { name: format!("q{number}"), mode, device });
    }
    for number in 0..tape.below(3) {
        let size = 4096 + tape.below(4096) as u64;
        let storage = tape.one(&[StorageMode::Private, StorageMode::Shared]);
        program.heaps.push(HeapDeclaration {
            name: format!("h{number}"),
            size,
            tracked: tape.coin(),
            storage,
        });
    }
    for number in 0..1 + tape.below(6) {
        let resource = resource(tape, program, number);
        program.resources.push(resource);
    }
    program.fences = (0..1 + tape.below(2)).map(|number| format!("F{number}")).collect();
    for number in 0..1 + tape.below(3) {
        // The first is shared, so that the CPU has one.
        let shared = number == 0 || tape.coin();
        program.events.push(EventDeclaration { name: format!("#{number}"), shared });
    }
}

fn resource(tape: &mut Tape<'_>, program: &Program, number: usize) -> ResourceDeclaration {
    let own = Placement::Own;
    let mut placement = tape.one(&[own, own, Placement::Heap { heap: HeapIndex(0), offset: 128 }]);
    if program.heaps.is_empty() {
        placement = own;
    }
    let mut shape = Shape::Buffer {
        size: 16 + tape.below(64) as u64,
        init: tape.coin().then(|| tape.below(1000) as u32),
    };
    if tape.below(3) == 0 {
        shape = Shape::Texture {
            width: 4 + tape.below(4) as u32,
            height: 4,
            mips: 1 + tape.below(3) as u32,
            slices: 1 + tape.below(3) as u32,
            format: tape.one(&[
                Format::Rgba8Unorm,
                Format::R32Uint,
                Format::Rgba32Float,
                Format::Depth32Float,
            ]),
        };
    }
    if number > 0 && tape.below(4) == 0 {
        let other = ResourceIndex(tape.index(number));
        let room = program.byte_size(other);
        placement = Placement::SameAs(other);
        shape = match program.resource(other).shape {
            same if tape.coin() => same,
            _ => Shape::Buffer { size: 1 + tape.below(room as usize) as u64, init: None },
        };
    }
    ResourceDeclaration {
        name: format!("R{number}"),
        device: DeviceIndex(tape.index(program.devices.len())),
        shape,
        storage: tape.one(&[StorageMode::Private, StorageMode::Shared, StorageMode::Managed]),
        tracking: tape.one(&[TrackingMode::Default, TrackingMode::Tracked, TrackingMode::Untracked]),
        placement,
    }
}

fn part(tape: &mut Tape<'_>, program: &Program) -> Part {
    let resource = ResourceIndex(tape.index(program.resources.len()));
    if tape.coin() {
        return resource.whole();
    }
    let extent = match program.resource(resource).shape {
        Shape::Buffer { size, .. } => Extent::Bytes(tape.range(size)),
        Shape::Texture { mips, slices, .. } => {
            let mips = tape.range(u64::from(mips));
            let slices = tape.range(u64::from(slices));
            Extent::Subresources {
                mips: mips.start as u32..mips.end as u32,
                slices: slices.start as u32..slices.end as u32,
            }
        }
    };
    Part { resource, extent }
}

fn parts(tape: &mut Tape<'_>, program: &Program) -> Vec<Part> {
    (0..tape.below(4)).map(|_| part(tape, program)).collect()
}

fn texture(tape: &mut Tape<'_>, program: &Program) -> Option<ResourceIndex> {
    let textures: Vec<u32> = (0..program.resources.len() as u32)
        .filter(|index| matches!(program.resources[*index as usize].shape, Shape::Texture { .. }))
        .collect();
    (!textures.is_empty()).then(|| ResourceIndex(tape.one(&textures)))
}

fn operation(tape: &mut Tape<'_>, program: &Program, number: usize) -> EventOperation {
    EventOperation {
        label: tape.coin().then(|| format!("e{number}")),
        event: EventIndex(tape.index(program.events.len())),
        value: tape.below(9) as u64,
        kind: tape.one(&[EventOperationKind::Signal, EventOperationKind::Wait]),
    }
}

fn command_buffer(tape: &mut Tape<'_>, program: &Program, number: usize) -> CommandBuffer {
    let queue = QueueIndex(tape.index(program.queues.len()));
    let items = (0..tape.below(5)).map(|item| match tape.below(4) {
        0 => BufferItem::Event(operation(tape, program, item)),
        kind => BufferItem::Pass(pass(tape, program, kind, item)),
    });
    let items = items.collect();
    CommandBuffer { label: tape.label(number), queue, items }
}

fn pass(tape: &mut Tape<'_>, program: &Program, kind: usize, number: usize) -> Pass {
    let kind = match kind {
        1 => PassKind::Compute {
            dispatch_type: tape.one(&[None, Some(DispatchType::Serial), Some(DispatchType::Concurrent)]),
        },
        2 => PassKind::Blit,
        _ => {
            let mut attachments: Vec<Attachment> =
                (0..tape.below(3)).filter_map(|_| attachment(tape, program)).collect();
            let depth = if tape.coin() { attachments.pop() } else { None };
            PassKind::Render { color: attachments, depth }
        }
    };
    let items = (0..tape.below(8)).filter_map(|item| match tape.below(4) {
        0 => Some(PassItem::UseResource {
            resource: ResourceIndex(tape.index(program.resources.len())),
            read: tape.coin(),
            write: tape.coin(),
        }),
        1 => {
            let label = tape.coin().then(|| tape.label(item));
            let primitive = primitive(tape, program);
            Some(PassItem::Synchronization(Synchronization { label, primitive }))
        }
        _ => {
            let label = tape.label(item);
            work(tape, program, &kind).map(|work| PassItem::Command(Command { label, work }))
        }
    });
    let items = items.collect();
    Pass { label: tape.label(number), kind, items }
}

fn attachment(tape: &mut Tape<'_>, program: &Program) -> Option<Attachment> {
    Some(Attachment {
        texture: texture(tape, program)?.whole(),
        load: tape.one(&[LoadAction::Load, LoadAction::Clear, LoadAction::DontCare]),
        store: tape.one(&[StoreAction::Store, StoreAction::DontCare]),
    })
}

fn work(tape: &mut Tape<'_>, program: &Program, kind: &PassKind) -> Option<Work> {
    if let PassKind::Render { .. } = kind {
        return Some(Work::Draw {
            vertex_reads: parts(tape, program),
            vertex_writes: parts(tape, program),
            fragment_reads: parts(tape, program),
            fragment_writes: parts(tape, program),
        });
    }
    let is_compute = matches!(kind, PassKind::Compute { .. });
    Some(match tape.below(6) {
        0 => Work::Fill { to: part(tape, program), value: tape.below(256) as u8 },
        1 => {
            let part = part(tape, program);
            Work::Copy { from: part.clone(), to: part }
        }
        2 => Work::GenerateMipmaps { texture: texture(tape, program)? },
        3 => Work::Optimize { texture: texture(tape, program)?, for_gpu: tape.coin() },
        _ if is_compute => Work::Dispatch {
            reads: parts(tape, program),
            writes: parts(tape, program),
            atomics: parts(tape, program),
            cost: 1 + tape.below(3) as u32,
            indirect: tape.coin(),
        },
        _ => {
            let resource = ResourceIndex(tape.index(program.resources.len()));
            let image = match program.resource(resource).shape {
                Shape::Texture { mips, slices, .. } if tape.coin() => {
                    let (mip, slice) = (tape.below(mips as usize) as u32, tape.below(slices as usize) as u32);
                    Extent::Subresources { mips: mip..mip + 1, slices: slice..slice + 1 }
                }
                _ => Extent::Whole,
            };
            Work::Synchronize { resource, extent: image }
        }
    })
}

fn primitive(tape: &mut Tape<'_>, program: &Program) -> Primitive {
    let visibility = Visibility::from_bits_truncate(tape.below(4) as u32);
    let (first, second) = (tape.stages(), tape.stages());
    let fence = FenceIndex(tape.index(program.fences.len()));
    match tape.below(6) {
        0 => Primitive::Barrier { after: first, before: second, visibility },
        1 => Primitive::ConsumerBarrier { after_queue: first, before: second, visibility },
        2 => Primitive::ProducerBarrier { after: first, before_queue: second, visibility },
        3 => {
            let scope = if tape.coin() {
                MemoryScope::Kinds {
                    buffers: tape.coin(),
                    textures: tape.coin(),
                    render_targets: tape.coin(),
                }
            } else {
                let resources = program.resources.len();
                MemoryScope::Resources(
                    (0..tape.below(3)).map(|_| ResourceIndex(tape.index(resources))).collect(),
                )
            };
            let after = tape.coin().then_some(first);
            Primitive::MemoryBarrier { scope, after, before: tape.coin().then_some(second) }
        }
        4 => Primitive::UpdateFence { fence, after: tape.coin().then_some(first) },
        _ => Primitive::WaitForFence { fence, before: tape.coin().then_some(second) },
    }
}

fn steps(tape: &mut Tape<'_>, program: &Program, depth: usize, names: &mut usize) -> Vec<Step> {
    (0..tape.below(6)).filter_map(|_| step(tape, program, depth, names)).collect()
}

fn step(tape: &mut Tape<'_>, program: &Program, depth: usize, names: &mut usize) -> Option<Step> {
    let buffers = program.command_buffers.len();
    let (event, value) = (EventIndex(0), tape.below(5) as u64);
    *names += 1;
    Some(match tape.below(12) {
        0 => Step::Write(part(tape, program)),
        1 => Step::DidModify(part(tape, program)),
        2 => Step::Read(part(tape, program)),
        3 if buffers > 0 => {
            Step::Commit((0..1 + tape.below(2)).map(|_| CommandBufferIndex(tape.index(buffers))).collect())
        }
        4 if buffers > 0 => Step::Enqueue(CommandBufferIndex(tape.index(buffers))),
        5 if buffers > 0 => Step::WaitUntilCompleted(CommandBufferIndex(tape.index(buffers))),
        6 => Step::QueueEvent {
            queue: QueueIndex(tape.index(program.queues.len())),
            operation: operation(tape, program, *names),
        },
        7 => Step::SetSignaledValue { event, value },
        8 => Step::WaitUntilSignaled { event, value, timeout_ms: tape.coin().then_some(100) },
        9 => Step::MakeAliasable(ResourceIndex(tape.index(program.resources.len()))),
        10 if depth < 3 => Step::Notify { event, value, body: steps(tape, program, depth + 1, names) },
        11 if depth < 3 => {
            let name = format!("t{names}");
            Step::Thread { name, body: steps(tape, program, depth + 1, names) }
        }
        _ => return None,
    })
}

fn expectations(tape: &mut Tape<'_>, program: &mut Program) {
    // Paths that name one place whatever the labels are: steps of the CPU.
    let mut paths: Vec<String> = Vec::new();
    paths.extend((0..program.all_steps().len()).filter_map(|number| {
        let path = program.path(Locus::Step(number as u32));
        path.starts_with("cpu.#").then_some(path)
    }));
    for _ in 0..tape.below(4) {
        let resource = ResourceIndex(tape.index(program.resources.len()));
        let expectation = match tape.below(4) {
            0 => Expectation::Clean,
            1 => Expectation::Managed { resource, code: "not-published".to_owned() },
            2 => Expectation::Fix { resource, primitive: "producer-barrier".to_owned() },
            _ if paths.is_empty() => continue,
            _ => {
                let (first, second) = (tape.one(&paths), tape.one(&paths));
                match tape.below(4) {
                    0 => Expectation::Race {
                        resource,
                        first: tape.coin().then_some(first),
                        second: tape.coin().then_some(second),
                        kind: tape.coin().then_some(RaceKind::WriteAfterRead),
                    },
                    1 => Expectation::Ordered { first, second },
                    2 => Expectation::Stuck { site: first },
                    _ => Expectation::Misuse { site: first, code: "wrong-queue-mode".to_owned() },
                }
            }
        };
        program.expectations.push(expectation);
    }
}
