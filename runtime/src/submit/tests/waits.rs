//! Waits whose signals fail, and waits that hold each other, on one device and on two (rules 6.13, 6.15, 6.18).
use std::sync::mpsc::{Sender, channel};

use super::*;

fn kind(buffer: &CommandBufferState) -> Option<ErrorKind> {
    buffer.wait_until_completed();
    buffer.error().map(|error| error.kind())
}

/// Work that fails once `go` is raised.
fn failing<'a>(rig: &'a Rig, go: &Arc<EventBody>) -> Tape<'a> {
    rig.tape().wait(go, 1).pass(DispatchType::Serial).run(&[], || panic!("on purpose")).end()
}

/// A command that runs until it is let go.
fn locked() -> (Sender<()>, impl Fn() + Send + Sync + 'static) {
    let (unlock, locked) = channel::<()>();
    let locked = Mutex::new(locked);
    let holds = move || {
        locked.lock().recv().ok();
    };
    (unlock, holds)
}

/// Two devices, of which the second may be the first.
fn rigs(schedule: Schedule, apart: bool) -> (Rig, Option<Rig>) {
    let make = || Rig::new(QueueMode::Tracked, schedule);
    (make(), apart.then(make))
}

/// ```text
///   X   fails ─ signal E
///   A   wait E ─ signal F        in flight, since X has promised E
///   B   wait F ─ signal E        in flight, since A has promised F
/// ```
/// B's promise is behind A's wait: once X has failed it is none. Only B's other promise, if it has one, saves both.
#[test]
fn a_promise_behind_the_wait_itself_is_none() {
    for schedule in schedules() {
        for (apart, rescued) in [(false, false), (false, true), (true, false), (true, true)] {
            let (rig, second) = rigs(schedule, apart);
            let other = second.as_ref().unwrap_or(&rig);
            let [e, f, go] = [(); 3].map(|()| EventHandle::new(true));
            let [a, y] = [(); 2].map(|()| rig.submission.add_queue(QueueMode::Tracked, 64));
            let b = other.submission.add_queue(QueueMode::Tracked, 64);
            // All of it is in flight before anything fails.
            let opener = rig.submission.add_queue(QueueMode::Tracked, 64);
            let (unlock, holds) = locked();
            rig.commit(opener, rig.tape().pass(DispatchType::Serial).run(&[], holds).end().signal(&go, 1));
            let x = rig.commit(rig.queue, failing(&rig, &go).signal(&e, 1));
            let first = rig.commit(a, rig.tape().wait(&e, 1).signal(&f, 1));
            let second = other.commit(b, other.tape().wait(&f, 1).signal(&e, 1));
            let helper = rescued.then(|| rig.commit(y, rig.tape().wait(&go, 2).signal(&f, 1)));
            unlock.send(()).expect("the opener waits for that");
            assert_eq!(kind(&x), Some(ErrorKind::HostFunctionPanicked));
            if let Some(helper) = helper {
                go.raise(2);
                assert_eq!(kind(&helper), None);
                assert_eq!(kind(&second), None, "{schedule:?}, apart: {apart}");
            } else {
                assert_eq!(kind(&first), Some(ErrorKind::DependencyFailed), "{schedule:?}, apart: {apart}");
                assert_eq!(kind(&second), Some(ErrorKind::DependencyFailed), "{schedule:?}, apart: {apart}");
            }
            first.wait_until_completed();
        }
    }
}

/// The same where B follows A by a hazard of memory and not by an event.
#[test]
fn a_promise_may_be_behind_a_wait_by_memory() {
    for schedule in schedules() {
        let rig = Rig::new(QueueMode::Tracked, schedule);
        let [e, go] = [(); 2].map(|()| EventHandle::new(true));
        let [a, b, opener] = [(); 3].map(|()| rig.submission.add_queue(QueueMode::Tracked, 64));
        let memory = rig.resource(Tracking::Tracked);
        let (unlock, holds) = locked();
        rig.commit(opener, rig.tape().pass(DispatchType::Serial).run(&[], holds).end().signal(&go, 1));
        let x = rig.commit(rig.queue, failing(&rig, &go).signal(&e, 1));
        let writes = rig.tape().wait(&e, 1).pass(DispatchType::Serial);
        let first = rig.commit(a, writes.run(&[(memory, AccessKind::Write)], || {}).end());
        let reads = rig.tape().pass(DispatchType::Serial).run(&[(memory, AccessKind::Read)], || {});
        let second = rig.commit(b, reads.end().signal(&e, 1));
        unlock.send(()).expect("the opener waits for that");
        assert_eq!(kind(&x), Some(ErrorKind::HostFunctionPanicked));
        assert_eq!(kind(&first), Some(ErrorKind::DependencyFailed), "{schedule:?}");
        assert_eq!(kind(&second), Some(ErrorKind::DependencyFailed), "{schedule:?}");
    }
}

