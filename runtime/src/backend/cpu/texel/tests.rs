//! Texels against plain arithmetic.
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::*;
use crate::shader::lane::TextureQuery;
use crate::{AddressMode, CompareFunction, Filter, MipFilter, SamplerDescriptor};

fn shape(format: PixelFormat, [width, height]: [u32; 2], mips: u32, slices: u32) -> TextureShape {
    TextureShape { format, width, height, mips, slices }
}

fn memory(shape: &TextureShape) -> Vec<AtomicU32> {
    (0..TextureLayout::new(shape).bytes() / 4).map(|_| AtomicU32::new(0)).collect()
}

fn view<'a>(words: &'a [AtomicU32], shape: &TextureShape) -> TexelView<'a> {
    TexelView::of_words(words, &TextureLayout::new(shape), shape.format, 0..shape.mips, 0..shape.slices)
}

fn floats(texel: [f32; 4]) -> [u32; 4] {
    texel.map(f32::to_bits)
}

fn linear() -> SamplerDescriptor {
    SamplerDescriptor { min_filter: Filter::Linear, mag_filter: Filter::Linear, ..Default::default() }
}

#[test]
fn images_are_aligned_and_never_overlap() {
    for format in PixelFormat::EACH {
        for (width, height, mips, slices) in [(1, 1, 1, 1), (5, 3, 3, 4), (64, 1, 7, 2), (17, 33, 6, 3)] {
            let shape = shape(format, [width, height], mips, slices);
            let layout = TextureLayout::new(&shape);
            let alignment = u64::from(format.bytes_per_texel()).max(4);
            let mut end = 0;
            for slice in 0..slices {
                for mip in 0..mips {
                    let image = layout.image(mip, slice);
                    assert_eq!(image.offset % alignment, 0);
                    assert!(image.offset >= end && image.offset < end + alignment);
                    assert_eq!((image.width, image.height), ((width >> mip).max(1), (height >> mip).max(1)));
                    assert_eq!(image.row_bytes, u64::from(image.width * format.bytes_per_texel()));
                    end = image.offset + image.row_bytes * u64::from(image.height);
                }
            }
            assert!(end <= layout.bytes() && layout.bytes().is_multiple_of(alignment));
        }
    }
}

#[test]
fn sizes_nobody_has_do_not_overflow() {
    let shape = shape(PixelFormat::Rgba32Float, [u32::MAX, u32::MAX], 15, u32::MAX);
    assert!(TextureLayout::new(&shape).bytes() > 1 << 62);
}

/// Every texel of every level and slice keeps what was written to it, whatever is written next to it.
#[test]
fn texels_are_apart() {
    for format in PixelFormat::EACH {
        let shape = shape(format, [5, 3], 3, 2);
        let words = memory(&shape);
        let view = view(&words, &shape);
        let mut written = Vec::new();
        for slice in 0..2 {
            for level in 0..3 {
                let size = [TextureQuery::Width, TextureQuery::Height].map(|query| view.query(query, level));
                for y in 0..size[1] {
                    for x in 0..size[0] {
                        let number = written.len() as u32 + 1;
                        let texel = match format.is_integer() {
                            true => [number, number + 1, number + 2, number + 3],
                            false => floats([number as f32 / 255.0; 4]),
                        };
                        view.store_at([x, y], slice, level, texel);
                        written.push(([x, y], slice, level, number));
                    }
                }
            }
        }
        for (at, slice, level, number) in written {
            let [red, .., alpha] = view.load(at, slice, level);
            let near = (f32::from_bits(red) - number as f32 / 255.0).abs() < 1e-3;
            assert!(if format.is_integer() { red == number } else { near }, "{format:?} {at:?}");
            let alpha_is_one = format.components() < 4;
            let one = if format.is_integer() { 1 } else { 1.0_f32.to_bits() };
            assert!(!alpha_is_one || alpha == one, "{format:?}");
        }
    }
}

