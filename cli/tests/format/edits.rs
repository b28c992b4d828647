//! Texts changed in place: whatever people have written around a program stays, and what comes out is the mended program.

use std::sync::OnceLock;

use fencepost_cli::format::{EditError, edit, parse, print};
use fencepost_core::Order;
use fencepost_core::advise::{Fixed, Where, fix, fix_and_prune};
use fencepost_core::program::Program;
use proptest::prelude::*;

/// A text in place of a program's own, and how many comments it has: each `#N#`.
struct Loose<'t> {
    tape: core::slice::Iter<'t, u8>,
    text: String,
    comments: usize,
}

impl Loose<'_> {
    fn below(&mut self, limit: u8) -> u8 {
        self.tape.next().map_or(limit - 1, |number| number % limit)
    }

    fn comment(&mut self) -> String {
        self.comments += 1;
        format!("#{}#", self.comments)
    }

    /// Writes a text with a comment where it has an `@`.
    fn add(&mut self, text: &str) {
        let comment = self.comment();
        self.text += &text.replace('@', &comment);
    }

    /// Lines as people write them: comments of all kinds, empty lines, tabs, several nodes on a line, nodes over several lines.
    fn write(&mut self, printed: &str, newline: &str) {
        let lines: Vec<&str> = printed.lines().collect();
        for (number, line) in lines.iter().enumerate() {
            let indentation = &line[..line.len() - line.trim_start().len()];
            match self.below(12) {
                0 => self.add(&format!("{indentation}// @{newline}")),
                1 => self.add(&format!("{indentation}/* @{newline} */{newline}")),
                2 => self.text += newline,
                3 => self.text += &format!("{indentation}/- dead A:0..4{newline}"),
                4 => self.text += "\t",
                5 => self.add("/* @ */ "),
                _ => {}
            }
            let is_leaf = |line: &str| !line.trim().is_empty() && !line.ends_with(['{', '}']);
            self.line(line, is_leaf(line), newline);
            let next = lines.get(number + 1);
            let joins = is_leaf(line) && next.is_some_and(|next| is_leaf(next) || next.trim() == "}");
            match self.below(8) {
                0 => self.add(&format!(" // @{newline}")),
                1 => self.add(&format!(" /* @ */{newline}")),
                2 | 3 if joins => self.text += "; ",
                4 if is_leaf(line) => self.text += &format!(";{newline}"),
                _ => self.text += newline,
            }
        }
    }

    /// A line, perhaps with something between its first two words.
    fn line(&mut self, line: &str, is_leaf: bool, newline: &str) {
        let split = line.trim_start().find(' ').map(|at| at + line.len() - line.trim_start().len());
        match (split.filter(|_| is_leaf), self.below(8)) {
            (Some(at), 0) => {
                let comment = self.comment();
                self.text += &format!("{} /* {comment} */{}", &line[..at], &line[at..]);
            }
            (Some(at), 1) => {
                let comment = self.comment();
                self.text += &format!("{} \\ // {comment}{newline}   {}", &line[..at], &line[at..]);
            }
            _ => self.text += line,
        }
    }
}

fn loose(program: &Program, tape: &[u8]) -> (String, usize) {
    let printed = print(program).expect("a program of a file has a text");
    let mut loose = Loose { tape: tape.iter(), text: String::new(), comments: 0 };
    let newline = if loose.below(4) == 0 { "\r\n" } else { "\n" };
    loose.write(&printed, newline);
    (loose.text, loose.comments)
}

/// Programs of `programs/` that are small enough to be mended many times, and whose fix changes something.
fn racy() -> &'static [Program] {
    static RACY: OnceLock<Vec<Program>> = OnceLock::new();
    RACY.get_or_init(|| {
        let small = |program: &Program| Order::of(program).is_ok_and(|order| order.items().len() <= 24);
        let all = crate::programs::programs()
            .into_iter()
            .map(|(_, _, program)| Program { expectations: Vec::new(), ..program });
        let all: Vec<Program> = all
            .filter(small)
            .filter(|program| fix(program).is_ok_and(|fixed| !fixed.repairs.is_empty()))
            .collect();
        assert!(all.len() >= 100, "{} programs have something to mend", all.len());
        all
    })
}

fn changed(source: &str, old: &Program, fixed: &Fixed) -> Result<String, EditError> {
    edit(source, old, &fixed.program, |place| fixed.origin(place))
}

