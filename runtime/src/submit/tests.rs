//! Submission on the CPU device, with recordings made by hand whose commands are closures.
mod completion;
mod waits;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use fencepost_core::{
    Access, AccessKind, Extent, QueueId, QueueMode, ResourceDescriptor, ResourceId, ResourceShape, Stage,
    Stages, Tracking, Visibility,
};
use parking_lot::Mutex;

use super::{Claimant, CommandBufferState, Submission};
use crate::backend::open_cpu;
use crate::record::{Command, Grid, Item, Recording};
use crate::signal::{EventBody, EventHandle, SharedEventListener, SignalRight};
use crate::{
    CommandBufferStatus, CommandEncoderErrorState, CpuOptions, DispatchType, ErrorKind, Function, PassKind,
    Schedule,
};

/// What a wait of a test takes at most, where nothing is wrong.
const SOON: Duration = Duration::from_secs(20);

struct Rig {
    submission: Arc<Submission>,
    queue: QueueId,
    log: Arc<Mutex<Vec<&'static str>>>,
}

impl Rig {
    fn new(mode: QueueMode, schedule: Schedule) -> Self {
        Self::with(mode, CpuOptions { schedule, threads: 2, ..CpuOptions::default() })
    }

    fn with(mode: QueueMode, options: CpuOptions) -> Self {
        let submission = Submission::new(open_cpu(options));
        let queue = submission.add_queue(mode, 64);
        Self { submission, queue, log: Arc::default() }
    }

    fn resource(&self, tracking: Tracking) -> ResourceId {
        let memory = self.submission.add_memory();
        let shape = ResourceShape::Buffer;
        self.submission.add_resource(ResourceDescriptor { memory, bytes: 0..64, shape, tracking })
    }

    fn tape(&self) -> Tape<'_> {
        Tape { rig: self, recording: Recording::default() }
    }

    fn commit(&self, queue: QueueId, tape: Tape<'_>) -> Arc<CommandBufferState> {
        let buffer = self.submission.new_command_buffer(queue);
        self.commit_as(queue, tape, &buffer);
        buffer
    }

    fn commit_as(&self, queue: QueueId, tape: Tape<'_>, buffer: &Arc<CommandBufferState>) {
        let group = vec![(Arc::new(tape.recording), Arc::clone(buffer))];
        self.submission.commit(queue, group).expect("the commit is legal");
    }

    fn log(&self) -> Vec<&'static str> {
        self.log.lock().clone()
    }
}

/// A recording in the making.
struct Tape<'a> {
    rig: &'a Rig,
    recording: Recording,
}

impl Tape<'_> {
    fn pass(mut self, dispatch_type: DispatchType) -> Self {
        self.recording.items.push(Item::BeginPass { kind: PassKind::Compute, dispatch_type, label: None });
        self
    }

    fn end(self) -> Self {
        self.item(Item::EndPass)
    }

    fn item(mut self, item: Item) -> Self {
        self.recording.items.push(item);
        self
    }

    fn signal(self, event: &Arc<EventBody>, value: u64) -> Self {
        self.item(Item::SignalEvent { event: SignalRight::new(event), value })
    }

    fn wait(self, event: &Arc<EventBody>, value: u64) -> Self {
        self.item(Item::WaitForEvent { event: Arc::clone(event), value })
    }

    fn fence(self, item: Item) -> Self {
        self.item(item)
    }

    /// A command that runs a closure once for each of `groups`.
    fn run_groups(
        mut self,
        groups: u32,
        accesses: &[(ResourceId, AccessKind)],
        body: impl Fn(u64) + Send + Sync + 'static,
    ) -> Self {
        let function =
            Function::host("test", &[], [1, 1, 1], move |context| context.threadgroups().for_each(&body));
        let pipeline = self.rig.submission.backend().pipeline(&function).expect("host functions run here");
        let recording = &mut self.recording;
        let first = recording.accesses.len() as u32;
        recording.accesses.extend(accesses.iter().map(|&(resource, kind)| Access {
            resource,
            extent: Extent::Whole,
            kind,
            stage: Stage::Dispatch,
        }));
        let accesses = first..recording.accesses.len() as u32;
        recording.items.push(Item::Command { stages: Stages::DISPATCH, label: None, accesses });
        let grid = Grid { groups: [groups, 1, 1], threads: None };
        let pipeline_index = recording.pipelines.len() as u32;
        recording.pipelines.push(pipeline);
        recording.commands.push(Command::Dispatch { pipeline: pipeline_index, bindings: 0..0, grid });
        self
    }

    fn run(self, accesses: &[(ResourceId, AccessKind)], body: impl Fn() + Send + Sync + 'static) -> Self {
        self.run_groups(1, accesses, move |_| body())
    }

    /// A command that notes that it ran.
    fn note(self, name: &'static str) -> Self {
        let log = Arc::clone(&self.rig.log);
        self.run(&[], move || log.lock().push(name))
    }
}

