//! Whether a device validates, and who says so.

/// Whether a device looks for races and misuse while it runs.
///
/// ```
/// use fencepost::{CpuOptions, Device, ErrorKind, ResourceOptions, Validation};
/// let device = Device::cpu_with(CpuOptions { validation: Some(Validation::Deny), ..Default::default() });
/// let queue = device.new_command_queue();
/// let numbers = device.new_buffer(256, ResourceOptions::SHARED.untracked())?;
/// let fill = |value| {
///     let work = queue.command_buffer();
///     let mut blit = work.blit_command_encoder()?;
///     blit.fill_buffer(&numbers, .., value)?;
///     blit.end_encoding();
///     work.commit()
/// };
/// fill(1)?;
/// // Nothing orders the two fills: the buffer is not tracked, and nobody has waited.
/// assert_eq!(fill(2).unwrap_err().kind(), ErrorKind::Validation);
/// # Ok::<(), fencepost::Error>(())
/// ```
#[doc(alias = "MTL_DEBUG_LAYER")]
#[doc(alias = "MTL_SHADER_VALIDATION")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Validation {
    /// It does not, and costs nothing.
    #[default]
    Off,
    /// Findings go to a [handler](crate::Device::set_validation_handler), without one to the `log` crate.
    Report,
    /// The same, and a commit with an error in it answers with the error, of kind
    /// [`Validation`](crate::ErrorKind::Validation), and runs nothing. What the CPU does is reported only.
    Deny,
}

/// What a device does: what its options say, otherwise what the environment says.
pub(crate) fn mode(asked: Option<Validation>) -> Validation {
    asked.unwrap_or_else(|| match std::env::var(VARIABLE) {
        Ok(text) => read(&text).unwrap_or_else(|| {
            log::warn!(target: super::finding::TARGET, "{VARIABLE}={text} is taken as `report`: it is none of `off`, `report` and `deny`");
            Validation::Report
        }),
        Err(std::env::VarError::NotPresent) => Validation::Off,
        Err(std::env::VarError::NotUnicode(_)) => {
            log::warn!(target: super::finding::TARGET, "{VARIABLE} is taken as `report`: it is none of `off`, `report` and `deny`");
            Validation::Report
        }
    })
}

fn read(text: &str) -> Option<Validation> {
    match text.trim().to_ascii_lowercase().as_str() {
        "" | "off" => Some(Validation::Off),
        "report" => Some(Validation::Report),
        "deny" => Some(Validation::Deny),
        _ => None,
    }
}

/// Read when a device is made.
const VARIABLE: &str = "FENCEPOST_VALIDATION";

#[cfg(test)]
mod tests {
    use super::{Validation, read};

    #[test]
    fn the_environment_has_three_words() {
        assert_eq!(read("off"), Some(Validation::Off));
        assert_eq!(read(" Report "), Some(Validation::Report));
        assert_eq!(read("DENY"), Some(Validation::Deny));
        assert_eq!(read(""), Some(Validation::Off));
        assert_eq!((read("repot"), read("1"), read("on")), (None, None, None));
    }
}
