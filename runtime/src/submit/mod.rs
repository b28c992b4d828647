//! Commit, plan, release, retire.
