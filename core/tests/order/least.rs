//! Fixes of every program of some small families, held against every cheaper set of additions. The sets are written into the programs
//! here, without the adviser; nothing of the library but the order decides whether one mends.
//!
//! By default each family is thinned out; `FENCEPOST_EXHAUSTIVE=1` takes all of it.
use std::collections::BTreeSet;

use fencepost_core::advise::{Fixed, Inserted, fix};
use fencepost_core::program::{BufferOptions, QueueItems, TrackingMode};
use fencepost_core::program::{
    Builder, CommandBufferIndex, DeviceKind, EventIndex, FenceIndex, Locus, Part, PassBuilder, Primitive,
    Program, QueueIndex, QueueMode, ResourceIndex, Step, Steps, StorageMode, Work,
};
use fencepost_core::validate::{Kind, validate};
use fencepost_core::{Extent, Order, Stages, Visibility};

/// What an addition costs: its scope, then the stages that it names.
type Cost = (u64, u32);
const EVENT: u64 = 1 << 8;
const SHARED_EVENT: u64 = 1 << 16;
const CPU_WAIT: u64 = 1 << 24;

/// One in so many of a family, or all.
fn thinned(one_in: usize) -> usize {
    if std::env::var_os("FENCEPOST_EXHAUSTIVE").is_some() { 1 } else { one_in }
}

/// Something that brute force tries, between acts or passes by their numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Try {
    Within {
        pass: usize,
        at: usize,
        after: Stages,
        before: Stages,
    },
    Fence {
        from: usize,
        to: usize,
        after: Stages,
        before: Stages,
    },
    Consumer {
        to: usize,
        after: Stages,
        before: Stages,
    },
    Event {
        from: usize,
        to: usize,
    },
    Watch {
        from: usize,
        to: usize,
    },
    Release {
        from: usize,
        to: usize,
    },
    HandOver {
        from: usize,
        to: usize,
    },
    /// The barrier that is there becomes visible.
    Show,
    /// The signal that a wait lacks.
    Signal {
        from: usize,
    },
}

impl Try {
    fn cost(self, is_shared: bool) -> Cost {
        let stages = |after: Stages, before: Stages| {
            (after.iter_stages().count() + before.iter_stages().count()) as u32
        };
        match self {
            Self::Within { after, before, .. } => (1, stages(after, before)),
            Self::Fence { after, before, .. } => (2, stages(after, before)),
            Self::Consumer { after, before, .. } => (3, stages(after, before)),
            Self::Event { .. } | Self::Signal { .. } if is_shared => (SHARED_EVENT, 0),
            Self::Event { .. } | Self::Signal { .. } => (EVENT, 0),
            Self::Release { .. } => (SHARED_EVENT, 0),
            Self::Watch { .. } | Self::HandOver { .. } => (CPU_WAIT, 0),
            Self::Show => (0, 1),
        }
    }
}

/// A program of a family, with what may be added to it.
trait Member {
    fn with(&self, tries: &[Try]) -> Program;
    fn tries(&self) -> Vec<Try>;
    /// What a place of a program of this member does, whatever was added.
    fn act(&self, program: &Program, locus: Locus) -> usize;
    /// Whether events are shared.
    fn is_shared(&self) -> bool {
        false
    }
}

/// Every pair of acts that conflict, and whether all of it is well ordered.
fn pairs(member: &impl Member, program: &Program) -> (BTreeSet<(usize, usize)>, bool) {
    let order = Order::of(program).unwrap();
    let all = crate::validate::conflicting(program, &order);
    let well = order.stuck().is_empty() && all.iter().all(|(_, _, well)| *well);
    let acts =
        all.iter().map(|(first, second, _)| (member.act(program, *first), member.act(program, *second)));
    (acts.collect(), well)
}

