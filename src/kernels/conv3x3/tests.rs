use super::super::testing::{assert_close, on_every_instruction_set, random};
use super::*;
use candle_core::Device;

/// Images, height, width, channels in and out, stride, padding before and after.
type Case = ([usize; 5], usize, (usize, usize));

fn layer(inputs: usize, outputs: usize, stride: usize, padding: Padding) -> Result<Conv3x3> {
    Conv3x3::new(
        &random(1.0, &[outputs, inputs, 3, 3]),
        Some(&random(2.0, &[outputs])),
        Activation::Relu,
        stride,
        padding,
    )
}

fn check(cases: &[Case]) -> Result<()> {
    on_every_instruction_set(|| {
        for &([images, height, width, inputs, outputs], stride, (before, after)) in cases {
            let layer = layer(inputs, outputs, stride, Padding::new(before, after))?;
            let xs = random(3.0, &[images, height, width, inputs]);
            assert_close(&layer.forward(&xs)?, &layer.plain(&xs)?, 1e-5)?;
            let (scale, shift) = (random(4.0, &[outputs]), random(5.0, &[outputs]));
            let layer = layer.with_affine(&scale, &shift)?;
            assert_close(&layer.forward(&xs)?, &layer.plain(&xs)?, 1e-5)?;
        }
        Ok(())
    })
}

#[test]
fn directly_it_is_candle_s_convolution() -> Result<()> {
    check(&[
        ([1, 33, 31, 3, 32], 2, (0, 1)),
        ([2, 14, 9, 5, 7], 2, (1, 1)),
        ([3, 8, 8, 17, 33], 1, (1, 1)),
        ([1, 3, 3, 40, 40], 1, (0, 0)),
        ([1, 10, 11, 4, 20], 3, (2, 0)),
    ])
}

#[test]
fn by_winograd_it_is_candle_s_convolution() -> Result<()> {
    check(&[
        ([1, 14, 14, 64, 48], 1, (1, 1)),
        ([2, 7, 9, 37, 41], 1, (1, 1)),
        ([1, 1, 1, 32, 32], 1, (1, 1)),
        // More tiles than are worked on at once.
        ([3, 30, 17, 32, 33], 1, (1, 1)),
    ])
}

#[test]
fn pixels_are_scaled_before_they_are_padded() -> Result<()> {
    let pixels = (random(3.0, &[2, 21, 20, 3]).affine(127.0, 128.0)?).to_dtype(DType::U8)?;
    let scaled = pixels
        .to_dtype(DType::F32)?
        .affine(1.0 / 128.0, -127.0 / 128.0)?;
    let layer = layer(3, 8, 2, Padding::new(0, 1))?;
    let found = layer.forward_pixels(&pixels, 1.0 / 128.0, -127.0 / 128.0)?;
    assert_close(&found, &layer.plain(&scaled)?, 1e-5)
}

#[test]
fn says_what_does_not_fit() -> Result<()> {
    let layer = layer(3, 8, 2, Padding::default())?;
    let message = layer
        .forward(&random(1.0, &[1, 9, 9, 4]))
        .unwrap_err()
        .to_string();
    assert!(message.contains("3 channels was given 4"), "{message}");
    let message = layer
        .forward(&random(1.0, &[1, 2, 9, 3]))
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("2x9 is smaller than the window"),
        "{message}"
    );
    assert!(
        layer
            .forward_pixels(&random(1.0, &[1, 9, 9, 3]), 1.0, 0.0)
            .is_err()
    );
    assert!(
        layer
            .with_affine(&random(1.0, &[3]), &random(1.0, &[8]))
            .is_err()
    );
    Ok(())
}

/// The convolution of stride 1 and padding 1 by its definition, in 64 bits.
fn by_definition(xs: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    let (images, height, width, inputs) = xs.dims4()?;
    let outputs = weight.dim(0)?;
    let numbers = |tensor: &Tensor| -> Result<Vec<f64>> {
        tensor.to_dtype(DType::F64)?.flatten_all()?.to_vec1()
    };
    // Weights of a tap side by side, so that the innermost loop reads both factors in order.
    let weight = numbers(&weight.permute((2, 3, 0, 1))?)?;
    let (xs, bias) = (numbers(xs)?, numbers(bias)?);
    let mut result = Vec::with_capacity(images * height * width * outputs);
    for place in 0..images * height * width {
        let (y, x) = (place / width % height, place % width);
        for output in 0..outputs {
            let mut sum = bias[output];
            for tap in 0..9 {
                let (row, column) = (y + tap / 3, x + tap % 3);
                if !(1..=height).contains(&row) || !(1..=width).contains(&column) {
                    continue;
                }
                let pixel = place / (height * width) * height * width;
                let pixel = pixel + (row - 1) * width + column - 1;
                let values = &xs[pixel * inputs..(pixel + 1) * inputs];
                let weights = &weight[(tap * outputs + output) * inputs..][..inputs];
                sum += values.iter().zip(weights).map(|(a, b)| a * b).sum::<f64>();
            }
            result.push(sum.max(0.0) as f32);
        }
    }
    let shape = (images, height, width, outputs);
    Tensor::from_vec(result, shape, &Device::Cpu)
}

#[test]
fn in_large_tiles_it_is_the_convolution() -> Result<()> {
    // Images, height, width, channels in and out.
    let sizes = [
        [1, 14, 14, 64, 48],
        [1, 7, 9, 37, 41],
        [1, 1, 1, 32, 32],
        [1, 6, 5, 512, 64],
        [1, 5, 6, 64, 512],
        // Too few channels for tiles.
        [2, 9, 12, 3, 64],
        // Tiles enough for each thread to work on some of its own.
        [3, 61, 42, 32, 33],
    ];
    on_every_instruction_set(|| {
        for [images, height, width, inputs, outputs] in sizes {
            let weight = random(1.0, &[outputs, inputs, 3, 3]);
            let (bias, xs) = (
                random(2.0, &[outputs]),
                random(3.0, &[images, height, width, inputs]),
            );
            let layer = Conv3x3::in_large_tiles(&weight, Some(&bias), Activation::Relu)?;
            let expected = by_definition(&xs, &weight, &bias)?;
            assert_close(&layer.forward(&xs)?, &expected, 3e-5)?;
            assert_close(&layer.plain(&xs)?, &expected, 3e-5)?;
        }
        Ok(())
    })
}

#[test]
#[should_panic = "values of whole images"]
fn directly_a_missing_pixel_is_refused() {
    let set = InstructionSet::detect();
    let matrix = PackedMatrix::new(set, 9, 2, |_, _| 1.0, None, Activation::None);
    let window = Window {
        kernel: 3,
        stride: 1,
        padding: Padding::same(1),
    };
    let packed = Packed::Direct(matrix.clone());
    let operator = Operator {
        packed: &packed,
        window,
        scale: Scale::NONE,
    };
    operator.direct(&matrix, Values::Floats(&[1.0; 5]), 1, (2, 3), (2, 3));
}

#[test]
#[should_panic = "values of whole images"]
fn by_winograd_a_missing_pixel_is_refused() {
    let kind = (InstructionSet::detect(), TileSize::Two);
    let layer = PackedWinograd::new(kind, [1, 1], &[1.0; 9], None, Activation::None, None);
    layer.forward(&[1.0; 5], 1, (2, 3));
}
