//! Which labels lie nearest to another in the space of label vectors.

use candle_core::{DType, Result, Tensor};

/// The `n` rows of `labels` `[L, D]` with the largest cosine to `vector` (`[D]` or `[1, D]`), as
/// (row, cosine), the nearest first; equal cosines keep the order of the rows. Rows need no
/// normalisation; a row of zeros has cosine 0.
///
/// # Errors
/// Where the widths D differ or a tensor operation fails.
pub fn neighbours(vector: &Tensor, labels: &Tensor, n: usize) -> Result<Vec<(usize, f32)>> {
    let vector = vector.to_dtype(DType::F32)?.flatten_all()?;
    let labels = labels.to_dtype(DType::F32)?;
    let products = labels.matmul(&vector.unsqueeze(1)?)?.squeeze(1)?;
    let products = products.to_vec1::<f32>()?;
    let norms = labels.sqr()?.sum(1)?.sqrt()?.to_vec1::<f32>()?;
    let vector_norm = vector.sqr()?.sum_all()?.sqrt()?.to_scalar::<f32>()?;

    let mut found: Vec<(usize, f32)> = products
        .iter()
        .zip(&norms)
        .map(|(product, norm)| product / (norm * vector_norm).max(f32::MIN_POSITIVE))
        .enumerate()
        .collect();
    found.sort_by(|a, b| b.1.total_cmp(&a.1));
    found.truncate(n);
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn nearest_first_by_cosine_not_by_product() -> Result<()> {
        let labels = [[0f32, 9.0], [1.0, 0.0], [5.0, 5.0], [0.0, 0.0], [-1.0, 0.0]];
        let labels = Tensor::new(&labels, &Device::Cpu)?;
        let vector = Tensor::new(&[2f32, 0.0], &Device::Cpu)?;
        let found = neighbours(&vector, &labels, 4)?;
        let rows: Vec<usize> = found.iter().map(|f| f.0).collect();
        assert_eq!(rows, [1, 2, 0, 3]);
        let cosines = [1.0, 0.5f32.sqrt(), 0.0, 0.0];
        for ((_, cosine), expected) in found.iter().zip(cosines) {
            assert!((cosine - expected).abs() < 1e-6, "{found:?}");
        }
        assert_eq!(neighbours(&vector.unsqueeze(0)?, &labels, 99)?.len(), 5);
        Ok(())
    }

    #[test]
    fn widths_must_agree() -> Result<()> {
        let labels = Tensor::zeros((3, 4), DType::F32, &Device::Cpu)?;
        let vector = Tensor::zeros(5, DType::F32, &Device::Cpu)?;
        assert!(neighbours(&vector, &labels, 1).is_err());
        Ok(())
    }
}
