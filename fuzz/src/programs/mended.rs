//! Fix, then check: what is mended, and what is taken out, against brute force.

use std::collections::HashSet;

use fencepost_core::Order;
use fencepost_core::advise::{Fixed, LeftReason, fix_and_prune, redundant};
use fencepost_core::program::value::expected;
use fencepost_core::program::{
    BufferItem, CommandBufferIndex, Locus, Program, QueueMode, ResourceIndex, Step,
};
use fencepost_core::validate::{Kind, Severity, validate_order};

use super::{Verdict, chosen, judge, shown};

/// Bytes as the choices of a program: mended, it is clean, and computes what the program before did; a wait that hangs still is one that
/// no primitive opens; nothing of what was added can be left out; and pruned, it is as sound and nothing in it is redundant. Says what there was.
///
/// # Panics
/// That is not so.
pub fn fix(bytes: &[u8]) -> &'static str {
    let program = chosen(bytes);
    let was = verdict(&program);
    let fixed = fencepost_core::advise::fix(&program).expect("the generator names what is there");
    let is = verdict(&fixed.program);
    assert!(!is.clash, "a clash is left, of\n{}", both(&program, &fixed.program));
    left(&program, &fixed);
    if was == Verdict::default() {
        assert!(fixed.repairs.is_empty(), "repairs of what is sound:\n{}", both(&program, &fixed.program));
    }
    if !was.stuck {
        same(&program, &fixed);
    }
    needed(&program, &fixed, is);
    split(&program, &fixed);
    pruned(&program, is);
    match (was.clash || was.stuck, is.stuck) {
        (false, _) => "sound",
        (true, false) => "mended",
        (true, true) => "mended but for a commit behind its wait",
    }
}

fn verdict(program: &Program) -> Verdict {
    judge(program, &Order::of(program).expect("names stay"))
}

/// What is left is told: waits that hang whatever is signalled, and calls that Metal does not allow.
fn left(program: &Program, fixed: &Fixed) {
    let order = Order::of(&fixed.program).expect("names stay");
    let errors = validate_order(&fixed.program, &order);
    for finding in errors.into_iter().filter(|finding| finding.severity() == Severity::Error) {
        let left = fixed.left.iter().find(|left| left.finding == finding);
        let reason = left.map(|left| left.reason);
        let holds = match finding.kind {
            Kind::Misuse(_) => reason == Some(LeftReason::Misuse),
            Kind::Stuck(_) => reason == Some(LeftReason::CommittedBehind),
            _ => false,
        };
        assert!(holds, "{finding:?} is left, {reason:?}, of\n{}", both(program, &fixed.program));
    }
    let reach = Reach::of(&fixed.program);
    for &wait in order.stuck() {
        assert!(reach.is_hopeless(wait), "{wait:?} could be opened, of\n{}", both(program, &fixed.program));
    }
}

/// Document order gives the same bytes, before and after.
fn same(program: &Program, fixed: &Fixed) {
    let (was, is) = (expected(program), expected(&fixed.program));
    for resource in (0..program.resources.len() as u32).map(ResourceIndex) {
        assert_eq!(was.bytes(resource), is.bytes(resource), "of\n{}", both(program, &fixed.program));
    }
}

/// How far the CPU comes where every event has every value at any time: no primitive brings it further, since barriers, fences, waits
/// and other passes only hold. A thread then stands still only where it waits for the end of a command buffer that nothing
/// commits in any execution, or that has an empty slot in front of it in every execution.
struct Reach<'a> {
    program: &'a Program,
    steps: Vec<&'a Step>,
    /// What each step is behind on its thread, or what starts the thread.
    previous: Vec<Option<u32>>,
    passed: HashSet<u32>,
}

impl<'a> Reach<'a> {
    fn of(program: &'a Program) -> Self {
        let mut own =
            Self { program, steps: program.all_steps(), previous: Vec::new(), passed: HashSet::new() };
        link(&program.steps, None, &mut own.previous);
        loop {
            let next = (0..own.steps.len() as u32).find(|number| own.is_next(*number) && !own.hangs(*number));
            let Some(next) = next else { return own };
            own.passed.insert(next);
        }
    }

    /// Whether a wait is come to, and never passed.
    fn is_hopeless(&self, wait: Locus) -> bool {
        matches!(wait, Locus::Step(number) if self.is_next(number))
    }

    fn is_next(&self, number: u32) -> bool {
        let previous = self.previous[number as usize];
        !self.passed.contains(&number) && previous.is_none_or(|previous| self.passed.contains(&previous))
    }

    fn hangs(&self, number: u32) -> bool {
        let Step::WaitUntilCompleted(buffer) = self.steps[number as usize] else { return false };
        let mut needed = vec![*buffer];
        let mut place = 0;
        while let Some(&next) = needed.get(place) {
            let mut commits = self.all(|step| matches!(step, Step::Commit(all) if all.contains(&next)));
            if !commits.any(|step| self.passed.contains(&step)) {
                return true;
            }
            let buffers = (0..self.program.command_buffers.len() as u32).map(CommandBufferIndex);
            let new = buffers.filter(|other| !needed.contains(other) && self.is_in_front(*other, next));
            needed.extend(new.collect::<Vec<_>>());
            place += 1;
        }
        false
    }