/// Every line of the text is in the other, in its order.
fn has_lines(text: &str, lines: &str) -> Result<(), String> {
    let mut rest = text;
    for line in lines.lines().map(str::trim) {
        let at = rest.find(line).ok_or_else(|| format!("{line:?} is not in its place in\n{text}"))?;
        rest = &rest[at + line.len()..];
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn a_fix_keeps_comments_and_lines(number in any::<usize>(), tape in prop::collection::vec(any::<u8>(), 200..400)) {
        let program = &racy()[number % racy().len()];
        let (source, comments) = loose(program, &tape);
        let old = parse("loose.kdl", &source).unwrap_or_else(|fault| panic!("{fault}\n{source}")).program;
        prop_assert_eq!(&old, program, "{}", source);
        let fixed = fix(&old).expect("names are there");
        let text = changed(&source, &old, &fixed).unwrap_or_else(|error| panic!("{error}:\n{source}"));
        let printed = print(&fixed.program).expect("a text");
        prop_assert_eq!(parse("again.kdl", &text).expect("a program").program, parse("printed.kdl", &printed).expect("a program").program);
        for comment in 1..=comments {
            prop_assert!(text.contains(&format!("#{comment}#")), "#{}# is lost in\n{}", comment, text);
        }
        let insertions = fixed.repairs.iter().flat_map(|repair| &repair.insertions);
        // A barrier that is given visibility is a line that changes.
        if insertions.into_iter().all(|insertion| !matches!(insertion.at, Where::Instead(_))) {
            // Where several nodes share a line, a new one stands between them.
            let pieces: Vec<&str> = source.split("; ").flat_map(|part| part.split(" }")).collect();
            prop_assert_eq!(has_lines(&text, &pieces.join("\n")), Ok(()));
        }
        let pruned = fix_and_prune(&old).expect("names are there");
        let text = changed(&source, &old, &pruned).unwrap_or_else(|error| panic!("{error}:\n{source}"));
        prop_assert_eq!(parse("pruned.kdl", &text).expect("a program").program, pruned.program);
        for comment in 1..=comments {
            prop_assert!(text.contains(&format!("#{comment}#")), "#{}# is lost in\n{}", comment, text);
        }
    }
}

fn cases() -> u32 {
    std::env::var("FENCEPOST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(200)
}

#[test]
fn every_file_is_mended_in_place() {
    for (file, source, program) in crate::programs::programs() {
        if Order::of(&program).expect("names are there").items().len() > 60 {
            continue;
        }
        let fixed = fix(&program).expect("names are there");
        let text =
            changed(&source, &program, &fixed).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        assert!(!fixed.repairs.is_empty() || text == source, "{}", file.display());
        assert_eq!(
            parse("again.kdl", &text).expect("a program").program,
            fixed.program,
            "{}",
            file.display()
        );
    }
}

/// The text of a racy program, mended.
fn mended(source: &str) -> String {
    let old = parse("old.kdl", source).expect("a program").program;
    changed(source, &old, &fix(&old).expect("names are there")).expect("a text")
}

#[test]
fn lines_go_where_a_person_would_put_them() {
    let source = "\
// Two passes that share B.
queue q
buffer A size=64   // in
buffer B size=64   // between

command-buffer cb queue=q {
    compute P1 {
        copy c1 from=A to=B   // writes B
        // nothing more
    }

    compute P2 {
        // reads B
        dispatch k2 reads=B writes=A
    }
}

commit cb // go
";
    let expected = "\
// Two passes that share B.
queue q
buffer A size=64   // in
buffer B size=64   // between
fence F

command-buffer cb queue=q {
    compute P1 {
        copy c1 from=A to=B   // writes B
        update-fence F after=blit
        // nothing more
    }

    compute P2 {
        // reads B
        wait-for-fence F before=dispatch
        dispatch k2 reads=B writes=A
    }
}

commit cb // go
";
    assert_eq!(mended(source), expected);
}

#[test]
fn nodes_that_share_a_line_get_company() {
    let before = "queue q; buffer A size=64; buffer B size=64\n";
    let source = format!(
        "{before}command-buffer cb queue=q {{ compute P {{ copy c from=A to=B; dispatch k reads=B writes=A }} }}\ncommit cb"
    );
    let expected = format!(
        "{before}command-buffer cb queue=q {{ compute P {{ copy c from=A to=B; barrier after=blit before=dispatch; dispatch k reads=B writes=A }} }}\ncommit cb"
    );
    assert_eq!(mended(&source), expected);
}

#[test]
fn only_the_entry_that_is_wrong_changes() {
    let before = "queue q\nbuffer A size=64\nbuffer B size=64\ncommand-buffer cb queue=q {\n  compute P {\n    copy c from=A to=B\n";
    let after = "    dispatch k reads=B writes=A\n  }\n}\ncommit cb\n";
    let line = "    barrier b  before=dispatch visibility=none  after=blit // why?\n";
    let mended_line = "    barrier b  before=dispatch  after=blit // why?\n";
    assert_eq!(mended(&format!("{before}{line}{after}")), format!("{before}{mended_line}{after}"));
}

#[test]
fn a_text_of_another_program_is_not_changed() {
    let program = |text: &str| parse("p.kdl", text).expect("a program").program;
    let (old, new) = (program("buffer A size=64\nwrite A"), program("buffer A size=32\nwrite A"));
    assert_eq!(edit("buffer A size=64\nwrite A", &old, &new, Some), Err(EditError::NotInPlace));
}