fn schedules() -> impl Iterator<Item = Schedule> {
    std::iter::once(Schedule::Parallel).chain((0..8).map(Schedule::Adversarial))
}

fn wait_for(what: &str, there: impl Fn() -> bool) {
    let deadline = Instant::now() + SOON;
    while !there() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::yield_now();
    }
}

#[test]
fn a_serial_pass_runs_in_order() {
    for schedule in schedules() {
        let rig = Rig::new(QueueMode::Tracked, schedule);
        let tape = rig.tape().pass(DispatchType::Serial).note("a").note("b").note("c").end();
        let buffer = rig.commit(rig.queue, tape);
        buffer.wait_until_completed();
        assert_eq!(buffer.status(), CommandBufferStatus::Completed);
        assert_eq!(rig.log(), ["a", "b", "c"], "{schedule:?}");
    }
}

/// Some seed turns two commands around that nothing orders, and none does once a barrier stands between them.
#[test]
fn an_adversary_finds_a_missing_barrier() {
    let turned = |barrier: bool| {
        (0..100).filter(move |&seed| {
            let rig = Rig::new(QueueMode::Explicit, Schedule::Adversarial(seed));
            let mut tape = rig.tape().pass(DispatchType::Concurrent).note("first");
            if barrier {
                let (after, before) = (Stages::DISPATCH, Stages::DISPATCH);
                tape = tape.item(Item::Barrier { after, before, visibility: Visibility::DEVICE });
            }
            rig.commit(rig.queue, tape.note("second").end()).wait_until_completed();
            rig.log() == ["second", "first"]
        })
    };
    assert_eq!(turned(true).count(), 0);
    let found = turned(false).count();
    assert!((20..80).contains(&found), "{found} of 100 seeds turn the commands around");
}

#[test]
fn a_seed_gives_the_same_order_again() {
    let order = |seed| {
        let rig = Rig::new(QueueMode::Explicit, Schedule::Adversarial(seed));
        let mut tape = rig.tape().pass(DispatchType::Concurrent);
        for name in ["a", "b", "c", "d", "e", "f", "g", "h"] {
            let log = Arc::clone(&rig.log);
            tape = tape.run_groups(5, &[], move |_| log.lock().push(name));
        }
        rig.commit(rig.queue, tape.end()).wait_until_completed();
        rig.log()
    };
    for seed in 0..50 {
        assert_eq!(order(seed), order(seed), "seed {seed}");
    }
    assert_ne!(order(1), order(2));
}

/// L1, L2 and S6: signals in the middle of a buffer release another queue, which releases the first one again.
#[test]
fn two_queues_play_ping_pong_inside_one_buffer_each() {
    for schedule in schedules() {
        for swapped in [false, true] {
            let rig = Rig::new(QueueMode::Tracked, schedule);
            let other = rig.submission.add_queue(QueueMode::Tracked, 64);
            let event = EventHandle::new(false);
            let first = rig.tape().pass(DispatchType::Serial).note("r1").end().signal(&event, 1);
            let first = first.wait(&event, 2).pass(DispatchType::Serial).note("r3").end();
            let second = rig.tape().wait(&event, 1).pass(DispatchType::Serial).note("c2").end();
            let second = second.signal(&event, 2);
            // Wait before signal (L4): what is committed first does not matter.
            let buffers = if swapped {
                let second = rig.commit(other, second);
                [rig.commit(rig.queue, first), second]
            } else {
                [rig.commit(rig.queue, first), rig.commit(other, second)]
            };
            for buffer in buffers {
                buffer.wait_until_completed();
                assert_eq!(buffer.status(), CommandBufferStatus::Completed);
            }
            assert_eq!(rig.log(), ["r1", "c2", "r3"], "{schedule:?} {swapped}");
            assert_eq!(event.signaled_value(), 2);
        }
    }
}

