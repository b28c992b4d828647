//! The weights of the blur, as the kernel takes them.

/// Texels on each side that the kernel has weights for.
pub(crate) const MAX_RADIUS: usize = 63;

/// The bytes of the kernel's `Taps`: direction, radius and one side's weights, the middle's first.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Taps {
    /// One side's weights: index is the distance from the middle. Both sides together sum to 1.
    pub(crate) weights: Vec<f32>,
}

impl Taps {
    /// A Gaussian of this standard deviation in texels, cut at three of them (and at [`MAX_RADIUS`]).
    pub(crate) fn gaussian(sigma: f32) -> Self {
        let radius = ((3.0 * sigma).ceil() as usize).min(MAX_RADIUS);
        let bell = |tap: usize| if tap == 0 { 1.0 } else { (-0.5 * (tap as f32 / sigma).powi(2)).exp() };
        let whole: f32 = bell(0) + 2.0 * (1..=radius).map(bell).sum::<f32>();
        Self { weights: (0..=radius).map(|tap| bell(tap) / whole).collect() }
    }

    /// The words of the kernel's uniform for a step of `direction`.
    pub(crate) fn words(&self, direction: [i32; 2]) -> Vec<u32> {
        let mut words = vec![0; 4 + 64];
        words[0] = direction[0] as u32;
        words[1] = direction[1] as u32;
        words[2] = (self.weights.len() - 1) as u32;
        for (word, weight) in words[4..].iter_mut().zip(&self.weights) {
            *word = weight.to_bits();
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_sum_to_one_on_both_sides() {
        for sigma in [0.3, 1.0, 2.0, 9.5, 50.0] {
            let taps = Taps::gaussian(sigma);
            let sum = taps.weights[0] + 2.0 * taps.weights[1..].iter().sum::<f32>();
            assert!((sum - 1.0).abs() < 1e-5, "sigma {sigma}: {sum}");
            assert!(taps.weights.len() <= MAX_RADIUS + 1);
        }
    }

    #[test]
    fn the_kernel_gets_direction_radius_and_weights() {
        let taps = Taps::gaussian(1.0);
        let words = taps.words([0, 1]);
        assert_eq!(words.len(), 68);
        assert_eq!(words[..4], [0, 1, 3, 0]);
        assert_eq!(f32::from_bits(words[4]), taps.weights[0]);
        assert_eq!(f32::from_bits(words[7]), taps.weights[3]);
    }
}
