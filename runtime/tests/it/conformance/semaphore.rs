//! Events as a table of cases: what other suites ask of timeline semaphores, as facts about events. Smaller values before and after, several
//! waits, turns, fan-out and fan-in, failure while waiting, waits of one queue before the signals of another.
//!
//! Every case runs on both kinds of queue, all at once and in an adversarial order. Nothing in it depends on time: what must not have
//! happened cannot happen before the step that lets it.
use std::cell::Cell;
use std::time::{Duration, Instant};

use fencepost::{
    CommandBuffer, CommandBufferStatus, CommandQueue, Commit, CpuOptions, Device, Error, Function, Schedule,
    SharedEvent,
};

/// What a wait of a test takes at most, where nothing is wrong.
const SOON: Duration = Duration::from_secs(20);

/// Work on a queue: waits for all of some values, then gives others.
#[derive(Clone, Debug, Default)]
struct Batch {
    queue: usize,
    waits: Vec<(usize, u64)>,
    signals: Vec<(usize, u64)>,
    fails: bool,
}

/// A step of the CPU.
#[derive(Clone, Copy, Debug)]
enum Act {
    Submit(usize),
    Raise(usize, u64),
    Pending(usize),
    Done(usize),
    Failed(usize),
    /// The value is this, and was not more.
    Is(usize, u64),
    Reaches(usize, u64),
}
use Act::{Done, Failed, Is, Pending, Raise, Reaches, Submit};

struct Case {
    name: String,
    batches: Vec<Batch>,
    acts: Vec<Act>,
}

fn batch(queue: usize, waits: &[(usize, u64)], signals: &[(usize, u64)]) -> Batch {
    Batch { queue, waits: waits.to_vec(), signals: signals.to_vec(), fails: false }
}

fn failing(queue: usize, waits: &[(usize, u64)], signals: &[(usize, u64)]) -> Batch {
    Batch { fails: true, ..batch(queue, waits, signals) }
}

fn case(name: &str, batches: Vec<Batch>, acts: &[Act]) -> Case {
    Case { name: name.to_owned(), batches, acts: acts.to_vec() }
}

/// One batch.
fn single() -> Vec<Case> {
    let b = |waits: &[(usize, u64)], signals: &[(usize, u64)]| vec![batch(0, waits, signals)];
    let whole = &[Submit(0), Done(0)];
    vec![
        case("nothing at all", b(&[], &[]), whole),
        case("a signal alone", b(&[], &[(0, 1)]), &[Is(0, 0), Submit(0), Reaches(0, 1), Done(0), Is(0, 1)]),
        case("a wait for 0", b(&[(0, 0)], &[]), whole),
        case(
            "a wait",
            b(&[(0, 1)], &[(1, 1)]),
            &[Submit(0), Pending(0), Is(1, 0), Raise(0, 1), Done(0), Is(1, 1)],
        ),
        case("reached before", b(&[(0, 1)], &[]), &[Raise(0, 1), Submit(0), Done(0)]),
        case("a smaller value after", b(&[(0, 1)], &[]), &[Raise(0, 2), Submit(0), Done(0), Is(0, 2)]),
        case("a smaller value before", b(&[(0, 1)], &[]), &[Submit(0), Pending(0), Raise(0, 2), Done(0)]),
        case(
            "too small a raise",
            b(&[(0, 3)], &[]),
            &[Submit(0), Raise(0, 2), Pending(0), Raise(0, 3), Done(0)],
        ),
        case(
            "two waits",
            b(&[(0, 1), (1, 1)], &[(2, 1)]),
            &[Submit(0), Raise(0, 1), Pending(0), Is(2, 0), Raise(1, 1), Done(0), Is(2, 1)],
        ),
        case(
            "two waits, the second first",
            b(&[(0, 1), (1, 1)], &[]),
            &[Submit(0), Raise(1, 1), Pending(0), Raise(0, 1), Done(0)],
        ),
        case("0 and a value", b(&[(0, 0), (1, 1)], &[]), &[Submit(0), Pending(0), Raise(1, 1), Done(0)]),
        case(
            "the CPU gives one of three after the other",
            b(&[(0, 1), (1, 1), (2, 1)], &[(3, 1)]),
            &[Submit(0), Raise(2, 1), Pending(0), Raise(0, 1), Pending(0), Is(3, 0), Raise(1, 1), Done(0)],
        ),
        case(
            "one event twice",
            b(&[(0, 5), (0, 3)], &[]),
            &[Submit(0), Raise(0, 4), Pending(0), Raise(0, 5), Done(0)],
        ),
        case("two events", b(&[], &[(0, 1), (1, 7)]), &[Submit(0), Reaches(1, 7), Reaches(0, 1), Done(0)]),
    ]
}

