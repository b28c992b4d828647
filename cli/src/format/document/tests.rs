//! The reader by itself. The `kdl` crate is the judge of what a document says.