#[test]
fn normalised_components_round_to_the_nearest_even() {
    let shape = shape(PixelFormat::Rgba8Unorm, [1, 1], 1, 1);
    let words = memory(&shape);
    let view = view(&words, &shape);
    for (value, byte) in [
        (0.0, 0),
        (1.0, 255),
        (2.0, 255),
        (-1.0, 0),
        (f32::NAN, 0),
        (f32::INFINITY, 255),
        (0.5 / 255.0, 0),
        (1.5 / 255.0, 2),
        (2.5 / 255.0, 2),
        (0.6 / 255.0, 1),
        (127.4 / 255.0, 127),
    ] {
        view.store([0, 0], 0, floats([value, 0.0, 1.0, value]));
        assert_eq!(words[0].load(Relaxed).to_le_bytes(), [byte, 0, 255, byte], "{value}");
        assert_eq!(view.load([0, 0], 0, 0)[0], (f32::from(byte) / 255.0).to_bits());
    }
}

#[test]
fn outside_is_zero_and_stays_as_it_is() {
    let shape = shape(PixelFormat::Rgba32Uint, [3, 2], 2, 2);
    let words = memory(&shape);
    let view = view(&words, &shape);
    for (at, slice, level) in [
        ([3, 0], 0, 0),
        ([0, 2], 0, 0),
        ([u32::MAX, 0], 0, 0),
        ([0, 0], 2, 0),
        ([0, 0], 0, 2),
        ([1, 0], 0, 1),
    ] {
        view.store_at(at, slice, level, [7; 4]);
        assert_eq!(view.load(at, slice, level), [0; 4]);
    }
    assert!(words.iter().all(|word| word.load(Relaxed) == 0));
}

#[test]
fn views_show_part_of_a_texture_in_another_format() {
    let shape = shape(PixelFormat::R32Uint, [8, 8], 4, 3);
    let words = memory(&shape);
    let whole = view(&words, &shape);
    let layout = TextureLayout::new(&shape);
    let part = TexelView::of_words(&words, &layout, PixelFormat::Rgba8Unorm, 1..3, 2..3);
    whole.store_at([3, 1], 2, 1, [0x80ff_0033, 0, 0, 0]);
    let bytes = [0x33, 0, 0xff, 0x80];
    assert_eq!(part.load([3, 1], 0, 0), bytes.map(|byte: u8| (f32::from(byte) / 255.0).to_bits()));
    let numbers = [TextureQuery::Width, TextureQuery::Height, TextureQuery::Levels, TextureQuery::Slices];
    assert_eq!(numbers.map(|query| part.query(query, 0)), [4, 4, 2, 1]);
    assert_eq!(numbers.map(|query| part.query(query, 9)), [2, 2, 2, 1]);
    assert_eq!(part.load([0, 0], 1, 0), [0; 4]);
}

/// Red is `10 x + y` in a 4 × 3 texture of two levels; the second level is 100 throughout.
fn ramp(words: &[AtomicU32], shape: &TextureShape) {
    let view = view(words, shape);
    for y in 0..3 {
        for x in 0..4 {
            view.store([x, y], 0, floats([(10 * x + y) as f32, 0.0, 0.0, 1.0]));
        }
    }
    for x in 0..2 {
        view.store_at([x, 0], 0, 1, floats([100.0, 0.0, 0.0, 1.0]));
    }
}

fn red(texel: [u32; 4]) -> f32 {
    f32::from_bits(texel[0])
}

#[test]
fn address_modes() {
    let shape = shape(PixelFormat::R32Float, [4, 3], 2, 1);
    let words = memory(&shape);
    ramp(&words, &shape);
    let view = view(&words, &shape);
    // The column found for each texel of a row that starts 5 texels left of the texture and ends 5 right of it.
    let cases: [(AddressMode, [i32; 14]); 4] = [
        (AddressMode::ClampToEdge, [0, 0, 0, 0, 0, 0, 1, 2, 3, 3, 3, 3, 3, 3]),
        (AddressMode::Repeat, [3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0]),
        (AddressMode::MirrorRepeat, [3, 3, 2, 1, 0, 0, 1, 2, 3, 3, 2, 1, 0, 0]),
        (AddressMode::ClampToZero, [-1, -1, -1, -1, -1, 0, 1, 2, 3, -1, -1, -1, -1, -1]),
    ];
    for (mode, columns) in cases {
        let sampler = SamplerDescriptor { s_address_mode: mode, ..Default::default() };
        for (index, column) in columns.into_iter().enumerate() {
            let at = [(index as f32 - 5.0 + 0.5) / 4.0, 0.5];
            let found = view.sample(&sampler, at, 0, 0.0, [0, 0], None);
            let expected = if column < 0 { 0.0 } else { 10.0 * column as f32 + 1.0 };
            assert_eq!(red(found), expected, "{mode:?} {index}");
            // A format without alpha is opaque even beyond its edges.
            assert_eq!(found[3], 1.0_f32.to_bits());
            let shifted = [(index as f32 - 6.0 + 0.5) / 4.0, 0.5];
            assert_eq!(view.sample(&sampler, shifted, 0, 0.0, [1, 0], None), found, "an offset is texels");
        }
    }
}

