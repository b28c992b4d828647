//! Rules 7.3.3 to 7.3.5: what becomes of command buffers is told in the order of a tracked queue.
use std::sync::mpsc::{Receiver, Sender, channel};

use super::*;

/// A command that says that it runs, and waits until it is let go.
struct Held {
    runs: Receiver<()>,
    go_on: Sender<()>,
}

fn held(tape: Tape<'_>) -> (Tape<'_>, Held) {
    let ((tell, runs), (go_on, wait)) = (channel(), channel::<()>());
    let both = Mutex::new((tell, wait));
    let tape = tape.run(&[], move || {
        let (tell, wait) = &*both.lock();
        tell.send(()).ok();
        wait.recv().ok();
    });
    (tape, Held { runs, go_on })
}

/// Untracked work of two buffers overlaps, and the second one ends first; that is told after the first one's end.
#[test]
fn completion_is_told_in_the_order_of_the_queue() {
    let rig = Rig::new(QueueMode::Tracked, Schedule::Parallel);
    let (tape, first_runs) = held(rig.tape().pass(DispatchType::Serial));
    let first = rig.commit(rig.queue, tape.end());
    let second = rig.submission.new_command_buffer(rig.queue);
    let (tell, told) = channel();
    assert!(second.add_completed_handler(Box::new(move |_| tell.send(()).expect("somebody listens"))));
    rig.commit_as(rig.queue, rig.tape().pass(DispatchType::Serial).note("second").end(), &second);
    first_runs.runs.recv().expect("it runs");
    wait_for("the second buffer's work, which nothing orders", || rig.log() == ["second"]);
    assert_eq!(second.status(), CommandBufferStatus::Scheduled);
    assert!(told.try_recv().is_err(), "the first one has not ended");
    first_runs.go_on.send(()).expect("it waits for that");
    second.wait_until_completed();
    assert_eq!(told.recv(), Ok(()));
    assert_eq!([&first, &second].map(|buffer| buffer.status()), [CommandBufferStatus::Completed; 2]);
}

/// Handlers come in the queue's order under every schedule, whatever the order in which buffers were made, enqueued and committed; a
/// wait returns after the handlers of all that came before.
#[test]
fn handlers_come_in_the_order_of_the_queue() {
    const COUNT: usize = 24;
    for schedule in schedules() {
        let rig = Rig::new(QueueMode::Tracked, schedule);
        let calls = Arc::new(Mutex::new(Vec::new()));
        let buffers: Vec<_> = (0..COUNT).map(|_| rig.submission.new_command_buffer(rig.queue)).collect();
        for (number, buffer) in buffers.iter().enumerate() {
            // Every third has none.
            if number % 3 != 0 {
                let calls = Arc::clone(&calls);
                assert!(buffer.add_completed_handler(Box::new(move |_| calls.lock().push(number))));
            }
            rig.submission.enqueue(rig.queue, buffer);
        }
        for (number, buffer) in buffers.iter().enumerate().rev() {
            let tape = rig.tape().pass(DispatchType::Concurrent);
            rig.commit_as(rig.queue, tape.run_groups(1 + (number as u32 * 7) % 5, &[], |_| {}).end(), buffer);
        }
        let last = &buffers[COUNT - 3];
        last.wait_until_completed();
        let expected: Vec<_> = (0..COUNT - 3).filter(|number| number % 3 != 0).collect();
        assert_eq!(calls.lock()[..expected.len()], expected, "{schedule:?}");
        buffers.iter().for_each(|buffer| buffer.wait_until_completed());
        assert!(calls.lock().is_sorted(), "{schedule:?}: {:?}", calls.lock());
    }
}

/// A buffer that fails is told of in its turn, and holds back nobody.
#[test]
fn a_failure_is_told_in_its_turn() {
    let rig = Rig::new(QueueMode::Tracked, Schedule::Parallel);
    let (tape, first_runs) = held(rig.tape().pass(DispatchType::Serial));
    let first = rig.commit(rig.queue, tape.end());
    let failing = rig.tape().pass(DispatchType::Serial).note("fails").run(&[], || panic!("on purpose"));
    let failing = rig.commit(rig.queue, failing.end());
    let never = EventHandle::new(true);
    rig.submission.set_event_timeout(Some(Duration::from_millis(1)));
    let late = rig.commit(rig.queue, rig.tape().wait(&never, 1));
    let third = rig.commit(rig.queue, rig.tape().pass(DispatchType::Serial).note("third").end());
    first_runs.runs.recv().expect("it runs");
    wait_for("what is behind the failure and the wait", || rig.log().contains(&"third"));
    for buffer in [&first, &failing, &late, &third] {
        assert!(!buffer.has_ended());
    }
    first_runs.go_on.send(()).expect("it waits for that");
    third.wait_until_completed();
    let errors = [&first, &failing, &late, &third].map(|buffer| buffer.error().map(|error| error.kind()));
    let expected = [None, Some(ErrorKind::HostFunctionPanicked), Some(ErrorKind::Timeout), None];
    assert_eq!(errors, expected);
}

/// What an explicit queue's commits did is told as it ends: nothing of the order of the queue (rule 7.3.5).
#[test]
fn commits_of_an_explicit_queue_are_told_of_as_they_end() {
    let rig = Rig::new(QueueMode::Explicit, Schedule::Parallel);
    let (tape, first_runs) = held(rig.tape().pass(DispatchType::Concurrent));
    let first = rig.commit(rig.queue, tape.end());
    let second = rig.commit(rig.queue, rig.tape().pass(DispatchType::Concurrent).note("second").end());
    second.wait_until_completed();
    assert!(!first.has_ended());
    first_runs.go_on.send(()).expect("it waits for that");
    first.wait_until_completed();
}

/// A handler may wait for later buffers: it waits for their work alone (rule 1.1.5).
#[test]
fn a_handler_may_wait_for_the_next_buffer() {
    for schedule in schedules() {
        let rig = Rig::new(QueueMode::Tracked, schedule);
        let [first, second] = [(); 2].map(|()| rig.submission.new_command_buffer(rig.queue));
        let later = Arc::clone(&second);
        assert!(first.add_completed_handler(Box::new(move |_| later.wait_until_completed())));
        assert!(second.add_completed_handler(Box::new(|_| {})));
        for buffer in [&first, &second] {
            rig.commit_as(rig.queue, rig.tape().pass(DispatchType::Serial).note("x").end(), buffer);
        }
        second.wait_until_completed();
        assert_eq!(first.status(), CommandBufferStatus::Completed);
    }
}