/// A circle that nobody can break any more ends by itself and says what it is; with a handle left it is the program's to break.
#[test]
fn a_circle_across_devices_is_found() {
    for schedule in schedules() {
        for (apart, broken) in [(false, false), (true, false), (true, true)] {
            let (rig, second) = rigs(schedule, apart);
            let other = second.as_ref().unwrap_or(&rig);
            let queues = [rig.queue, other.submission.add_queue(QueueMode::Tracked, 64)];
            for (submission, queue, name) in [(&rig, queues[0], "one"), (other, queues[1], "two")] {
                let label = Arc::new(crate::api::Label::default());
                label.set(name);
                submission.submission.label_queue(queue, &label);
            }
            let [e, f] = [(); 2].map(|()| EventHandle::new(true));
            e.set_label("E");
            f.set_label("F");
            let first = rig.commit(queues[0], rig.tape().wait(&e, 1).signal(&f, 1));
            let second = other.commit(queues[1], other.tape().wait(&f, 1).signal(&e, 1));
            drop(f);
            assert!(!first.has_ended() && !second.has_ended(), "whoever has E can release both");
            if broken {
                e.raise(1);
                assert_eq!([kind(&first), kind(&second)], [None, None]);
                continue;
            }
            drop(e);
            let kinds = [kind(&first), kind(&second)];
            assert!(kinds.contains(&Some(ErrorKind::Abandoned)), "{schedule:?}: {kinds:?}");
            let texts =
                [&first, &second].map(|buffer| buffer.error().expect("it failed").to_string()).join(" ");
            for word in ["circle", "queue `one` waits for event `E`", "queue `two` waits for event `F`"] {
                assert!(texts.contains(word), "{word} is missing in: {texts}");
            }
        }
    }
}

/// A wait whose signal has failed goes on while another device holds a signal back that may run, and ends with that one.
#[test]
fn a_signal_held_back_by_another_device_keeps_a_failed_wait() {
    for schedule in schedules() {
        for (in_flight, released) in [(false, true), (true, true), (false, false), (true, false)] {
            let (rig, second) = rigs(schedule, true);
            let other = second.as_ref().expect("they are apart");
            let [event, go, gate] = [(); 3].map(|()| EventHandle::new(true));
            let waiting = rig.submission.add_queue(QueueMode::Tracked, 64);
            let helper = other.commit(other.queue, other.tape().wait(&gate, 1).signal(&event, 1));
            let x = rig.commit(rig.queue, failing(&rig, &go).signal(&event, 1));
            let wait = || rig.commit(waiting, rig.tape().wait(&event, 1).pass(DispatchType::Serial).end());
            if in_flight {
                go.raise(1);
            }
            let waiter = wait();
            go.raise(1);
            assert_eq!(kind(&x), Some(ErrorKind::HostFunctionPanicked));
            std::thread::yield_now();
            assert!(!waiter.has_ended(), "{schedule:?}: the helper may still run");
            if released {
                gate.raise(1);
                assert_eq!([kind(&helper), kind(&waiter)], [None, None]);
            } else {
                drop(gate);
                assert_eq!(kind(&helper), Some(ErrorKind::Abandoned));
                assert_eq!(kind(&waiter), Some(ErrorKind::DependencyFailed), "{schedule:?}");
            }
        }
    }
}

