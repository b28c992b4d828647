//! Submission without a device: a backend that only notes what it is given.
