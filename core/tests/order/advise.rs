//! Advice and fixes of random programs, held against brute force: what is advised may go, what is fixed is clean, what is added is
//! needed and the cheapest.
use std::collections::HashSet;

use fencepost_core::advise::{LeftReason, Scope, advise, fix, is_redundant, prune, redundant};
use fencepost_core::program::value::expected;
use fencepost_core::program::{
    Attachment, BufferItem, BufferOptions, FenceIndex, LoadAction, Locus, MemoryScope, Pass, PassItem,
    PassKind, Primitive, Program, QueueMode, Step, StoreAction, Synchronization, TextureOptions,
    TrackingMode, Work,
};
use fencepost_core::validate::{Finding, Kind, Severity, validate};
use fencepost_core::{Moment, Order, Stages, Visibility};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestError, TestRunner};

use crate::random::programs;

fn cases(default: u32) -> Config {
    let cases = std::env::var("FENCEPOST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    Config { cases, failure_persistence: None, max_shrink_iters: 512, ..Config::default() }
}

fn run(config: Config, test: impl Fn(Program) -> Result<(), TestCaseError>) {
    match TestRunner::new(config).run(&programs(), test) {
        Err(TestError::Fail(reason, program)) => panic!("{reason}\n{}", crate::agreement::shown(&program)),
        Err(error) => panic!("{error}"),
        Ok(()) => {}
    }
}

/// What order is there to mend.
fn broken(program: &Program) -> Vec<Finding> {
    let mut all = validate(program).unwrap();
    all.retain(|finding| matches!(finding.kind, Kind::Race(_) | Kind::Stale(_)));
    all
}

#[test]
fn a_fixed_program_is_clean() {
    let counts = std::cell::Cell::new([0; 3]);
    run(cases(256), |program| {
        let racy = !broken(&program).is_empty();
        let hung = !Order::of(&program).unwrap().stuck().is_empty();
        let fixed = fix(&program).unwrap();
        prop_assert_eq!(broken(&fixed.program), Vec::new(), "{:#?}", fixed.repairs);
        // What hangs still, no signal opens.
        for &wait in Order::of(&fixed.program).unwrap().stuck() {
            let ends = matches!(wait, Locus::Step(number) if matches!(fixed.program.all_steps()[number as usize], Step::WaitUntilCompleted(_)));
            prop_assert!(ends, "{:?} could be opened: {:#?}", wait, fixed.repairs);
        }
        prop_assert!(
            racy || hung || fixed.repairs.iter().all(|repair| repair.scope.is_none()),
            "{:#?}",
            fixed.repairs
        );
        let reasons = [LeftReason::NeverCommitted, LeftReason::CommittedBehind];
        let left = fixed.left.iter().filter(|left| reasons.contains(&left.reason)).count() as u32;
        let [r, f, l] = counts.get();
        counts.set([r + u32::from(racy), f + fixed.repairs.len() as u32, l + left]);
        Ok(())
    });
    println!("{:?}", counts.get());
    assert!(counts.get()[0] > 0, "degenerate programs");
}

/// The repairs of a program that becomes sound, and the program.
fn mended(program: &Program) -> (Vec<Option<Scope>>, Program) {
    let fixed = fix(program).unwrap();
    let errors = validate(&fixed.program).unwrap();
    assert_eq!(errors.into_iter().filter(|finding| finding.severity() == Severity::Error).count(), 0);
    (fixed.repairs.iter().map(|repair| repair.scope).collect(), fixed.program)
}

#[test]
fn a_render_pass_that_races_with_its_fragments_becomes_two() {
    let mut p = Program::builder();
    let q = p.queue("q", QueueMode::Explicit);
    let [a, b] = ["A", "B"].map(|name| p.buffer(name, 64));
    let t = p.texture("T", 4, 4, TextureOptions::default());
    let f = p.fence("F");
    let cb = p.command_buffer("cb", q, |items| {
        items.compute("P", |pass| {
            pass.fill("f", b, 1).update_fence(f, Stages::BLIT);
        });
        let attachment =
            Attachment { texture: t.whole(), load: LoadAction::Clear, store: StoreAction::DontCare };
        items.render("R", vec![attachment], |pass| {
            pass.wait_for_fence(f, Stages::FRAGMENT);
            let work = |writes: bool| Work::Draw {
                vertex_reads: if writes { Vec::new() } else { vec![a.whole()] },
                vertex_writes: Vec::new(),
                fragment_reads: vec![b.whole()],
                fragment_writes: if writes { vec![a.whole()] } else { Vec::new() },
            };
            pass.command("d1", work(true)).command("d2", work(true)).command("d3", work(false));
        });
    });
    p.steps().commit([cb]);
    let program = p.build();
    let (scopes, after) = mended(&program);
    // Between the first two draws and between the last two; each needs a fence, for the attachment and for A.
    assert_eq!(scopes.iter().filter(|scope| scope.is_none()).count(), 2, "{scopes:?}");
    let passes: Vec<&Pass> = (0..4).filter_map(|pass| after.pass(cb, pass)).collect();
    let actions =
        passes[1..].iter().map(|pass| pass.attachments().map(|own| (own.load, own.store)).next().unwrap());
    assert_eq!(
        actions.collect::<Vec<_>>(),
        [
            (LoadAction::Clear, StoreAction::Store),
            (LoadAction::Load, StoreAction::Store),
            (LoadAction::Load, StoreAction::DontCare)
        ]
    );
    // Every part waits for what the whole waited for, and computes what it did.
    let waits = |pass: &Pass| {
        let is = |item: &PassItem| matches!(item, PassItem::Synchronization(own) if own.primitive == Primitive::WaitForFence { fence: f, before: Some(Stages::FRAGMENT) });
        pass.items.iter().filter(|item| is(item)).count()
    };
    assert_eq!(passes.iter().map(|pass| waits(pass)).collect::<Vec<_>>(), [0, 1, 1, 1]);
    assert_eq!(expected(&after).bytes(a), expected(&program).bytes(a));
    assert_eq!(["R.d1", "R.d2", "R.d3"].map(|path| after.locate(path).len()), [1; 3]);
}

#[test]
fn a_wait_that_hangs_gets_its_signal_where_it_orders_most() {
    let mut p = Program::builder();
    let [q, r] = ["q", "r"].map(|name| p.queue(name, QueueMode::Tracked));
    let untracked = BufferOptions { tracking: TrackingMode::Untracked, ..BufferOptions::default() };
    let a = p.buffer_with("A", 64, untracked);
    let e = p.event("E");
    let first = p.command_buffer("first", q, |items| {
        items.blit("P", |pass| {
            pass.fill("f", a, 1);
        });
    });
    let second = p.command_buffer("second", r, |items| {
        items.wait_for_event("w", e, 3);
        items.blit("Q", |pass| {
            pass.fill("g", a, 2);
        });
    });
    p.steps().commit([first]).commit([second]);
    let program = p.build();
    let (scopes, after) = mended(&program);
    assert_eq!(scopes, [Some(Scope::Event)], "one signal opens the wait and orders the fills");
    let BufferItem::Event(operation) = &after.command_buffers[first.index()].items[1] else { panic!() };
    assert_eq!((operation.event, operation.value), (e, 3));
    assert!(Order::of(&after).unwrap().is_ordered("P.f", "Q.g"));
}

#[test]
fn a_cpu_that_waits_for_what_it_commits_later_is_left() {
    let mut p = Program::builder();
    let q = p.queue("q", QueueMode::Explicit);
    let a = p.buffer("A", 64);
    let cb = p.command_buffer("cb", q, |items| {
        items.compute("P", |pass| {
            pass.fill("f", a, 1);
        });
    });
    p.steps().wait_until_completed(cb).commit([cb]);
    let fixed = fix(&p.build()).unwrap();
    assert_eq!(fixed.repairs, []);
    assert_eq!(fixed.left.iter().map(|left| left.reason).collect::<Vec<_>>(), [LeftReason::CommittedBehind]);
}

#[test]
fn nothing_of_a_fix_can_be_left_out() {
    let count = std::cell::Cell::new(0);
    run(cases(96), |program| {
        let fixed = fix(&program).unwrap();
        let order = Order::of(&fixed.program).unwrap();
        for site in fixed.added() {
            let is_did_modify = matches!(site, Locus::Step(n) if matches!(fixed.program.all_steps()[n as usize], Step::DidModify(_)));
            if let Some(redundant) = is_redundant(&fixed.program, &order, site).unwrap() {
                count.set(count.get() + 1);
                prop_assert!(!redundant || is_did_modify, "{:?} of {:#?}", site, fixed.repairs);
            }
        }
        Ok(())
    });
    assert!(count.get() > 0, "degenerate programs");
}

/// Every conflict by its places, with what has become of it: nothing of the library but the order decides here.
fn fates(program: &Program, origin: impl Fn(Locus) -> Option<Locus>) -> HashSet<(Locus, Locus, bool)> {
    let order = Order::of(program).unwrap();
    crate::validate::conflicting(program, &order)
        .into_iter()
        .filter_map(|(first, second, well)| Some((origin(first)?, origin(second)?, well)))
        .collect()
}

#[test]
fn a_pruned_program_keeps_every_conflict_that_is_ordered_and_nothing_in_it_is_redundant() {
    let removed = std::cell::Cell::new(0);
    run(cases(96), |program| {
        let pruned = prune(&program).unwrap();
        removed.set(removed.get() + pruned.removed.len());
        let (were, are) = (fates(&program, Some), fates(&pruned.program, |locus| pruned.origin(locus)));
        // Of two that nothing orders either may be played first, and a wait that is taken out may turn commits of two threads round.
        let pairs = |all: &HashSet<(Locus, Locus, bool)>| -> HashSet<(Locus, Locus)> {
            all.iter().map(|(first, second, _)| (*first.min(second), *first.max(second))).collect()
        };
        prop_assert_eq!(pairs(&are), pairs(&were));
        let lost = |(first, second, well): &&(Locus, Locus, bool)| {
            *well && (!are.contains(&(*first, *second, true)) || are.contains(&(*first, *second, false)))
        };
        let partly = |(first, second, _): &&(Locus, Locus, bool)| were.contains(&(*first, *second, false));
        let lost: Vec<_> = were.iter().filter(lost).filter(|pair| !partly(pair)).collect();
        prop_assert!(lost.is_empty(), "{:?}", lost);
        let order = Order::of(&pruned.program).unwrap();
        prop_assert_eq!(redundant(&pruned.program, &order).unwrap(), HashSet::new());
        // Exactly what is advised goes.
        let advised = advise(&program).unwrap();
        let advised = advised.iter().filter(|finding| matches!(finding.kind, Kind::Redundant(_)));
        prop_assert!(advised.count() <= pruned.removed.len());
        Ok(())
    });
    assert!(removed.get() > 0, "degenerate programs");
}

/// Something that brute force may add, where it reaches furthest and with every stage; its scope's cost.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Try {
    Within(usize, usize, usize),
    Fence((usize, usize), (usize, usize)),
    Consumer(usize, usize),
}

