//! Validation names a race in the running app, with the lines of both sides, whether or not it shows today.
use std::sync::mpsc;

use fencepost::{CpuOptions, Device, Error, ResourceOptions, Validation};

fn main() -> Result<(), Error> {
    // The same without a change of the source: FENCEPOST_VALIDATION=report.
    let options = CpuOptions { validation: Some(Validation::Report), ..CpuOptions::default() };
    let device = Device::cpu_with(options);
    let (sender, findings) = mpsc::channel();
    device.set_validation_handler(move |finding| sender.send(finding.clone()).unwrap_or_default());

    let particles = device.new_buffer(256, ResourceOptions::SHARED.untracked())?;
    particles.set_label("particles");
    let queue = device.new_command_queue();
    let simulate = |value| {
        let work = queue.command_buffer();
        let mut blit = work.blit_command_encoder()?;
        blit.set_label("simulate");
        blit.fill_buffer(&particles, .., value)?;
        blit.end_encoding();
        work.commit()?;
        Ok::<_, Error>(work)
    };

    simulate(1)?.wait_until_completed()?;
    particles.read::<u8>(..)?;
    assert!(findings.try_recv().is_err(), "the CPU has waited, so all is well");

    let second = simulate(2)?;
    // The CPU has not waited. Most days the fill has ended by now.
    particles.contents()?.read::<u8>(..)?;
    second.wait_until_completed()?;

    let race = findings.try_recv().expect("the read may come too early");
    println!("{race}");
    assert_eq!((race.code(), race.resource()), ("race", Some("particles")));
    assert!(
        race.second()
            .and_then(|place| place.location)
            .is_some_and(|call| call.file().ends_with("validation.rs"))
    );
    Ok(())
}