/// One batch, and values of all kinds.
fn values() -> Vec<Case> {
    let b = |waits: &[(usize, u64)], signals: &[(usize, u64)]| vec![batch(0, waits, signals)];
    vec![
        case("values that grow", b(&[], &[(0, 1), (0, 2), (0, 9)]), &[Submit(0), Done(0), Is(0, 9)]),
        case("values that fall", b(&[], &[(0, 9), (0, 2)]), &[Submit(0), Done(0), Is(0, 9)]),
        case("the same value again", b(&[], &[(0, 2), (0, 2)]), &[Submit(0), Done(0), Is(0, 2)]),
        case("the CPU was further", b(&[], &[(0, 2)]), &[Raise(0, 5), Submit(0), Done(0), Is(0, 5)]),
        case("X12: a smaller raise", b(&[], &[(0, 5)]), &[Submit(0), Done(0), Raise(0, 2), Is(0, 5)]),
        case(
            "the largest value",
            b(&[(0, u64::MAX)], &[]),
            &[Submit(0), Raise(0, u64::MAX - 1), Pending(0), Raise(0, u64::MAX), Done(0)],
        ),
        case(
            "a jump by 2³²",
            b(&[(0, 1 << 32)], &[(1, 3 << 32)]),
            &[
                Submit(0),
                Raise(0, (1 << 32) - 1),
                Pending(0),
                Raise(0, 1 << 32),
                Reaches(1, 3 << 32),
                Done(0),
            ],
        ),
    ]
}

/// Two and three batches.
fn several() -> Vec<Case> {
    let chain = || vec![batch(0, &[], &[(0, 1)]), batch(1, &[(0, 1)], &[(1, 1)])];
    vec![
        case("a batch between", chain(), &[Submit(0), Submit(1), Done(1), Done(0)]),
        case(
            "wait before signal",
            chain(),
            &[Submit(1), Pending(1), Is(0, 0), Is(1, 0), Submit(0), Done(0), Done(1)],
        ),
        case(
            "one queue, in order",
            vec![batch(0, &[], &[(0, 1)]), batch(0, &[(0, 1)], &[])],
            &[Submit(0), Submit(1), Done(1)],
        ),
        case(
            "one queue, in the wrong order, needs the CPU",
            vec![batch(0, &[(0, 1)], &[]), batch(0, &[], &[(0, 2)])],
            &[Submit(0), Submit(1), Pending(0), Pending(1), Raise(0, 1), Done(1), Is(0, 2)],
        ),
        case(
            "another queue gives less first",
            vec![batch(1, &[(0, 3)], &[(1, 1)]), batch(0, &[], &[(0, 2)]), batch(0, &[], &[(0, 3)])],
            &[Submit(0), Submit(1), Done(1), Pending(0), Is(1, 0), Submit(2), Done(0), Is(1, 1)],
        ),
        case(
            "two queues wait for each other's first value",
            vec![
                batch(0, &[], &[(0, 1)]),
                batch(0, &[(1, 1)], &[(0, 2)]),
                batch(1, &[], &[(1, 1)]),
                batch(1, &[(0, 1)], &[(1, 2)]),
            ],
            &[Submit(0), Submit(1), Pending(1), Submit(2), Submit(3), Done(3), Done(1), Is(0, 2), Is(1, 2)],
        ),
        case(
            "5 and then 3 on one queue",
            vec![batch(0, &[(0, 5)], &[]), batch(0, &[(0, 3)], &[])],
            &[Submit(0), Submit(1), Raise(0, 4), Pending(0), Pending(1), Raise(0, 5), Done(1), Done(0)],
        ),
    ]
}

