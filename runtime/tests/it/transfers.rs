//! Copies, fills and mip levels come out the same, however they are cut and whoever runs the pieces.
use fencepost::{
    BufferLayout, CpuOptions, Device, Error, PixelFormat, ResourceOptions, Schedule, TextureDescriptor,
    TexturePlace,
};

/// Larger than any piece, and no multiple of one.
const SIDE: u32 = 301;

fn place(level: u32, origin: [u32; 2]) -> TexturePlace {
    TexturePlace { level, slice: 0, origin }
}

/// A picture, copied about on the device, with all its levels: the bytes of the levels one after another.
fn copied(options: CpuOptions) -> Result<(Vec<u8>, Vec<u8>), Error> {
    let device = Device::cpu_with(options);
    let texels: Vec<u8> =
        (0..SIDE * SIDE * 4).map(|byte| (byte.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let source = device.new_buffer_with_bytes(&texels, ResourceOptions::SHARED)?;
    let moved = device.new_buffer(texels.len() as u64, ResourceOptions::SHARED)?;
    let descriptor = TextureDescriptor::new_2d(PixelFormat::Rgba8Unorm, SIDE, SIDE).with_all_mips();
    let (first, second) = (device.new_texture(&descriptor)?, device.new_texture(&descriptor)?);
    let levels: Vec<_> = (0..descriptor.mipmap_level_count)
        .map(|level| {
            let side = (SIDE >> level).max(1);
            device
                .new_buffer(u64::from(side * side * 4), ResourceOptions::SHARED)
                .map(|buffer| (side, buffer))
        })
        .collect::<Result<_, _>>()?;
    let work = device.new_command_queue().command_buffer();
    let mut blit = work.blit_command_encoder()?;
    blit.fill_buffer(&moved, .., 0xee)?;
    blit.copy_buffer(&source, 0, &moved, 0, texels.len() as u64)?;
    blit.copy_buffer_to_texture(
        &moved,
        BufferLayout::rows(u64::from(SIDE) * 4),
        &first,
        place(0, [0, 0]),
        [SIDE, SIDE],
    )?;
    for (origin, size) in [([0, 0], [SIDE, 100]), ([0, 100], [SIDE, SIDE - 100])] {
        blit.copy_texture_region(&first, place(0, origin), size, &second, place(0, origin))?;
    }
    blit.generate_mipmaps(&second)?;
    for (level, (side, buffer)) in levels.iter().enumerate() {
        let layout = BufferLayout::rows(u64::from(*side) * 4);
        blit.copy_texture_to_buffer(&second, place(level as u32, [0, 0]), [*side, *side], buffer, layout)?;
    }
    blit.end_encoding();
    work.commit()?;
    work.wait_until_completed()?;
    assert_eq!(levels[0].1.read::<u8>(..)?, texels, "{options:?}");
    let small = levels.iter().map(|(_, buffer)| buffer.read::<u8>(..)).collect::<Result<Vec<_>, _>>()?;
    Ok((texels, small.concat()))
}

#[test]
fn pieces_make_no_difference() -> Result<(), Error> {
    let alone = copied(CpuOptions { threads: 1, ..CpuOptions::default() })?;
    let average = |bytes: &[u8]| bytes.iter().map(|byte| f64::from(*byte)).sum::<f64>() / bytes.len() as f64;
    let last = &alone.1[alone.1.len() - 4..];
    assert!((average(last) - average(&alone.0)).abs() < 4.0, "the last level is the picture's average");
    assert!(copied(CpuOptions { threads: 4, ..CpuOptions::default() })? == alone, "four threads");
    for seed in 0..10 {
        let options = CpuOptions { schedule: Schedule::Adversarial(seed), ..CpuOptions::default() };
        assert!(copied(options)? == alone, "seed {seed}");
    }
    Ok(())
}