/// L2: a queue that waits for ever stops nobody else.
#[test]
fn a_parked_queue_stops_no_other() {
    for schedule in schedules() {
        let rig = Rig::new(QueueMode::Tracked, schedule);
        let other = rig.submission.add_queue(QueueMode::Tracked, 64);
        let event = EventHandle::new(false);
        let parked = rig.commit(rig.queue, rig.tape().wait(&event, 1));
        let free = rig.commit(other, rig.tape().pass(DispatchType::Serial).note("free").end());
        free.wait_until_completed();
        assert_eq!(rig.log(), ["free"]);
        assert_eq!(parked.status(), CommandBufferStatus::Committed);
        event.raise(1);
        parked.wait_until_completed();
    }
}

/// L3, L5 and S8: the CPU sees a signal while its buffer runs, and releases the rest of it.
#[test]
fn the_cpu_takes_part_in_a_running_buffer() {
    for schedule in schedules() {
        let rig = Rig::new(QueueMode::Tracked, schedule);
        let event = EventHandle::new(true);
        let listener = SharedEventListener::new();
        let log = Arc::clone(&rig.log);
        let body = event.clone();
        event.notify(
            &listener,
            2,
            Box::new(move |_, value| {
                assert!(value >= 2);
                log.lock().push("x");
                body.raise(3);
            }),
        );
        let tape = rig.tape().pass(DispatchType::Serial).note("g1").end().signal(&event, 1);
        let tape = tape.pass(DispatchType::Serial).note("g2").end().signal(&event, 2);
        let tape = tape.wait(&event, 3).pass(DispatchType::Serial).note("g3").end();
        let buffer = rig.commit(rig.queue, tape);
        assert!(event.wait_until(1, Some(SOON)));
        buffer.wait_until_completed();
        assert_eq!(rig.log().last(), Some(&"g3"));
        assert!(rig.log().iter().position(|name| *name == "x") < Some(3));
        assert_eq!(event.signaled_value(), 3);
    }
}

/// L6: a fence that nothing has updated, or that only a later commit updates, holds nothing back.
#[test]
fn a_fence_never_hangs() {
    for schedule in schedules() {
        let rig = Rig::new(QueueMode::Explicit, schedule);
        let fence = rig.submission.add_fence();
        let wait = Item::WaitForFence { fence, before: Stages::DISPATCH };
        let update = Item::UpdateFence { fence, after: Stages::DISPATCH };
        let early = rig.tape().pass(DispatchType::Concurrent).fence(wait).note("early").end();
        rig.commit(rig.queue, early).wait_until_completed();
        let late = rig.tape().pass(DispatchType::Concurrent).note("late").fence(update).end();
        rig.commit(rig.queue, late).wait_until_completed();
        assert_eq!(rig.log(), ["early", "late"]);
    }
}

/// X6 (rule 1.1.3): an enqueued buffer holds back what is behind it, until its commit or its end.
#[test]
fn an_enqueued_buffer_keeps_its_place() {
    for schedule in schedules() {
        let rig = Rig::new(QueueMode::Tracked, schedule);
        let resource = rig.resource(Tracking::Tracked);
        let log = Arc::clone(&rig.log);
        let first = rig.submission.new_command_buffer(rig.queue);
        rig.submission.enqueue(rig.queue, &first);
        assert_eq!(first.status(), CommandBufferStatus::Enqueued);
        let tape = rig.tape().pass(DispatchType::Serial);
        let tape = tape.run(&[(resource, AccessKind::Read)], move || log.lock().push("second")).end();
        let second = rig.commit(rig.queue, tape);
        assert_eq!(second.status(), CommandBufferStatus::Committed);
        let log = Arc::clone(&rig.log);
        let tape = rig.tape().pass(DispatchType::Serial);
        let tape = tape.run(&[(resource, AccessKind::Write)], move || log.lock().push("first")).end();
        rig.commit_as(rig.queue, tape, &first);
        second.wait_until_completed();
        assert_eq!(rig.log(), ["first", "second"]);
        assert!(rig.submission.commit(rig.queue, vec![(Arc::default(), first)]).is_err(), "committed twice");
    }
}