/// The CPU and more than one queue.
fn mixed() -> Vec<Case> {
    let either = |first: bool| {
        vec![
            Batch { fails: first, ..batch(0, &[(1, 1)], &[(0, 1)]) },
            batch(1, &[(2, 1)], &[(0, 2)]),
            batch(2, &[(0, 1)], &[]),
        ]
    };
    let turns = || {
        vec![batch(0, &[(0, 1)], &[(1, 1)]), batch(1, &[(1, 1)], &[(0, 2)]), batch(0, &[(0, 2)], &[(1, 2)])]
    };
    vec![
        case(
            "the CPU and another batch",
            vec![batch(0, &[], &[(0, 1)]), batch(1, &[(0, 1), (1, 1)], &[(2, 1)])],
            &[Submit(1), Submit(0), Done(0), Pending(1), Is(2, 0), Raise(1, 1), Done(1)],
        ),
        case(
            "for the CPU and another batch",
            vec![batch(0, &[], &[(0, 1), (1, 1)]), batch(1, &[(0, 1)], &[(2, 1)])],
            &[Submit(1), Is(1, 0), Submit(0), Reaches(1, 1), Reaches(2, 1), Done(1)],
        ),
        case(
            "different values, one signal",
            vec![batch(0, &[], &[(0, 3)]), batch(1, &[(0, 1)], &[]), batch(2, &[(0, 2)], &[])],
            &[Submit(2), Submit(1), Pending(1), Pending(2), Submit(0), Done(2), Done(1)],
        ),
        case(
            "different values, in steps",
            vec![batch(1, &[(0, 1)], &[]), batch(2, &[(0, 2)], &[])],
            &[Submit(1), Submit(0), Raise(0, 1), Done(0), Pending(1), Raise(0, 2), Done(1)],
        ),
        case(
            "either may come: the second",
            either(false),
            &[Submit(0), Submit(1), Submit(2), Raise(2, 1), Done(2), Pending(0), Raise(1, 1), Done(0)],
        ),
        case(
            "either may come: the first",
            either(false),
            &[Submit(0), Submit(1), Submit(2), Raise(1, 1), Done(2), Pending(1), Raise(2, 1), Done(1)],
        ),
        case(
            "either may come: the first fails",
            either(true),
            &[Submit(0), Submit(1), Raise(1, 1), Failed(0), Raise(2, 1), Done(1), Submit(2), Done(2)],
        ),
        case(
            "the CPU and two queues take turns",
            turns(),
            &[Submit(0), Submit(1), Submit(2), Pending(0), Pending(2), Raise(0, 1), Done(2), Is(1, 2)],
        ),
    ]
}

/// Batches that fail.
fn failures() -> Vec<Case> {
    vec![
        case("it fails", vec![failing(0, &[], &[(0, 1)])], &[Submit(0), Failed(0), Is(0, 0)]),
        case(
            "it waits and fails",
            vec![failing(0, &[(0, 1)], &[(1, 1)])],
            &[Submit(0), Pending(0), Raise(0, 1), Failed(0), Is(1, 0)],
        ),
        case(
            "two signallers, the larger stays",
            vec![batch(0, &[], &[(0, 3)]), batch(1, &[], &[(0, 2)])],
            &[Submit(0), Submit(1), Done(0), Done(1), Is(0, 3)],
        ),
        case(
            "one fails, who waits does",
            vec![failing(0, &[], &[(0, 1)]), batch(1, &[(0, 1)], &[(1, 1)])],
            &[Submit(1), Submit(0), Failed(0), Failed(1), Is(0, 0), Is(1, 0)],
        ),
        case(
            "failure while waiting for two",
            vec![failing(0, &[(2, 1)], &[(0, 1)]), batch(1, &[(0, 1), (1, 1)], &[])],
            &[Submit(0), Submit(1), Pending(1), Raise(2, 1), Failed(1), Is(1, 0)],
        ),
        case(
            "failure runs along a chain",
            vec![failing(0, &[], &[(0, 1)]), batch(1, &[(0, 1)], &[(1, 1)]), batch(2, &[(1, 1)], &[(2, 1)])],
            &[Submit(2), Submit(1), Submit(0), Failed(2), Failed(1), Is(2, 0)],
        ),
        case(
            "the CPU mends what failed",
            vec![failing(0, &[], &[(0, 1)]), batch(1, &[(0, 1)], &[])],
            &[Submit(0), Failed(0), Raise(0, 1), Submit(1), Done(1)],
        ),
        case(
            "failure fans out",
            vec![failing(0, &[], &[(0, 1)]), batch(1, &[(0, 1)], &[]), batch(2, &[(0, 1)], &[(1, 1)])],
            &[Submit(1), Submit(2), Submit(0), Failed(1), Failed(2), Failed(0), Is(1, 0)],
        ),
        case(
            "one failure in a fan-in",
            vec![
                batch(0, &[], &[(0, 1)]),
                failing(1, &[], &[(1, 1)]),
                batch(2, &[(0, 1), (1, 1)], &[(2, 1)]),
            ],
            &[Submit(2), Submit(0), Submit(1), Done(0), Failed(2), Is(0, 1), Is(2, 0)],
        ),
        case(
            "all that a failure should have given",
            vec![failing(0, &[], &[(0, 1), (1, 1)]), batch(1, &[(0, 1)], &[]), batch(2, &[(1, 1)], &[])],
            &[Submit(1), Submit(2), Submit(0), Failed(2), Failed(1), Is(0, 0), Is(1, 0)],
        ),
        case(
            "what was reached before a failure stays reached",
            vec![batch(0, &[], &[(0, 1)]), failing(0, &[], &[(0, 2)]), batch(1, &[(0, 1)], &[])],
            &[Submit(0), Done(0), Submit(1), Failed(1), Submit(2), Done(2), Is(0, 1)],
        ),
    ]
}

