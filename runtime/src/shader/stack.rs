//! Room for the front ends to recurse in.
//!
//! They walk syntax trees recursively: `1 + 1 + …` is as deep as it is long, a chain of `else if` too. A source must not be able to end
//! the process, so they run on a thread whose stack fits the source, and a source that would need an absurd one is refused. A panic
//! ends with that thread, as an error.

use std::panic::resume_unwind;

use super::{ShaderError, ShaderErrorKind};

/// For whatever the front ends bound themselves: nesting of braces, parentheses and types.
const STACK_BYTES: usize = 16 << 20;

/// For one level of what they do not bound. Measured: 0.5 KiB optimized, a few KiB not.
const LEVEL_BYTES: usize = 16 << 10;

/// Most levels of what they do not bound.
const LEVELS_MAX: usize = 1 << 14;

/// Runs work with room for a number of levels.
pub(super) fn with_levels<T: Send>(
    levels: usize,
    work: impl FnOnce() -> Result<T, ShaderError> + Send,
) -> Result<T, ShaderError> {
    if levels > LEVELS_MAX {
        let message = format!("about {levels} operators or branches hang together, more than {LEVELS_MAX}");
        return Err(ShaderError::new(ShaderErrorKind::TooLarge, message));
    }
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("shader".to_owned());
        match thread.stack_size(STACK_BYTES + levels * LEVEL_BYTES).spawn_scoped(scope, work) {
            Ok(thread) => thread.join().unwrap_or_else(|panic| match panic_message(&*panic) {
                Some(message) => Err(ShaderError::new(
                    ShaderErrorKind::Invalid,
                    format!("the front end does not cope with this module: {message}"),
                )),
                None => resume_unwind(panic),
            }),
            Err(error) => {
                let message = format!("no thread to compile the module on: {error}");
                Err(ShaderError::new(ShaderErrorKind::TooLarge, message))
            }
        }
    })
}

/// How deep the syntax tree of a source can be at most, but for braces, which the front end bounds: operators of one expression, with
/// those around its parentheses, and branches that follow `else`.
pub(super) fn levels_of_wgsl(source: &str) -> usize {
    let bytes = source.as_bytes();
    let mut branches = 0;
    let mut word_start = None;
    // Operators so far, for each open parenthesis and outside of all.
    let mut open = vec![0usize];
    let (mut total, mut deepest) = (0, 0);
    for (at, &byte) in bytes.iter().enumerate() {
        if byte.is_ascii_alphanumeric() || byte == b'_' {
            word_start.get_or_insert(at);
            continue;
        }
        if let Some(start) = word_start.take() {
            branches += usize::from(&bytes[start..at] == b"else");
        }
        let innermost = open.len() - 1;
        match byte {
            b';' | b'{' | b'}' => {
                open.truncate(1);
                open[0] = 0;
                total = 0;
            }
            b',' => total -= std::mem::take(&mut open[innermost]),
            b')' | b']' if innermost > 0 => total -= open.pop().unwrap_or(0),
            // In a number it is no operator.
            b'.' if !bytes.get(at + 1).is_some_and(u8::is_ascii_alphabetic) => {}
            b'+' | b'-' | b'*' | b'/' | b'%' | b'&' | b'|' | b'^' | b'<' | b'>' | b'=' | b'!' | b'~'
            | b'.' | b'(' | b'[' => {
                open[innermost] += 1;
                total += 1;
                deepest = deepest.max(total);
                if matches!(byte, b'(' | b'[') {
                    open.push(0);
                }
            }
            _ => {}
        }
    }
    deepest + branches
}

/// How deep blocks can lie within each other in SPIR-V: each has a merge instruction.
pub(super) fn levels_of_spirv(words: impl Iterator<Item = u32>) -> usize {
    const HEADER_WORDS: usize = 5;
    const LOOP_MERGE: u32 = 246;
    const SELECTION_MERGE: u32 = 247;
    let mut words = words.skip(HEADER_WORDS);
    let mut levels = 0;
    while let Some(word) = words.next() {
        let (length, operation) = (word >> 16, word & 0xffff);
        levels += usize::from(matches!(operation, LOOP_MERGE | SELECTION_MERGE));
        for _ in 1..length {
            words.next();
        }
    }
    levels
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> Option<String> {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
}
