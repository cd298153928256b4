//! Vectors of `f32` lanes: one arithmetic, three instruction sets, chosen when the program runs.
//!
//! A kernel is written once, generic over [`Lanes`], and [`instruction_set_entry!`] compiles it for
//! every instruction set and picks the best one the processor has.

mod portable;
#[cfg(target_arch = "x86_64")]
mod x86;

pub(crate) use portable::Portable;
#[cfg(target_arch = "x86_64")]
pub(crate) use x86::{Avx2, Avx512};

use half::f16;

/// An instruction set that this processor has: nothing but its detection makes one, so that whoever
/// holds one may run what is compiled for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InstructionSet(Kind);

/// The instruction sets the kernels are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Whatever the compiler targets by default.
    Portable,
    /// 256-bit vectors with fused multiply-add and half precision.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// 512-bit vectors.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl InstructionSet {
    /// The widest one this processor has.
    pub(crate) fn detect() -> Self {
        #[cfg(test)]
        if let Some(set) = super::testing::forced_instruction_set() {
            return set;
        }
        *Self::available().last().unwrap_or(&Self(Kind::Portable))
    }

    /// Everything this processor can run, narrowest first.
    pub(crate) fn available() -> Vec<Self> {
        let mut sets = vec![Self(Kind::Portable)];
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("f16c")
        {
            sets.push(Self(Kind::Avx2));
            if is_x86_feature_detected!("avx512f") {
                sets.push(Self(Kind::Avx512));
            }
        }
        sets
    }

    /// Which one it is.
    pub(crate) fn kind(self) -> Kind {
        self.0
    }

    /// The one for a matrix of `columns`: narrower vectors where wide ones would be padded by more
    /// than an eighth.
    pub(crate) fn for_columns(self, columns: usize) -> Self {
        match self.0 {
            // A processor with the wider one was found to have the narrower one before.
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 if columns.next_multiple_of(Avx512::WIDTH) * 8 > columns * 9 => {
                Self(Kind::Avx2)
            }
            _ => self,
        }
    }

    /// The most vectors of a register tile's row.
    pub(crate) fn widest_panel(self) -> usize {
        let rows = match self.0 {
            Kind::Portable => Portable::TILE_ROWS,
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => Avx2::TILE_ROWS,
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => Avx512::TILE_ROWS,
        };
        rows.iter().filter(|&&rows| rows > 0).count()
    }

    /// Lanes of one vector.
    pub(crate) fn width(self) -> usize {
        match self.0 {
            Kind::Portable => Portable::WIDTH,
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => Avx2::WIDTH,
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => Avx512::WIDTH,
        }
    }
}

/// A vector of `WIDTH` floats.
///
/// Every method must be inlined into a function compiled for the vector's instruction set, which is
/// why they are `unsafe`: the caller vouches that the processor has it, and that every pointer is
/// valid for the lanes read or written (no alignment is needed).
pub(crate) trait Lanes: Copy {
    /// Number of lanes.
    const WIDTH: usize;
    /// The most rows of a register tile of one, two and three vectors; 0 where that many vectors
    /// would not leave registers enough.
    const TILE_ROWS: [usize; 3];

    unsafe fn splat(value: f32) -> Self;
    unsafe fn load(from: *const f32) -> Self;
    /// Reads `WIDTH` numbers of half precision.
    unsafe fn load_half(from: *const f16) -> Self;
    /// Reads `count` < `WIDTH` lanes; the others are zero.
    unsafe fn load_first(from: *const f32, count: usize) -> Self;
    unsafe fn store(self, to: *mut f32);
    /// Writes only the first `count` < `WIDTH` lanes.
    unsafe fn store_first(self, to: *mut f32, count: usize);
    unsafe fn add(self, other: Self) -> Self;
    unsafe fn sub(self, other: Self) -> Self;
    unsafe fn mul(self, other: Self) -> Self;
    /// `self · factor + addend`.
    unsafe fn mul_add(self, factor: Self, addend: Self) -> Self;
    /// The larger; `other` where either is not a number.
    unsafe fn max(self, other: Self) -> Self;
    /// The smaller; `other` where either is not a number.
    unsafe fn min(self, other: Self) -> Self;
    /// 2 to the power of lanes that hold whole numbers in -126..=127.
    unsafe fn two_to_whole(self) -> Self;

    /// Largest lane.
    #[inline(always)]
    unsafe fn largest(self) -> f32 {
        let mut lanes = [f32::NEG_INFINITY; 16];
        // SAFETY: no vector is wider than 16 lanes.
        unsafe { self.store(lanes.as_mut_ptr()) };
        lanes.iter().fold(f32::NEG_INFINITY, |a, &b| a.max(b))
    }