/// Whether some set that is cheaper mends: with the same conflicts in the same direction.
fn cheaper(
    member: &impl Member,
    wanted: &BTreeSet<(usize, usize)>,
    all: &[Try],
    (budget, paid): (Cost, Cost),
    chosen: &mut Vec<Try>,
) -> bool {
    for (number, &own) in all.iter().enumerate() {
        let cost = own.cost(member.is_shared());
        let paid = (paid.0 + cost.0, paid.1 + cost.1);
        if paid >= budget {
            continue;
        }
        chosen.push(own);
        let (acts, well) = pairs(member, &member.with(chosen));
        if well && acts == *wanted {
            return true;
        }
        if chosen.len() < MOST && cheaper(member, wanted, &all[number + 1..], (budget, paid), chosen) {
            return true;
        }
        chosen.pop();
    }
    false
}

/// How many additions brute force puts together.
const MOST: usize = 3;

/// Holds the fix of a program against all that is cheaper; whether there was anything to mend.
fn hold(member: &impl Member, told: &dyn std::fmt::Debug) -> bool {
    let program = member.with(&[]);
    let fixed: Fixed = fix(&program).unwrap();
    let (were, well) = pairs(member, &program);
    if well {
        assert_eq!(fixed.repairs, [], "{told:?}");
        return false;
    }
    // Behind a wait that hangs, nothing has a direction yet.
    let (wanted, mended) = pairs(member, &fixed.program);
    assert!(mended && wanted.is_superset(&were), "{told:?}: {:#?}", fixed.repairs);
    assert!(fixed.is_least, "{told:?} is small");
    let mut tries = member.tries();
    tries.sort_by_key(|own| own.cost(member.is_shared()));
    let mut chosen = Vec::new();
    let found = cheaper(member, &wanted, &tries, (fixed.cost(), (0, 0)), &mut chosen);
    assert!(!found, "{chosen:?} costs less than {:#?} for {told:?}", fixed.repairs);
    true
}

/// Two queues and the CPU, one access after another.
#[derive(Clone, Debug)]
struct Crossing {
    mode: QueueMode,
    /// The second queue is on a device of its own.
    is_apart: bool,
    /// This act stands on a thread of its own.
    thread: Option<usize>,
    /// Its queue waits in front of this act for a signal that is not there.
    hung: Option<usize>,
    acts: Vec<Act>,
}

#[derive(Clone, Copy, Debug)]
struct Act {
    /// Nothing for the CPU.
    queue: Option<usize>,
    resource: usize,
    writes: bool,
}

impl Crossing {
    fn of(number: usize, length: usize) -> Self {
        let mut left = number;
        let mut next = |limit: usize| {
            let own = left % limit;
            left /= limit;
            own
        };
        let mode = [QueueMode::Explicit, QueueMode::Tracked][next(2)];
        let is_apart = next(2) == 1;
        let thread = [None, Some(1)][next(2)];
        let act =
            |_| Act { queue: [None, Some(0), Some(1)][next(3)], resource: next(2), writes: next(2) == 1 };
        Self { mode, is_apart, thread, hung: None, acts: (0..length).map(act).collect() }
    }

    /// The signals of the missing event that stand at an act, in front of its wait or behind it.
    fn signals(&self, act: usize, tries: &[Try], in_front: bool) -> usize {
        let own = |own: &&Try| **own == Try::Signal { from: act };
        if in_front == (self.hung == Some(act)) { tries.iter().filter(own).count() } else { 0 }
    }

