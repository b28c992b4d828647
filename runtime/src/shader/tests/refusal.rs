//! What is refused, as what kind, and where in the source.

use super::refusal;
use crate::shader::{Module, ShaderErrorKind as Kind};

/// Refused with this kind, and a message that names the thing.
fn refused(source: &str, kind: Kind, part: &str) {
    let error = refusal(source);
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.message().contains(part), "{error}");
}

fn unsupported(declarations: &str, body: &str, part: &str) {
    let source = format!("{declarations}\n@compute @workgroup_size(1) fn main() {{ {body} }}");
    refused(&source, Kind::Unsupported, part);
}

#[test]
fn syntax_errors_show_their_line() {
    let error = refusal("@compute @workgroup_size(1)\nfn main() {\n\tlet x = 1 +;\n}\n");
    assert_eq!(error.kind(), Kind::Syntax);
    assert_eq!(
        (error.line(), error.column(), error.line_text()),
        (Some(3), Some(13), Some("\tlet x = 1 +;")),
        "{error}"
    );
    let shown = error.to_string();
    assert!(shown.contains("line 3, column 13") && shown.contains("3 │ \tlet x = 1 +;\n"), "{shown}");
    assert!(shown.ends_with("^"), "{shown}");
}

#[test]
fn type_errors_show_their_line() {
    let error = refusal("@compute @workgroup_size(1)\nfn main() {\n    let é = 1.0; let x: u32 = 1.0;\n}\n");
    assert_eq!((error.kind(), error.line()), (Kind::Syntax, Some(3)), "{error}");
    let error = refusal(
        "var<workgroup> a: array<u32, 4>;\n@compute @workgroup_size(1)\nfn main() {\n    a[9] = 1u;\n}\n",
    );
    assert_eq!((error.kind(), error.line()), (Kind::Invalid, Some(4)), "{error}");
}

#[test]
fn other_widths() {
    unsupported("enable f16;", "var x: f16 = 1.0h; x = x + x;", "f16");
    unsupported("@group(0) @binding(0) var<storage, read_write> a: array<f64>;", "a[0] = a[1];", "f64");
    unsupported("@group(0) @binding(0) var<storage, read_write> a: array<i64>;", "a[0] = a[1];", "i64");
    unsupported("@group(0) @binding(0) var<storage, read_write> a: array<u64>;", "a[0] = a[1] * 2lu;", "u64");
}

#[test]
fn other_textures() {
    let texture = |kind: &str| format!("@group(0) @binding(0) var t: {kind};");
    unsupported(&texture("texture_3d<f32>"), "_ = textureLoad(t, vec3(0), 0);", "3D");
    unsupported(&texture("texture_1d<f32>"), "_ = textureLoad(t, 0, 0);", "1D");
    unsupported(&texture("texture_cube<f32>"), "_ = textureDimensions(t);", "cube");
    unsupported(&texture("texture_multisampled_2d<f32>"), "_ = textureLoad(t, vec2(0), 0);", "multisampled");
    let storage = texture("texture_storage_2d<rgba8snorm, write>");
    unsupported(&storage, "textureStore(t, vec2(0), vec4(0.0));", "Rgba8Snorm");
}

#[test]
fn the_place_of_what_is_unsupported() {
    let error = refusal(
        "@group(0) @binding(0) var t: texture_3d<f32>;\n@compute @workgroup_size(1) fn main() { _ = textureLoad(t, vec3(0), 0); }",
    );
    assert_eq!((error.line(), error.column()), (Some(1), Some(23)), "{error}");
}

#[test]
fn other_operations() {
    unsupported("enable subgroups;", "_ = subgroupAdd(1u);", "subgroups");
    unsupported("", "_ = subgroupAdd(1u);", "a subgroup operation");
    unsupported("var<immediate> x: u32; var<workgroup> w: u32;", "w = x;", "immediate");
    let texture = "@group(0) @binding(0) var t: texture_storage_2d<r32uint, atomic>;";
    unsupported(texture, "textureAtomicAdd(t, vec2(0), 1u);", "atomic");
    let error = refusal(
        "enable wgpu_ray_query; @group(0) @binding(0) var a: acceleration_structure;
         @compute @workgroup_size(1) fn main() { var q: ray_query; rayQueryInitialize(&q, a, RayDesc(0u, 0xffu, 0.1, 9.0, vec3(0.0), vec3(1.0))); }",
    );
    assert_eq!(error.kind(), Kind::Unsupported, "{error}");
}

#[test]
fn one_entry_point_does_not_cost_the_others() {
    let module = Module::from_wgsl(
        "@group(0) @binding(0) var t: texture_3d<f32>;
         @compute @workgroup_size(1) fn exotic() { _ = textureLoad(t, vec3(0), 0); }
         @compute @workgroup_size(1) fn plain() {}
         @fragment fn shade() {}",
    )
    .expect("valid");
    assert_eq!(module.function_names().collect::<Vec<_>>(), ["exotic", "plain"]);
    assert_eq!(module.function("exotic", &[]).expect_err("3D").kind(), Kind::Unsupported);
    assert!(module.function("plain", &[]).is_ok());
    let error = module.function("shade", &[]).expect_err("a fragment function");
    assert_eq!(error.kind(), Kind::FunctionNotFound);
    let error = module.function("plian", &[]).expect_err("no such function");
    assert!(error.kind() == Kind::FunctionNotFound && error.message().contains("(exotic, plain)"), "{error}");
}