#[test]
fn a_dropped_place_holds_nothing_back() {
    let rig = Rig::new(QueueMode::Tracked, Schedule::Parallel);
    let dropped = rig.submission.new_command_buffer(rig.queue);
    rig.submission.enqueue(rig.queue, &dropped);
    let second = rig.commit(rig.queue, rig.tape().pass(DispatchType::Serial).note("second").end());
    drop(dropped);
    second.wait_until_completed();
    assert_eq!(rig.log(), ["second"]);
}

/// X7 (rule 1.1.5): handlers have run when the wait returns, in order, and a panic of one loses nothing.
#[test]
fn handlers_run_before_the_wait_returns() {
    for schedule in schedules() {
        let rig = Rig::new(QueueMode::Tracked, schedule);
        let calls = Arc::new(Mutex::new(Vec::new()));
        let mut buffers = Vec::new();
        for number in 0..10 {
            let buffer = rig.submission.new_command_buffer(rig.queue);
            let noted = Arc::clone(&calls);
            assert!(buffer.add_completed_handler(Box::new(move |buffer| {
                assert_eq!(buffer.status(), CommandBufferStatus::Completed);
                buffer.wait_until_completed();
                noted.lock().push(number);
                assert!(number != 4, "this handler panics on purpose");
            })));
            let noted = Arc::clone(&calls);
            assert!(buffer.add_completed_handler(Box::new(move |_| noted.lock().push(number + 100))));
            let scheduled = Arc::clone(&calls);
            assert!(buffer.add_scheduled_handler(Box::new(move |_| scheduled.lock().push(number + 200))));
            rig.commit_as(rig.queue, rig.tape().pass(DispatchType::Serial).note("x").end(), &buffer);
            assert!(!buffer.add_completed_handler(Box::new(|_| {})), "too late for a handler");
            buffer.wait_until_scheduled();
            assert!(calls.lock().contains(&(number + 200)));
            buffers.push(buffer);
        }
        for (number, buffer) in (0..).zip(&buffers) {
            buffer.wait_until_completed();
            assert!(calls.lock().contains(&(number + 100)), "{schedule:?}");
        }
    }
}

/// The failure of one command travels along the edges of the work, and no further.
#[test]
fn a_failure_travels_along_edges() {
    for schedule in schedules() {
        let rig = Rig::new(QueueMode::Tracked, schedule);
        let other = rig.submission.add_queue(QueueMode::Tracked, 64);
        let (shared, own) = (rig.resource(Tracking::Tracked), rig.resource(Tracking::Tracked));
        let event = EventHandle::new(false);
        let gate = EventHandle::new(true);
        let fine = rig.tape().wait(&gate, 1).pass(DispatchType::Serial).note("fine").end();
        let tape =
            fine.pass(DispatchType::Serial).run(&[(shared, AccessKind::Write)], || panic!("on purpose"));
        let failing = rig
            .commit(rig.queue, tape.note("never").end().signal(&event, 1).pass(DispatchType::Serial).end());
        let reader = rig.tape().pass(DispatchType::Serial).run(&[(shared, AccessKind::Read)], || {});
        let reader = rig.commit(rig.queue, reader.end());
        let waiter =
            rig.commit(other, rig.tape().wait(&event, 1).pass(DispatchType::Serial).note("never").end());
        gate.raise(1);
        let bystander = rig.tape().pass(DispatchType::Serial).run(&[(own, AccessKind::Write)], || {});
        let bystander = rig.commit(rig.queue, bystander.end());
        failing.wait_until_completed();
        assert_eq!(failing.error().map(|error| error.kind()), Some(ErrorKind::HostFunctionPanicked));
        let states: Vec<_> = failing.passes().iter().map(|pass| pass.state).collect();
        use CommandEncoderErrorState::{Completed, Faulted};
        assert_eq!(states, [Completed, Faulted, Completed], "the third pass has no command");
        for affected in [&reader, &waiter] {
            affected.wait_until_completed();
            assert_eq!(affected.status(), CommandBufferStatus::Error);
            assert_eq!(affected.error().map(|error| error.kind()), Some(ErrorKind::DependencyFailed));
        }
        bystander.wait_until_completed();
        assert_eq!(bystander.status(), CommandBufferStatus::Completed);
        assert_eq!(rig.log(), ["fine"]);
        assert_eq!(event.signaled_value(), 0, "a failed buffer signals nothing (rule 6.13)");
        // Whoever waits later is told, too, and the queue goes on.
        let late = rig.commit(rig.queue, rig.tape().wait(&event, 1));
        late.wait_until_completed();
        assert_eq!(late.error().map(|error| error.kind()), Some(ErrorKind::DependencyFailed));
        let after = rig.commit(rig.queue, rig.tape().pass(DispatchType::Serial).note("after").end());
        after.wait_until_completed();
        assert_eq!(after.status(), CommandBufferStatus::Completed);
    }
}