#[test]
fn filters_blend_texels_and_levels() {
    let shape = shape(PixelFormat::R32Float, [4, 3], 2, 1);
    let words = memory(&shape);
    ramp(&words, &shape);
    let view = view(&words, &shape);
    let sample = |sampler: &SamplerDescriptor, x: f32, y: f32, level: f32| {
        red(view.sample(sampler, [x / 4.0, y / 3.0], 0, level, [0, 0], None))
    };
    // Texel centres are at halves; a quarter of the way from one to the next.
    assert!((sample(&linear(), 1.75, 1.5, 0.0) - 13.5).abs() < 1e-4);
    assert!((sample(&linear(), 1.5, 1.0, 0.0) - 10.5).abs() < 1e-4);
    assert_eq!(sample(&linear(), 0.0, 0.0, 0.0), 0.0);
    let nearest_small = SamplerDescriptor { mag_filter: Filter::Nearest, ..linear() };
    assert_eq!(sample(&nearest_small, 1.75, 1.5, 0.0), 11.0);
    assert!((sample(&nearest_small, 1.75, 1.5, 0.1) - 13.5).abs() < 1e-4);
    // Levels.
    assert_eq!(sample(&SamplerDescriptor::default(), 1.5, 1.5, 1.0), 11.0, "not mipmapped: level 0");
    let nearest = SamplerDescriptor { mip_filter: MipFilter::Nearest, ..Default::default() };
    for (level, expected) in [(0.4, 11.0), (0.6, 100.0), (7.0, 100.0), (-3.0, 11.0), (f32::NAN, 11.0)] {
        assert_eq!(sample(&nearest, 1.5, 1.5, level), expected, "level {level}");
    }
    let between = SamplerDescriptor { mip_filter: MipFilter::Linear, ..Default::default() };
    assert!((sample(&between, 1.5, 1.5, 0.25) - (0.75 * 11.0 + 25.0)).abs() < 1e-4);
    let clamped = SamplerDescriptor { lod_min_clamp: 1.0, ..nearest };
    assert_eq!(sample(&clamped, 1.5, 1.5, 0.0), 100.0);
    let clamped = SamplerDescriptor { lod_max_clamp: 0.0, ..nearest };
    assert_eq!(sample(&clamped, 1.5, 1.5, 5.0), 11.0);
    let texels = SamplerDescriptor { normalized_coordinates: false, ..Default::default() };
    assert_eq!(red(view.sample(&texels, [2.5, 1.5], 0, 0.0, [0, 0], None)), 21.0);
    // Places nobody means are some texel, never a panic.
    for place in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e30, -1e30] {
        sample(&linear(), place, place, place);
    }
}

#[test]
fn comparisons_come_before_filtering() {
    let shape = shape(PixelFormat::R32Float, [4, 3], 2, 1);
    let words = memory(&shape);
    ramp(&words, &shape);
    let view = view(&words, &shape);
    use CompareFunction as C;
    for (function, expected) in [
        (C::Never, 0.0),
        (C::Less, 0.25),
        (C::Equal, 0.0),
        (C::LessEqual, 0.25),
        (C::Greater, 0.75),
        (C::NotEqual, 1.0),
        (C::GreaterEqual, 0.75),
        (C::Always, 1.0),
    ] {
        let sampler = SamplerDescriptor { compare_function: Some(function), ..linear() };
        // A quarter of the way from 11 to 21: the reference 15 passes against one of them.
        let found = red(view.sample(&sampler, [1.75 / 4.0, 0.5], 0, 0.0, [0, 0], Some(15.0)));
        assert_eq!(found, expected, "{function:?}");
    }
}

