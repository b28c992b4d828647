//! What is wrong with a text is said at its place, with what mends it.
//!
//! `golden/*.kdl` are texts with faults, `golden/*.txt` the reports. With `FENCEPOST_BLESS` set, the reports are written
//! instead of compared.

use std::path::PathBuf;

use fencepost_cli::format::parse;

#[test]
fn reports_read_as_written_down() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/format/golden");
    let mut compared = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "kdl") {
            continue;
        }
        let source = std::fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        let report = parse(name, &source).unwrap_err().report(100, false);
        let golden = path.with_extension("txt");
        if std::env::var_os("FENCEPOST_BLESS").is_some() {
            std::fs::write(&golden, &report).unwrap();
        }
        assert_eq!(report, std::fs::read_to_string(&golden).unwrap_or_default(), "{name}");
        compared += 1;
    }
    assert!(compared >= 6, "{compared} golden files");
}

/// Declarations that the faulty lines below can use.
const BEFORE: &str = "\
device gpu
queue q
heap H size=1024
buffer A size=64
buffer B size=128
texture T width=16 height=16 mips=3 slices=2
fence F
event E
shared-event X
";

/// A line, where it stands, and the code of the one fault that it has.
const FAULTS: &[(&str, &str, &str)] = &[
    ("top", "bufer C size=4", "unknown-node"),
    ("top", "dispatch k", "unknown-node"),
    ("top", "buffer C", "missing"),
    ("top", "buffer size=4", "missing"),
    ("top", "buffer C size=\"4\"", "wrong-type"),
    ("top", "buffer C size=-4", "out-of-bounds"),
    ("top", "buffer C size=99999999999999999999999999999999999999999", "out-of-bounds"),
    ("top", "buffer C size=0", "out-of-bounds"),
    ("top", "buffer C sise=4", "unknown-property"),
    ("top", "buffer C size=4 size=8", "duplicate-property"),
    ("top", "buffer C size=4 storage=memoryless", "unknown-value"),
    ("top", "buffer A size=4", "duplicate-name"),
    ("top", "buffer \"C:0\" size=4", "bad-name"),
    ("top", "buffer C size=4 5", "extra-argument"),
    ("top", "buffer C size=4 { x }", "extra-block"),
    ("top", "(u8)fence G", "annotation"),
    ("top", "buffer C heap=H offset=1000 size=100", "outside-resource"),
    ("top", "buffer C heap=H same-memory-as=A", "conflict"),
    ("top", "buffer C offset=4 size=4", "missing"),
    ("top", "buffer C same-memory-as=A size=65", "outside-resource"),
    ("top", "buffer C size=4 device=gpu2", "unknown-name"),
    ("top", "texture U width=4 height=4 mips=4", "out-of-bounds"),
    ("top", "texture U width=4", "missing"),
    ("top", "heap K size=4 storage=managed", "unknown-value"),
    ("top", "queue r mode=metal3", "unknown-value"),
    ("top", "write A:0..65", "outside-resource"),
    ("top", "write A:8..4", "bad-access"),
    ("top", "write A:mip0", "bad-access"),
    ("top", "write T:0..4", "bad-access"),
    ("top", "write T:mip3", "outside-resource"),
    ("top", "write T:mip0,mip1", "bad-access"),
    ("top", "write F", "wrong-kind"),
    ("top", "write Aa", "unknown-name"),
    ("top", "make-aliasable A:0..4", "bad-access"),
    ("top", "commit", "missing"),
    ("top", "commit late", "used-too-early"),
    ("top", "set-signaled-value E value=1", "wrong-kind"),
    ("top", "signal-event E value=1", "missing"),
    ("top", "wait-until-signaled X value=1 timeout=3", "unknown-property"),
    ("top", "thread t { buffer C size=4; }", "unknown-node"),
    ("expect", "race C", "unknown-name"),
    ("expect", "race A kind=rar", "unknown-value"),
    ("expect", "ordered P.c", "missing"),
    ("expect", "ordered P.c P.d", "unknown-path"),
    ("expect", "misuse P.c code=unpublished", "unknown-value"),
    ("expect", "fix A primitive=barrier", "unknown-value"),
    ("expect", "fine", "unknown-node"),
    ("buffer", "copy c", "unknown-node"),
    ("buffer", "signal-event E", "missing"),
    ("buffer", "compute P { }", "duplicate-label"),
    ("pass", "copy c from=A to=A", "duplicate-label"),
    ("pass", "copy from=A to=A", "missing"),
    ("pass", "copy d from=A to=B", "unequal-sizes"),
    ("pass", "copy d from=A:0..32 to=B:0..64", "unequal-sizes"),
    ("pass", "fill f A", "missing"),
    ("pass", "fill f A value=256", "out-of-bounds"),
    ("pass", "generate-mipmaps g A", "wrong-kind"),
    ("pass", "dispatch k reads=\"A Z\"", "unknown-name"),
    ("pass", "dispatch k cost=0", "out-of-bounds"),
    ("pass", "draw d", "unknown-node"),
    ("pass", "signal-event E value=1", "unknown-node"),
    ("pass", "barrier after=blit", "missing"),
    ("pass", "barrier after=blit before=dipsatch", "unknown-value"),
    ("pass", "barrier after-queue=blit before-queue=blit", "conflict"),
    ("pass", "barrier after-queue=blit after=blit before=blit", "conflict"),
    ("pass", "barrier after=blit before=blit visibility=all", "unknown-value"),
    ("pass", "memory-barrier", "missing"),
    ("pass", "memory-barrier scope=buffers resources=A", "conflict"),
    ("pass", "memory-barrier scope=buffer", "unknown-value"),
    ("pass", "update-fence", "missing"),
    ("pass", "update-fence E", "wrong-kind"),
    ("pass", "use-resource A usage=rw", "unknown-value"),
    ("render", "dispatch k", "unknown-node"),
    ("render", "color A", "wrong-kind"),
    ("render", "color T load=keep", "unknown-value"),
    ("render", "depth T", "second-depth"),
];

#[test]
fn each_fault_is_named_once_with_its_code() {
    for (place, line, code) in FAULTS {
        let at = |wanted: &str| if *place == wanted { *line } else { "" };
        let text = format!(
            "{BEFORE}{}\ncommand-buffer late queue=q {{\n  compute P {{\n    copy c from=A to=A\n{}\n  }}\n  render R {{\n    depth T\n{}\n  }}\n{}\n}}\nexpect {{\n{}\n}}\n",
            at("top"),
            at("pass"),
            at("render"),
            at("buffer"),
            at("expect"),
        );
        let error = parse("fault.kdl", &text).expect_err(line);
        let codes: Vec<&str> = error.faults().iter().map(|fault| fault.kind.code()).collect();
        assert_eq!(codes, [*code], "{line}\n{}", error.report(100, false));
        let fault = &error.faults()[0];
        assert!(fault.help.is_some(), "{line}");
        let span = fault.span.offset()..fault.span.offset() + fault.span.len();
        assert!(line.contains(&text[span.clone()]), "{line}: {}", &text[span]);
    }
}
