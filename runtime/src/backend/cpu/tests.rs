//! Schedules run end to end.
