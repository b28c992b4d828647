//! Where unsafe code may stand. The list grows by review only; an entry without unsafe code is taken off.

use super::Finding;
use super::syntax::Source;
use super::tree::File;

/// Every file with unsafe code, and why it needs some.
pub(super) const ALLOWED: &[(&str, &str)] = &[
    ("bench/src/raw.rs", "Vulkan through ash, for the smallest dispatch of the peer"),
    ("bench/src/timeline.rs", "timeline semaphores through ash, the peer of shared events"),
    ("ipc/src/mapping.rs", "maps memory files and sees them as atomic words"),
    ("runtime/src/backend/cpu/interpreter/arithmetic.rs", "a conversion without the checks made just before"),
    (
        "runtime/src/backend/cpu/interpreter/machine.rs",
        "calls the copy of its loop that is compiled for AVX2",
    ),
    (
        "runtime/src/backend/cpu/memory.rs",
        "memory that kernels race on, allocated by hand, seen as atomic words",
    ),
    ("runtime/src/backend/cpu/memory/bytes.rs", "long copies by string instructions"),
    ("runtime/src/backend/cpu/memory/row.rs", "a row of words at once, which atomics cannot say"),
    ("runtime/src/backend/cpu/texel/sample.rs", "a conversion without the checks made just before"),
    ("runtime/src/backend/vulkan/commands.rs", "commands of the Vulkan driver"),
    ("runtime/src/backend/vulkan/context.rs", "descriptor sets of the Vulkan driver"),
    ("runtime/src/backend/vulkan/encode.rs", "descriptor sets of the Vulkan driver"),
    (
        "runtime/src/backend/vulkan/exit.rs",
        "the C library's `atexit`, so that no driver is called while it goes",
    ),
    ("runtime/src/backend/vulkan/gpu.rs", "the Vulkan driver's device, queues and memory"),
    ("runtime/src/backend/vulkan/image.rs", "images of the Vulkan driver"),
    ("runtime/src/backend/vulkan/instance.rs", "the Vulkan loader"),
    (
        "runtime/src/backend/vulkan/memory.rs",
        "buffers of the Vulkan driver, and mapped memory seen as atomic words",
    ),
    ("runtime/src/backend/vulkan/pipeline.rs", "pipelines of the Vulkan driver"),
    ("runtime/src/backend/vulkan/timeline.rs", "semaphores of the Vulkan driver"),
];

pub(super) fn check(source: &Source<'_>, allowed: &[(&str, &str)]) -> Vec<Finding> {
    let listed = allowed.iter().any(|(path, _)| *path == source.path);
    match source.unsafe_lines.first() {
        Some(line) if !listed => {
            let text = "has unsafe code but does not stand in the list of xtask/src/tidy/unsafety.rs";
            vec![Finding::new(source.path, *line, text)]
        }
        None if listed => {
            vec![Finding::new(
                source.path,
                0,
                "has no unsafe code: take it off the list of xtask/src/tidy/unsafety.rs",
            )]
        }
        _ => Vec::new(),
    }
}

/// Entries that name no file.
pub(super) fn check_list(files: &[File], allowed: &[(&str, &str)]) -> Vec<Finding> {
    let missing = allowed.iter().filter(|(path, _)| !files.iter().any(|file| file.path == *path));
    missing
        .map(|(path, _)| {
            Finding::new(path, 0, "stands in the list of files with unsafe code but is not there")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(text: &str, allowed: &[(&str, &str)]) -> usize {
        let file = File { path: "a/src/x.rs".to_owned(), text: text.to_owned() };
        let source = Source::parse(&file).expect("the test's text is Rust");
        check(&source, allowed).len() + check_list(std::slice::from_ref(&file), allowed).len()
    }

    #[test]
    fn unsafe_code_and_the_list_agree() {
        let listed = [("a/src/x.rs", "test")];
        assert_eq!(findings("fn f() { unsafe { g() } }", &listed), 0);
        assert_eq!(findings("fn f() { unsafe { g() } }", &[]), 1);
        assert_eq!(findings("fn f() {}", &listed), 1);
        assert_eq!(findings("fn f() {}", &[("a/src/gone.rs", "test")]), 1);
        assert_eq!(findings("unsafe impl Send for X {}", &[]), 1);
    }
}