#[test]
fn gathers_go_round_from_the_lower_left() {
    let shape = shape(PixelFormat::R32Float, [4, 3], 2, 1);
    let words = memory(&shape);
    ramp(&words, &shape);
    let view = view(&words, &shape);
    let at = [2.0 / 4.0, 1.0 / 3.0];
    let found = view.gather(&linear(), 0, at, 0, [0, 0], None);
    assert_eq!(found, floats([11.0, 21.0, 20.0, 10.0]));
    assert_eq!(view.gather(&linear(), 0, at, 0, [1, 1], None), floats([22.0, 32.0, 31.0, 21.0]));
    let compare = SamplerDescriptor { compare_function: Some(CompareFunction::Less), ..linear() };
    let found = view.gather(&compare, 0, at, 0, [0, 0], Some(15.0));
    assert_eq!(found, floats([0.0, 1.0, 1.0, 0.0]));
    assert_eq!(view.gather(&linear(), 3, at, 0, [0, 0], None), floats([1.0; 4]));
}

/// The average of an area of the level above, added up in small cells of which each lies in one texel.
fn area(
    above: &[f64],
    [width, height]: [u32; 2],
    [here_width, here_height]: [u32; 2],
    [x, y]: [u32; 2],
) -> f64 {
    let mut sum = 0.0;
    for cell_y in y * height..(y + 1) * height {
        for cell_x in x * width..(x + 1) * width {
            sum += above[(cell_y / here_height * width + cell_x / here_width) as usize];
        }
    }
    sum / f64::from(width * height)
}

#[test]
fn smaller_levels_are_averages_by_area() {
    for size in [[1, 1], [2, 2], [8, 8], [3, 3], [5, 4], [7, 1], [1, 6], [9, 13]] {
        let shape = shape(PixelFormat::R32Float, size, 2, 2);
        let words = memory(&shape);
        let view = view(&words, &shape);
        let value = |x: u32, y: u32| f64::from((x * 37 + y * 101) % 64);
        let above: Vec<f64> = (0..size[0] * size[1]).map(|at| value(at % size[0], at / size[0])).collect();
        for at in 0..size[0] * size[1] {
            view.store([at % size[0], at / size[0]], 1, floats([above[at as usize] as f32; 4]));
        }
        let here = size.map(|side| (side / 2).max(1));
        for row in 0..here[1] {
            view.generate_mip_rows(1, 1, row..row + 1);
        }
        for y in 0..here[1] {
            for x in 0..here[0] {
                let found = f64::from(red(view.load([x, y], 1, 1)));
                let expected = area(&above, size, here, [x, y]);
                assert!((found - expected).abs() < 1e-4, "{size:?} at {x}, {y}: {found}, not {expected}");
            }
        }
    }
}

/// A small generator of words.
fn random_words(seed: u32) -> impl Iterator<Item = u32> {
    (0..).map(move |index: u32| {
        let word = (index ^ seed.wrapping_mul(0x85eb_ca6b)).wrapping_mul(0x9e37_79b9);
        (word ^ word >> 15).wrapping_mul(0xc2b2_ae35) ^ word >> 7
    })
}

/// A texture of three levels and two slices with something in every component, finite in every format.
fn filled(shape: &TextureShape) -> Vec<AtomicU32> {
    let words = memory(shape);
    for (word, random) in words.iter().zip(random_words(7)) {
        // Exponents of 16 and 32 bits stay in the middle.
        word.store(random & 0x3fff_bfff, Relaxed);
    }
    words
}

/// Sixteen texels at once are what they are one by one: loads in a row, scattered and outside.
#[test]
fn steps_load_what_single_texels_are() {
    for format in PixelFormat::EACH {
        let shape = shape(format, [37, 19], 3, 2);
        let words = filled(&shape);
        let view = view(&words, &shape);
        for (round, level) in [0, 1, 2, 0, 1, 3].into_iter().enumerate() {
            let scattered: Vec<u32> = random_words(round as u32).take(32).map(|word| word % 41).collect();
            let slice = round as u32 % 3;
            for row in [true, false] {
                let x = std::array::from_fn(|lane| if row { 3 + lane as u32 } else { scattered[lane] });
                let y = std::array::from_fn(|lane| if row { 5 } else { scattered[16 + lane] });
                let texels = view.load_lanes(&x, &y, slice, level);
                for lane in 0..16 {
                    let expected = view.load([x[lane], y[lane]], slice, level);
                    assert_eq!(
                        texels.map(|component| component[lane]),
                        expected,
                        "{format:?} {round} {lane}"
                    );
                }
            }
        }
    }
}