/// Rule 6.8: a wait that nobody releases ends its buffer on a tracked queue, and lets later work go on an explicit one.
#[test]
fn waits_time_out() {
    for schedule in schedules() {
        let rig = Rig::new(QueueMode::Tracked, schedule);
        rig.submission.set_event_timeout(Some(Duration::from_millis(10)));
        let event = EventHandle::new(false);
        let tape = rig.tape().pass(DispatchType::Serial).note("before").end().wait(&event, 5);
        let buffer = rig.commit(rig.queue, tape.pass(DispatchType::Serial).note("never").end());
        let next = rig.commit(rig.queue, rig.tape().pass(DispatchType::Serial).note("next").end());
        buffer.wait_until_completed();
        assert_eq!(buffer.error().map(|error| error.kind()), Some(ErrorKind::Timeout));
        let states: Vec<_> = buffer.passes().iter().map(|pass| pass.state).collect();
        assert_eq!(states, [CommandEncoderErrorState::Completed, CommandEncoderErrorState::Pending]);
        next.wait_until_completed();
        assert_eq!(next.status(), CommandBufferStatus::Completed);

        let explicit = rig.submission.add_queue(QueueMode::Explicit, 64);
        rig.submission.queue_wait(explicit, &event, 5);
        let late = rig.commit(explicit, rig.tape().pass(DispatchType::Concurrent).note("late").end());
        late.wait_until_completed();
        assert_eq!(late.status(), CommandBufferStatus::Completed);
        assert_eq!(rig.log().last(), Some(&"late"));
    }
}

/// Rules 6.2, 6.3, X11 and X12: the largest value counts, and a queue's signal covers what the queue accepted before it.
#[test]
fn values_only_grow() {
    for schedule in schedules() {
        let rig = Rig::new(QueueMode::Explicit, schedule);
        let event = EventHandle::new(true);
        let ran = Arc::new(AtomicBool::new(false));
        let noted = Arc::clone(&ran);
        let tape =
            rig.tape().pass(DispatchType::Concurrent).run(&[], move || noted.store(true, SeqCst)).end();
        let buffer = rig.commit(rig.queue, tape);
        rig.submission.queue_signal(rig.queue, &event, 5);
        rig.submission.queue_signal(rig.queue, &event, 3);
        rig.submission.queue_wait(rig.queue, &event, 5);
        rig.submission.queue_wait(rig.queue, &event, 3);
        let last = rig.commit(rig.queue, rig.tape().pass(DispatchType::Concurrent).note("last").end());
        assert!(event.wait_until(5, Some(SOON)));
        assert!(ran.load(SeqCst));
        last.wait_until_completed();
        event.raise(2);
        assert_eq!(event.signaled_value(), 5);
        assert!(!event.wait_until(6, Some(Duration::from_millis(1))));
        buffer.wait_until_completed();
    }
}

/// An empty buffer ends when all that the queue accepted before has ended.
#[test]
fn an_empty_buffer_comes_last() {
    for schedule in schedules() {
        let rig = Rig::new(QueueMode::Tracked, schedule);
        for _ in 0..20 {
            rig.commit(rig.queue, rig.tape().pass(DispatchType::Concurrent).note("x").note("x").end());
        }
        rig.commit(rig.queue, rig.tape()).wait_until_completed();
        assert_eq!(rig.log().len(), 40, "{schedule:?}");
    }
}