    /// Whether one command buffer has its slot in front of another's in every execution, as far as the CPU comes.
    fn is_in_front(&self, first: CommandBufferIndex, second: CommandBufferIndex) -> bool {
        let queue = |buffer: CommandBufferIndex| self.program.command_buffers[buffer.index()].queue;
        let takes = |step: &Step| match step {
            Step::Commit(all) => all.contains(&second),
            Step::Enqueue(own) => *own == second,
            _ => false,
        };
        let tracked = self.program.queues[queue(first).index()].mode == QueueMode::Tracked;
        tracked
            && queue(first) == queue(second)
            && self.all(|step| *step == Step::Enqueue(first)).any(|slot| {
                let mut taken = self.all(takes).filter(|step| self.passed.contains(step));
                taken.all(|step| self.is_behind(step, slot))
            })
    }

    fn is_behind(&self, step: u32, earlier: u32) -> bool {
        let next = |number: &u32| self.previous[*number as usize];
        std::iter::successors(next(&step), next).any(|number| number == earlier)
    }

    fn all(&self, is: impl Fn(&Step) -> bool) -> impl Iterator<Item = u32> {
        (0..).zip(&self.steps).filter(move |(_, step)| is(step)).map(|(number, _)| number)
    }
}

/// Fills in what each step is behind.
fn link(steps: &[Step], start: Option<u32>, previous: &mut Vec<Option<u32>>) {
    let mut last = start;
    for step in steps {
        let number = previous.len() as u32;
        previous.push(last);
        last = Some(number);
        if let Step::Thread { body, .. } | Step::Notify { body, .. } = step {
            link(body, last, previous);
        }
    }
}

/// With any two parts of a pass that was split as one again, something is wrong again.
fn split(program: &Program, fixed: &Fixed) {
    let of = |buffer, pass, item| match fixed.origin(Locus::PassItem { buffer, pass, item }) {
        Some(Locus::PassItem { buffer, pass, .. }) => Some((buffer, pass)),
        _ => None,
    };
    for (body, number) in fixed.program.command_buffers.iter().zip(0..) {
        let buffer = CommandBufferIndex(number);
        let origins: Vec<_> = (0..body.items.len() as u32)
            .map(|pass| {
                let items = fixed.program.pass(buffer, pass).map_or(0, |pass| pass.items.len() as u32);
                (0..items).find_map(|item| of(buffer, pass, item))
            })
            .collect();
        for (first, pair) in
            origins.windows(2).enumerate().filter(|(_, pair)| pair[0].is_some() && pair[0] == pair[1])
        {
            let mut whole = fixed.program.clone();
            let items = &mut whole.command_buffers[buffer.index()].items;
            let (BufferItem::Pass(second), Some(BufferItem::Pass(pass))) =
                (items.remove(first + 1), items.get_mut(first))
            else {
                continue;
            };
            pass.items.extend(second.items);
            assert!(verdict(&whole).clash, "{pair:?} need not be two, of\n{}", both(program, &fixed.program));
        }
    }
}

/// Without any one thing that was added, something is wrong again.
fn needed(program: &Program, fixed: &Fixed, is: Verdict) {
    let order = Order::of(&fixed.program).expect("names stay");
    for site in fixed.added() {
        // A signal is needed where less is played without it, though other waits hang anyway.
        let rest = without(&fixed.program, site);
        let played = Order::of(&rest).expect("names stay").moments().len();
        let own = match site {
            Locus::Step(number) if is_operation(&fixed.program, number) => 2,
            Locus::Step(_) | Locus::Event { .. } => 1,
            _ => 0,
        };
        let needed = verdict(&rest) != is || played + own < order.moments().len();
        assert!(needed, "{site:?} can be left out, of\n{}", both(program, &fixed.program));
    }
}

/// Whether a step puts an operation on a queue, which the queue comes past at another moment.
fn is_operation(program: &Program, number: u32) -> bool {
    matches!(program.all_steps()[number as usize], Step::QueueEvent { .. })
}

fn pruned(program: &Program, is: Verdict) {
    let pruned = fix_and_prune(program).expect("names stay").program;
    assert_eq!(verdict(&pruned), is, "pruned, then mended, of\n{}", both(program, &pruned));
    let order = Order::of(&pruned).expect("names stay");
    let rest = redundant(&pruned, &order).expect("names stay");
    assert!(rest.is_empty(), "{rest:?} is redundant, of\n{}", both(program, &pruned));
}

/// A program with one thing less.
fn without(program: &Program, site: Locus) -> Program {
    let mut program = program.clone();
    match site {
        Locus::PassItem { buffer, pass, item } => {
            if let BufferItem::Pass(pass) = &mut program.command_buffers[buffer.index()].items[pass as usize]
            {
                pass.items.remove(item as usize);
            }
        }
        Locus::Event { buffer, item } => {
            program.command_buffers[buffer.index()].items.remove(item as usize);
        }
        Locus::Step(number) => {
            remove(&mut program.steps, &mut i64::from(number));
        }
        Locus::Pass { .. } => {}
    }
    program
}

/// Removes a step by its number; bodies count behind what they belong to.
fn remove(steps: &mut Vec<Step>, number: &mut i64) {
    let mut place = 0;
    while place < steps.len() && *number >= 0 {
        if *number == 0 {
            steps.remove(place);
            *number = -1;
            return;
        }
        *number -= 1;
        if let Step::Thread { body, .. } | Step::Notify { body, .. } = &mut steps[place] {
            remove(body, number);
        }
        place += 1;
    }
}

fn both(program: &Program, then: &Program) -> String {
    format!("{}\nwhich became\n{}", shown(program), shown(then))
}
