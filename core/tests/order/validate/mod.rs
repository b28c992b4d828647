//! The validator: against brute force, by twins that differ in the one missing edge, and fed piece by piece.
mod bounded;
mod brute_force;
mod online;
mod twins;

pub(crate) use brute_force::conflicting;