impl Try {
    const fn cost(self) -> u64 {
        match self {
            Self::Within(..) => 1,
            Self::Fence(..) => 2,
            Self::Consumer(..) => 3,
        }
    }

    /// Adds it behind whatever else was added: places count from the end of what was there, so that they hold.
    fn add(self, program: &mut Program, fence: FenceIndex, lengths: &[Vec<usize>]) {
        // Chains through stages that no command has are not to be relied on.
        let of = |(buffer, pass): (usize, usize)| match &program.command_buffers[buffer].items[pass] {
            BufferItem::Pass(pass) => stages(pass),
            BufferItem::Event(_) => Stages::empty(),
        };
        let (from, to) = match self {
            Self::Within(buffer, pass, _) => (of((buffer, pass)), of((buffer, pass))),
            Self::Fence(from, to) => (of(from), of(to)),
            Self::Consumer(..) => (Stages::EVERY, Stages::EVERY),
        };
        let visibility = Visibility::DEVICE;
        let tracked = |program: &Program, buffer: usize| {
            program.queues[program.command_buffers[buffer].queue.index()].mode == QueueMode::Tracked
        };
        match self {
            Self::Within(buffer, pass, item) => {
                let primitive = if tracked(program, buffer) {
                    let scope = MemoryScope::Kinds { buffers: true, textures: true, render_targets: true };
                    Primitive::MemoryBarrier { scope, after: Some(from), before: Some(to) }
                } else {
                    Primitive::Barrier { after: from, before: to, visibility }
                };
                let back = lengths[buffer][pass] - item;
                let items = items(program, buffer, pass);
                let at = items.iter().rposition(|item| matches!(item, PassItem::Synchronization(own) if own.label.as_deref() == Some("end")));
                let end = at.unwrap_or(items.len());
                items.insert(end - back, synchronization(None, primitive));
            }
            Self::Fence(first, second) => {
                let update = Primitive::UpdateFence { fence, after: Some(from) };
                items(program, first.0, first.1).push(synchronization(Some("end"), update));
                let wait = Primitive::WaitForFence { fence, before: Some(to) };
                items(program, second.0, second.1).insert(0, synchronization(None, wait));
            }
            Self::Consumer(buffer, pass) => {
                let barrier = Primitive::ConsumerBarrier { after_queue: from, before: to, visibility };
                items(program, buffer, pass).insert(0, synchronization(None, barrier));
            }
        }
    }
}