    fn gpu(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.acts.len()).filter(|act| self.acts[*act].queue.is_some())
    }

    fn declare(&self, tries: &[Try]) -> (Builder, Made) {
        let mut p = Program::builder();
        let first = p.device("gpu", DeviceKind::Any);
        let second = if self.is_apart { p.device("other", DeviceKind::Any) } else { first };
        let queues = [p.queue_on("q", self.mode, first), p.queue_on("r", self.mode, second)];
        let options = |device| BufferOptions {
            device: Some(device),
            storage: StorageMode::Shared,
            tracking: TrackingMode::Untracked,
            ..BufferOptions::default()
        };
        let shared = ["A", "B"].map(|name| p.buffer_with(name, 64, options(first)));
        let scratch = (0..self.acts.len()).map(|act| p.buffer_with(&format!("S{act}"), 64, options(first)));
        let scratch = scratch.collect();
        let fences = (0..tries.len()).map(|number| p.fence(&format!("F{number}"))).collect();
        let event = |p: &mut Builder, (number, own): (usize, &Try)| match own {
            Try::Event { .. } if !self.is_apart => p.event(&format!("E{number}")),
            _ => p.shared_event(&format!("E{number}")),
        };
        let events = tries.iter().enumerate().map(|own| event(&mut p, own)).collect();
        let missing = if self.is_apart { p.shared_event("M") } else { p.event("M") };
        (p, Made { queues, shared, scratch, fences, events, missing, buffers: Vec::new() })
    }

    fn pass(&self, made: &Made, act: usize, tries: &[Try], pass: &mut PassBuilder) {
        let named = self.mode == QueueMode::Explicit;
        for (own, &fence) in tries.iter().zip(&made.fences) {
            match *own {
                Try::Fence { to, before, .. } if to == act => {
                    pass.wait_for_fence(fence, named.then_some(before));
                }
                Try::Consumer { to, after, before } if to == act => {
                    pass.consumer_barrier(after, before);
                }
                _ => {}
            }
        }
        let own = self.acts[act];
        if own.writes {
            pass.fill("c", made.shared[own.resource], 1);
        } else {
            pass.copy("c", made.shared[own.resource], made.scratch[act]);
        }
        for (own, &fence) in tries.iter().zip(&made.fences) {
            if let Try::Fence { from, after, .. } = *own
                && from == act
            {
                pass.update_fence(fence, named.then_some(after));
            }
        }
    }

    /// What others wait for goes first.
    fn steps(&self, made: &Made, act: usize, tries: &[Try], steps: &mut Steps) {
        let explicit = self.mode == QueueMode::Explicit;
        if explicit {
            for _ in 0..self.signals(act, tries, true) {
                steps.signal_event("m", made.queue(self, act), made.missing, 1);
            }
            if self.hung == Some(act) {
                steps.wait_for_event("h", made.queue(self, act), made.missing, 1);
            }
        }
        for (own, &event) in tries.iter().zip(&made.events) {
            match *own {
                Try::Watch { to, .. } | Try::HandOver { to, .. } if to == act => {
                    steps.wait_until_signaled(event, 1);
                }
                Try::Event { to, .. } | Try::Release { to, .. } if to == act && explicit => {
                    steps.wait_for_event("w", made.queue(self, act), event, 1);
                }
                _ => {}
            }
        }
        let own = self.acts[act];
        match made.buffers[act] {
            Some(buffer) => steps.commit([buffer]),
            None if own.writes => steps.write(made.shared[own.resource]),
            None => steps.read(made.shared[own.resource]),
        };
        for _ in 0..if explicit { self.signals(act, tries, false) } else { 0 } {
            steps.signal_event("m", made.queue(self, act), made.missing, 1);
        }
        for (own, &event) in tries.iter().zip(&made.events) {
            match *own {
                Try::Event { from, .. } | Try::Watch { from, .. } if from == act && explicit => {
                    steps.signal_event("s", made.queue(self, act), event, 1);
                }
                Try::Release { from, .. } | Try::HandOver { from, .. } if from == act => {
                    steps.set_signaled_value(event, 1);
                }
                _ => {}
            }
        }
    }
}

/// The names of a program of the family.
struct Made {
    queues: [QueueIndex; 2],
    shared: [ResourceIndex; 2],
    scratch: Vec<ResourceIndex>,
    fences: Vec<FenceIndex>,
    events: Vec<EventIndex>,
    missing: EventIndex,
    buffers: Vec<Option<CommandBufferIndex>>,
}

impl Made {
    fn queue(&self, member: &Crossing, act: usize) -> QueueIndex {
        self.queues[member.acts[act].queue.unwrap_or_default()]
    }
}

