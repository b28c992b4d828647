//! Text and program are two forms of one thing.

use fencepost_cli::format::{parse, print};
use fencepost_core::program::{Locus, Program};
use proptest::prelude::*;

use crate::random::program;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_printed_program_reads_as_itself(tape in proptest::collection::vec(any::<u32>(), 0..300)) {
        let program = program(&tape);
        let text = print(&program).expect("the generator names what is there");
        let parsed = match parse("printed.kdl", &text) {
            Ok(parsed) => parsed,
            Err(error) => return Err(TestCaseError::fail(format!("{text}\n{}", error.report(120, false)))),
        };
        prop_assert_eq!(&parsed.program, &program, "{}", text);
        prop_assert_eq!(print(&parsed.program).expect("it was printed before"), text);
    }

    #[test]
    fn no_text_breaks_the_parser(
        tape in proptest::collection::vec(any::<u32>(), 0..200),
        cuts in proptest::collection::vec((any::<u32>(), any::<u32>()), 1..6),
    ) {
        let mut text = print(&program(&tape)).expect("the generator names what is there");
        for (at, what) in cuts {
            cut(&mut text, at, what);
        }
        if let Err(error) = parse("cut.kdl", &text) {
            prop_assert!(!error.faults().is_empty());
            for fault in error.faults() {
                let end = fault.span.offset() + fault.span.len();
                prop_assert!(text.get(fault.span.offset()..end).is_some(), "{:?}", fault);
                prop_assert!(fault.help.is_some(), "{:?}", fault);
            }
            prop_assert!(error.report(100, false).len() > 20);
        }
    }
}

/// Damages a text at some place.
fn cut(text: &mut String, at: u32, what: u32) {
    let words: Vec<(usize, usize)> = text
        .split_inclusive([' ', '\n', '='])
        .scan(0, |start, word| {
            let here = *start;
            *start += word.len();
            Some((here, *start))
        })
        .collect();
    let Some(&(start, end)) = words.get(at as usize % words.len().max(1)) else { return };
    match what % 5 {
        0 => text.replace_range(start..end, ""),
        1 => {
            let word = text[start..end].to_owned();
            text.insert_str(start, &word);
        }
        2 => text.insert(start, ['{', '}', '"', '=', ' ', '\\', ';', ':'][what as usize / 5 % 8]),
        3 => {
            let (from, to) = words[what as usize / 5 % words.len()];
            let word = text[from..to].to_owned();
            text.replace_range(start..end, &word);
        }
        _ => {
            text.remove(start);
        }
    }
}

#[test]
fn programs_that_no_text_means_are_refused() {
    let mut builder = Program::builder();
    builder.buffer("A B", 16);
    assert_eq!(
        print(&builder.build()).unwrap_err().to_string(),
        "`A B` cannot be written: names are not empty and have neither blanks nor colons"
    );
    let mut program = Program::default();
    program
        .steps
        .push(fencepost_core::program::Step::Enqueue(fencepost_core::program::CommandBufferIndex(3)));
    assert_eq!(
        print(&program).unwrap_err().to_string(),
        "the program names command buffer number 3, and has none of that number"
    );
}

#[test]
fn labels_may_be_any_text() {
    let text = "queue q\n\ncommand-buffer \"first one\" queue=q {\n  compute \"a.b \\\"c\\\" \\u{202e}\" {\n  }\n}\n";
    let parsed = parse("labels.kdl", text).unwrap();
    assert_eq!(parsed.program.command_buffers[0].label, "first one");
    assert_eq!(print(&parsed.program).unwrap(), text);
}

#[test]
fn places_lead_back_into_the_text() {
    let text = "\
queue q
event E
buffer A size=64 storage=shared
command-buffer cb queue=q {
  render R { }
  compute P {
    fill f A value=1
    update-fence F
  }
  signal-event s E value=1
}
fence G
thread t { write A }
commit cb
"
    .replace("    update-fence F\n", "    barrier b after=blit before=blit\n");
    let parsed = parse("places.kdl", &text).unwrap();
    let stands = |path: &str| {
        let locus = parsed.program.locate(path)[0];
        let span = parsed.source_map.locus(locus).unwrap();
        &text[span.offset()..span.offset() + span.len()]
    };
    assert_eq!(stands("P.f"), "fill f A value=1");
    assert_eq!(stands("cb.P.b"), "barrier b after=blit before=blit");
    assert_eq!(stands("cb.s"), "signal-event s E value=1");
    let step = |number| {
        let span = parsed.source_map.locus(Locus::Step(number)).unwrap();
        &text[span.offset()..span.offset() + span.len()]
    };
    assert_eq!([step(0), step(1), step(2)], ["thread t", "write A", "commit cb"]);
}
