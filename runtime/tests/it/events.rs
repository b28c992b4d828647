//! Events as their users see them: who is told of what, and when.

use fencepost::{Device, Error, Obstacle};

/// Every wait that nothing in flight will release, with the chain to what stands in its way.
#[test]
fn stuck_waits_have_names() -> Result<(), Error> {
    let (device, other) = (Device::cpu(), Device::cpu());
    let [first, second] = ["first", "second"].map(|label| {
        let event = device.new_shared_event();
        event.set_label(label);
        event
    });
    let queue = |device: &Device, label: &str| {
        let queue = device.new_command_queue();
        queue.set_label(label);
        queue
    };
    let (qa, qb) = (queue(&device, "qa"), queue(&other, "qb"));
    let wait =
        |queue: &fencepost::CommandQueue, label: &str, [from, to]: [(&fencepost::SharedEvent, u64); 2]| {
            let work = queue.command_buffer();
            work.set_label(label);
            work.encode_wait_for_event(from.0, from.1)?;
            work.encode_signal_event(to.0, to.1)?;
            work.commit()?;
            Ok::<_, Error>(work)
        };
    assert_eq!(device.stuck_waits(), []);
    let a = wait(&qa, "a", [(&first, 1), (&second, 1)])?;
    assert!(device.stuck_waits()[0].signals.is_empty());
    let b = wait(&qb, "b", [(&second, 1), (&first, 1)])?;
    let stuck = device.stuck_waits();
    assert_eq!(stuck.len(), 1, "the other device has its own");
    assert_eq!((stuck[0].queue.as_str(), stuck[0].command_buffer.as_deref()), ("qa", Some("a")));
    let signal = &stuck[0].signals[0];
    assert_eq!((signal.queue.as_str(), signal.command_buffer.as_deref(), signal.value), ("qb", Some("b"), 1));
    assert_eq!(signal.behind, Some(Obstacle::Wait { event: "second".to_owned(), value: 1 }));
    assert_eq!(
        stuck[0].to_string(),
        "command buffer `a` on queue `qa` waits for event `first` to reach 1, which has 0; \
         command buffer `b` on queue `qb` would signal 1, behind the wait for event `second` to reach 1"
    );
    second.set_signaled_value(1);
    b.wait_until_completed()?;
    a.wait_until_completed()?;
    assert_eq!((device.stuck_waits(), other.stuck_waits()), (vec![], vec![]));
    Ok(())
}

/// What is behind an enqueued place says so; what a queue itself waits for has no command buffer.
#[test]
fn stuck_waits_of_queues_and_behind_places() -> Result<(), Error> {
    let device = Device::cpu();
    let (tracked, explicit) = (device.new_command_queue(), device.new_explicit_command_queue());
    let event = device.new_event();
    let place = tracked.command_buffer();
    place.set_label("place");
    place.enqueue()?;
    let work = tracked.command_buffer();
    work.encode_signal_event(&event, 5)?;
    work.commit()?;
    explicit.wait_for_event(&event, 3)?;
    let stuck = device.stuck_waits();
    assert_eq!((stuck.len(), stuck[0].command_buffer.as_ref(), stuck[0].signals.len()), (1, None, 1));
    let behind = Obstacle::Uncommitted { command_buffer: "place".to_owned() };
    assert_eq!((stuck[0].signals[0].value, &stuck[0].signals[0].behind), (5, &Some(behind)));
    place.commit()?;
    work.wait_until_completed()?;
    assert_eq!(device.stuck_waits(), []);
    Ok(())
}