impl Member for Crossing {
    fn with(&self, tries: &[Try]) -> Program {
        let (mut p, mut made) = self.declare(tries);
        for (act, own) in self.acts.iter().enumerate() {
            let buffer = own.queue.map(|queue| {
                let explicit = self.mode == QueueMode::Explicit;
                let write = |items: &mut QueueItems| {
                    for _ in 0..if explicit { 0 } else { self.signals(act, tries, true) } {
                        items.signal_event("m", made.missing, 1);
                    }
                    if self.hung == Some(act) && !explicit {
                        items.wait_for_event("h", made.missing, 1);
                    }
                    for (own, &event) in tries.iter().zip(&made.events) {
                        match *own {
                            Try::Event { to, .. } | Try::Release { to, .. } if to == act && !explicit => {
                                items.wait_for_event("w", event, 1);
                            }
                            _ => {}
                        }
                    }
                    let label = format!("P{act}");
                    let body = |pass: &mut PassBuilder| self.pass(&made, act, tries, pass);
                    if explicit {
                        items.compute(&label, body)
                    } else {
                        items.blit(&label, body)
                    }
                    for _ in 0..if explicit { 0 } else { self.signals(act, tries, false) } {
                        items.signal_event("m", made.missing, 1);
                    }
                    for (own, &event) in tries.iter().zip(&made.events) {
                        match *own {
                            Try::Event { from, .. } | Try::Watch { from, .. } if from == act && !explicit => {
                                items.signal_event("s", event, 1);
                            }
                            _ => {}
                        }
                    }
                };
                p.command_buffer(&format!("cb{act}"), made.queues[queue], write)
            });
            made.buffers.push(buffer);
        }
        for act in 0..self.acts.len() {
            if self.thread == Some(act) {
                p.steps().thread("t", |steps| self.steps(&made, act, tries, steps));
            } else {
                self.steps(&made, act, tries, p.steps());
            }
        }
        p.build()
    }

    fn tries(&self) -> Vec<Try> {
        let mut all = Vec::new();
        let (after, before) = (Stages::BLIT, Stages::BLIT);
        let is_thread = |act: usize| self.thread == Some(act);
        for to in 0..self.acts.len() {
            let same = |from: &usize| self.acts[*from].queue == self.acts[to].queue;
            if self.acts[to].queue.is_some() {
                let earlier: Vec<usize> = self.gpu().filter(|from| *from < to && same(from)).collect();
                all.extend(earlier.iter().map(|&from| Try::Fence { from, to, after, before }));
                all.extend(earlier.first().map(|_| Try::Consumer { to, after, before }));
                all.extend(self.gpu().filter(|from| !same(from)).map(|from| Try::Event { from, to }));
                let cpu = (0..self.acts.len()).filter(|from| self.acts[*from].queue.is_none());
                all.extend(cpu.map(|from| Try::Release { from, to }));
            }
            all.extend(self.gpu().filter(|from| *from != to).map(|from| Try::Watch { from, to }));
            let others = (0..self.acts.len()).filter(|from| is_thread(*from) != is_thread(to));
            all.extend(others.map(|from| Try::HandOver { from, to }));
        }
        all.extend(self.hung.into_iter().flat_map(|_| self.gpu()).map(|from| Try::Signal { from }));
        all
    }

    fn act(&self, program: &Program, locus: Locus) -> usize {
        match locus {
            Locus::PassItem { buffer, .. } => self.gpu().nth(buffer.index()).unwrap(),
            Locus::Step(number) => {
                let steps = program.all_steps();
                let touches = |step: &&&Step| matches!(step, Step::Read(_) | Step::Write(_));
                let before = steps[..number as usize].iter().filter(touches).count();
                (0..self.acts.len()).filter(|act| self.acts[*act].queue.is_none()).nth(before).unwrap()
            }
            _ => unreachable!("nothing else touches memory"),
        }
    }

    fn is_shared(&self) -> bool {
        self.is_apart
    }
}

#[test]
fn nothing_cheaper_mends_two_queues_and_the_cpu() {
    let mut mended = 0;
    for (length, one_in) in [(2, 3), (3, 61), (4, 20_011)] {
        let count = 8 * 12_usize.pow(length as u32);
        // The first act takes the first resource: the other way round is the same.
        for number in (0..count).step_by(thinned(one_in)) {
            let member = Crossing::of(number, length);
            if member.acts[0].resource == 0 {
                mended += usize::from(hold(&member, &member));
            }
        }
    }
    println!("{mended} programs searched");
    assert!(mended > 50, "{mended}");
}

