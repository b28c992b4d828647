//! `fencepost devices`: what there is to run on.

use fencepost::Device;

use crate::Failure;

/// Prints a line a device, the default first.
pub(crate) fn run() -> Result<(), Failure> {
    for (index, device) in Device::all().iter().enumerate() {
        let default = if index == 0 { "  (default)" } else { "" };
        match device.uuid() {
            None => println!("{}{default}", device.name()),
            Some(uuid) => println!("{}  {}{default}", device.name(), words(uuid)),
        }
    }
    Ok(())
}

/// A UUID as people write it.
fn words(uuid: [u8; 16]) -> String {
    let hex: String = uuid.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
