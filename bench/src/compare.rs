//! Whether two results are the same, and if not quite, by how much they differ.

use crate::kernels::Kind;

/// How two results differ: in words, and whether that is more than the kernel allows.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// `equal`, or the largest difference.
    pub text: String,
    /// Whether it is within what [`Kind`] allows.
    pub allowed: bool,
}

/// Compares the bytes of two results of one kernel.
pub fn compare(kind: Kind, a: &[u8], b: &[u8]) -> Difference {
    if a == b {
        return Difference { text: "equal".to_owned(), allowed: true };
    }
    if a.len() != b.len() {
        return Difference { text: format!("{} and {} bytes", a.len(), b.len()), allowed: false };
    }
    match kind {
        Kind::Words { may_differ } => {
            let words = a.as_chunks::<4>().0.iter().zip(b.as_chunks::<4>().0);
            let share = words.filter(|(a, b)| a != b).count() as f64 * 4.0 / a.len() as f64;
            Difference { text: format!("{share:.1e} of words"), allowed: share <= may_differ }
        }
        Kind::Floats { tolerance } => {
            let value = |bytes: &[u8; 4]| f64::from(f32::from_ne_bytes(*bytes));
            let values = a.as_chunks::<4>().0.iter().zip(b.as_chunks::<4>().0);
            // Not a number is never within a tolerance.
            let worst = values
                .map(|(a, b)| (value(a) - value(b)).abs() / value(a).abs().max(value(b).abs()).max(1.0))
                .fold(0.0, |worst, error| if error <= worst { worst } else { error });
            Difference { text: format!("{worst:.1e} relative"), allowed: worst <= tolerance }
        }
        Kind::Texels { steps } => {
            let worst = a.iter().zip(b).map(|(a, b)| a.abs_diff(*b)).max().unwrap_or(0);
            Difference { text: format!("{worst}/255"), allowed: worst <= steps }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_measured_and_judged() {
        let floats = |values: &[f32]| bytemuck::cast_slice(values).to_vec();
        let kind = Kind::Floats { tolerance: 1e-3 };
        assert!(compare(kind, &floats(&[1.0, 100.0]), &floats(&[1.0, 100.05])).allowed);
        assert!(!compare(kind, &floats(&[1.0, 100.0]), &floats(&[1.0, 100.5])).allowed);
        assert!(!compare(kind, &floats(&[1.0]), &floats(&[f32::NAN])).allowed);
        assert!(!compare(Kind::Words { may_differ: 0.0 }, &[0; 4], &[1, 0, 0, 0]).allowed);
        assert!(compare(Kind::Texels { steps: 1 }, &[3], &[4]).allowed);
        assert!(!compare(Kind::Texels { steps: 1 }, &[3], &[5]).allowed);
        assert!(!compare(Kind::Texels { steps: 1 }, &[3], &[3, 3]).allowed);
    }
}
