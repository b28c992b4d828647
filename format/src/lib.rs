//! Programs as text: reading them with every fault at its place, and writing them in one layout.
//!
//! The text is KDL 2 in Metal's words. [`parse`](parse()) makes a [`Program`](fencepost_core::program::Program) of it, or says
//! everything that keeps it from being one; [`print()`] is the way back, so that what a tool changed can be kept, and [`edit()`]
//! changes a text as its program was changed, with everything else in it left alone. A program's
//! values do not know where they stood, so the parser hands out a [`SourceMap`] beside them.
//!
//! The parser settles what a text *is*: words, names, numbers, ranges. What a program *does* wrong (a race, a
//! stage that its encoder does not have, a wait that nothing releases) is left to those who judge programs.
//!
//! ```
//! use fencepost_format::{parse, print};
//!
//! let text = "\
//! queue q
//! buffer A size=64
//!
//! command-buffer cb queue=q {
//!   compute P {
//!     fill f A:0..32 value=7
//!   }
//! }
//!
//! commit cb
//! ";
//! let parsed = parse("small.kdl", text)?;
//! assert_eq!(parsed.program.command_buffers[0].label, "cb");
//! assert_eq!(print(&parsed.program)?, text);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A crate of its own, since both the tool and a running app that captures itself write programs, and neither may
//! depend on the other.
#![forbid(unsafe_code)]

mod document;
mod edit;
mod error;
mod parse;
mod print;
mod source_map;
mod words;

pub use edit::{EditError, edit};
pub use error::{Fault, FaultKind, ParseError};
pub use parse::{Parsed, parse};
pub use print::{PrintError, print};
pub use source_map::SourceMap;
