//! The verbs `check` and `test`, from outside: what they print, and what the shell hears.
//!
//! `golden/` holds, for some of the programs in `programs/`, what `check` says of them as text and as data. With
//! `FENCEPOST_BLESS=1` in the environment the files are written anew; look at the difference before keeping it.

#[path = "../common/programs.rs"]
mod programs;

use std::path::Path;
use std::process::{Command, Output};

use programs::programs;

/// Programs whose reports are kept.
const GOLDEN: &[&str] = &[
    "khronos/draws-on-one-attachment",
    "khronos/value-too-small",
    "litmus/store-buffering-no-event",
    "misuse/committed-twice",
    "misuse/empty-stages",
    "misuse/fence-across-queues",
    "misuse/never-updated",
    "misuse/not-aliasable",
    "misuse/signal-not-increasing",
    "misuse/stage-not-in-encoder",
    "misuse/use-after-aliasing",
    "misuse/wrong-device",
    "misuse/wrong-queue-mode",
    "misuse/wrong-storage-mode",
    "scenarios/byte-ranges-overlap",
    "scenarios/cycle",
    "scenarios/own-future",
    "scenarios/s1-intra-pass-barrier",
    "scenarios/s1-other-pass",
    "scenarios/s1-v1-no-barrier",
    "scenarios/s1-v2-visibility-none",
    "scenarios/s12-not-published",
    "scenarios/s12-not-synchronized",
    "scenarios/s2-v6-wait-first",
    "scenarios/s2-v7-update-before-wait",
    "scenarios/s2-v8-wrong-stage",
    "scenarios/s3-consumer-barrier",
    "scenarios/s3-too-late",
    "scenarios/s3-wrong-stage",
    "scenarios/s4-as-published",
    "scenarios/s5-fragment-within-pass",
    "scenarios/s6-no-event",
    "scenarios/s6-v5-no-signal",
    "scenarios/s8-never-notified",
    "scenarios/s8-read-too-early",
    "scenarios/x2-concurrent",
    "scenarios/x4-indirect",
    "scenarios/x6-never-committed",
];

