//! Those who wait on the CPU: tasks, notifications and threads, very many of them, and none that leaves anything behind.
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use fencepost::{Error, SharedEvent, SharedEventListener, Signaled};

/// What a wait of a test takes at most, where nothing is wrong.
const SOON: Duration = Duration::from_secs(20);
/// Waiters of one event.
const MANY: usize = 100_000;

/// Wakes the thread that blocks on a task, and counts how often.
struct Unpark(Thread, AtomicUsize);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.1.fetch_add(1, SeqCst);
        self.0.unpark();
    }
}

fn unpark() -> Arc<Unpark> {
    Arc::new(Unpark(std::thread::current(), AtomicUsize::new(0)))
}

/// The plainest executor there is.
fn block_on<T>(task: impl Future<Output = T>) -> T {
    let mut task = pin!(task);
    let waker = Waker::from(unpark());
    loop {
        if let Poll::Ready(value) = task.as_mut().poll(&mut Context::from_waker(&waker)) {
            return value;
        }
        std::thread::park();
    }
}

fn shuffled() -> impl Iterator<Item = u64> {
    // Every value from 1 to MANY once: the step and MANY have no common factor.
    (0..MANY as u64).map(|index| index * 7_919 % MANY as u64 + 1)
}

/// S8 V4: the CPU's part as a task.
#[test]
fn a_task_waits_for_the_gpu_and_lets_it_go_on() -> Result<(), Error> {
    let device = crate::common::device();
    let (queue, event) = (device.new_command_queue(), device.new_shared_event());
    let work = queue.command_buffer();
    work.encode_signal_event(&event, 2)?;
    work.encode_wait_for_event(&event, 3)?;
    work.encode_signal_event(&event, 4)?;
    work.commit()?;
    let task = async {
        event.signaled(2).await;
        assert_eq!(event.signaled_value(), 2);
        event.set_signaled_value(3);
        event.signaled(4).await;
        event.signaled(0).await;
    };
    block_on(task);
    work.wait_until_completed()
}

/// Under executors of others: raised by another thread, by a task and by the device; dropped by a time limit and by an abort.
#[test]
fn tasks_of_other_executors() -> Result<(), Error> {
    let device = crate::common::device();
    let (queue, event) = (device.new_command_queue(), device.new_shared_event());
    let work = queue.command_buffer();
    work.encode_wait_for_event(&event, 1000)?;
    work.encode_signal_event(&event, 1001)?;
    work.commit()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let token = Arc::new(());
    let raising = event.clone();
    let thread = std::thread::spawn(move || (1..=500).for_each(|value| raising.set_signaled_value(value)));
    runtime.block_on(async {
        let wait = |value| {
            let (event, token) = (event.clone(), Arc::clone(&token));
            tokio::spawn(async move {
                event.signaled(value).await;
                assert!(event.signaled_value() >= value);
                drop(token);
            })
        };
        let tasks: Vec<_> = (1..=1001).map(wait).collect();
        let endless: Vec<_> = (0..100).map(|_| wait(u64::MAX)).collect();
        let limit = tokio::time::timeout(Duration::from_millis(1), event.signaled(u64::MAX));
        assert!(limit.await.is_err(), "nobody raises it so far");
        event.signaled(500).await;
        event.set_signaled_value(1000);
        for task in tasks {
            task.await.expect("it ends");
        }
        for task in endless {
            task.abort();
            assert!(task.await.is_err_and(|error| error.is_cancelled()));
        }
    });
    drop(runtime);
    thread.join().expect("it ends");
    assert_eq!(Arc::strong_count(&token), 1, "what an aborted task held is gone");
    let raising = event.clone();
    let thread = std::thread::spawn(move || raising.set_signaled_value(2000));
    pollster::block_on(event.signaled(2000));
    thread.join().expect("it ends");
    work.wait_until_completed()
}

