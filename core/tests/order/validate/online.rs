//! The validator that is fed piece by piece finds what the one that sees the whole document finds.
use std::collections::HashMap;

use fencepost_core::program::{BufferItem, CommandBufferIndex, Locus, Program, Step};
use fencepost_core::validate::{
    Finding, Gap, Kind, Misuse, Online, Spot, StuckReason, ThreadIndex, validate, validate_order,
};
use fencepost_core::{Moment, Order};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestError, TestRunner};

use super::brute_force::aliased;
use crate::random::programs;

/// A document as it is fed, with what its own numbers have become.
struct Feed<'a> {
    online: Online,
    steps: Vec<&'a Step>,
    /// The thread of every step of the document.
    bodies: Vec<usize>,
    /// The thread that a step starts.
    starts: HashMap<u32, usize>,
    threads: HashMap<usize, ThreadIndex>,
    /// Document numbers of the steps that were fed, by their numbers online.
    numbers: HashMap<u32, u32>,
    findings: Vec<Finding>,
    /// It forgets all it can after every step.
    forgets: bool,
    /// The last step that names each command buffer.
    last_named: HashMap<CommandBufferIndex, u32>,
}

impl<'a> Feed<'a> {
    fn of(program: &'a Program, forgets: bool) -> Self {
        let mut online = Online::new();
        program.devices.iter().for_each(|device| {
            online.add_device(device.clone());
        });
        program.heaps.iter().for_each(|heap| {
            online.add_heap(heap.clone());
        });
        program.fences.iter().for_each(|fence| {
            online.add_fence(fence.clone());
        });
        program.events.iter().for_each(|event| {
            online.add_event(event.clone());
        });
        program.queues.iter().for_each(|queue| {
            online.add_queue(queue.clone()).unwrap();
        });
        program.resources.iter().for_each(|resource| {
            online.add_resource(resource.clone()).unwrap();
        });
        program.command_buffers.iter().for_each(|buffer| {
            online.add_command_buffer(buffer.clone()).unwrap();
        });
        let main = online.add_thread(None).unwrap();
        let (mut bodies, mut starts) = (Vec::new(), HashMap::new());
        assign(&program.steps, 0, &mut bodies, &mut starts);
        let mut last_named = HashMap::new();
        for (step, number) in program.all_steps().into_iter().zip(0..) {
            match step {
                Step::Commit(all) => all.iter().for_each(|buffer| {
                    last_named.insert(*buffer, number);
                }),
                Step::Enqueue(buffer) | Step::WaitUntilCompleted(buffer) => {
                    last_named.insert(*buffer, number);
                }
                _ => {}
            }
        }
        // One with a place that is never committed holds its queue in a document; let go of, it would give the place up.
        let committed = |buffer: &CommandBufferIndex| {
            program.all_steps().iter().any(|step| matches!(step, Step::Commit(all) if all.contains(buffer)))
        };
        last_named.retain(|buffer, _| committed(buffer));
        Self {
            online,
            forgets,
            last_named,
            steps: program.all_steps(),
            bodies,
            starts,
            threads: HashMap::from([(0, main)]),
            numbers: HashMap::new(),
            findings: Vec::new(),
        }
    }

    fn step(&mut self, number: u32) {
        let step = self.steps[number as usize];
        let thread = self.threads[&self.bodies[number as usize]];
        match step {
            Step::Thread { .. } | Step::Notify { .. } => {
                // The start is itself a step, which does nothing here.
                let fed = self.online.step(thread, Step::Commit(Vec::new())).unwrap();
                self.note(fed, number);
                let body = self.online.add_thread(Some(thread)).unwrap();
                self.threads.insert(self.starts[&number], body);
                if let Step::Notify { event, value, .. } = step {
                    let wait = Step::WaitUntilSignaled { event: *event, value: *value, timeout_ms: None };
                    self.online.step(body, wait).unwrap();
                }
            }
            step => {
                let fed = self.online.step(thread, step.clone()).unwrap();
                self.note(fed, number);
            }
        }
        self.take();
        if self.forgets {
            // Threads may be played in another order than they are written: what is named later there may be still to come.
            let over = |named: &u32| *named <= number && self.threads.len() == 1;
            let gone: Vec<_> =
                self.last_named.iter().filter(|(_, named)| over(named)).map(|(buffer, _)| *buffer).collect();
            for buffer in gone {
                self.last_named.remove(&buffer);
                self.online.remove_command_buffer(buffer);
            }
            self.online.forget();
        }
    }

    fn take(&mut self) {
        let new = self.online.take_findings();
        let new: Vec<Finding> = new.into_iter().map(|finding| self.renamed(finding)).collect();
        self.findings.extend(new);
    }

    fn note(&mut self, fed: Locus, number: u32) {
        let Locus::Step(fed) = fed else { panic!("a step's place") };
        self.numbers.insert(fed, number);
    }