/// Runs the tool where the programs have short names.
fn fencepost(arguments: &[&str]) -> Output {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut command = Command::new(env!("CARGO_BIN_EXE_fencepost"));
    command.args(arguments).current_dir(root).env("NO_COLOR", "1").output().expect("the tool starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("the tool writes UTF-8")
}

/// Compares with a file, or writes it; the difference where there is one.
fn compare(file: &Path, now: &str) -> Option<String> {
    if std::env::var_os("FENCEPOST_BLESS").is_some() {
        std::fs::write(file, now).expect("golden files can be written");
        return None;
    }
    let kept = std::fs::read_to_string(file).unwrap_or_default();
    (kept != now).then(|| format!("{} has\n{kept}\nand now it is\n{now}", file.display()))
}

#[test]
fn reports_are_as_kept() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/check/golden");
    let mut differences = Vec::new();
    for name in GOLDEN {
        let program = format!("programs/{name}.kdl");
        for (format, ending) in [("text", "txt"), ("json", "json")] {
            let output = fencepost(&["check", "--format", format, &program]);
            assert_eq!(text(&output.stderr), "", "{name}");
            let file = folder.join(format!("{}.{ending}", name.replace('/', "-")));
            differences.extend(compare(&file, &text(&output.stdout)));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn the_shell_hears_how_it_went() {
    let code = |arguments: &[&str]| fencepost(arguments).status.code();
    let clean = "programs/scenarios/s1-intra-pass-barrier.kdl";
    let racy = "programs/scenarios/s1-v1-no-barrier.kdl";
    let warned = "programs/scenarios/s2-v6-wait-first.kdl";
    assert_eq!(code(&["check", clean]), Some(0));
    assert_eq!(code(&["check", warned]), Some(0));
    assert_eq!(code(&["check", clean, racy]), Some(1));
    assert_eq!(code(&["check", "Cargo.toml", racy]), Some(2));
    assert_eq!(code(&["check", "programs/no-such-file.kdl"]), Some(2));
    assert_eq!(code(&["check"]), Some(2));
    assert_eq!(code(&["test", clean, racy]), Some(0));
    assert_eq!(code(&["test", "Cargo.toml"]), Some(2));
}

#[test]
fn a_file_fails_for_a_line_that_does_not_hold_and_for_an_error_that_no_line_names() {
    let folder = std::env::temp_dir().join(format!("fencepost-test-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for temporary files");
    let body = "queue q\nbuffer A size=64\nbuffer B size=64\ncommand-buffer cb queue=q {\n  compute P {\n    \
                copy c from=A to=B\n    dispatch k reads=B writes=A\n  }\n}\ncommit cb\n";
    let run = |name: &str, expect: &str| {
        let file = folder.join(name);
        std::fs::write(&file, format!("{body}expect {{\n{expect}}}\n")).expect("a temporary file");
        let output = fencepost(&["test", &file.to_string_lossy()]);
        let out = text(&output.stdout);
        (output.status.code(), out.lines().last().unwrap_or_default().to_owned(), out)
    };
    let (code, last, _) = run("named.kdl", "  race A\n  race B kind=raw\n");
    assert_eq!((code, last.as_str()), (Some(0), "1 passed, 0 failed"));
    let (code, last, out) = run("unnamed.kdl", "  race B\n");
    assert_eq!((code, last.as_str()), (Some(1), "0 passed, 1 failed"));
    assert!(out.contains("race (war)") && !out.contains("race (raw)"), "{out}");
    let (code, _, out) = run("wrong.kdl", "  race A\n  race B\n  ordered P.c P.k\n");
    assert_eq!(code, Some(1));
    assert!(out.contains("P.c is not ordered before P.k"), "{out}");
    let (code, last, _) = run("advice.kdl", "  race A\n  race B\n  fix B primitive=intrapass-barrier\n");
    assert_eq!((code, last.as_str()), (Some(0), "1 passed, 0 failed"));
    std::fs::remove_dir_all(&folder).expect("the temporary files go");
}

#[test]
fn every_program_holds() {
    let names: Vec<String> =
        programs().into_iter().map(|(file, ..)| file.to_string_lossy().into_owned()).collect();
    let mut arguments = vec!["test"];
    arguments.extend(names.iter().map(String::as_str));
    let output = fencepost(&arguments);
    let out = text(&output.stdout);
    let failed: Vec<&str> = out.lines().filter(|line| !line.starts_with("ok ")).collect();
    assert!(names.len() >= 100, "{} programs", names.len());
    assert_eq!(output.status.code(), Some(0), "{}{}", failed.join("\n"), text(&output.stderr));
}

#[test]
fn a_fixed_file_is_clean_and_what_stays_is_told() {
    let fixed = |name: &str, more: &[&str]| {
        let mut arguments = vec!["fix", name];
        arguments.extend_from_slice(more);
        let output = fencepost(&arguments);
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (code, program, told) = fixed("programs/scenarios/s2-no-fence.kdl", &[]);
    assert_eq!((code, told.as_str()), (Some(0), ""));
    for line in ["fence F", "update-fence F after=dispatch", "wait-for-fence F before=blit"] {
        assert!(program.contains(line), "{line} is not in\n{program}");
    }
    let (code, program, _) = fixed("programs/scenarios/twice-ordered.kdl", &["--prune"]);
    assert_eq!((code, program.matches("    barrier ").count()), (Some(0), 1), "{program}");
    let (code, program, told) = fixed("programs/scenarios/own-future.kdl", &[]);
    assert_eq!((code, told.as_str(), program.matches("signal-event").count()), (Some(0), "", 2), "{program}");
    let (code, program, told) = fixed("programs/webgpu/two-draws-in-one-pass.kdl", &[]);
    assert_eq!((code, told.as_str(), program.matches("render R {").count()), (Some(0), "", 2), "{program}");
    let (code, _, told) = fixed("programs/scenarios/x6-never-committed.kdl", &[]);
    assert_eq!(code, Some(0));
    assert!(told.contains("not mended") && told.contains("Only a commit"), "{told}");
    assert_eq!(fixed("Cargo.toml", &[]).0, Some(2));
}

#[test]
fn every_program_can_be_fixed() {
    use fencepost_core::advise::fix;
    use fencepost_core::validate::{Kind, validate};
    let mut mended = 0;
    for (file, _, program) in programs() {
        let name = file.display().to_string();
        let fixed = fix(&program).expect("the names are there");
        mended += usize::from(!fixed.repairs.is_empty());
        let left = validate(&fixed.program).expect("the names are there");
        let broken = |kind: &Kind| matches!(kind, Kind::Race(_) | Kind::Stale(_) | Kind::Managed(_));
        let broken = left.iter().filter(|finding| {
            broken(&finding.kind) && !fixed.left.iter().any(|left| left.finding == **finding)
        });
        assert_eq!(broken.count(), 0, "{name}");
        assert!(fixed.left.iter().all(|left| !matches!(left.finding.kind, Kind::Stale(_))), "{name}");
        let text = fencepost_cli::format::print(&fixed.program).expect("a text");
        let again = fencepost_cli::format::parse(&name, &text).expect("the text is a program").program;
        assert_eq!(again, fixed.program, "{name}");
    }
    assert!(mended >= 50, "{mended} programs were mended");
}

#[test]
fn every_finding_ends_with_code_that_mends_it() {
    use fencepost_core::Order;
    use fencepost_core::advise::{Mending, Remedies, advise_order};
    use fencepost_core::explain::Explainer;
    use fencepost_core::validate::{Finding, Severity, validate, validate_order};
    let errors = |all: &[Finding]| all.iter().filter(|own| own.severity() == Severity::Error).count();
    let of_code = |all: &[Finding], code: &str| all.iter().filter(|own| own.code() == code).count();
    let mut told = std::collections::BTreeMap::<&str, u32>::new();
    for (file, _, program) in programs() {
        let order = Order::of(&program).expect("the names are there");
        if order.items().len() > 60 {
            continue;
        }
        let wrong = validate_order(&program, &order);
        let advice = advise_order(&program, &order).expect("the names are there");
        let (remedies, explainer) = (Remedies::of(&program, &order), Explainer::of(&program));
        for finding in wrong.iter().chain(&advice) {
            let place = format!("{}: {}", file.display(), explainer.explain(finding).message());
            let mending =
                Mending::of(&program, &remedies, finding).unwrap_or_else(|| panic!("no code for {place}"));
            let code = explainer.code(&mending);
            for text in [&code.text, &code.metal, &code.calls] {
                assert!(!text.is_empty() && !text.contains('?') || text.contains(")?;"), "{place}: {text}");
            }
            *told.entry(finding.code()).or_default() += 1;
            let after = validate(&mending.applied(&program)).expect("the names are there");
            match finding.severity() {
                // A copy that is there now may still lack the order that is another finding's.
                Severity::Error if finding.code() == "managed" => {
                    assert!(
                        of_code(&after, "managed") < of_code(&wrong, "managed"),
                        "{place}: {}",
                        code.text
                    );
                }
                Severity::Error => assert!(errors(&after) < errors(&wrong), "{place}: {}", code.text),
                Severity::Warning => {
                    assert!(of_code(&after, finding.code()) < of_code(&wrong, finding.code()), "{place}");
                    assert!(errors(&after) <= errors(&wrong), "{place}: {}", code.text);
                }
                // A signal that is redundant goes with the waits for it.
                Severity::Advice if finding.code() == "redundant" => {}
                Severity::Advice => assert!(errors(&after) <= errors(&wrong), "{place}: {}", code.text),
            }
        }
    }
    for code in ["race", "stale", "stuck", "managed", "uninitialized", "misuse", "redundant", "too-wide"] {
        assert!(told.contains_key(code), "no {code} in {told:?}");
    }
}

#[test]
fn width_that_costs_nothing_is_one_line() {
    let run = |arguments: &[&str]| text(&fencepost(arguments).stdout);
    let mended = "programs/guide/thumbnail-mended.kdl";
    let short = run(&["check", mended]);
    assert!(short.contains("nothing would overlap that does not now"), "{short}");
    assert!(!short.contains("help:"), "{short}");
    assert_eq!(run(&["check", "--all", mended]).matches("too-wide\n").count(), 2);
    let costly = run(&["check", "programs/scenarios/s3-consumer-barrier.kdl"]);
    assert!(costly.contains("Then P1.c1 and P3.k3 may"), "{costly}");
    let data = run(&["check", "--format", "json", mended]);
    assert_eq!(data.matches("\"frees\": null").count(), 2, "{data}");
}
