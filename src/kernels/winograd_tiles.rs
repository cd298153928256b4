//! The transforms of Winograd's minimal filtering along one side of a tile, for two sizes of tile
//! (Lavin and Gray, CVPR 2016, sections 4.1 and 4.3). Along both sides they give
//! F(m x m, 3x3) = Aᵀ [(G g Gᵀ) ∘ (Bᵀ d B)] A.

use super::lanes::Lanes;

/// How many output pixels a tile has along each side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TileSize {
    /// 16 multiplications for four pixels, where the definition takes 36.
    Two,
    /// 36 multiplications for sixteen pixels, where the definition takes 144; the weights take four
    /// times their memory, and rounding errors are a few times larger.
    Four,
}

impl TileSize {
    /// Output pixels along a side.
    pub(crate) fn pixels(self) -> usize {
        match self {
            Self::Two => 2,
            Self::Four => 4,
        }
    }

    /// Places of a transformed tile.
    pub(crate) fn places(self) -> usize {
        (self.pixels() + 2).pow(2)
    }
}

/// Filtering of `T` values by three weights to `M` = `T` - 2 values.
///
/// The methods on vectors must be inlined into a function compiled for their instruction set, and
/// the caller vouches that the processor has it.
pub(crate) trait Filtering<const T: usize, const M: usize> {
    /// G g.
    fn weights(g: [f32; 3]) -> [f32; T];
    /// Bᵀ d.
    unsafe fn input<L: Lanes>(d: [L; T]) -> [L; T];
    /// Aᵀ m.
    unsafe fn output<L: Lanes>(m: [L; T]) -> [L; M];
}

/// F(2, 3), with the points 0, 1, -1 and infinity.
pub(crate) struct Two;

impl Filtering<4, 2> for Two {
    /// G = [1 0 0; ½ ½ ½; ½ -½ ½; 0 0 1].
    fn weights([a, b, c]: [f32; 3]) -> [f32; 4] {
        let (even, odd) = ((a + c) * 0.5, b * 0.5);
        [a, even + odd, even - odd, c]
    }

    /// Bᵀ = [1 0 -1 0; 0 1 1 0; 0 -1 1 0; 0 1 0 -1].
    #[inline(always)]
    unsafe fn input<L: Lanes>(d: [L; 4]) -> [L; 4] {
        // SAFETY: values only; the caller vouches for the instruction set.
        unsafe {
            [
                d[0].sub(d[2]),
                d[1].add(d[2]),
                d[2].sub(d[1]),
                d[1].sub(d[3]),
            ]
        }
    }

    /// Aᵀ = [1 1 1 0; 0 1 -1 -1].
    #[inline(always)]
    unsafe fn output<L: Lanes>(m: [L; 4]) -> [L; 2] {
        // SAFETY: values only; the caller vouches for the instruction set.
        unsafe { [m[0].add(m[1]).add(m[2]), m[1].sub(m[2]).sub(m[3])] }
    }
}

/// F(4, 3), with the points 0, 1, -1, 2, -2 and infinity.
pub(crate) struct Four;

impl Filtering<6, 4> for Four {
    /// G = [¼ 0 0; -⅙ -⅙ -⅙; -⅙ ⅙ -⅙; 1/24 1/12 ⅙; 1/24 -1/12 ⅙; 0 0 1].
    fn weights([a, b, c]: [f32; 3]) -> [f32; 6] {
        let (even, odd) = ((a + c) / -6.0, b / -6.0);
        let (wide_even, wide_odd) = (a / 24.0 + c / 6.0, b / 12.0);
        [
            a * 0.25,
            even + odd,
            even - odd,
            wide_even + wide_odd,
            wide_even - wide_odd,
            c,
        ]
    }

    /// Bᵀ = [4 0 -5 0 1 0; 0 -4 -4 1 1 0; 0 4 -4 -1 1 0; 0 -2 -1 2 1 0; 0 2 -1 -2 1 0; 0 4 0 -5 0 1].
    #[inline(always)]
    unsafe fn input<L: Lanes>(d: [L; 6]) -> [L; 6] {
        // SAFETY: values only; the caller vouches for the instruction set.
        unsafe {
            let (two, four) = (L::splat(2.0), L::splat(4.0));
            let (minus_four, minus_five) = (L::splat(-4.0), L::splat(-5.0));
            let even = d[2].mul_add(minus_four, d[4]);
            let odd = d[1].mul_add(minus_four, d[3]);
            let wide_even = d[4].sub(d[2]);
            let wide_odd = d[3].sub(d[1]).mul(two);
            [
                d[0].mul_add(four, d[2].mul_add(minus_five, d[4])),
                even.add(odd),
                even.sub(odd),
                wide_even.add(wide_odd),
                wide_even.sub(wide_odd),
                d[1].mul_add(four, d[3].mul_add(minus_five, d[5])),
            ]
        }
    }

    /// Aᵀ = [1 1 1 1 1 0; 0 1 -1 2 -2 0; 0 1 1 4 4 0; 0 1 -1 8 -8 1].
    #[inline(always)]
    unsafe fn output<L: Lanes>(m: [L; 6]) -> [L; 4] {
        // SAFETY: values only; the caller vouches for the instruction set.
        unsafe {
            let (even, odd) = (m[1].add(m[2]), m[1].sub(m[2]));
            let (wide_even, wide_odd) = (m[3].add(m[4]), m[3].sub(m[4]));
            [
                m[0].add(even).add(wide_even),
                wide_odd.mul_add(L::splat(2.0), odd),
                wide_even.mul_add(L::splat(4.0), even),
                wide_odd.mul_add(L::splat(8.0), odd).add(m[5]),
            ]
        }
    }
}

/// G g Gᵀ of a window of weights, `[3, 3]` to `[T, T]`.
pub(crate) fn transform_window<F: Filtering<T, M>, const T: usize, const M: usize>(
    window: &[f32],
) -> [[f32; T]; T] {
    let mut columns = [[0.0; 3]; T];
    for x in 0..3 {
        let along = F::weights([window[x], window[3 + x], window[6 + x]]);
        for (row, value) in columns.iter_mut().zip(along) {
            row[x] = value;
        }
    }
    columns.map(F::weights)
}

#[cfg(test)]
mod tests {
    use super::super::lanes::Portable;
    use super::*;

    /// Filtering of small whole numbers, which is exact.
    fn check<F: Filtering<T, M>, const T: usize, const M: usize>(scale: f32) {
        let g = [2.0, -3.0, 5.0].map(|weight: f32| weight * scale);
        let d: [f32; T] = std::array::from_fn(|i| ((i * i * 7) % 11) as f32 - 4.0);
        let weights = F::weights(g);
        // SAFETY: the portable vectors need nothing of the processor.
        let found = unsafe {
            let input = F::input(d.map(|value| Portable::splat(value)));
            let mut product = input;
            for (value, weight) in product.iter_mut().zip(weights) {
                *value = value.mul(Portable::splat(weight));
            }
            F::output(product).map(|value| value.largest())
        };
        for (i, found) in found.into_iter().enumerate() {
            let expected: f32 = (0..3).map(|tap| g[tap] * d[i + tap]).sum();
            assert!(
                (found - expected).abs() < 1e-4 * scale,
                "{found} {expected}"
            );
        }
    }

    #[test]
    fn both_sizes_filter() {
        check::<Two, 4, 2>(1.0);
        check::<Four, 6, 4>(24.0);
    }
}
