//! `fencepost devices`: what there is to run on.

use fencepost::Device;

use crate::Failure;

/// Prints a line a device, the default first.
pub(crate) fn run() -> Result<(), Failure> {
    for (index, device) in Device::all().iter().enumerate() {
        let default = if index == 0 { "  (default)" } else { "" };
        println!("{}{default}", device.name());
    }
    Ok(())
}