    /// Sum of the lanes.
    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        let mut lanes = [0.0; 16];
        // SAFETY: no vector is wider than 16 lanes.
        unsafe { self.store(lanes.as_mut_ptr()) };
        lanes.iter().sum()
    }

    /// Reads `count` lanes, all of them if it is at least `WIDTH`.
    #[inline(always)]
    unsafe fn load_up_to(from: *const f32, count: usize) -> Self {
        // SAFETY: the caller vouches for min(count, WIDTH) lanes.
        unsafe {
            if count >= Self::WIDTH {
                Self::load(from)
            } else {
                Self::load_first(from, count)
            }
        }
    }

    /// Writes `count` lanes, all of them if it is at least `WIDTH`.
    #[inline(always)]
    unsafe fn store_up_to(self, to: *mut f32, count: usize) {
        // SAFETY: the caller vouches for min(count, WIDTH) lanes.
        unsafe {
            if count >= Self::WIDTH {
                self.store(to)
            } else {
                self.store_first(to, count)
            }
        }
    }

    /// e to the power of each lane, for lanes at most 0; relative error below 1e-6, and lanes below
    /// -87 give (almost) zero.
    ///
    /// x = n·ln 2 + r with n whole, so eˣ = 2ⁿ·eʳ, and eʳ is a Taylor polynomial on |r| ≤ ln 2 / 2.
    #[inline(always)]
    unsafe fn exp_of_negative(self) -> Self {
        // Adding and taking away 1.5·2²³ rounds to a whole number.
        const ROUNDER: f32 = 12_582_912.0;
        const LN_2_HIGH: f32 = 0.693_359_4;
        const LN_2_LOW: f32 = -2.121_944_4e-4;
        // SAFETY: arithmetic on values only; the caller vouches for the instruction set.
        unsafe {
            let x = Self::splat(-87.0).max(self);
            let rounder = Self::splat(ROUNDER);
            let n = x
                .mul_add(Self::splat(std::f32::consts::LOG2_E), rounder)
                .sub(rounder);
            let r = n.mul_add(Self::splat(-LN_2_HIGH), x);
            let r = n.mul_add(Self::splat(-LN_2_LOW), r);
            let mut polynomial = Self::splat(1.0 / 720.0);
            for coefficient in [1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
                polynomial = polynomial.mul_add(r, Self::splat(coefficient));
            }
            polynomial.mul(n.two_to_whole())
        }
    }
}

/// Defines `unsafe fn $name(set: InstructionSet, …)` that runs the generic kernel `$body::<L>(…)`
/// compiled for that instruction set.
macro_rules! instruction_set_entry {
    ($(#[$attribute:meta])* $name:ident => $body:ident($($argument:ident: $kind:ty),* $(,)?)) => {
        $(#[$attribute])*
        ///
        /// # Safety
        /// The generic kernel's own demands hold.
        unsafe fn $name(set: $crate::kernels::lanes::InstructionSet, $($argument: $kind),*) {
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx2,fma,f16c")]
            unsafe fn avx512($($argument: $kind),*) {
                // SAFETY: passed on to the caller.
                unsafe { $body::<$crate::kernels::lanes::Avx512>($($argument),*) }
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma,f16c")]
            unsafe fn avx2($($argument: $kind),*) {
                // SAFETY: passed on to the caller.
                unsafe { $body::<$crate::kernels::lanes::Avx2>($($argument),*) }
            }
            // SAFETY: the processor has the set; the rest is passed on to the caller.
            unsafe {
                match set.kind() {
                    #[cfg(target_arch = "x86_64")]
                    $crate::kernels::lanes::Kind::Avx512 => avx512($($argument),*),
                    #[cfg(target_arch = "x86_64")]
                    $crate::kernels::lanes::Kind::Avx2 => avx2($($argument),*),
                    $crate::kernels::lanes::Kind::Portable => {
                        $body::<$crate::kernels::lanes::Portable>($($argument),*)
                    }
                }
            }
        }
    };
}
pub(crate) use instruction_set_entry;

#[cfg(test)]
mod tests {
    use super::*;

    #[inline(always)]
    unsafe fn exponentials<L: Lanes>(values: &mut [f32]) {
        for chunk in values.chunks_mut(L::WIDTH) {
            // SAFETY: the chunk holds chunk.len() lanes.
            unsafe {
                L::load_up_to(chunk.as_ptr(), chunk.len())
                    .exp_of_negative()
                    .store_up_to(chunk.as_mut_ptr(), chunk.len());
            }
        }
    }
    instruction_set_entry!(
        /// Exponentials in place.
        exponentials_entry => exponentials(values: &mut [f32])
    );

    #[test]
    fn exponential_is_accurate_on_every_instruction_set() {
        for set in InstructionSet::available() {
            let arguments: Vec<f32> = (0..=8_003).map(|i| -(i as f32) * 0.01).collect();
            let mut values = arguments.clone();
            // SAFETY: the set is available.
            unsafe { exponentials_entry(set, &mut values) };
            for (&x, &value) in arguments.iter().zip(&values) {
                let exact = f64::from(x).exp();
                assert!(
                    (f64::from(value) - exact).abs() <= 1e-6 * exact,
                    "{set:?}: exp({x}) = {value}, not {exact}"
                );
            }
        }
    }
}
