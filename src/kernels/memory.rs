//! Memory the kernels work in: aligned, reused between calls, shared between threads by address.

use candle_core::{CpuStorage, Layout, Result, Storage, Tensor, bail};
use std::cell::RefCell;

/// Sixteen floats on a boundary of 64 bytes: one cache line, the widest vector.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; 16]);

/// Floats that start on a cache line, so that no vector read straddles two.
#[derive(Clone, Default)]
pub(crate) struct Aligned {
    lines: Vec<Line>,
}

impl Aligned {
    /// At least `length` zeros.
    pub(crate) fn zeros(length: usize) -> Self {
        Self {
            lines: vec![Line([0.0; 16]); length.div_ceil(16)],
        }
    }

    /// All of it, a multiple of sixteen floats.
    pub(crate) fn as_mut_slice(&mut self) -> &mut [f32] {
        // SAFETY: a Line is sixteen floats without padding.
        unsafe {
            std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.lines.len() * 16)
        }
    }

    /// Address of the first float.
    pub(crate) fn as_ptr(&self) -> *const f32 {
        self.lines.as_ptr().cast()
    }

    /// The values of `from`, followed by zeros to `length`.
    pub(crate) fn padded(from: &[f32], length: usize) -> Self {
        let mut aligned = Self::zeros(length.max(from.len()));
        aligned.as_mut_slice()[..from.len()].copy_from_slice(from);
        aligned
    }
}

thread_local! {
    static SCRATCH: RefCell<Vec<Aligned>> = const { RefCell::new(Vec::new()) };
}

/// Lends `work` at least `length` floats of this thread's scratch memory, with whatever an earlier
/// call left in them. Calls may nest.
///
/// The memory stays with the thread: asking the system for fresh pages costs more than many of the
/// kernels themselves.
pub(crate) fn with_scratch<T>(length: usize, work: impl FnOnce(&mut [f32]) -> T) -> T {
    let mut buffer = SCRATCH
        .with_borrow_mut(Vec::pop)
        .filter(|buffer| buffer.lines.len() * 16 >= length)
        .unwrap_or_else(|| Aligned::zeros(length));
    let result = work(&mut buffer.as_mut_slice()[..length]);
    SCRATCH.with_borrow_mut(|buffers| buffers.push(buffer));
    result
}

/// An address that several threads write through, each to places of its own.
#[derive(Clone, Copy)]
pub(crate) struct SharedMut(pub(crate) *mut f32);

// SAFETY: only an address; every write through it is `unsafe` and vouched for where it is made.
unsafe impl Send for SharedMut {}
// SAFETY: as above.
unsafe impl Sync for SharedMut {}

impl SharedMut {
    /// The address `offset` floats further.
    ///
    /// # Safety
    /// It lies in the same allocation.
    pub(crate) unsafe fn at(self, offset: usize) -> *mut f32 {
        // SAFETY: passed on to the caller.
        unsafe { self.0.add(offset) }
    }
}

/// Lets `fill` write all `length` floats of a fresh vector, which is not zeroed first.
///
/// # Safety
/// `fill` writes every float.
pub(crate) unsafe fn filled(length: usize, fill: impl FnOnce(SharedMut)) -> Vec<f32> {
    let mut values = Vec::with_capacity(length);
    fill(SharedMut(values.as_mut_ptr()));
    // SAFETY: the capacity is there and the caller vouches that `fill` wrote it all.
    unsafe { values.set_len(length) };
    values
}

/// The floats of a contiguous tensor in main memory.
///
/// # Errors
/// The tensor is not f32 or not contiguous.
pub(crate) fn contiguous<'a>(
    name: &str,
    storage: &'a CpuStorage,
    layout: &Layout,
) -> Result<&'a [f32]> {
    let CpuStorage::F32(values) = storage else {
        bail!("{name} works on f32 tensors: convert the input first");
    };
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&values[start..end]),
        None => bail!("{name} works on contiguous tensors: call contiguous() first"),
    }
}

/// Lends `work` the floats of a tensor in main memory.
///
/// # Errors
/// The tensor is not f32, or those of `work`.
pub(crate) fn read<T>(
    name: &str,
    tensor: &Tensor,
    work: impl FnOnce(&[f32]) -> Result<T>,
) -> Result<T> {
    let tensor = tensor.contiguous()?;
    let (storage, layout) = tensor.storage_and_layout();
    let Storage::Cpu(storage) = &*storage else {
        bail!("{name} works in main memory");
    };
    work(contiguous(name, storage, layout)?)
}

/// Keeps the memory of freed tensors for the next ones, for the rest of the program's life.
///
/// A training step frees and allocates gigabytes in blocks of some ten megabytes. The system's
/// allocator gives such blocks back at once, and gets them anew page by page: a third of a step's
/// time. What this asks for is more memory held between steps than in use.
pub fn keep_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        const LARGEST: libc::c_int = 1 << 30;
        // SAFETY: mallopt only sets numbers of the allocator, under its own lock; one that it does
        // not take leaves it as it is.
        unsafe {
            libc::mallopt(libc::M_MMAP_THRESHOLD, LARGEST);
            libc::mallopt(libc::M_TRIM_THRESHOLD, libc::c_int::MAX);
        }
    }
}
