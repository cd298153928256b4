//! A coarser grid of regions: adaptive average pooling, as PyTorch's `adaptive_avg_pool2d` does it.

use std::ops::Range;

use candle_core::{Result, Tensor};

/// The places that bin `i` of `bins` averages, of `length`.
fn bin(i: usize, bins: usize, length: usize) -> Range<usize> {
    i * length / bins..((i + 1) * length).div_ceil(bins)
}

/// The regions of a grid of `rows` x `columns` that region `region` of a grid of `side` x `side`
/// averages; both count row by row.
pub fn regions_of(region: usize, side: usize, [rows, columns]: [usize; 2]) -> Vec<usize> {
    let across = bin(region % side, side, columns);
    bin(region / side, side, rows)
        .flat_map(|row| across.clone().map(move |column| row * columns + column))
        .collect()
}

/// `[N, h, w, C]` as `[N, side, side, C]`, differentiable.
///
/// # Errors
/// Those of candle's operators.
pub fn coarser(xs: &Tensor, side: usize) -> Result<Tensor> {
    let (photos, rows, columns, channels) = xs.dims4()?;
    if (rows, columns) == (side, side) {
        return Ok(xs.clone());
    }
    let regions = rows * columns;
    let mut shares = vec![0f32; side * side * regions];
    for (region, shares) in shares.chunks_mut(regions).enumerate() {
        let averaged = regions_of(region, side, [rows, columns]);
        for &place in &averaged {
            shares[place] = 1.0 / averaged.len() as f32;
        }
    }
    let shares = Tensor::from_vec(shares, (side * side, regions), xs.device())?;
    let flat = xs.reshape((photos, regions, channels))?;
    let pooled = shares.broadcast_matmul(&flat)?;
    pooled.reshape((photos, side, side, channels))
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn bins_are_pytorchs() {
        // adaptive_avg_pool1d of 14 places to 4.
        let bins: Vec<Range<usize>> = (0..4).map(|i| bin(i, 4, 14)).collect();
        assert_eq!(bins, [0..4, 3..7, 7..11, 10..14]);
    }

    #[test]
    fn a_coarser_region_is_the_mean_of_its_regions() -> Result<()> {
        let values: Vec<f32> = (0..2 * 4 * 4).map(|i| i as f32).collect();
        let xs = Tensor::from_vec(values, (2, 4, 4, 1), &Device::Cpu)?;
        let pooled = coarser(&xs, 2)?.flatten_all()?.to_vec1::<f32>()?;
        assert_eq!(pooled, [2.5, 4.5, 10.5, 12.5, 18.5, 20.5, 26.5, 28.5]);
        assert_eq!(regions_of(3, 2, [4, 4]), [10, 11, 14, 15]);
        assert_eq!(coarser(&xs, 4)?.dims(), xs.dims());
        Ok(())
    }
}