/// Rule 6.18: whether a signal is executed depends on what it vouches for, and not on how long ago that failed.
#[test]
fn a_signal_vouches_for_what_its_queue_was_given_since_the_last() {
    for schedule in schedules() {
        for seen in [false, true] {
            let rig = Rig::new(QueueMode::Explicit, schedule);
            let [go, one, two, three] = [(); 4].map(|()| EventHandle::new(true));
            let tape = rig.tape().pass(DispatchType::Concurrent);
            rig.submission.queue_wait(rig.queue, &go, 1);
            let failed = rig.commit(rig.queue, tape.run(&[], || panic!("on purpose")).end());
            let retired = || {
                go.raise(1);
                failed.wait_until_completed();
                wait_for("the record of it to go", || rig.submission.lock().in_flight.is_empty());
            };
            if seen {
                retired();
            }
            // Two in a row vouch for the same.
            rig.submission.queue_signal(rig.queue, &one, 1);
            rig.submission.queue_signal(rig.queue, &two, 1);
            let work = rig.tape().pass(DispatchType::Concurrent).note("next");
            let next = rig.commit(rig.queue, work.end());
            rig.submission.queue_signal(rig.queue, &three, 1);
            if !seen {
                retired();
            }
            assert_eq!(kind(&next), None);
            assert!(three.wait_until(1, Some(SOON)), "what it vouches for has run");
            let waiting = rig.submission.add_queue(QueueMode::Tracked, 64);
            for event in [&one, &two] {
                let waiter = rig.commit(waiting, rig.tape().wait(event, 1));
                assert_eq!(kind(&waiter), Some(ErrorKind::DependencyFailed), "{schedule:?}, seen: {seen}");
                assert_eq!(event.value_now(), 0);
            }
        }
    }
}

/// The same on a tracked queue: a buffer without a signal is vouched for by the next one's, and one with a signal vouches for itself.
#[test]
fn a_buffers_signals_vouch_for_it_and_for_those_without() {
    for schedule in schedules() {
        for (seen, own) in [(false, false), (true, false), (false, true), (true, true)] {
            let rig = Rig::new(QueueMode::Tracked, schedule);
            let [go, before, event, last] = [(); 4].map(|()| EventHandle::new(true));
            let mut tape = failing(&rig, &go);
            if own {
                tape = tape.signal(&before, 1);
            }
            let failed = rig.commit(rig.queue, tape);
            let retired = || {
                go.raise(1);
                failed.wait_until_completed();
                wait_for("the record of it to go", || rig.submission.lock().in_flight.is_empty());
            };
            if seen {
                retired();
            }
            let work = rig.tape().pass(DispatchType::Serial).note("next").end();
            let next =
                rig.commit(rig.queue, work.signal(&event, 1).pass(DispatchType::Serial).note("rest").end());
            let after = rig.commit(rig.queue, rig.tape().signal(&last, 1));
            if !seen {
                retired();
            }
            let expected = (!own).then_some(ErrorKind::DependencyFailed);
            assert_eq!(kind(&next), expected, "{schedule:?}, seen: {seen}, own: {own}");
            assert_eq!(kind(&after), None);
            assert_eq!([event.value_now(), last.value_now(), before.value_now()], [u64::from(own), 1, 0]);
            let mut log = rig.log();
            log.sort_unstable();
            assert_eq!(log, ["next", "rest"], "the work itself runs");
        }
    }
}

/// Rule 6.9: a signal that is committed later and is quicker releases a wait in flight, also where the first one then fails.
#[test]
fn the_quicker_signal_releases_a_wait_in_flight() {
    for schedule in schedules() {
        let rig = Rig::new(QueueMode::Tracked, schedule);
        let event = EventHandle::new(false);
        let [quick, waiting] = [(); 2].map(|()| rig.submission.add_queue(QueueMode::Tracked, 64));
        let (unlock, holds) = locked();
        let holds = move || {
            holds();
            panic!("on purpose");
        };
        let waiter = |event| rig.commit(waiting, rig.tape().wait(event, 1).pass(DispatchType::Serial).end());
        if matches!(schedule, Schedule::Parallel) {
            let slow = rig.commit(
                rig.queue,
                rig.tape().pass(DispatchType::Serial).run(&[], holds).end().signal(&event, 1),
            );
            let waiter = waiter(&event);
            let quick = rig.commit(quick, rig.tape().signal(&event, 1));
            assert_eq!([kind(&quick), kind(&waiter)], [None, None], "the slow one still runs");
            unlock.send(()).expect("it waits for that");
            assert_eq!(kind(&slow), Some(ErrorKind::HostFunctionPanicked));
        } else {
            // One thing at a time: the first may fail before the second has run, which was promised by then.
            let slow = rig.commit(
                rig.queue,
                rig.tape().pass(DispatchType::Serial).run(&[], holds).end().signal(&event, 1),
            );
            let waiter = waiter(&event);
            let quick = rig.commit(quick, rig.tape().signal(&event, 1));
            unlock.send(()).expect("it waits for that");
            assert_eq!([kind(&quick), kind(&waiter)], [None, None], "{schedule:?}");
            assert_eq!(kind(&slow), Some(ErrorKind::HostFunctionPanicked));
        }
    }
}