#[test]
fn nothing_cheaper_opens_a_wait() {
    let mut mended = 0;
    for (length, one_in) in [(2, 5), (3, 127)] {
        let count = 8 * 12_usize.pow(length as u32);
        for number in (0..count).step_by(thinned(one_in)) {
            let mut member = Crossing::of(number, length);
            member.hung = member.gpu().last();
            if member.acts[0].resource == 0 && member.hung.is_some() {
                mended += usize::from(hold(&member, &member));
            }
        }
    }
    println!("{mended} programs searched");
    assert!(mended > 50, "{mended}");
}

/// Passes on one queue, in two stages, with a barrier that may be there and hide.
#[derive(Clone, Debug)]
struct Staged {
    passes: Vec<Vec<Command>>,
    hiding: Hiding,
}

#[derive(Clone, Copy, Debug)]
struct Command {
    is_blit: bool,
    resource: usize,
    writes: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Hiding {
    Nothing,
    /// A barrier in front of the last command of the last pass.
    Within,
    /// A consumer barrier at the start of the last pass.
    Consumer,
}

impl Staged {
    fn of(number: usize, shape: &[usize]) -> Self {
        let mut left = number;
        let mut next = |limit: usize| {
            let own = left % limit;
            left /= limit;
            own
        };
        let hiding = [Hiding::Nothing, Hiding::Within, Hiding::Consumer][next(3)];
        let mut command = || Command { is_blit: next(2) == 1, resource: next(2), writes: next(2) == 1 };
        let passes = shape.iter().map(|count| (0..*count).map(|_| command()).collect()).collect();
        Self { passes, hiding }
    }

    fn stages(&self, pass: usize) -> Stages {
        let of = |command: &Command| if command.is_blit { Stages::BLIT } else { Stages::DISPATCH };
        self.passes[pass].iter().fold(Stages::empty(), |set, command| set | of(command))
    }

    fn pass(&self, number: usize, tries: &[Try], names: &Names, pass: &mut PassBuilder) {
        let last = number + 1 == self.passes.len();
        let visibility = if tries.contains(&Try::Show) { Visibility::DEVICE } else { Visibility::empty() };
        if last && self.hiding == Hiding::Consumer {
            let (after_queue, before) = (Stages::BLIT, Stages::DISPATCH);
            pass.primitive(None, Primitive::ConsumerBarrier { after_queue, before, visibility });
        }
        for (own, &fence) in tries.iter().zip(&names.fences) {
            match *own {
                Try::Fence { to, before, .. } if to == number => {
                    pass.wait_for_fence(fence, before);
                }
                Try::Consumer { to, after, before } if to == number => {
                    pass.consumer_barrier(after, before);
                }
                _ => {}
            }
        }
        for (place, command) in self.passes[number].iter().enumerate() {
            for own in tries {
                if let Try::Within { pass: inside, at, after, before } = *own
                    && (inside, at) == (number, place)
                {
                    pass.barrier(after, before);
                }
            }
            if last && place + 1 == self.passes[number].len() && self.hiding == Hiding::Within {
                let (after, before) = (Stages::BLIT, Stages::DISPATCH);
                pass.primitive(None, Primitive::Barrier { after, before, visibility });
            }
            names.write(*command, &format!("c{place}"), number * 4 + place, pass);
        }
        for (own, &fence) in tries.iter().zip(&names.fences) {
            if let Try::Fence { from, after, .. } = *own
                && from == number
            {
                pass.update_fence(fence, after);
            }
        }
    }
}

struct Names {
    resources: [ResourceIndex; 2],
    scratch: Vec<ResourceIndex>,
    fences: Vec<FenceIndex>,
}

impl Names {
    fn write(&self, command: Command, label: &str, number: usize, pass: &mut PassBuilder) {
        let own = self.resources[command.resource];
        let none: [Part; 0] = [];
        match (command.is_blit, command.writes) {
            (true, true) => pass.fill(label, own, 1),
            (true, false) => pass.copy(label, own, self.scratch[number]),
            (false, true) => pass.dispatch(label, none, [own]),
            (false, false) => pass.dispatch(label, [own], none),
        };
    }
}

impl Member for Staged {
    fn with(&self, tries: &[Try]) -> Program {
        let mut p = Program::builder();
        let q = p.queue("q", QueueMode::Explicit);
        let resources = ["A", "B"].map(|name| p.buffer(name, 64));
        let scratch = (0..4 * self.passes.len()).map(|number| p.buffer(&format!("S{number}"), 64)).collect();
        let fences = (0..tries.len()).map(|number| p.fence(&format!("F{number}"))).collect();
        let names = Names { resources, scratch, fences };
        let buffer = p.command_buffer("cb", q, |items| {
            for number in 0..self.passes.len() {
                items.compute(&format!("P{number}"), |pass| self.pass(number, tries, &names, pass));
            }
        });
        p.steps().commit([buffer]);
        p.build()
    }