/// Tasks move between threads and between executors.
#[test]
fn a_task_is_woken_by_its_latest_waker() {
    let event = crate::common::device().new_shared_event();
    let mut task = Box::pin(event.signaled(1));
    let (early, late) = (unpark(), unpark());
    for waker in [&early, &early, &late] {
        let waker = Waker::from(Arc::clone(waker));
        assert!(task.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    event.set_signaled_value(1);
    assert_eq!((early.1.load(SeqCst), late.1.load(SeqCst)), (0, 1));
    let waker = Waker::from(late);
    assert!(task.as_mut().poll(&mut Context::from_waker(&waker)).is_ready());
    let other = event.clone();
    let waiting = std::thread::spawn(move || block_on(other.signaled(2)));
    event.set_signaled_value(2);
    waiting.join().expect("it was woken");
}

/// A task that is dropped is not woken, and what woke it is let go.
#[test]
fn a_dropped_task_leaves_nothing_behind() {
    let event = crate::common::device().new_shared_event();
    let mine = unpark();
    let waker = Waker::from(Arc::clone(&mine));
    let mut tasks: Vec<Pin<Box<Signaled>>> =
        shuffled().map(|value| Box::pin(event.signaled(value))).collect();
    for task in &mut tasks {
        assert!(task.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    assert_eq!(Arc::strong_count(&mine), MANY + 2);
    tasks.truncate(MANY / 2);
    assert_eq!(Arc::strong_count(&mine), MANY / 2 + 2);
    event.set_signaled_value(MANY as u64);
    assert_eq!(mine.1.load(SeqCst), MANY / 2);
    assert_eq!(Arc::strong_count(&mine), 2);
    // Dropping a task from inside a waker's own drop, under whatever is going on, blocks nothing.
    struct Holder(Mutex<Option<Pin<Box<Signaled>>>>);
    impl Wake for Holder {
        fn wake(self: Arc<Self>) {}
    }
    let holder = Arc::new(Holder(Mutex::new(None)));
    let waker = Waker::from(Arc::clone(&holder));
    let mut inner = Box::pin(event.signaled(u64::MAX));
    assert!(inner.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    *holder.0.lock().expect("nobody panics") = Some(inner);
    drop((holder, waker));
    event.set_signaled_value(u64::MAX);
}

/// In the order of their values, each once, on one thread, also where several threads raise at once.
#[test]
fn very_many_notifications_come_in_order() {
    let event = crate::common::device().new_shared_event();
    let listener = SharedEventListener::new();
    let (sender, receiver) = mpsc::channel();
    for value in shuffled() {
        let sender = sender.clone();
        event.notify(&listener, value, move |_, reached| {
            sender.send((value, reached, std::thread::current().id())).ok();
        });
    }
    drop(sender);
    std::thread::scope(|scope| {
        for first in 0..4u64 {
            let event = event.clone();
            scope.spawn(move || {
                for value in (first..=MANY as u64).step_by(97) {
                    event.set_signaled_value(value);
                }
                event.set_signaled_value(MANY as u64);
            });
        }
    });
    let all: Vec<_> = receiver.iter().collect();
    assert_eq!(all.len(), MANY);
    let mut threads = vec![all[0].2];
    for (index, (value, reached, thread)) in all.iter().enumerate() {
        assert_eq!(*value, index as u64 + 1);
        assert!(reached >= value);
        if threads.last() != Some(thread) {
            threads.push(*thread);
        }
    }
    // A listener's thread may go and come again when there is nothing to call for a while, and never two at a time.
    assert!(threads.len() < 100, "{} threads for {MANY} notifications", threads.len());
}

/// The app's executor is given each job once it is due and decides where it runs; never inline. One that panics loses its own job only.
#[test]
fn an_executor_runs_notifications_where_it_likes() {
    let event = crate::common::device().new_shared_event();
    type Job = Box<dyn FnOnce() + Send>;
    let jobs: Arc<Mutex<Vec<Job>>> = Arc::default();
    let (taken, calls) = (Arc::clone(&jobs), AtomicUsize::new(0));
    let listener = SharedEventListener::with_executor(move |job| {
        assert!(calls.fetch_add(1, SeqCst) != 1, "the executor panics on purpose, once");
        taken.lock().expect("nobody panics with the lock").push(job);
    });
    let seen = Arc::new(Mutex::new(Vec::new()));
    for value in [3, 1, 2, 2] {
        let seen = Arc::clone(&seen);
        event.notify(&listener, value, move |event: &SharedEvent, reached| {
            seen.lock().expect("nobody panics").push((value, reached, event.signaled_value()));
        });
    }
    event.set_signaled_value(2);
    event.set_signaled_value(9);
    assert!(seen.lock().expect("nobody panics").is_empty(), "nothing runs inline");
    let due = std::mem::take(&mut *jobs.lock().expect("nobody panics"));
    due.into_iter().for_each(|job| job());
    assert_eq!(*seen.lock().expect("nobody panics"), [(1, 9, 9), (2, 9, 9), (3, 9, 9)]);
}

/// A callback may raise the event that called it, and ask to be called again.
#[test]
fn a_notification_goes_on_from_inside() {
    fn next(event: &SharedEvent, listener: SharedEventListener, sender: mpsc::Sender<u64>) {
        let value = event.signaled_value();
        sender.send(value).ok();
        if value < 100 {
            let again = listener.clone();
            event.notify(&listener, value + 1, move |event, _| next(event, again, sender));
            event.set_signaled_value(value + 1);
        }
    }
    let event = crate::common::device().new_shared_event();
    let (sender, receiver) = mpsc::channel();
    let listener = SharedEventListener::shared();
    let again = listener.clone();
    event.notify(&listener, 0, move |event, _| next(event, again, sender));
    assert_eq!(receiver.iter().collect::<Vec<_>>(), (0..=100).collect::<Vec<_>>());
}

/// Waits for several events: all of them, or any.
#[test]
fn waits_for_several_events() {
    let device = crate::common::device();
    let [a, b] = [(); 2].map(|()| device.new_shared_event());
    let now = Duration::ZERO;
    assert!(SharedEvent::wait_until_all_signaled(&[], now));
    assert_eq!(SharedEvent::wait_until_any_signaled(&[], SOON), None);
    assert!(!SharedEvent::wait_until_all_signaled(&[(&a, 0), (&b, 1)], now));
    assert_eq!(SharedEvent::wait_until_any_signaled(&[(&a, 1), (&b, 1)], Duration::from_millis(1)), None);
    b.set_signaled_value(5);
    assert_eq!(SharedEvent::wait_until_any_signaled(&[(&a, 1), (&b, 5)], now), Some(1));
    assert!(!SharedEvent::wait_until_all_signaled(&[(&a, 1), (&b, 5)], now));
    std::thread::scope(|scope| {
        let all = scope.spawn(|| SharedEvent::wait_until_all_signaled(&[(&a, 2), (&b, 6)], SOON));
        let any = scope.spawn(|| SharedEvent::wait_until_any_signaled(&[(&a, 2), (&b, 9)], Duration::MAX));
        let more: Vec<_> = (0..8).map(|_| scope.spawn(|| a.wait_until_signaled_value(2, SOON))).collect();
        b.set_signaled_value(6);
        a.set_signaled_value(3);
        assert_eq!((all.join().ok(), any.join().ok()), (Some(true), Some(Some(0))));
        assert!(more.into_iter().all(|waiting| waiting.join().is_ok_and(|reached| reached)));
    });
}

/// Threads that look before they sleep, and threads that do not: every turn is taken, with the event inside and outside of the process.
#[cfg(target_os = "linux")]
#[test]
fn threads_take_turns_however_they_wait() -> Result<(), Error> {
    use fencepost::Spin;
    let device = crate::common::device();
    for spin in [Spin::Never, Spin::Adaptive, Spin::For(Duration::from_micros(20)), Spin::For(Duration::MAX)]
    {
        for outside in [false, true] {
            let events = [(); 2].map(|()| device.new_shared_event());
            let mut others = events.clone();
            for (event, other) in events.iter().zip(&mut others) {
                event.set_spin(spin);
                if outside {
                    *other = device.shared_event_from_handle(event.handle()?)?;
                    other.set_spin(spin);
                }
            }
            let turns = 200u64;
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    for turn in 1..=turns {
                        assert!(others[0].wait_until_signaled_value(turn, SOON));
                        others[1].set_signaled_value(turn);
                    }
                });
                for turn in 1..=turns {
                    events[0].set_signaled_value(turn);
                    assert!(events[1].wait_until_signaled_value(turn, SOON), "{spin:?}, outside: {outside}");
                }
            });
            assert!(!events[0].wait_until_signaled_value(turns + 1, Duration::from_micros(50)));
            assert!(!events[0].wait_until_signaled_value(turns + 1, Duration::ZERO));
        }
    }
    Ok(())
}
