//! The validator: against brute force, and by twins that differ in the one missing edge.
mod brute_force;
mod twins;
