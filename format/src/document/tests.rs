//! The reader by itself. The `kdl` crate is the judge of what a document says; where the crate itself gives up, the
//! reader must not.
use kdl::{KdlDocument, KdlNode, KdlValue};
use proptest::prelude::*;

use super::{Node, Value, read};

/// Both readers say the same, or both refuse.
fn compare(source: &str) {
    let (nodes, faults) = read(source);
    match KdlDocument::parse_v2(source) {
        Ok(document) => {
            assert!(faults.is_empty(), "{source:?} is a document, but: {faults:?}");
            same_nodes(&nodes, document.nodes(), source);
        }
        Err(error) => assert!(!faults.is_empty(), "{source:?} is no document: {:?}", error.diagnostics),
    }
}

fn same_nodes(ours: &[Node<'_>], theirs: &[KdlNode], source: &str) {
    assert_eq!(ours.len(), theirs.len(), "{source:?}");
    for (our, their) in ours.iter().zip(theirs) {
        assert_eq!(our.name.value, their.name().value(), "{source:?}");
        assert_eq!(our.annotation.is_some(), their.ty().is_some(), "{source:?}");
        assert_eq!(our.entries.len(), their.entries().len(), "{source:?}");
        for (our, their) in our.entries.iter().zip(their.entries()) {
            let name = our.name.as_ref().map(|name| &*name.value);
            assert_eq!(name, their.name().map(kdl::KdlIdentifier::value), "{source:?}");
            assert_eq!(owned(&our.value), *their.value(), "{source:?}");
        }
        let children = |nodes: Option<usize>| nodes.unwrap_or(0);
        let (our_count, their_count) =
            (our.children.as_ref().map(Vec::len), their.children().map(|document| document.nodes().len()));
        assert_eq!(children(our_count), children(their_count), "{source:?}");
        same_nodes(
            our.children.as_deref().unwrap_or_default(),
            their.children().map(KdlDocument::nodes).unwrap_or_default(),
            source,
        );
    }
}

fn owned(value: &Value<'_>) -> KdlValue {
    match value {
        Value::String(text) => KdlValue::String(text.to_string()),
        Value::Integer(integer) => KdlValue::Integer(integer.expect("the test's integers fit")),
        Value::Float(float) => KdlValue::Float(*float),
        Value::Bool(bool) => KdlValue::Bool(*bool),
        Value::Null => KdlValue::Null,
    }
}

#[test]
fn documents_say_what_the_crate_says() {
    for source in [
        "",
        "a",
        "a;b\nc",
        "a 1 -2 +3 0x1f 0b10 0o17 1_000 1.5 1e3 -1.5e-3",
        "a #true #false #null #inf #-inf",
        "a b=c \"d e\"=\"f g\" h = i",
        "a \"\\n\\t\\\\\\\"\\u{41}\\s\" \"x\\   y\"",
        "a #\"raw \\ \"text\"# ##\"a\"#b\"##",
        "a \"\"\"\n  one\n    two\n\n  three\n  \"\"\"",
        "a #\"\"\"\n  one \\ \"\"\n  \"\"\"#",
        "a { b; c { d } }\ne",
        "a {\n b 1\n}",
        "a{b}",
        "a \\\n  b \\ // comment\n c",
        "a /* one /* two */ */ b // end\nc",
        "/- a b\nc",
        "a /- b c /- d=e f=g",
        "a /- { x } { y }",
        "a /- { x }",
        "(t)a (u)1 b=(v)2",
        "\u{feff}a",
        "\"quoted node\" x",
        "a B:0..64 T:mip0..2,slice3 P1.c1 -x --y .z",
        "a\r\nb\rc\u{85}d",
    ] {
        compare(source);
    }
}

#[test]
fn what_the_crate_refuses_is_refused() {
    for source in [
        "a {",
        "}",
        "a b=",
        "a \"open",
        "a \"bad \\q escape\"",
        "a 1x",
        "a true",
        "a #nope",
        "a [b]",
        "a /* open",
        "a \"x\"y",
        "1 a",
        "a { b } c",
        "a \u{7} b",
        "a \"\"\"one line\"\"\"",
        "a (",
    ] {
        compare(source);
    }
}

#[test]
fn no_depth_of_anything_overflows_the_stack() {
    for piece in ["}", "a{", "/*", "=1", "(", "\"\"\"\n", "#", "/-", "\\", "{", ";", "a 1=", "/-{"] {
        let (_, faults) = read(&piece.repeat(20_000));
        assert!(faults.len() <= 52, "{piece}: {}", faults.len());
    }
}

#[test]
fn every_slip_is_found_and_none_is_invented() {
    let (nodes, faults) = read("a 1x\nb {\n  c \"open\n  d\n}\ne [\nf\n");
    assert_eq!(faults.len(), 3, "{faults:?}");
    let names: Vec<&str> = nodes.iter().map(|node| &*node.name.value).collect();
    assert_eq!(names, ["b", "f"]);
}

/// Pieces that documents are made of, and some that they are not.
const PIECES: [&str; 32] = [
    "a", "b1", " ", "  ", "\n", "=", "{", "}", "\"", "\"x y\"", "#\"r\"#", "#true", "#", "1", "-2.5", "0x1F",
    "/-", "//", "/* c */", "/*", "*/", "\\", "\\\n", ";", "(", ")", "é", "\u{2028}", "\"\"\"", "\"\"\"\n",
    "true", ".",
];

proptest! {
    #[test]
    fn no_text_breaks_the_reader(pieces in proptest::collection::vec(0..PIECES.len(), 0..40)) {
        let source: String = pieces.into_iter().map(|piece| PIECES[piece]).collect();
        let (nodes, faults) = read(&source);
        for fault in &faults {
            let end = fault.span.offset() + fault.span.len();
            prop_assert!(source.get(fault.span.offset()..end).is_some());
        }
        // What both read, they read alike. The crate also reads some of what the notation forbids, `#true"x"` for example.
        if faults.is_empty() && let Ok(document) = KdlDocument::parse_v2(&source) {
            same_nodes(&nodes, document.nodes(), &source);
        }
    }
}
