//! The tables of WebGPU's conformance tests for memory synchronization, as programs under `programs/webgpu/`.
//!
//! WebGPU promises that operations on one resource see each other in their order, whatever kinds of operation they are and whatever
//! lies between them: nothing, a pass, a command buffer, a submission. Its tests are the product of these. A tracked queue makes the
//! same promise; an explicit queue makes none, and a barrier for each pair makes it again. The files are written here, so that
//! no pair is forgotten; `FENCEPOST_BLESS=1` writes them anew. That they hold is a test of all programs.
//!
//! Operations that touch a resource in the same way are one here: vertices, indices and draw arguments are read by the vertex stage,
//! uniforms and storage by the kernel or the fragments that they are bound to; a bundle is a part of its pass. What programs cannot
//! say is left out: resolving attachments, queries.

use std::fmt::Write as _;
use std::path::Path;

/// Where an operation may stand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Context {
    /// On the queue: a copy out of memory that the CPU has written, in a command buffer of its own.
    Queue,
    /// Between passes.
    Encoder,
    Compute,
    Render,
    /// A pass of its own, whose clear it is.
    Attachment,
}

/// One way to touch a resource: its name, where it may stand, its stage, and a line of a program with `$` for the resource and `%`
/// for something of its own.
struct Operation {
    name: &'static str,
    context: Context,
    stage: &'static str,
    line: &'static str,
}

const fn operation(
    name: &'static str,
    context: Context,
    stage: &'static str,
    line: &'static str,
) -> Operation {
    Operation { name, context, stage, line }
}

impl Operation {
    /// The path of its work.
    fn place(&self, pass: &str, command: &str) -> String {
        match self.context {
            Context::Attachment => pass.to_owned(),
            _ => format!("{pass}.{command}:{}", self.stage),
        }
    }
}

const BUFFER_WRITES: &[Operation] = &[
    operation("kernel", Context::Compute, "dispatch", "dispatch op writes=$"),
    operation("fragment", Context::Render, "fragment", "draw op fragment-writes=$"),
    operation("copy-from-buffer", Context::Encoder, "blit", "copy op from=SourceBuffer to=$"),
    operation("copy-from-texture", Context::Encoder, "blit", "copy op from=SourceTexture to=$"),
    operation("write-buffer", Context::Queue, "blit", "copy op from=Staging to=$"),
];

const BUFFER_READS: &[Operation] = &[
    operation("vertex", Context::Render, "vertex", "draw op vertex-reads=$"),
    operation("kernel", Context::Compute, "dispatch", "dispatch op reads=$ writes=%"),
    operation("fragment", Context::Render, "fragment", "draw op fragment-reads=$"),
    operation("copy-to-buffer", Context::Encoder, "blit", "copy op from=$ to=%"),
    operation("copy-to-texture", Context::Encoder, "blit", "copy op from=$ to=%"),
];

const TEXTURE_WRITES: &[Operation] = &[
    operation("write-texture", Context::Queue, "blit", "copy op from=Staging to=$"),
    operation("copy-from-buffer", Context::Encoder, "blit", "copy op from=SourceBuffer to=$"),
    operation("copy-from-texture", Context::Encoder, "blit", "copy op from=SourceTexture to=$"),
    operation("kernel", Context::Compute, "dispatch", "dispatch op writes=$"),
    operation("fragment", Context::Render, "fragment", "draw op fragment-writes=$"),
    operation("attachment", Context::Attachment, "fragment", "color $ load=clear"),
];

const TEXTURE_READS: &[Operation] = &[
    operation("copy-to-buffer", Context::Encoder, "blit", "copy op from=$ to=%"),
    operation("copy-to-texture", Context::Encoder, "blit", "copy op from=$ to=%"),
    operation("sampling-kernel", Context::Compute, "dispatch", "dispatch op reads=$ writes=%"),
    operation("sampling-fragment", Context::Render, "fragment", "draw op fragment-reads=$"),
];

/// What lies between two operations.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Boundary {
    Dispatch,
    Pass,
    CommandBuffer,
    Submission,
}

impl Boundary {
    const ALL: [Self; 4] = [Self::Dispatch, Self::Pass, Self::CommandBuffer, Self::Submission];

    fn separates(self, first: &Operation, second: &Operation) -> bool {
        let both = [first.context, second.context];
        match self {
            // In one render pass a resource that is written has no other use.
            Self::Dispatch => both == [Context::Compute; 2],
            Self::Pass => both.iter().all(|context| matches!(context, Context::Compute | Context::Render)),
            Self::CommandBuffer => !both.contains(&Context::Queue),
            Self::Submission => true,
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Dispatch => "Two kernels of one pass.",
            Self::Pass => "Two passes of one command buffer.",
            Self::CommandBuffer => "Two command buffers of one commit.",
            Self::Submission => "Two commits.",
        }
    }
}

/// Who orders.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Tracked,
    Explicit,
    Barriers,
}

/// Which comes first.
#[derive(Clone, Copy)]
enum Sequence {
    WriteThenRead,
    ReadThenWrite,
    WriteThenWrite,
}

struct Table {
    texture: bool,
    mode: Mode,
    kind: &'static str,
    declarations: String,
    body: String,
    expectations: String,
    pairs: u32,
}

