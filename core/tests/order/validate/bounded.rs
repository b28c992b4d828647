//! What is remembered online follows what is there, not what has been.
use fencepost_core::program::{
    BufferItem, Command, CommandBuffer, DeviceDeclaration, DeviceIndex, DeviceKind, DispatchType,
    EventDeclaration, EventIndex, EventOperation, EventOperationKind, Part, Pass, PassItem, PassKind,
    Placement, Primitive, QueueDeclaration, QueueIndex, QueueMode, ResourceDeclaration, ResourceIndex, Shape,
    Step, StorageMode, Synchronization, TrackingMode, Work,
};
use fencepost_core::validate::{Online, ThreadIndex};
use fencepost_core::{Stages, Visibility};

/// An application with one queue.
struct App {
    online: Online,
    device: DeviceIndex,
    queue: QueueIndex,
    main: ThreadIndex,
}

impl App {
    fn new(mode: QueueMode) -> Self {
        let mut online = Online::new();
        let device = online.add_device(DeviceDeclaration { name: "d".into(), kind: DeviceKind::Any });
        let queue = online.add_queue(QueueDeclaration { name: "q".into(), mode, device }).unwrap();
        let main = online.add_thread(None).unwrap();
        Self { online, device, queue, main }
    }

    fn buffer(&mut self) -> ResourceIndex {
        let declaration = ResourceDeclaration {
            name: "B".into(),
            device: self.device,
            shape: Shape::Buffer { size: 64, init: None },
            storage: StorageMode::Shared,
            tracking: TrackingMode::Default,
            placement: Placement::Own,
        };
        self.online.add_resource(declaration).unwrap()
    }

    fn step(&mut self, step: Step) {
        self.online.step(self.main, step).unwrap();
    }

    /// Commits passes as one command buffer, which is let go of.
    fn commit(&mut self, passes: Vec<Pass>) {
        let items = passes.into_iter().map(BufferItem::Pass).collect();
        let body = CommandBuffer { label: "cb".into(), queue: self.queue, items };
        let buffer = self.online.add_command_buffer(body).unwrap();
        self.step(Step::Commit(vec![buffer]));
        self.online.remove_command_buffer(buffer);
    }

    fn clean(&mut self) {
        assert_eq!(self.online.take_findings(), []);
    }
}

fn dispatch(reads: Vec<Part>, writes: Vec<Part>) -> PassItem {
    let work = Work::Dispatch { reads, writes, atomics: Vec::new(), cost: 1, indirect: false };
    PassItem::Command(Command { label: "k".into(), work })
}

fn barrier() -> PassItem {
    let primitive = Primitive::Barrier {
        after: Stages::DISPATCH,
        before: Stages::DISPATCH,
        visibility: Visibility::DEVICE,
    };
    PassItem::Synchronization(Synchronization { label: None, primitive })
}

fn consumer() -> PassItem {
    let primitive = Primitive::ConsumerBarrier {
        after_queue: Stages::DISPATCH,
        before: Stages::DISPATCH,
        visibility: Visibility::DEVICE,
    };
    PassItem::Synchronization(Synchronization { label: None, primitive })
}

fn pass(items: Vec<PassItem>, dispatch_type: Option<DispatchType>) -> Pass {
    Pass { label: "P".into(), kind: PassKind::Compute { dispatch_type }, items }
}

/// Repeats until so many commands have been made, and compares the most that was remembered in the first and in the last
/// third.
fn flat(app: &mut App, commands: usize, mut once: impl FnMut(&mut App) -> usize) {
    let mut most = [0; 3];
    let mut made = 0;
    while made < commands {
        made += once(app);
        let third = (3 * made / commands).min(2);
        most[third] = most[third].max(app.online.records());
    }
    let [first, _, last] = most;
    assert!(last <= first + first / 4, "from {first} records to {last}");
    assert!(last < 60_000, "{last} records");
}

const COMMANDS: usize = 100_000;

#[test]
fn two_buffers_in_turns_on_a_tracked_queue() {
    let mut app = App::new(QueueMode::Tracked);
    let [a, b] = [(); 2].map(|()| app.buffer());
    flat(&mut app, COMMANDS, |app| {
        let one = |n: u32| {
            let (from, to) = if n.is_multiple_of(2) { (a, b) } else { (b, a) };
            pass(vec![dispatch(vec![from.whole()], vec![to.whole()])], None)
        };
        app.commit((0..32).map(one).collect());
        app.clean();
        32
    });
}

