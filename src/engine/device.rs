//! Which device the networks run on.

use candle_core::Device;
use serde::{Deserialize, Serialize};

#[cfg(feature = "cuda")]
use crate::files::first_line;
#[cfg(feature = "cuda")]
use crate::panics::quietly_caught;

/// The device that was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeviceChoice {
    /// The first CUDA GPU that works, else the CPU.
    #[default]
    Auto,
    Cpu,
    /// The CUDA GPU of this number, or an error.
    Cuda(usize),
}

/// A device that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    #[error("unknown device “{0}”: choose auto, cpu, cuda or cuda:N")]
    Unknown(String),
    #[error("no CUDA device {index}: {reason}; use --device cpu or --device auto")]
    Cuda { index: usize, reason: String },
}

impl std::str::FromStr for DeviceChoice {
    type Err = DeviceError;

    fn from_str(text: &str) -> Result<Self, DeviceError> {
        let unknown = || DeviceError::Unknown(text.to_owned());
        match text.trim().to_lowercase().as_str() {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            other => other
                .strip_prefix("cuda:")
                .and_then(|number| number.parse().ok())
                .map(Self::Cuda)
                .ok_or_else(unknown),
        }
    }
}

impl std::fmt::Display for DeviceChoice {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Auto => formatter.write_str("auto"),
            Self::Cpu => formatter.write_str("cpu"),
            Self::Cuda(index) => write!(formatter, "cuda:{index}"),
        }
    }
}

/// An open device with its name in words.
#[derive(Clone, Debug)]
pub struct OpenDevice {
    pub device: Device,
    /// `CPU, 2 threads` or `CUDA 0`.
    pub name: String,
    /// Why the CPU is used where a GPU might have been expected, in one line.
    pub note: Option<String>,
}

impl DeviceChoice {
    /// Opens the device. `Auto` never fails: it falls back to the CPU and says why.
    pub fn open(self) -> Result<OpenDevice, DeviceError> {
        match self {
            Self::Cpu => Ok(cpu(None)),
            Self::Cuda(index) => {
                open_cuda(index).map_err(|reason| DeviceError::Cuda { index, reason })
            }
            // Without the feature a GPU was never on offer: no news is no note.
            Self::Auto if cfg!(not(feature = "cuda")) => Ok(cpu(None)),
            Self::Auto => Ok(open_cuda(0).unwrap_or_else(|reason| {
                cpu(Some(format!(
                    "running on the CPU, since no CUDA GPU works: {reason}"
                )))
            })),
        }
    }
}

fn cpu(note: Option<String>) -> OpenDevice {
    let threads = rayon::current_num_threads();
    let plural = if threads == 1 { "" } else { "s" };
    OpenDevice {
        device: Device::Cpu,
        name: format!("CPU, {threads} thread{plural}"),
        note,
    }
}

#[cfg(not(feature = "cuda"))]
fn open_cuda(_index: usize) -> Result<OpenDevice, String> {
    Err("this program was built without CUDA (build it with --features cuda)".to_owned())
}

/// Opens a CUDA device and runs one small product on it, so that a GPU that exists but cannot
/// compute (driver too old, kernels for another architecture) is found out here.
#[cfg(feature = "cuda")]
fn open_cuda(index: usize) -> Result<OpenDevice, String> {
    // cudarc panics where a library that it loads at run time is missing or lacks a function.
    let attempt = quietly_caught(|| {
        let device = Device::new_cuda(index).map_err(|error| first_line(&error))?;
        let ones = candle_core::Tensor::ones((8, 8), candle_core::DType::F32, &device);
        ones.and_then(|ones| ones.matmul(&ones))
            .and_then(|product| product.sum_all()?.to_scalar::<f32>())
            .map_err(|error| first_line(&error))?;
        Ok(device)
    });
    match attempt {
        Ok(Ok(device)) => Ok(OpenDevice {
            device,
            name: format!("CUDA {index}"),
            note: None,
        }),
        Ok(Err(reason)) => Err(reason),
        Err(reason) => Err(format!("a CUDA library is missing or too old ({reason})")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_written_alike() {
        for name in ["auto", "cpu", "cuda:0", "cuda:3"] {
            assert_eq!(name.parse::<DeviceChoice>().expect(name).to_string(), name);
        }
        assert_eq!(
            "cuda".parse::<DeviceChoice>().expect("cuda"),
            DeviceChoice::Cuda(0)
        );
        let refusal = "gpu".parse::<DeviceChoice>().expect_err("gpu").to_string();
        assert!(
            refusal.contains("gpu") && refusal.contains("cuda:N"),
            "{refusal}"
        );
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn auto_always_opens_and_cuda_says_how_to_get_it() {
        assert!(DeviceChoice::Auto.open().is_ok());
        let refusal = DeviceChoice::Cuda(0)
            .open()
            .expect_err("no CUDA")
            .to_string();
        assert!(refusal.contains("--features cuda"), "{refusal}");
    }
}