/// Rule 1.1.6: a queue of two takes the third buffer when the first has completed.
#[test]
fn a_full_queue_makes_its_caller_wait() {
    for schedule in [Schedule::Parallel, Schedule::Adversarial(3)] {
        let rig = Rig::new(QueueMode::Tracked, schedule);
        let queue = rig.submission.add_queue(QueueMode::Tracked, 2);
        let event = EventHandle::new(true);
        let first = rig.commit(queue, rig.tape().wait(&event, 1));
        let _second = rig.submission.new_command_buffer(queue);
        let third = {
            let submission = Arc::clone(&rig.submission);
            std::thread::spawn(move || submission.new_command_buffer(queue))
        };
        std::thread::sleep(Duration::from_millis(5));
        assert!(!third.is_finished());
        event.raise(1);
        first.wait_until_completed();
        third.join().expect("it comes back");
    }
}

#[test]
fn an_endless_kernel_is_stopped_and_the_device_goes_on() {
    for schedule in [Schedule::Parallel, Schedule::Adversarial(0)] {
        let kernel_timeout = Some(Duration::from_millis(20));
        let rig = Rig::with(
            QueueMode::Tracked,
            CpuOptions { threads: 2, schedule, kernel_timeout, ..CpuOptions::default() },
        );
        let buffer = rig.submission.new_command_buffer(rig.queue);
        let mut recording = rig.tape().pass(DispatchType::Serial).note("x").end().recording;
        let module = crate::shader::Module::from_wgsl(
            "@compute @workgroup_size(1) fn spin() { loop { workgroupBarrier(); if false { break; } } }",
        );
        let function = module.and_then(|module| module.function("spin", &[])).expect("the kernel is valid");
        recording.pipelines[0] = rig.submission.backend().pipeline(&function).expect("it runs here");
        rig.submission.commit(rig.queue, vec![(Arc::new(recording), Arc::clone(&buffer))]).expect("legal");
        buffer.wait_until_completed();
        assert_eq!(buffer.error().map(|error| error.kind()), Some(ErrorKind::Timeout));
        let after = rig.commit(rig.queue, rig.tape().pass(DispatchType::Serial).note("after").end());
        after.wait_until_completed();
        assert_eq!(rig.log(), ["after"]);
    }
}

/// What was committed runs though every handle of its device is gone, and keeps the device until then; so does what a wait holds, as long
/// as somebody could release it.
#[test]
fn a_device_may_be_dropped_at_any_time() {
    for schedule in schedules() {
        for released in [true, false] {
            let rig = Rig::new(QueueMode::Tracked, schedule);
            let device = Arc::downgrade(&rig.submission);
            let ran = Arc::new(AtomicU32::new(0));
            let counted = Arc::clone(&ran);
            let tape = rig.tape().pass(DispatchType::Serial).run_groups(100, &[], move |_| {
                counted.fetch_add(1, SeqCst);
            });
            rig.commit(rig.queue, tape.end());
            let (held, event) = (Arc::clone(&ran), EventHandle::new(true));
            let tape = rig.tape().wait(&event, 1).pass(DispatchType::Serial);
            let tape = tape.run(&[], move || assert_eq!(held.fetch_add(1, SeqCst), 100));
            let late = rig.commit(rig.queue, tape.end());
            rig.submission.remove_queue(rig.queue);
            drop(rig);
            wait_for("the work in flight", || ran.load(SeqCst) == 100);
            assert!(!late.has_ended() && device.strong_count() > 0);
            if released {
                event.raise(1);
            }
            drop(event);
            wait_for("the end of the buffer", || late.status() >= CommandBufferStatus::Completed);
            let error = late.error().map(|error| error.kind());
            assert_eq!(error, (!released).then_some(ErrorKind::Abandoned));
            wait_for("what the recordings held", || Arc::strong_count(&ran) == 1);
            wait_for("the end of the device", || device.strong_count() == 0);
        }
    }
}

