//! Linear equations with a symmetric positive definite matrix.

/// Solves A X = B for X, `[n, columns]` row by row, with A = L Lᵀ. `a` is `[n, n]`, of which the lower
/// half is read, `b` is `[n, columns]`. `None` where A is not positive definite.
pub(super) fn solve(mut a: Vec<f64>, mut b: Vec<f64>, n: usize) -> Option<Vec<f64>> {
    decompose(&mut a, n)?;
    let columns = b.len() / n.max(1);
    // L Y = B from the top, Lᵀ X = Y from the bottom: each row takes off those that are done.
    for i in 0..n {
        let (done, rest) = b.split_at_mut(i * columns);
        let row = &mut rest[..columns];
        for (j, other) in done.chunks_exact(columns).enumerate() {
            subtract(row, a[i * n + j], other);
        }
        divide(row, a[i * n + i]);
    }
    for i in (0..n).rev() {
        let (upper, done) = b.split_at_mut((i + 1) * columns);
        let row = &mut upper[i * columns..];
        for (j, other) in (i + 1..n).zip(done.chunks_exact(columns)) {
            subtract(row, a[j * n + i], other);
        }
        divide(row, a[i * n + i]);
    }
    Some(b)
}

/// L of A = L Lᵀ, `[n, n]` with zeros above its diagonal; `None` where A is not positive definite.
pub(super) fn lower(mut a: Vec<f64>, n: usize) -> Option<Vec<f64>> {
    decompose(&mut a, n)?;
    for (i, row) in a.chunks_exact_mut(n).enumerate() {
        row[i + 1..].fill(0.0);
    }
    Some(a)
}

/// Puts L in the place of A's lower half.
fn decompose(a: &mut [f64], n: usize) -> Option<()> {
    for i in 0..n {
        let (above, rest) = a.split_at_mut(i * n);
        let row = &mut rest[..=i];
        for j in 0..i {
            let other = &above[j * n..=j * n + j];
            row[j] = (row[j] - dot(&row[..j], &other[..j])) / other[j];
        }
        let square = row[i] - dot(&row[..i], &row[..i]);
        // Not a number fails as well.
        if !(square > 0.0 && square.is_finite()) {
            return None;
        }
        row[i] = square.sqrt();
    }
    Some(())
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn subtract(row: &mut [f64], factor: f64, other: &[f64]) {
    for (value, other) in row.iter_mut().zip(other) {
        *value -= factor * other;
    }
}

fn divide(row: &mut [f64], by: f64) {
    for value in row {
        *value /= by;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_solution_solves_the_equations() {
        // A = M Mᵀ + I of a matrix M without symmetry of its own.
        let m = |i: usize, j: usize| ((3 * i + 7 * j + 1) % 11) as f64 - 4.0;
        let n = 6;
        let mut a = vec![0.0; n * n];
        for i in 0..n {
            for j in 0..n {
                a[i * n + j] = (0..n).map(|k| m(i, k) * m(j, k)).sum::<f64>();
            }
            a[i * n + i] += 1.0;
        }
        let b: Vec<f64> = (0..n * 3).map(|i| (i % 5) as f64 - 1.5).collect();
        let x = solve(a.clone(), b.clone(), n).expect("positive definite");
        for i in 0..n {
            for c in 0..3 {
                let found: f64 = (0..n).map(|j| a[i * n + j] * x[j * 3 + c]).sum();
                assert!((found - b[i * 3 + c]).abs() < 1e-10, "{found}");
            }
        }
    }

    #[test]
    fn what_is_not_positive_definite_is_refused() {
        assert_eq!(solve(vec![1.0, 2.0, 2.0, 1.0], vec![0.0; 2], 2), None);
        assert_eq!(solve(vec![f64::NAN], vec![1.0], 1), None);
    }
}