    fn renamed(&self, mut finding: Finding) -> Finding {
        let locus = |locus: &mut Locus| {
            if let Locus::Step(number) = locus {
                *number = self.numbers[number];
            }
        };
        for spot in [&mut finding.first, &mut finding.second].into_iter().flatten() {
            if let Spot::At(place) = spot {
                locus(place);
            }
        }
        if let Kind::Stuck(stuck) = &mut finding.kind {
            stuck.behind.iter_mut().for_each(locus);
            match &mut stuck.reason {
                StuckReason::Cycle(all) => all.iter_mut().for_each(locus),
                StuckReason::OwnFuture { signal } => locus(signal),
                _ => {}
            }
        }
        finding
    }
}

fn assign(steps: &[Step], thread: usize, bodies: &mut Vec<usize>, starts: &mut HashMap<u32, usize>) {
    for step in steps {
        let number = bodies.len() as u32;
        bodies.push(thread);
        if let Step::Thread { body, .. } | Step::Notify { body, .. } = step {
            let own = starts.len() + 1;
            starts.insert(number, own);
            assign(body, own, bodies, starts);
        }
    }
}

/// Findings that only the end of a document shows.
fn is_final(finding: &Finding) -> bool {
    matches!(finding.kind, Kind::Stuck(_) | Kind::Misuse(Misuse::NeverCommitted))
}

/// Findings of calls that were never played, which the document has and the application has not made.
fn is_played(finding: &Finding, order: &Order) -> bool {
    let played = |number: u32| order.moments().contains(&Moment::Step(number));
    match finding.spot() {
        Some(Spot::At(Locus::Step(number))) => played(number),
        _ => true,
    }
}

/// A finding without what is not remembered for long: which primitive ordered two accesses without visibility.
fn without_gap(finding: &Finding) -> Finding {
    let mut finding = finding.clone();
    if let Kind::Stale(clash) = &mut finding.kind {
        clash.gap = Gap::Nothing;
    }
    finding
}

fn sorted(mut findings: Vec<String>) -> Vec<String> {
    findings.sort();
    findings
}

fn agree(program: &Program, forgets: bool) -> Result<bool, TestCaseError> {
    let order = Order::of(program).unwrap();
    let whole = validate(program).unwrap();
    // A graph that hands out no plans has fewer gates; what is told of a program is the same, down to the primitive that
    // it names.
    prop_assert_eq!(&whole, &validate_order(program, &order), "judged with an order and without");
    let mut feed = Feed::of(program, forgets);
    feed.take();
    for moment in order.moments() {
        if let Moment::Step(number) = moment {
            feed.step(*number);
        }
    }
    let findings = std::mem::take(&mut feed.findings);
    let shown = |finding: &Finding| match forgets {
        true => format!("{:?}", without_gap(finding)),
        false => format!("{finding:?}"),
    };
    let online = sorted(findings.iter().map(shown).collect());
    let played = whole.iter().filter(|finding| !is_final(finding) && is_played(finding, &order));
    let same = online == sorted(played.map(shown).collect());
    let ambiguous = is_ambiguous(program);
    prop_assert!(same || ambiguous, "online {online:#?}\nwhole {whole:#?}");
    Ok(!whole.is_empty() && !ambiguous)
}

/// Whether several may raise an event: then which of them released a wait may show later.
fn is_ambiguous(program: &Program) -> bool {
    let mut raisers: HashMap<u32, Vec<u64>> = HashMap::new();
    let mut add = |event: u32, who: u64| {
        let all = raisers.entry(event).or_default();
        if !all.contains(&who) {
            all.push(who);
        }
    };
    for buffer in &program.command_buffers {
        for item in &buffer.items {
            if let BufferItem::Event(operation) = item {
                add(operation.event.0, u64::from(buffer.queue.0));
            }
        }
    }
    let mut bodies = Vec::new();
    assign(&program.steps, 0, &mut bodies, &mut HashMap::new());
    for (step, body) in program.all_steps().into_iter().zip(bodies) {
        match step {
            Step::QueueEvent { queue, operation } => add(operation.event.0, u64::from(queue.0)),
            Step::SetSignaledValue { event, .. } => add(event.0, 1000 + body as u64),
            _ => {}
        }
    }
    raisers.values().any(|all| all.len() > 1)
}

#[test]
fn online_finds_what_the_whole_shows() {
    compare(false);
}

#[test]
fn online_finds_it_where_all_else_is_forgotten() {
    compare(true);
}

fn compare(forgets: bool) {
    let cases = std::env::var("FENCEPOST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(2048);
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let judged = std::cell::Cell::new(0);
    let result = TestRunner::new(config).run(&programs(), |program| {
        let program = aliased(program);
        judged.set(judged.get() + u32::from(agree(&program, forgets)?));
        Ok(())
    });
    match result {
        Err(TestError::Fail(reason, program)) => panic!("{reason}\n{}", crate::agreement::shown(&program)),
        Err(error) => panic!("{error}"),
        Ok(()) => {}
    }
    println!("{} programs with findings and without ambiguous waits", judged.get());
    assert!(judged.get() > cases / 20, "degenerate programs");
}