/// Guards of the CPU: refused while work is in flight, and work is refused while they stand.
#[test]
fn the_cpu_and_work_in_flight_keep_apart() {
    for schedule in schedules() {
        let rig = Rig::new(QueueMode::Tracked, schedule);
        let resource = rig.resource(Tracking::Untracked);
        let event = EventHandle::new(true);
        let tape = || rig.tape().pass(DispatchType::Serial).run(&[(resource, AccessKind::Read)], || {}).end();
        let hold = |write| rig.submission.hold(resource, &Extent::Whole, write, Claimant::copy());
        let parked = rig.tape().signal(&event, 1);
        let parked = Tape { recording: parked.recording, rig: &rig }.wait(&event, 2);
        let behind = parked.pass(DispatchType::Serial).run(&[(resource, AccessKind::Read)], || {}).end();
        let buffer = rig.commit(rig.queue, behind);
        assert!(event.wait_until(1, Some(SOON)));
        // Behind a wait that only the CPU releases, the CPU decides the order.
        drop(hold(true).expect("nothing that runs conflicts"));
        event.raise(2);
        buffer.wait_until_completed();

        let guard = hold(true).expect("all is over");
        let refused = rig.submission.commit(
            rig.queue,
            vec![(Arc::new(tape().recording), rig.submission.new_command_buffer(rig.queue))],
        );
        assert_eq!(refused.err().map(|error| error.kind()), Some(ErrorKind::InFlight));
        drop(guard);
        let plain = EventHandle::new(false);
        let waiting = rig.tape().wait(&plain, 1).pass(DispatchType::Serial);
        let waiting = waiting.run(&[(resource, AccessKind::Read)], || {}).end();
        let buffer = rig.commit(rig.queue, waiting);
        assert!(hold(true).is_err(), "a plain event is not the CPU's to raise");
        hold(false).map(drop).expect("reads do not conflict");
        plain.raise(1);
        buffer.wait_until_completed();
    }
}

#[test]
fn many_threads_commit_at_once() {
    for schedule in [Schedule::Parallel, Schedule::Adversarial(9)] {
        let rig = Rig::new(QueueMode::Tracked, schedule);
        let resource = rig.resource(Tracking::Tracked);
        let sum = Arc::new(AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let queue = rig.submission.add_queue(QueueMode::Tracked, 8);
                    for _ in 0..100 {
                        let sum = Arc::clone(&sum);
                        // Not atomic: only order makes the sum right.
                        let add = move || sum.store(sum.load(SeqCst) + 1, SeqCst);
                        let tape = rig.tape().pass(DispatchType::Serial);
                        rig.commit(queue, tape.run(&[(resource, AccessKind::ReadWrite)], add).end());
                    }
                    rig.commit(queue, rig.tape()).wait_until_completed();
                });
            }
        });
        assert_eq!(sum.load(SeqCst), 400, "{schedule:?}");
    }
}

#[test]
fn a_hundred_thousand_tiny_dispatches() {
    let rig = Rig::new(QueueMode::Tracked, Schedule::Parallel);
    let resources: Vec<_> = (0..16).map(|_| rig.resource(Tracking::Tracked)).collect();
    let counters: Arc<Vec<AtomicUsize>> = Arc::new((0..16).map(|_| AtomicUsize::new(0)).collect());
    let buffers: Vec<_> = (0..50)
        .map(|_| {
            let mut tape = rig.tape().pass(DispatchType::Concurrent);
            for number in 0..2000 {
                let counters = Arc::clone(&counters);
                let which = number % 16;
                if number == 0 {
                    let bump = move || {
                        for counter in counters.iter() {
                            counter.store(counter.load(SeqCst) + 1, SeqCst);
                        }
                    };
                    let all: Vec<_> =
                        resources.iter().map(|&resource| (resource, AccessKind::ReadWrite)).collect();
                    tape = tape.run(&all, bump).end().pass(DispatchType::Concurrent);
                } else {
                    tape = tape.run(&[(resources[which], AccessKind::Read)], move || {
                        assert!(counters[which].load(SeqCst) > 0);
                    });
                }
            }
            rig.commit(rig.queue, tape.end())
        })
        .collect();
    for buffer in &buffers {
        buffer.wait_until_completed();
        assert_eq!(buffer.error().map(|error| error.to_string()), None);
    }
    assert!(counters.iter().all(|counter| counter.load(SeqCst) == 50));
    let passes = buffers[0].passes();
    assert!(passes[0].times < passes[1].times, "the first pass starts first: {passes:?}");
}

