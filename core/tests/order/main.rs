//! The order engine against brute force, against the documented scenarios, and over long runs.
mod advise;
mod agreement;
mod aliasing;
mod crowds;
mod draw;
mod engine;
mod events;
mod least;
mod oracle;
mod random;
mod scenarios;
mod validate;
mod waves;