#[test]
fn barriers_on_an_explicit_queue() {
    let mut app = App::new(QueueMode::Explicit);
    let [a, b] = [(); 2].map(|()| app.buffer());
    flat(&mut app, COMMANDS, |app| {
        let mut items = vec![consumer()];
        for n in 0..32 {
            let (from, to) = if n % 2 == 0 { (a, b) } else { (b, a) };
            items.extend([dispatch(vec![from.whole()], vec![to.whole()]), barrier()]);
        }
        app.commit(vec![pass(items, None)]);
        app.clean();
        32
    });
}

#[test]
fn three_frames_in_flight() {
    let mut app = App::new(QueueMode::Explicit);
    let event = app.online.add_event(EventDeclaration { name: "frames".into(), shared: true });
    let uniforms = [(); 3].map(|()| app.buffer());
    let target = app.buffer();
    let mut frame = 0u64;
    flat(&mut app, COMMANDS, |app| {
        frame += 1;
        let own = uniforms[(frame % 3) as usize];
        if frame > 3 {
            app.step(Step::WaitUntilSignaled { event, value: frame - 3, timeout_ms: None });
        }
        app.step(Step::Write(own.whole()));
        let draws = (0..8).map(|n| dispatch(vec![own.whole()], vec![target.bytes(n * 8..n * 8 + 8)]));
        let items = std::iter::once(consumer()).chain(draws).collect();
        app.commit(vec![pass(items, None)]);
        app.step(Step::QueueEvent { queue: app.queue, operation: signal(event, frame) });
        app.clean();
        8
    });
    // Without the wait the next frame's uniforms are still being read.
    app.step(Step::Write(uniforms[((frame + 1) % 3) as usize].whole()));
    assert!(app.online.take_findings().iter().any(|finding| finding.code() == "race"));
}

fn signal(event: EventIndex, value: u64) -> EventOperation {
    EventOperation { label: None, event, value, kind: EventOperationKind::Signal }
}

#[test]
fn many_readers_and_one_writer() {
    let mut app = App::new(QueueMode::Explicit);
    let table = app.buffer();
    let others: Vec<ResourceIndex> = (0..16).map(|_| app.buffer()).collect();
    flat(&mut app, COMMANDS, |app| {
        let read = |n: usize| dispatch(vec![table.whole(), others[n % 16].whole()], Vec::new());
        for _ in 0..10 {
            app.commit(vec![pass((0..100).map(read).collect(), None)]);
        }
        let write = vec![consumer(), dispatch(Vec::new(), vec![table.whole()]), barrier()];
        app.commit(vec![pass(write, None)]);
        let after = vec![consumer(), dispatch(vec![table.whole()], Vec::new())];
        app.commit(vec![pass(after, None)]);
        app.clean();
        1002
    });
    // One that the barrier forgets is told against some of each crowd.
    app.commit(vec![pass((0..100).map(|_| dispatch(vec![table.whole()], Vec::new())).collect(), None)]);
    app.commit(vec![pass(vec![dispatch(Vec::new(), vec![table.whole()])], None)]);
    let races = app.online.take_findings().len();
    assert!((1..=64).contains(&races), "{races} races");
}

#[test]
fn resources_that_come_and_go() {
    let mut app = App::new(QueueMode::Tracked);
    let kept = app.buffer();
    flat(&mut app, COMMANDS, |app| {
        let own: Vec<ResourceIndex> = (0..10).map(|_| app.buffer()).collect();
        let items = own.iter().map(|own| dispatch(vec![kept.whole()], vec![own.whole()])).collect();
        app.commit(vec![pass(items, None)]);
        own.into_iter().for_each(|own| app.online.remove_resource(own));
        app.clean();
        10
    });
    assert!(app.online.program().resources.len() < 20_000);
}

#[test]
fn nothing_ever_waits() {
    // Neither barriers nor waits, everything on bytes of its own: nothing is ordered, and nothing clashes.
    let mut app = App::new(QueueMode::Explicit);
    let own: Vec<ResourceIndex> = (0..64).map(|_| app.buffer()).collect();
    let table = app.buffer();
    let mut number = 0;
    flat(&mut app, COMMANDS, |app| {
        let items = own.iter().map(|own| {
            number += 1;
            let reads = vec![table.whole(), own.bytes(0..8)];
            dispatch(reads, Vec::new())
        });
        app.commit(vec![pass(items.collect(), None)]);
        app.clean();
        64
    });
}
