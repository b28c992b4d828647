//! A kernel that cannot wait for several counters: the call is forbidden to a process of its own, which then sees what an old kernel says.
use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use fencepost_ipc::{Counter, Waited, wait_any, wait_any_while, waits_for_several};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};

use crate::counters::{until_somebody_sleeps, words_of};
use crate::other::start;

/// The number of `futex_waitv`, on every kind of processor.
const FUTEX_WAITV: i64 = 449;
/// "Function not implemented."
const NOT_KNOWN: u32 = 38;

#[test]
fn several_are_waited_for_without_the_call_for_it() {
    assert!(start("old kernel").ends().success(), "see above");
}

/// In a process of its own: what is forbidden once stays so.
pub(crate) fn part() {
    let forbidden = BTreeMap::from([(FUTEX_WAITV, Vec::new())]);
    let here = std::env::consts::ARCH.try_into().unwrap();
    let filter = SeccompFilter::new(forbidden, SeccompAction::Allow, SeccompAction::Errno(NOT_KNOWN), here);
    let filter: BpfProgram = filter.unwrap().try_into().unwrap();
    seccompiler::apply_filter(&filter).unwrap();
    assert!(!waits_for_several());
    let counters: Vec<_> = (0..4).map(|_| Counter::new().unwrap()).collect();
    let waits: Vec<_> = counters.iter().map(|counter| (counter, 1)).collect();
    assert_eq!(wait_any(&waits, Some(Instant::now() + Duration::from_millis(5))).unwrap(), None);
    assert_eq!(wait_any_while(&waits, None, || false).unwrap(), Err(Waited::Abandoned));
    for last in (0..4).rev() {
        let words = words_of(&counters[last]);
        let found = thread::scope(|scope| {
            let waiting = scope.spawn(|| wait_any(&waits[..=last], None).unwrap());
            until_somebody_sleeps(&words);
            counters[last].raise(1);
            waiting.join().unwrap()
        });
        assert_eq!(found, Some(last));
    }
}