impl Table {
    fn of(texture: bool, sequence: Sequence, mode: Mode) -> (String, String) {
        let (writes, reads) =
            if texture { (TEXTURE_WRITES, TEXTURE_READS) } else { (BUFFER_WRITES, BUFFER_READS) };
        let (first, second, kind, words) = match sequence {
            Sequence::WriteThenRead => (writes, reads, "raw", "read after write"),
            Sequence::ReadThenWrite => (reads, writes, "war", "write after read"),
            Sequence::WriteThenWrite => (writes, writes, "waw", "write after write"),
        };
        let mut table = Self {
            texture,
            mode,
            kind,
            declarations: String::new(),
            body: String::new(),
            expectations: if mode == Mode::Explicit { String::new() } else { "  clean\n".to_owned() },
            pairs: 0,
        };
        for boundary in Boundary::ALL {
            let _ = writeln!(table.body, "\n// {}", boundary.words());
            for a in first {
                for b in second.iter().filter(|b| boundary.separates(a, b)) {
                    table.pair(boundary, a, b);
                }
            }
        }
        let what = if texture { "textures" } else { "buffers" };
        let (suffix, queue, order) = match mode {
            Mode::Tracked => ("tracked", " mode=tracked", "Tracking orders every pair."),
            Mode::Explicit => {
                ("explicit", "", "Nothing is tracked on an explicit queue, so every pair races.")
            }
            Mode::Barriers => ("barriers", "", "A barrier for each pair orders it on an explicit queue."),
        };
        let text = format!(
            "// WebGPU's table for {what}: {words}, {} pairs. {order}\n// Written by the test `webgpu` of fencepost-cli.\n\
             queue q{queue}\nbuffer SourceBuffer size=256 init=1\ntexture SourceTexture width=8 height=8\n\
             buffer Staging size=256 storage=shared\n{}\nwrite Staging\n{}\nexpect {{\n{}}}\n",
            table.pairs, table.declarations, table.body, table.expectations,
        );
        (format!("{what}-{}-{suffix}.kdl", kind), text)
    }

    fn pair(&mut self, boundary: Boundary, first: &Operation, second: &Operation) {
        self.pairs += 1;
        let number = self.pairs;
        let (resource, own) = (format!("X{number}"), format!("Y{number}"));
        self.declare(&resource, self.texture);
        for operation in [first, second].into_iter().filter(|operation| operation.line.contains('%')) {
            self.declare(&own, operation.name.ends_with("texture"));
        }
        let line = |operation: &Operation| operation.line.replace('$', &resource).replace('%', &own);
        let (one, two) = (line(first), line(second));
        let queue = if boundary == Boundary::Dispatch { "" } else { "-queue" };
        let barrier = match self.mode {
            Mode::Barriers => format!("barrier after{queue}={} before={}", first.stage, second.stage),
            Mode::Tracked | Mode::Explicit => String::new(),
        };
        let (a, b) = (format!("A{number}"), format!("B{number}"));
        let (pass_a, pass_b) = (self.pass(&a, first, &[&one]), self.pass(&b, second, &[&barrier, &two]));
        let (c, d) = (format!("c{number}"), format!("d{number}"));
        let buffer = |label: &str, body: &str| format!("command-buffer {label} queue=q {{ {body} }}\n");
        self.body += &match boundary {
            Boundary::Dispatch => {
                let pass = self.pass(&a, first, &[&one, &barrier, &two.replace(" op ", " next ")]);
                buffer(&c, &pass) + &format!("commit {c}\n")
            }
            Boundary::Pass => buffer(&c, &format!("{pass_a}; {pass_b}")) + &format!("commit {c}\n"),
            Boundary::CommandBuffer => {
                buffer(&c, &pass_a) + &buffer(&d, &pass_b) + &format!("commit {c} {d}\n")
            }
            Boundary::Submission => {
                buffer(&c, &pass_a) + &buffer(&d, &pass_b) + &format!("commit {c}\ncommit {d}\n")
            }
        };
        let first = first.place(&a, "op");
        let second =
            if boundary == Boundary::Dispatch { second.place(&a, "next") } else { second.place(&b, "op") };
        let kind = self.kind;
        self.expectations += &match self.mode {
            Mode::Explicit => format!("  race {resource} first={first} second={second} kind={kind}\n"),
            Mode::Tracked | Mode::Barriers => format!("  ordered {first} {second}\n"),
        };
    }

    /// A pass with these lines; an attachment has to be the first.
    fn pass(&self, label: &str, operation: &Operation, lines: &[&str]) -> String {
        let kind = match operation.context {
            Context::Render | Context::Attachment => "render",
            Context::Queue | Context::Encoder if self.mode == Mode::Tracked => "blit",
            Context::Queue | Context::Encoder | Context::Compute => "compute",
        };
        let mut lines: Vec<&str> = lines.iter().copied().filter(|line| !line.is_empty()).collect();
        if operation.context == Context::Attachment {
            lines.reverse();
        }
        format!("{kind} {label} {{ {} }}", lines.join("; "))
    }

    fn declare(&mut self, name: &str, texture: bool) {
        let _ = if texture {
            writeln!(self.declarations, "texture {name} width=8 height=8")
        } else {
            writeln!(self.declarations, "buffer {name} size=256")
        };
    }
}

#[test]
fn the_tables_are_as_kept() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../programs/webgpu");
    let mut differences = Vec::new();
    for texture in [false, true] {
        for sequence in [Sequence::WriteThenRead, Sequence::ReadThenWrite, Sequence::WriteThenWrite] {
            for mode in [Mode::Tracked, Mode::Explicit, Mode::Barriers] {
                let (name, text) = Table::of(texture, sequence, mode);
                let file = folder.join(&name);
                if std::env::var_os("FENCEPOST_BLESS").is_some() {
                    std::fs::write(&file, &text).expect("programs can be written");
                } else if std::fs::read_to_string(&file).ok().as_deref() != Some(text.as_str()) {
                    differences.push(name);
                }
            }
        }
    }
    assert!(differences.is_empty(), "not as the table has them: {differences:?}");
}
