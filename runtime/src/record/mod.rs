//! What encoders leave behind: a plain list of commands with their accesses. No driver call, no lock, no order decided.
mod command;
mod recorder;
mod recording;
mod resource;

pub(crate) use command::*;
pub(crate) use recorder::Recorder;
pub(crate) use recording::*;
pub(crate) use resource::*;