#[test]
fn constants() {
    let module = Module::from_wgsl(
        "override a: u32; @id(3) override b: f32 = 1.0; @compute @workgroup_size(a) fn main() { var x = b; }",
    )
    .expect("valid");
    let kind = |constants: &[(&str, f64)]| {
        module.function("main", constants).map(|_| ()).map_err(|error| error.kind())
    };
    assert_eq!(kind(&[]), Err(Kind::Constant));
    assert_eq!(kind(&[("a", 4.0), ("c", 1.0)]), Err(Kind::Constant));
    assert_eq!(kind(&[("a", -1.0)]), Err(Kind::ConstantValue));
    assert_eq!(kind(&[("a", f64::NAN)]), Err(Kind::ConstantValue));
    assert_eq!(kind(&[("a", 4.0), ("a", 5.0)]), Err(Kind::ConstantValue));
    assert_eq!(kind(&[("a", 4.0), ("3", 5.0), ("b", 5.0)]), Err(Kind::ConstantValue));
    assert_eq!(kind(&[("a", 0.0)]), Err(Kind::ConstantValue));
    assert_eq!(kind(&[("a", 5000.0)]), Err(Kind::TooLarge));
    assert_eq!(kind(&[("a", 4.0), ("3", 5.0)]), Ok(()));
}

#[test]
fn sizes() {
    refused("@compute @workgroup_size(64, 64) fn main() {}", Kind::TooLarge, "(64, 64, 1)");
    let body = "@compute @workgroup_size(1) fn main(@builtin(local_invocation_index) i: u32)";
    refused(&format!("var<workgroup> a: array<u32, 9000>; {body} {{ a[i] = 1u; }}"), Kind::TooLarge, "36000");
    let source = format!(
        "@group(0) @binding(0) var<storage, read_write> o: u32; {body} {{ var a: array<u32, 20000>; a[i] = 1u; o = a[i + 1u]; }}"
    );
    refused(&source, Kind::TooLarge, "80000");
    // Each function calls the former twice: 2^20 operations when inlined.
    let mut source =
        "@group(0) @binding(0) var<storage, read_write> o: u32; fn f0() { o += 1u; }\n".to_owned();
    for n in 1..=20 {
        source += &format!("fn f{n}() {{ f{}(); f{}(); }}\n", n - 1, n - 1);
    }
    refused(&format!("{source} {body} {{ f20(); }}"), Kind::TooLarge, "inlined");
    let mut source =
        "@group(0) @binding(0) var<storage, read_write> o: u32; fn f0() { o += 1u; }\n".to_owned();
    for n in 1..=500 {
        source += &format!("fn f{n}() {{ f{}(); }}\n", n - 1);
    }
    refused(&format!("{source} {body} {{ f500(); }}"), Kind::TooLarge, "within each other");
}

#[test]
fn garbage_is_refused() {
    for source in [
        "",
        "fn",
        "\u{0}",
        "@compute",
        "fn main() {}",
        "é",
        "/* ",
        "@compute @workgroup_size(0) fn main() {}",
    ] {
        let refused = Module::from_wgsl(source).and_then(|module| module.function("main", &[]));
        assert!(refused.is_err(), "{source}");
    }
    for words in [&[][..], &[0x0723_0203], &[1, 2, 3], &[0x0723_0203, 0x0001_0000, 0, 10, 0, 0xffff_ffff]] {
        let refused = Module::from_spirv(words).and_then(|module| module.function("main", &[]));
        assert!(refused.is_err(), "{words:?}");
    }
}

/// Whatever hangs together without end is refused, or lowered, and never ends the process.
#[test]
fn depth_without_end() {
    let kind = |statements: &str| {
        let source = format!(
            "@group(0) @binding(0) var<storage, read_write> o: array<u32>;
             @compute @workgroup_size(1) fn main(@builtin(local_invocation_index) i: u32) {{ {statements} }}"
        );
        Module::from_wgsl(&source)
            .and_then(|module| module.function("main", &[]))
            .map(|_| ())
            .map_err(|e| e.kind())
    };
    let sum = |count: usize| format!("o[0] = i{};", " + o[i]".repeat(count));
    assert_eq!(kind(&sum(4000)), Ok(()));
    assert_eq!(kind(&sum(100_000)), Err(Kind::TooLarge));
    assert_eq!(kind(&format!("let v = vec2(i){}; o[0] = v.x;", ".yx".repeat(100_000))), Err(Kind::TooLarge));
    assert_eq!(kind(&format!("o[0] = {}i{};", "(".repeat(1000), ")".repeat(1000))), Err(Kind::Syntax));
    assert_eq!(
        kind(&format!("{}o[0] = 1u;{}", "if (i > 0u) {".repeat(1000), "}".repeat(1000))),
        Err(Kind::Syntax)
    );
    let branches =
        |count: usize| format!("if (i == 0u) {{}}{}", " else if (i == 1u) { o[0] = 1u; }".repeat(count));
    assert_eq!(kind(&branches(200)), Ok(()));
    assert_eq!(kind(&branches(2000)), Err(Kind::TooLarge));
    assert_eq!(kind(&branches(100_000)), Err(Kind::TooLarge));
    // A table is wide, not deep.
    let table = "-1.5, ".repeat(5000);
    assert_eq!(kind(&format!("var t = array<f32, 5000>({table}); o[0] = u32(t[i]);")), Ok(()));
}