#[test]
fn steps_store_what_single_texels_do() {
    for format in PixelFormat::EACH {
        let shape = shape(format, [37, 19], 1, 2);
        let (together, alone) = (filled(&shape), filled(&shape));
        for round in 0..6_u32 {
            let random: Vec<u32> = random_words(round).take(128).collect();
            let row = round % 2 == 0;
            let x = std::array::from_fn(|lane| if row { 2 + lane as u32 } else { random[lane] % 40 });
            let y = std::array::from_fn(|lane| if row { round } else { random[16 + lane] % 20 });
            let active =
                std::array::from_fn(|lane| if round < 3 || random[lane] & 64 == 0 { u32::MAX } else { 0 });
            let texels: [[u32; 16]; 4] = std::array::from_fn(|component| {
                std::array::from_fn(|lane| (random[32 + 16 * component + lane] as f32 / 3e9).to_bits())
            });
            view(&together, &shape).store_lanes(&x, &y, round % 3, &texels, &active);
            for lane in (0..16).filter(|&lane| active[lane] != 0) {
                let texel = texels.map(|component| component[lane]);
                view(&alone, &shape).store([x[lane], y[lane]], round % 3, texel);
            }
        }
        let read = |words: &[AtomicU32]| words.iter().map(|word| word.load(Relaxed)).collect::<Vec<_>>();
        assert!(read(&together) == read(&alone), "{format:?}");
    }
}

#[test]
fn steps_sample_what_single_places_are() {
    let modes =
        [AddressMode::ClampToEdge, AddressMode::Repeat, AddressMode::MirrorRepeat, AddressMode::ClampToZero];
    for format in
        [PixelFormat::Rgba8Unorm, PixelFormat::R8Unorm, PixelFormat::Rgba16Float, PixelFormat::R32Float]
    {
        let shape = shape(format, [13, 7], 3, 2);
        let words = filled(&shape);
        let view = view(&words, &shape);
        for round in 0..32_u32 {
            let random: Vec<u32> = random_words(round).take(48).collect();
            let place = |word: u32| ((word % 4096) as f32 / 1024.0 - 1.5).to_bits();
            let sampler = SamplerDescriptor {
                min_filter: if round % 2 == 0 { Filter::Linear } else { Filter::Nearest },
                mag_filter: if round % 3 == 0 { Filter::Linear } else { Filter::Nearest },
                mip_filter: [MipFilter::NotMipmapped, MipFilter::Nearest, MipFilter::Linear]
                    [round as usize % 3],
                s_address_mode: modes[round as usize % 4],
                t_address_mode: modes[round as usize / 4 % 4],
                compare_function: (round % 5 == 0).then_some(CompareFunction::Less),
                ..Default::default()
            };
            let x: [u32; 16] = std::array::from_fn(|lane| place(random[lane]));
            let y: [u32; 16] = std::array::from_fn(|lane| place(random[16 + lane]));
            let reference: [u32; 16] = std::array::from_fn(|lane| (random[32 + lane] as f32 / 4e9).to_bits());
            let has_reference = sampler.compare_function.is_some();
            let (level, offset) = (round as f32 / 9.0 - 0.5, [round as i32 % 3 - 1, 1]);
            let slice = round as i32 % 4 - 1;
            let found = view.sample_lanes(
                &sampler,
                [&x, &y],
                slice,
                level,
                offset,
                has_reference.then_some(&reference),
            );
            for lane in 0..16 {
                let at = [f32::from_bits(x[lane]), f32::from_bits(y[lane])];
                let reference = has_reference.then_some(f32::from_bits(reference[lane]));
                let expected = view.sample(&sampler, at, slice, level, offset, reference);
                assert_eq!(found.map(|component| component[lane]), expected, "{format:?} {round} {lane}");
            }
        }
    }
}
