//! The verb `draw`, from outside, and every program of `programs/` drawn.
//!
//! `golden/` holds some of the pictures, graphs and timelines. With `FENCEPOST_BLESS=1` in the environment the files are
//! written anew; look at the pictures before keeping them.

#[path = "../common/programs.rs"]
mod programs;
mod syntax;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use fencepost_core::Order;
use fencepost_core::draw::{Picture, Theme, dot, json, svg};
use fencepost_core::timeline::Timeline;
use fencepost_core::validate::validate_order;
use fencepost_format::parse;
use programs::programs;

/// What is kept, by program and format.
const GOLDEN: &[(&str, &str)] = &[
    ("scenarios/cycle", "svg"),
    ("scenarios/s1-intra-pass-barrier", "json"),
    ("scenarios/s3-too-late", "svg"),
    ("scenarios/s3-too-late", "json"),
    ("scenarios/s6-event", "dot"),
    ("scenarios/s12-not-published", "svg"),
    ("scenarios/x10-relay", "svg"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Runs the tool where the programs have short names.
fn fencepost(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fencepost"));
    command.args(arguments).current_dir(root()).env("NO_COLOR", "1").output().expect("the tool starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("the tool writes UTF-8")
}

#[test]
fn pictures_are_as_kept() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/draw/golden");
    let mut differences = Vec::new();
    for (name, format) in GOLDEN {
        let program = format!("programs/{name}.kdl");
        let output = fencepost(&["draw", "--format", format, "--theme", "light", &program]);
        assert_eq!((text(&output.stderr).as_str(), output.status.code()), ("", Some(0)), "{name}");
        let file = folder.join(format!("{}.{format}", name.replace('/', "-")));
        let now = text(&output.stdout);
        if std::env::var_os("FENCEPOST_BLESS").is_some() {
            std::fs::write(&file, now).expect("golden files can be written");
        } else if std::fs::read_to_string(&file).unwrap_or_default() != now {
            differences.push(file.display().to_string());
        }
    }
    assert!(differences.is_empty(), "these differ from what is drawn now: {differences:?}");
}

#[test]
fn the_shell_hears_how_it_went() {
    let code = |arguments: &[&str]| fencepost(arguments).status.code();
    let (clean, racy) = ("programs/scenarios/s2-fence.kdl", "programs/scenarios/s3-too-late.kdl");
    assert_eq!(code(&["draw", clean]), Some(0));
    assert_eq!(code(&["draw", racy, "--theme", "dark"]), Some(0));
    assert_eq!(code(&["draw", "programs/no-such-file.kdl"]), Some(2));
    assert_eq!(code(&["draw", "Cargo.toml"]), Some(2));
    assert_eq!(code(&["draw", clean, "-o", "no-such-folder/out.svg"]), Some(2));
    assert_eq!(code(&["draw", clean, "--format", "png"]), Some(2));
    assert_eq!(code(&["draw"]), Some(2));
}

#[test]
fn a_picture_goes_where_it_is_asked_to() {
    let file = std::env::temp_dir().join(format!("fencepost-draw-{}.svg", std::process::id()));
    let name = file.to_string_lossy().into_owned();
    let output = fencepost(&["draw", "programs/scenarios/s2-fence.kdl", "-o", &name]);
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(0), ""));
    let shown = fencepost(&["draw", "programs/scenarios/s2-fence.kdl"]);
    assert_eq!(std::fs::read(&file).expect("the picture is there"), shown.stdout);
    std::fs::remove_file(&file).expect("the temporary file goes");
}

#[test]
fn a_ground_is_chosen_or_left_to_the_reader() {
    let drawn =
        |theme: &str| text(&fencepost(&["draw", "programs/scenarios/s2-fence.kdl", "--theme", theme]).stdout);
    let (auto, light, dark) = (drawn("auto"), drawn("light"), drawn("dark"));
    assert!(auto.contains("prefers-color-scheme: dark"));
    assert!(!light.contains("prefers-color-scheme") && !dark.contains("prefers-color-scheme"));
    let body = |drawn: &str| drawn.split_once("</style>").map(|(_, body)| body.to_owned());
    assert_eq!(body(&light), body(&dark));
    assert_ne!(light, dark);
}

#[test]
fn every_program_is_drawn_with_all_texts_free() {
    let mut count = 0;
    for (file, _, program) in programs() {
        let name = file.display().to_string();
        let order = Order::of(&program).expect("a program that names what is there");
        let findings = validate_order(&program, &order);
        let timeline = Timeline::of_checked(&program, &order, &findings);
        if timeline.bars.len() > 150 {
            continue; // The tables of thousands of cases are for machines.
        }
        let faults = faults(&Picture::of(&timeline, &name));
        assert!(faults.is_empty(), "{name}: {}", faults.join("\n"));
        syntax::xml(&svg(&timeline, &name, Theme::Auto)).unwrap_or_else(|fault| panic!("{name}: {fault}"));
        syntax::dot(&dot(&program, &order, &findings, &name))
            .unwrap_or_else(|fault| panic!("{name}: {fault}"));
        syntax::json(&json(&timeline, &name)).unwrap_or_else(|fault| panic!("{name}: {fault}"));
        count += 1;
    }
    assert!(count > 130, "only {count} programs");
}

#[test]
fn labels_of_any_letters_are_drawn() {
    let source = "queue \"q<1>&\"\nbuffer \"A\\\"\" size=64\nbuffer B size=64\ncommand-buffer cb queue=\"q<1>&\" {\n  \
                  compute \"a pass whose label is much longer than anything that can be drawn\" {\n    \
                  copy \"<コピー> & \\\"c\\\\\" from=\"A\\\"\" to=B\n    dispatch \"k\\n2\" reads=B writes=\"A\\\"\"\n  }\n}\n\
                  commit cb\n";
    let program = parse("labels.kdl", source).expect("a program").program;
    let order = Order::of(&program).expect("a program that names what is there");
    let findings = validate_order(&program, &order);
    let timeline = Timeline::of_checked(&program, &order, &findings);
    assert_eq!(faults(&Picture::of(&timeline, "labels")), Vec::<String>::new());
    let drawn = svg(&timeline, "labels", Theme::Light);
    syntax::xml(&drawn).expect("well-formed");
    assert!(drawn.contains("&lt;コピー&gt; &amp; &quot;c\\"), "the whole label is in a title");
    syntax::dot(&dot(&program, &order, &findings, "labels")).expect("well-formed");
    syntax::json(&json(&timeline, "labels")).expect("well-formed");
}

/// Texts that lie on each other, are crossed by lines or stick out.
fn faults(picture: &Picture) -> Vec<String> {
    let texts: Vec<_> = picture.texts().collect();
    let mut faults = Vec::new();
    for (number, (text, frame)) in texts.iter().enumerate() {
        if frame.x < 0 || frame.y < 0 || frame.right() > picture.width || frame.bottom() > picture.height {
            faults.push(format!("{text:?} sticks out"));
        }
        let covered = texts[number + 1..].iter().filter(|other| frame.overlaps(&other.1));
        faults.extend(covered.map(|other| format!("{text:?} lies on {:?}", other.0)));
        let crossed = picture.stretches().any(|((x, y), (to_x, to_y))| {
            x.max(to_x) >= frame.x
                && frame.right() > x.min(to_x)
                && y.max(to_y) >= frame.y
                && frame.bottom() > y.min(to_y)
        });
        if crossed {
            faults.push(format!("a line crosses {text:?}"));
        }
    }
    faults
}
