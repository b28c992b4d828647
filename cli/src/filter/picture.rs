//! Pictures on the CPU side: what goes into the filter and how its levels come out as one picture.

use std::path::Path;

use image::imageops::{self, FilterType};
use image::{ImageFormat, Rgba, RgbaImage};

use crate::Failure;

/// Reads a picture as 8-bit RGBA.
pub(crate) fn load(path: &Path) -> Result<RgbaImage, Failure> {
    let picture = image::open(path)
        .map_err(|error| Failure::Input(format!("cannot read the picture {}: {error}", path.display())))?;
    Ok(picture.to_rgba8())
}

/// That a picture of this name can be written, before work is spent on it.
pub(crate) fn check_output(path: &Path) -> Result<(), Failure> {
    let known = ImageFormat::from_path(path).is_ok_and(|format| format.writing_enabled());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mend = match folder {
        _ if !known => "The name must end in .png or .jpg".to_owned(),
        Some(folder) if !folder.is_dir() => format!("There is no folder {}", folder.display()),
        _ => return Ok(()),
    };
    Err(Failure::Input(format!("cannot write a picture to {}. {mend}", path.display())))
}

/// Writes a picture; the ending of the name says how. Formats without transparency get the colours alone.
pub(crate) fn save(picture: &RgbaImage, path: &Path) -> Result<(), Failure> {
    let opaque = picture.pixels().all(|pixel| pixel[3] == 255);
    let saved = if opaque {
        image::DynamicImage::from(picture.clone()).to_rgb8().save(path)
    } else {
        picture.save(path)
    };
    saved.map_err(|error| Failure::Output(format!("cannot write the picture {}: {error}", path.display())))
}

/// The first level on the left, the others in a column to its right: the usual picture of a mip chain.
pub(crate) fn side_by_side(levels: &[RgbaImage]) -> RgbaImage {
    let Some((first, smaller)) = levels.split_first() else { return RgbaImage::new(0, 0) };
    let column = smaller.iter().map(RgbaImage::width).max().unwrap_or(0);
    let height = first.height().max(smaller.iter().map(RgbaImage::height).sum());
    let mut canvas = RgbaImage::from_pixel(first.width() + column, height, Rgba([0, 0, 0, 255]));
    imageops::replace(&mut canvas, first, 0, 0);
    let mut top = 0;
    for level in smaller {
        imageops::replace(&mut canvas, level, i64::from(first.width()), top);
        top += i64::from(level.height());
    }
    canvas
}

/// One picture in the size of level 0: the two levels around `level`, enlarged and blended. `level` is clamped to what is there.
pub(crate) fn blended(levels: &[RgbaImage], level: f32) -> RgbaImage {
    let Some(first) = levels.first() else { return RgbaImage::new(0, 0) };
    let level = level.clamp(0.0, (levels.len() - 1) as f32);
    let enlarged = |index: usize| {
        imageops::resize(
            &levels[index.min(levels.len() - 1)],
            first.width(),
            first.height(),
            FilterType::Triangle,
        )
    };
    let mut lower = enlarged(level.floor() as usize);
    let upper = enlarged(level.ceil() as usize);
    let share = level.fract();
    for (below, above) in lower.pixels_mut().zip(upper.pixels()) {
        for (low, high) in below.0.iter_mut().zip(above.0) {
            *low = (f32::from(*low) * (1.0 - share) + f32::from(high) * share).round() as u8;
        }
    }
    lower
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grey(width: u32, height: u32, value: u8) -> RgbaImage {
        RgbaImage::from_pixel(width, height, Rgba([value, value, value, 255]))
    }

    #[test]
    fn names_that_say_no_format_or_no_folder_are_refused() {
        let folder = std::env::temp_dir();
        for good in ["out.png", "out.JPG"] {
            assert!(check_output(&folder.join(good)).is_ok(), "{good}");
            assert!(check_output(Path::new(good)).is_ok(), "{good} in the folder of the call");
        }
        for (bad, mend) in
            [("out", ".png"), ("out.xyz", ".png"), ("out.gif", ".png"), ("nowhere/out.png", "folder")]
        {
            let refused = check_output(&folder.join("fencepost-none").join(bad)).expect_err(bad).to_string();
            assert!(refused.contains(mend), "{refused}");
        }
    }

    #[test]
    fn levels_stand_beside_each_other() {
        let canvas = side_by_side(&[grey(8, 4, 10), grey(4, 2, 20), grey(2, 1, 30)]);
        assert_eq!(canvas.dimensions(), (12, 4));
        assert_eq!(canvas.get_pixel(0, 0)[0], 10);
        assert_eq!(canvas.get_pixel(8, 0)[0], 20);
        assert_eq!(canvas.get_pixel(8, 2)[0], 30);
        assert_eq!(canvas.get_pixel(11, 3)[0], 0);
    }

    #[test]
    fn a_column_may_be_higher_than_the_first_level() {
        let canvas = side_by_side(&[grey(4, 1, 10), grey(2, 1, 20), grey(1, 1, 30)]);
        assert_eq!(canvas.dimensions(), (6, 2));
        assert_eq!(canvas.get_pixel(4, 1)[0], 30);
    }

    #[test]
    fn a_level_between_two_is_their_mean() {
        let levels = [grey(4, 4, 100), grey(2, 2, 200)];
        assert_eq!(blended(&levels, 0.5).get_pixel(1, 1)[0], 150);
        assert_eq!(blended(&levels, 7.0).get_pixel(1, 1)[0], 200);
    }
}