fn stages(pass: &Pass) -> Stages {
    let own = if pass.attachments_at().is_some() { Stages::FRAGMENT } else { Stages::empty() };
    pass.items.iter().fold(own, |set, item| match item {
        PassItem::Command(command) => set | command.work.stages(),
        _ => set,
    })
}

fn synchronization(label: Option<&str>, primitive: Primitive) -> PassItem {
    PassItem::Synchronization(Synchronization { label: label.map(str::to_owned), primitive })
}

fn items(program: &mut Program, buffer: usize, pass: usize) -> &mut Vec<PassItem> {
    match &mut program.command_buffers[buffer].items[pass] {
        BufferItem::Pass(pass) => &mut pass.items,
        BufferItem::Event(_) => unreachable!("places are those of passes"),
    }
}

/// Everything that may be added on one queue.
fn tries(program: &Program, order: &Order) -> Vec<Try> {
    let passes: Vec<(usize, usize)> = order
        .moments()
        .iter()
        .filter_map(|moment| match moment {
            Moment::Pass(buffer, pass) => Some((buffer.index(), *pass as usize)),
            _ => None,
        })
        .collect();
    let mut all = Vec::new();
    for (number, &(buffer, pass)) in passes.iter().enumerate() {
        let BufferItem::Pass(body) = &program.command_buffers[buffer].items[pass] else { continue };
        let render = matches!(body.kind, PassKind::Render { .. });
        if !render {
            all.extend((1..body.items.len()).map(|item| Try::Within(buffer, pass, item)));
        }
        let queue = program.command_buffers[buffer].queue;
        let earlier = passes[..number].iter().filter(|(own, _)| program.command_buffers[*own].queue == queue);
        all.extend(earlier.clone().map(|from| Try::Fence(*from, (buffer, pass))));
        all.extend(earlier.take(1).map(|_| Try::Consumer(buffer, pass)));
    }
    all
}