/// Shapes of several sizes, submitted first to last and last to first.
fn shapes() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |name: &str, batches: Vec<Batch>| {
        let count = batches.len();
        for backwards in [false, true] {
            let order: Vec<usize> = if backwards { (0..count).rev().collect() } else { (0..count).collect() };
            let acts = order.into_iter().map(Submit).chain((0..count).map(Done)).collect();
            let name = format!("{name} of {count}, {}", if backwards { "backwards" } else { "forwards" });
            cases.push(Case { name, batches: batches.clone(), acts });
        }
    };
    for size in [3usize, 20] {
        let number = size as u64;
        add("chain", (0..number).map(|n| batch(n as usize, &[(0, n)], &[(0, n + 1)])).collect());
        add(
            "fan-out",
            (0..size)
                .map(|n| if n == 0 { batch(0, &[], &[(0, 1)]) } else { batch(n, &[(0, 1)], &[]) })
                .collect(),
        );
        let all: Vec<_> = (0..size).map(|n| (n, 1)).collect();
        let sources = (0..size).map(|n| batch(n, &[], &[(n, 1)]));
        add("fan-in", sources.chain([batch(size, &all, &[])]).collect());
        let middle = (1..=size).map(|n| batch(n, &[(0, 1)], &[(n, 1)]));
        let joined: Vec<_> = (1..=size).map(|n| (n, 1)).collect();
        add(
            "diamond",
            [batch(0, &[], &[(0, 1)])]
                .into_iter()
                .chain(middle)
                .chain([batch(size + 1, &joined, &[])])
                .collect(),
        );
        // Each turn raises the other player's event. On a queue of its own, so that the order of the submits is free.
        let turn = |n: u64| {
            let (mine, other) = ((n % 2) as usize, ((n + 1) % 2) as usize);
            batch(n as usize, &[(mine, n.div_ceil(2))], &[(other, n / 2 + 1)])
        };
        add("ping-pong", (0..number).map(turn).collect());
    }
    cases
}

enum Work {
    Buffer(CommandBuffer),
    Group(Commit),
}

impl Work {
    fn ended(&self) -> bool {
        match self {
            Self::Buffer(buffer) => buffer.status() >= CommandBufferStatus::Completed,
            Self::Group(commit) => commit.is_completed(),
        }
    }

    fn error(&self) -> Option<Error> {
        match self {
            Self::Buffer(buffer) => buffer.error(),
            Self::Group(commit) => commit.feedback().error,
        }
    }
}

struct Table {
    device: Device,
    explicit: bool,
    queues: Vec<CommandQueue>,
    events: Vec<SharedEvent>,
    /// Counts the batches that explicit queues have accepted as a whole.
    start: SharedEvent,
    started: Cell<u64>,
}

