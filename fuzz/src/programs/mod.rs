//! Programs under test: the text form, the validator and the fixes against brute force.
//!
//! Each function takes bytes, as libFuzzer gives them and as the `programs` binary makes them from seeds, and panics where the promise
//! is broken. The generator and the judge are those of the tests of `fencepost-cli`.

#[path = "../../../cli/tests/mutation/judge.rs"]
mod judge;
mod mended;
#[path = "../../../cli/tests/format/random.rs"]
mod random;

use fencepost_core::program::{CommandBufferIndex, Program, Step, StorageMode};
use fencepost_core::validate::{Severity, validate_order};
use fencepost_core::{NodeId, Order};
use fencepost_format::{parse, print};

use judge::{Verdict, judge};
pub use mended::fix;

/// Texts longer than this only cost time.
const LONGEST: usize = 16 << 10;

/// Any bytes into the parser: it ends, with a program or with faults that lie inside of the text; what is a program prints as a text
/// that reads as the same program. An odd first byte makes the rest choices of a program whose text is damaged at one place. Says what
/// it was.
///
/// # Panics
/// That is not so.
pub fn format(bytes: &[u8]) -> &'static str {
    let Some((kind, rest)) = bytes.split_first() else { return "nothing" };
    let rest = &rest[..rest.len().min(LONGEST)];
    if kind % 2 == 0 {
        return read(&String::from_utf8_lossy(rest));
    }
    let program = random::program(&tape(rest));
    let text = print(&program).expect("the generator names what is there");
    let again =
        parse("printed.kdl", &text).unwrap_or_else(|error| panic!("{text}\n{}", error.report(100, false)));
    assert_eq!(again.program, program, "{text}");
    read(&damaged(&text, rest))
}

fn read(text: &str) -> &'static str {
    match parse("any.kdl", text) {
        Ok(parsed) => {
            let printed = print(&parsed.program).expect("what was read names what is there");
            let again = parse("printed.kdl", &printed)
                .unwrap_or_else(|error| panic!("{text}\nprints as\n{printed}\n{}", error.report(100, false)));
            assert_eq!(again.program, parsed.program, "{text}\nprints as\n{printed}");
            "a program"
        }
        Err(error) => {
            assert!(!error.faults().is_empty(), "an error without faults: {text}");
            for fault in error.faults() {
                let end = fault.span.offset() + fault.span.len();
                assert!(text.get(fault.span.offset()..end).is_some(), "{fault:?} is not in the text: {text}");
            }
            assert!(!error.report(100, false).is_empty());
            "no program"
        }
    }
}

/// A text with a piece of it somewhere else, as the last bytes say.
fn damaged(text: &str, bytes: &[u8]) -> String {
    let place = |number: usize| {
        let byte = bytes.iter().rev().nth(number).copied().unwrap_or_default();
        let next = bytes.iter().rev().nth(number + 1).copied().unwrap_or_default();
        let place = usize::from(u16::from_le_bytes([byte, next])) % (text.len() + 1);
        (0..=place).rev().find(|place| text.is_char_boundary(*place)).unwrap_or(0)
    };
    let (from, to) = (place(0).min(place(2)), place(0).max(place(2)));
    let at = place(4);
    match bytes.last().copied().unwrap_or_default() % 3 {
        0 => text[..from].to_owned() + &text[to..],
        1 => text[..at].to_owned() + &text[from..to] + &text[at..],
        _ => text[..from].to_owned() + &text[from..to].replace([' ', '='], "") + &text[to..],
    }
}

/// Bytes as the choices of a program: the validator finds a clash or a stuck wait where brute force finds one, and nowhere else; and every
/// finding has words. Says what there was.
///
/// # Panics
/// It finds one more, or one less.
pub fn validator(bytes: &[u8]) -> &'static str {
    let program = chosen(bytes);
    let order = Order::of(&program).expect("the generator names what is there");
    let findings = validate_order(&program, &order);
    let errors = || findings.iter().filter(|finding| finding.severity() == Severity::Error);
    let said = Verdict {
        clash: errors().any(|finding| matches!(finding.code(), "race" | "stale")),
        stuck: errors().any(|finding| finding.code() == "stuck"),
    };
    let is = judge(&program, &order);
    assert_eq!(said, is, "the validator, then brute force, of\n{}", shown(&program));
    let explainer = fencepost_core::explain::Explainer::of(&program);
    for finding in &findings {
        assert!(!explainer.explain(finding).message().is_empty());
    }
    // The play is a legal execution: nothing in it is before something earlier.
    let last = order.items().last().map_or(NodeId(0), |item| item.node);
    assert!(order.items().iter().all(|item| !order.ordered(last, item.node)));
    match (is.clash, is.stuck) {
        (false, false) => "clean",
        (true, false) => "a clash",
        (false, true) => "stuck",
        (true, true) => "a clash, and stuck",
    }
}

/// The program that bytes stand for.
pub(crate) fn chosen(bytes: &[u8]) -> Program {
    committed(random::program(&tape(bytes)))
}

/// With one copy of every resource, whose rules brute force knows, and with all that was not committed committed at the end.
fn committed(mut program: Program) -> Program {
    program.expectations.clear();
    for resource in &mut program.resources {
        if resource.storage == StorageMode::Managed {
            resource.storage = StorageMode::Shared;
        }
    }
    let all = 0..program.command_buffers.len() as u32;
    program.steps.extend(all.map(|buffer| Step::Commit(vec![CommandBufferIndex(buffer)])));
    program
}

fn tape(bytes: &[u8]) -> Vec<u32> {
    bytes.iter().take(LONGEST).map(|byte| u32::from(*byte)).collect()
}

fn shown(program: &Program) -> String {
    print(program).unwrap_or_else(|error| format!("{error}: {program:?}"))
}