/// Whether some set that is cheaper by scope mends.
fn cheaper(program: &Program, all: &[Try], budget: u64, chosen: &mut Vec<Try>) -> bool {
    let lengths: Vec<Vec<usize>> = program
        .command_buffers
        .iter()
        .map(|body| {
            let length = |item: &BufferItem| match item {
                BufferItem::Pass(pass) => pass.items.len(),
                BufferItem::Event(_) => 0,
            };
            body.items.iter().map(length).collect()
        })
        .collect();
    let mut with = program.clone();
    for own in chosen.iter() {
        with.fences.push(format!("brute{}", with.fences.len()));
        let fence = FenceIndex(with.fences.len() as u32 - 1);
        own.add(&mut with, fence, &lengths);
    }
    if broken(&with).is_empty() {
        return true;
    }
    for (number, own) in all.iter().enumerate() {
        if own.cost() < budget {
            chosen.push(*own);
            let found = cheaper(program, &all[number + 1..], budget - own.cost(), chosen);
            if found {
                return true;
            }
            chosen.pop();
        }
    }
    false
}

#[test]
fn no_cheaper_set_mends_a_small_program() {
    let count = std::cell::Cell::new(0);
    run(cases(192), |program| {
        let bodies = program.command_buffers.iter().flat_map(|body| &body.items);
        let commands: usize = bodies
            .map(|item| match item {
                BufferItem::Pass(pass) => {
                    pass.items.iter().filter(|item| matches!(item, PassItem::Command(_))).count()
                }
                BufferItem::Event(_) => 0,
            })
            .sum();
        let fixed = fix(&program).unwrap();
        let (scopes, _) = fixed.cost();
        // What leaves a queue or shows what is hidden is not tried here, and more than this takes too long.
        let all_there =
            fixed.left.iter().all(|left| !matches!(left.finding.kind, Kind::Race(_) | Kind::Stale(_)));
        let stale = broken(&program).iter().any(|finding| matches!(finding.kind, Kind::Stale(_)));
        if commands <= 8 && all_there && !stale && (2..=5).contains(&scopes) {
            let order = Order::of(&program).unwrap();
            count.set(count.get() + 1);
            let mut chosen = Vec::new();
            let found = cheaper(&program, &tries(&program, &order), scopes, &mut chosen);
            prop_assert!(!found, "{:?} costs less than {:?}", chosen, fixed.repairs);
        }
        Ok(())
    });
    println!("{} programs searched", count.get());
    assert!(count.get() > 0, "degenerate programs");
}