    fn tries(&self) -> Vec<Try> {
        let mut all = Vec::new();
        let subsets = |of: Stages| {
            let both = [Stages::BLIT, Stages::DISPATCH, Stages::BLIT | Stages::DISPATCH];
            both.into_iter().filter(move |own| of.contains(*own)).collect::<Vec<_>>()
        };
        let each = |after: Stages, before: Stages| {
            let before = subsets(before);
            let pairs = subsets(after)
                .into_iter()
                .flat_map(move |after| before.clone().into_iter().map(move |own| (after, own)));
            pairs.collect::<Vec<_>>()
        };
        for to in 0..self.passes.len() {
            let own = self.stages(to);
            for at in 1..self.passes[to].len() {
                let new = each(own, own).into_iter();
                all.extend(new.map(|(after, before)| Try::Within { pass: to, at, after, before }));
            }
            for from in 0..to {
                let new = each(self.stages(from), own).into_iter();
                all.extend(new.map(|(after, before)| Try::Fence { from, to, after, before }));
            }
            let union = |passes: std::ops::Range<usize>| {
                passes.fold(Stages::empty(), |set, pass| set | self.stages(pass))
            };
            let new = each(union(0..to), union(to..self.passes.len())).into_iter();
            all.extend(new.map(|(after, before)| Try::Consumer { to, after, before }));
        }
        all.extend((self.hiding != Hiding::Nothing).then_some(Try::Show));
        all
    }

