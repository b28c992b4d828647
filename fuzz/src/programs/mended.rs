//! Fix, then check: what is mended, and what is taken out, against brute force.

use fencepost_core::Order;
use fencepost_core::advise::{Fixed, LeftReason, fix_and_prune, is_redundant, redundant};
use fencepost_core::program::{BufferItem, EventOperation, EventOperationKind, Locus, Program, Step};
use fencepost_core::validate::{Kind, validate_order};

use super::{Verdict, committed, judge, random, shown, tape};

/// Bytes as the choices of a program: mended, it is sound, or what is left is told with a reason that holds; nothing of what was added can
/// be left out; and pruned, it is as sound and nothing in it is redundant. Says what there was.
///
/// # Panics
/// That is not so.
pub fn fix(bytes: &[u8]) -> &'static str {
    let program = committed(random::program(&tape(bytes)));
    let was = verdict(&program);
    let fixed = fencepost_core::advise::fix(&program).expect("the generator names what is there");
    let is = verdict(&fixed.program);
    assert_eq!(is.stuck, was.stuck, "stuck or not, of\n{}", both(&program, &fixed.program));
    let told = is_told(&program, &fixed);
    assert_eq!(
        told,
        is.clash,
        "a clash is left, as told, then by brute force, of\n{}",
        both(&program, &fixed.program)
    );
    if !was.clash {
        assert!(fixed.repairs.is_empty(), "repairs of what is sound:\n{}", both(&program, &fixed.program));
    }
    needed(&program, &fixed, is);
    pruned(&program, is);
    match (was.clash, told) {
        (false, _) => "sound",
        (true, false) => "mended",
        (true, true) => "mended in part",
    }
}

fn verdict(program: &Program) -> Verdict {
    judge(program, &Order::of(program).expect("names stay"))
}

/// Whether a clash is told as left, and every one that is left is told.
fn is_told(program: &Program, fixed: &Fixed) -> bool {
    let order = Order::of(&fixed.program).expect("names stay");
    let clashes = validate_order(&fixed.program, &order)
        .into_iter()
        .filter(|finding| matches!(finding.kind, Kind::Race(_) | Kind::Stale(_)));
    let mut any = false;
    for finding in clashes {
        any = true;
        let left = fixed.left.iter().find(|left| left.finding == finding);
        let holds = match left.map(|left| left.reason) {
            Some(LeftReason::WithinRenderPass) => true,
            // Only a wait can be in the way, and it need not be stuck: it would be with the order.
            Some(LeftReason::Blocked) => waits(program),
            _ => false,
        };
        assert!(holds, "{finding:?} is left, {left:?}, of\n{}", both(program, &fixed.program));
    }
    any
}

/// Whether anything in a program waits.
fn waits(program: &Program) -> bool {
    let queue = |operation: &EventOperation| operation.kind == EventOperationKind::Wait;
    program.all_steps().into_iter().any(|step| match step {
        Step::WaitUntilCompleted(_) | Step::WaitUntilSignaled { .. } | Step::Notify { .. } => true,
        Step::QueueEvent { operation, .. } => queue(operation),
        _ => false,
    }) || program
        .command_buffers
        .iter()
        .flat_map(|body| &body.items)
        .any(|item| matches!(item, BufferItem::Event(operation) if queue(operation)))
}

/// Without any one thing that was added, something is wrong again.
fn needed(program: &Program, fixed: &Fixed, is: Verdict) {
    let order = Order::of(&fixed.program).expect("names stay");
    for site in fixed.added() {
        let needed = if is.clash {
            // Which of the clashes came back, brute force does not say.
            is_redundant(&fixed.program, &order, site).expect("names stay") != Some(true)
        } else {
            // A signal is needed where less is played without it, though other waits hang anyway.
            let rest = without(&fixed.program, site);
            let played = Order::of(&rest).expect("names stay").moments().len();
            verdict(&rest) != is || played + 1 < order.moments().len()
        };
        assert!(needed, "{site:?} can be left out, of\n{}", both(program, &fixed.program));
    }
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
