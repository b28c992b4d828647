//! What a fix has left, in words.
use super::Explainer;
use crate::advise::{Left, LeftReason};

impl Explainer<'_> {
    /// An error that a fix has left, and why. The explainer must be of the mended program.
    pub fn left(&self, left: &Left) -> String {
        let reason = match left.reason {
            LeftReason::NeverCommitted => {
                "Only a commit brings it to an end, and that is for the author to give."
            }
            LeftReason::CommittedBehind => {
                "No signal opens it: the commit has to move in front of the wait, or to another thread."
            }
            LeftReason::Misuse => "What Metal does not allow cannot be mended by synchronization.",
            LeftReason::PublishedTooLate => "The CPU writes after the commit, so nothing publishes in time.",
            LeftReason::NoSynchronize => "No call at that place brings the GPU's copy back.",
            LeftReason::Blocked => "No primitive was found that orders the two.",
        };
        format!("{} {reason}", self.explain(&left.finding).what)
    }
}