impl Table {
    fn new(case: &Case, explicit: bool, schedule: Schedule) -> Self {
        let device = Device::cpu_with(CpuOptions { schedule, threads: 2, ..CpuOptions::default() });
        let queues = case.batches.iter().map(|batch| batch.queue + 1).max().unwrap_or(0);
        let queue =
            |_| if explicit { device.new_explicit_command_queue() } else { device.new_command_queue() };
        let queues = (0..queues).map(queue).collect();
        let events = (0..32).map(|_| device.new_shared_event()).collect();
        let (start, started) = (device.new_shared_event(), Cell::new(0));
        Self { device, explicit, queues, events, start, started }
    }

    fn submit(&self, batch: &Batch) -> Result<Work, Error> {
        let queue = &self.queues[batch.queue];
        let fails = batch.fails;
        let body = Function::host("body", &[], [1, 1, 1], move |_| assert!(!fails, "on purpose"));
        let state = self.device.new_compute_pipeline_state(&body)?;
        let work = if self.explicit { self.device.new_command_buffer() } else { queue.command_buffer() };
        let allocator = self.device.new_command_allocator();
        for &(event, value) in &batch.waits {
            if self.explicit {
                queue.wait_for_event(&self.events[event], value)?;
            } else {
                work.encode_wait_for_event(&self.events[event], value)?;
            }
        }
        if self.explicit {
            // Its signals are put on the queue behind it: a failure must not be over by then.
            queue.wait_for_event(&self.start, self.started.get() + 1)?;
            work.begin(&allocator)?;
        }
        let mut encoder = work.compute_command_encoder()?;
        encoder.set_compute_pipeline_state(&state)?;
        encoder.dispatch_threadgroups([1, 1, 1])?;
        encoder.end_encoding();
        if !self.explicit {
            for &(event, value) in &batch.signals {
                work.encode_signal_event(&self.events[event], value)?;
            }
            work.commit()?;
            return Ok(Work::Buffer(work));
        }
        work.end()?;
        let commit = queue.commit(&[&work])?;
        for &(event, value) in &batch.signals {
            queue.signal_event(&self.events[event], value)?;
        }
        self.started.set(self.started.get() + 1);
        self.start.set_signaled_value(self.started.get());
        Ok(Work::Group(commit))
    }

    fn run(&self, case: &Case) -> Result<(), Error> {
        let mut works: Vec<Option<Work>> = case.batches.iter().map(|_| None).collect();
        for &act in &case.acts {
            let at = format!("{}, explicit: {}, {act:?}", case.name, self.explicit);
            let work = |index: usize| works[index].as_ref().expect("it was submitted");
            match act {
                Submit(index) => works[index] = Some(self.submit(&case.batches[index])?),
                Raise(event, value) => self.events[event].set_signaled_value(value),
                Pending(index) => assert!(!work(index).ended(), "{at}"),
                Done(index) | Failed(index) => {
                    let deadline = Instant::now() + SOON;
                    while !work(index).ended() {
                        assert!(Instant::now() < deadline, "{at}: it waits for ever");
                        std::thread::yield_now();
                    }
                    let error = work(index).error();
                    assert_eq!(error.is_some(), matches!(act, Failed(_)), "{at}: {error:?}");
                    if let Done(_) = act {
                        // An explicit queue signals behind the commit.
                        for &(event, value) in &case.batches[index].signals {
                            assert!(self.events[event].wait_until_signaled_value(value, SOON), "{at}");
                        }
                    }
                }
                Is(event, value) => assert_eq!(self.events[event].signaled_value(), value, "{at}"),
                Reaches(event, value) => {
                    assert!(self.events[event].wait_until_signaled_value(value, SOON), "{at}");
                }
            }
        }
        Ok(())
    }
}

#[test]
fn every_case_on_both_queues_in_any_order() -> Result<(), Error> {
    let cases: Vec<Case> =
        [single(), values(), several(), mixed(), failures(), shapes()].into_iter().flatten().collect();
    assert!(cases.len() >= 65, "{} cases", cases.len());
    for case in &cases {
        for explicit in [false, true] {
            for schedule in [Schedule::Parallel, Schedule::Adversarial(1), Schedule::Adversarial(2)] {
                Table::new(case, explicit, schedule).run(case)?;
            }
        }
    }
    Ok(())
}