/// A split command runs every unit once, whichever the schedule.
#[test]
fn every_threadgroup_runs_once() {
    for schedule in schedules() {
        let rig = Rig::new(QueueMode::Tracked, schedule);
        let counts: Arc<Vec<AtomicU32>> = Arc::new((0..1000).map(|_| AtomicU32::new(0)).collect());
        for round in 1..4 {
            let counted = Arc::clone(&counts);
            let tape = rig.tape().pass(DispatchType::Serial).run_groups(1000, &[], move |group| {
                for _ in 0..500 {
                    std::hint::spin_loop();
                }
                counted[group as usize].fetch_add(1, SeqCst);
            });
            rig.commit(rig.queue, tape.end()).wait_until_completed();
            assert!(counts.iter().all(|count| count.load(SeqCst) == round), "{schedule:?}");
        }
    }
}

/// Parts that end while somebody has the lock are retired when he lets go: else the device would never go.
#[test]
fn whoever_has_the_lock_retires_what_ends_meanwhile() {
    for _ in 0..50 {
        let rig = Rig::new(QueueMode::Tracked, Schedule::Parallel);
        let stop = Arc::new(AtomicBool::new(false));
        let busy = {
            let (submission, stop) = (Arc::clone(&rig.submission), Arc::clone(&stop));
            std::thread::spawn(move || {
                while !stop.load(SeqCst) {
                    submission.remove_memory(submission.add_memory());
                }
            })
        };
        let pause = || std::thread::sleep(Duration::from_millis(1));
        let buffer = rig.commit(rig.queue, rig.tape().pass(DispatchType::Serial).run(&[], pause).end());
        rig.submission.remove_queue(rig.queue);
        buffer.wait_until_completed();
        stop.store(true, SeqCst);
        busy.join().expect("it only takes the lock");
        let device = Arc::downgrade(&rig.submission);
        drop((rig, buffer));
        wait_for("the end of the device", || device.strong_count() == 0);
    }
}

/// A buffer in two parts, the second handed over by another thread while the first is still being told of: no handler is lost or late.
#[test]
fn scheduled_handlers_come_before_completed_ones() {
    let rig = Rig::new(QueueMode::Tracked, Schedule::Parallel);
    for _ in 0..300 {
        let (seen, release) = (EventHandle::new(true), EventHandle::new(true));
        let buffer = rig.submission.new_command_buffer(rig.queue);
        let calls = Arc::new(Mutex::new(Vec::new()));
        let [scheduled, completed] = [Arc::clone(&calls), Arc::clone(&calls)];
        assert!(buffer.add_scheduled_handler(Box::new(move |_| scheduled.lock().push("scheduled"))));
        assert!(buffer.add_completed_handler(Box::new(move |_| completed.lock().push("completed"))));
        let tape = rig.tape().signal(&seen, 1).wait(&release, 1);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while seen.signaled_value() < 1 {
                    std::hint::spin_loop();
                }
                release.raise(1);
            });
            rig.commit_as(rig.queue, tape, &buffer);
        });
        buffer.wait_until_completed();
        assert_eq!(*calls.lock(), ["scheduled", "completed"]);
    }
}

/// A buffer that fails while it waits leaves none of its waiting time to the next one.
#[test]
fn each_wait_has_its_own_time() {
    let rig = Rig::new(QueueMode::Tracked, Schedule::Parallel);
    rig.submission.set_event_timeout(Some(Duration::from_millis(1500)));
    let (never, late) = (EventHandle::new(true), EventHandle::new(true));
    let fails = || {
        std::thread::sleep(Duration::from_millis(1000));
        panic!("on purpose");
    };
    let first = rig.tape().pass(DispatchType::Serial).run(&[], fails).end().wait(&never, 1);
    let first = rig.commit(rig.queue, first);
    let second = rig.commit(rig.queue, rig.tape().wait(&late, 1));
    first.wait_until_completed();
    assert_eq!(first.error().map(|error| error.kind()), Some(ErrorKind::HostFunctionPanicked));
    std::thread::sleep(Duration::from_millis(800));
    late.raise(1);
    second.wait_until_completed();
    assert_eq!(second.error().map(|error| error.to_string()), None);
}