    fn act(&self, program: &Program, locus: Locus) -> usize {
        let path = program.path(locus);
        let digits: Vec<usize> =
            path.chars().filter_map(|own| own.to_digit(10)).map(|own| own as usize).collect();
        digits[0] * 4 + digits[1]
    }
}

#[test]
fn nothing_cheaper_mends_passes_in_two_stages() {
    let mut mended = 0;
    for (shape, one_in) in [(&[2, 1][..], 17), (&[1, 1, 1], 19), (&[2, 2], 401), (&[3, 1], 409)] {
        let count = 3 * 8_usize.pow(shape.iter().sum::<usize>() as u32);
        for number in (0..count).step_by(thinned(one_in)) {
            let member = Staged::of(number, shape);
            mended += usize::from(hold(&member, &member));
        }
    }
    println!("{mended} programs searched");
    assert!(mended > 50, "{mended}");
}

/// A render pass of draws that all touch one buffer; for each, whether in the fragment stage, and whether it writes.
fn drawn(draws: &[(bool, bool)]) -> Program {
    let mut p = Program::builder();
    let q = p.queue("q", QueueMode::Explicit);
    let a = p.buffer("A", 64);
    let cb = p.command_buffer("cb", q, |items| {
        items.render("R", Vec::new(), |pass| {
            for (number, (is_late, writes)) in draws.iter().enumerate() {
                let part = |wanted: bool| if wanted { vec![a.whole()] } else { Vec::new() };
                let work = Work::Draw {
                    vertex_reads: part(!is_late && !writes),
                    vertex_writes: part(!is_late && *writes),
                    fragment_reads: part(*is_late && !writes),
                    fragment_writes: part(*is_late && *writes),
                };
                pass.command(&format!("d{number}"), work);
            }
        });
    });
    p.steps().commit([cb]);
    p.build()
}

#[test]
fn a_render_pass_is_split_as_rarely_as_can_be() {
    let mut counts = [0; 4];
    for number in 0..256_usize {
        let draws: Vec<(bool, bool)> =
            (0..4).map(|place| number >> (2 * place)).map(|own| (own & 1 == 1, own & 2 == 2)).collect();
        let fixed = fix(&drawn(&draws)).unwrap();
        let insertions = fixed.repairs.iter().flat_map(|repair| &repair.insertions);
        let ends = insertions.filter(|insertion| insertion.item == Inserted::NewPass).count();
        let apart = |first: usize, second: usize| draws[first].0 && (draws[first].1 || draws[second].1);
        let pairs: Vec<(usize, usize)> = (0..4)
            .flat_map(|second| (0..second).map(move |first| (first, second)))
            .filter(|(x, y)| apart(*x, *y))
            .collect();
        let meets =
            |set: u32, (first, second): (usize, usize)| (first + 1..=second).any(|end| set >> end & 1 == 1);
        let least = (0..8_u32).map(|set| set << 1).filter(|set| pairs.iter().all(|pair| meets(*set, *pair)));
        assert_eq!(Some(ends as u32), least.map(u32::count_ones).min(), "{draws:?}");
        assert!(fixed.is_least && fixed.left.is_empty(), "{draws:?}");
        counts[ends] += 1;
    }
    assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
}

/// A managed buffer that the CPU writes in parts, none of which is published where the list does not say so, and two readers on the GPU.
fn published(acts: &[usize], marks: &[(usize, usize)]) -> Program {
    let mut p = Program::builder();
    let q = p.queue("q", QueueMode::Tracked);
    let managed = BufferOptions { storage: StorageMode::Managed, ..BufferOptions::default() };
    let m = p.buffer_with("M", 64, managed);
    let parts = [0..32, 32..64, 0..64].map(|bytes| Part { resource: m, extent: Extent::Bytes(bytes) });
    let readers: Vec<CommandBufferIndex> = (0..acts.len())
        .map(|number| {
            let own = p.buffer(&format!("S{number}"), 64);
            p.command_buffer(&format!("cb{number}"), q, |items| {
                items.blit(&format!("P{number}"), |pass| {
                    pass.copy("c", m, own);
                });
            })
        })
        .collect();
    for (place, act) in acts.iter().enumerate() {
        let steps = p.steps();
        match act {
            3 => steps.commit([readers[place]]).wait_until_completed(readers[place]),
            part => steps.write(parts[*part].clone()),
        };
        for (_, part) in marks.iter().filter(|mark| mark.0 == place) {
            steps.step(Step::DidModify(parts[*part].clone()));
        }
    }
    p.build()
}

#[test]
fn no_fewer_publications_do() {
    let is_sound = |program: &Program| {
        let managed = |kind: &Kind| matches!(kind, Kind::Managed(_) | Kind::Race(_) | Kind::Stale(_));
        !validate(program).unwrap().iter().any(|finding| managed(&finding.kind))
    };
    let mut mended = 0;
    for number in 0..256_usize {
        let acts: Vec<usize> = (0..4).map(|place| number >> (2 * place) & 3).collect();
        let fixed = fix(&published(&acts, &[])).unwrap();
        assert!(fixed.left.is_empty() && is_sound(&fixed.program), "{acts:?}: {:#?}", fixed.repairs);
        let marks: Vec<(usize, usize)> =
            (0..4).flat_map(|place| (0..3).map(move |part| (place, part))).collect();
        // Parts that the CPU has not written are not its to publish.
        let own = |(place, part): &(usize, usize)| acts[..=*place].contains(part);
        let marks: Vec<(usize, usize)> = marks.into_iter().filter(own).collect();
        let added = fixed.added().len();
        mended += usize::from(added > 0);
        let fewer = (0..1_u32 << marks.len()).filter(|set| (set.count_ones() as usize) < added);
        for set in fewer {
            let chosen: Vec<(usize, usize)> =
                (0..).zip(&marks).filter(|(bit, _)| set >> bit & 1 == 1).map(|(_, own)| *own).collect();
            assert!(
                !is_sound(&published(&acts, &chosen)),
                "{chosen:?} do for {acts:?}: {:#?}",
                fixed.repairs
            );
        }
    }
    assert!(mended > 50, "{mended}");
}
