//! The filter against a blur written as plain loops, and its three kinds of synchronization against each other.

use fencepost::{Device, Schedule};
use image::{Rgba, RgbaImage};

use super::gaussian::Taps;
use super::stages::Filter;
use super::{Sync, picture};

const SIGMA: f32 = 1.5;

fn photograph() -> RgbaImage {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../assets/astronaut.png");
    picture::load(path.as_ref()).expect("the photograph is part of the repository")
}

/// A part of the photograph with odd sizes, small enough for many runs.
fn detail() -> RgbaImage {
    image::imageops::crop_imm(&photograph(), 180, 60, 97, 61).to_image()
}

/// The next mip level: each texel the mean of the texels it covers, rounded to 8 bits.
fn halved(level: &RgbaImage) -> RgbaImage {
    let (width, height) = ((level.width() / 2).max(1), (level.height() / 2).max(1));
    RgbaImage::from_fn(width, height, |x, y| {
        let mut sum = [0.0; 4];
        for (dx, dy) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
            let texel =
                level.get_pixel((2 * x + dx).min(level.width() - 1), (2 * y + dy).min(level.height() - 1));
            sum.iter_mut().zip(texel.0).for_each(|(sum, part)| *sum += f32::from(part));
        }
        Rgba(sum.map(|sum| (sum / 4.0).round() as u8))
    })
}

/// A separable Gaussian by plain loops in floats, edges repeated.
fn blurred(level: &RgbaImage) -> RgbaImage {
    let weights = Taps::gaussian(SIGMA).weights;
    let (width, height) = (level.width() as i32, level.height() as i32);
    let at = |x: i32, y: i32| (y.clamp(0, height - 1) * width + x.clamp(0, width - 1)) as usize;
    let pass = |source: &[[f32; 4]], step: (i32, i32)| -> Vec<[f32; 4]> {
        let mut out = Vec::with_capacity(source.len());
        for y in 0..height {
            for x in 0..width {
                let mut sum = [0.0; 4];
                for (tap, weight) in
                    (-(weights.len() as i32 - 1)..).zip(weights.iter().skip(1).rev().chain(&weights))
                {
                    let texel = source[at(x + tap * step.0, y + tap * step.1)];
                    sum.iter_mut().zip(texel).for_each(|(sum, part)| *sum += weight * part);
                }
                out.push(sum);
            }
        }
        out
    };
    let texels: Vec<_> = level.pixels().map(|texel| texel.0.map(f32::from)).collect();
    let texels = pass(&pass(&texels, (1, 0)), (0, 1));
    RgbaImage::from_fn(level.width(), level.height(), |x, y| {
        Rgba(texels[at(x as i32, y as i32)].map(|part| part.round() as u8))
    })
}

/// Level 0 as it is, the others blurred.
fn expected(input: &RgbaImage, levels: usize) -> Vec<RgbaImage> {
    let mut mips = vec![input.clone()];
    while mips.len() <= levels {
        mips.push(halved(&mips[mips.len() - 1]));
    }
    mips.iter().enumerate().map(|(index, mip)| if index == 0 { mip.clone() } else { blurred(mip) }).collect()
}

fn filtered(device: &Device, input: &RgbaImage, sync: Sync) -> Vec<RgbaImage> {
    let filter = Filter::new(device, input, None, SIGMA, sync).expect("the filter can be made");
    filter.run(input, |_| ()).expect("the filter runs").levels
}

fn assert_close(levels: &[RgbaImage], expected: &[RgbaImage], what: &str) {
    assert_eq!(levels.len(), expected.len(), "{what}: levels");
    for (index, (level, expected)) in levels.iter().zip(expected).enumerate() {
        assert_eq!(level.dimensions(), expected.dimensions(), "{what}: size of level {index}");
        let worst = level.as_raw().iter().zip(expected.as_raw()).map(|(a, b)| a.abs_diff(*b)).max();
        // Means and weights round differently in the last bit, and a level inherits its parent's rounding.
        assert!(worst <= Some(if index == 0 { 0 } else { 2 }), "{what}: level {index} is off by {worst:?}");
    }
}

#[test]
fn the_photograph_is_filtered_as_by_plain_loops_with_every_synchronization() {
    let input = photograph();
    let expected = expected(&input, 9);
    let device = Device::cpu();
    let by_fence = filtered(&device, &input, Sync::Fence);
    assert_close(&by_fence, &expected, "fence");
    assert!(
        by_fence == filtered(&device, &input, Sync::Events),
        "events give another picture than the fence"
    );
    assert!(
        by_fence == filtered(&device, &input, Sync::Tracked),
        "tracking gives another picture than the fence"
    );
}

#[test]
fn any_legal_order_gives_the_same_picture() {
    let input = detail();
    let expected = filtered(&Device::cpu(), &input, Sync::Fence);
    for seed in 0..20 {
        let device = Device::cpu();
        device.set_schedule(Schedule::Adversarial(seed));
        for sync in [Sync::Fence, Sync::Events, Sync::Tracked] {
            assert!(filtered(&device, &input, sync) == expected, "seed {seed}, {sync:?}");
        }
    }
}

#[test]
fn a_picture_of_one_texel_is_its_only_level() {
    let input = RgbaImage::from_pixel(1, 1, Rgba([1, 2, 3, 255]));
    for sync in [Sync::Fence, Sync::Events, Sync::Tracked] {
        assert!(filtered(&Device::cpu(), &input, sync) == [input.clone()]);
    }
}

#[test]
fn more_levels_than_there_are_means_all() {
    let input = RgbaImage::from_pixel(4, 2, Rgba([1, 2, 3, 255]));
    for (asked, stages) in [(Some(1), 2), (Some(2), 3), (Some(u32::MAX), 3), (None, 3)] {
        let device = Device::cpu();
        let filter = Filter::new(&device, &input, asked, SIGMA, Sync::Fence).expect("memory");
        assert_eq!(filter.stages(), stages, "{asked:?}");
    }
}
