//! A run as it was at an epoch's end, on the disk.

use std::collections::{BTreeMap, HashMap};
use std::io::Write as _;
use std::path::Path;

use candle_core::{Device, Tensor};
use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};

use super::error::TrainError;
use crate::files::{first_line, read_bounded, write_atomically};

/// Largest checkpoint, in bytes: the paper's largest network three times, and room to spare.
const LIMIT: u64 = 4 << 30;
/// The metadata entry that holds [`TrainingProgress`]. One entry only: the order of several is not fixed.
const PROGRESS: &str = "progress";
const WEIGHT: &str = "weight.";
const MOMENTS: [&str; 2] = ["moment1.", "moment2."];

/// How far a run is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TrainingProgress {
    /// Epochs that are done.
    pub epochs: usize,
    /// Steps of the optimiser.
    pub steps: usize,
    /// Seconds spent so far, pauses left out.
    pub seconds: f64,
    /// Best F1@5 on the photos kept aside, where the run stops by it.
    pub best: Option<f64>,
    /// Epochs since the best.
    pub epochs_since_best: usize,
    /// What the run was asked, in short (SHA-256 of settings, labels and photos).
    pub run: String,
}

/// All that a run needs to go on as if it had never stopped. Generators are none of it: each is
/// started from the seed and the step it serves.
pub struct Checkpoint {
    pub progress: TrainingProgress,
    /// Weights and the norms' running statistics.
    pub tensors: BTreeMap<String, Tensor>,
    /// Adam's two moments of each weight.
    pub moments: BTreeMap<String, [Tensor; 2]>,
}

impl Checkpoint {
    /// Writes the checkpoint as a whole or not at all.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), TrainError> {
        let mut tensors: BTreeMap<String, Tensor> = BTreeMap::new();
        for (name, tensor) in &self.tensors {
            tensors.insert(format!("{WEIGHT}{name}"), tensor.clone());
        }
        for (name, pair) in &self.moments {
            for (prefix, moment) in MOMENTS.iter().zip(pair) {
                let moment = moment.to_device(&Device::Cpu)?;
                tensors.insert(format!("{prefix}{name}"), moment);
            }
        }
        let progress = serde_json::to_string(&self.progress).map_err(candle_core::Error::wrap)?;
        let metadata = HashMap::from([(PROGRESS.to_owned(), progress)]);
        let bytes =
            safetensors::serialize(&tensors, Some(metadata)).map_err(candle_core::Error::wrap)?;
        Ok(write_atomically(path, |writer| writer.write_all(&bytes))?)
    }

    /// Reads a checkpoint.
    ///
    /// # Errors
    /// A file that cannot be read or is none.
    pub fn read(path: &Path) -> Result<Self, TrainError> {
        let bytes = read_bounded(path, LIMIT)?;
        let refuse = |reason: String| TrainError::Checkpoint {
            path: path.to_owned(),
            reason: format!("not a checkpoint ({reason})"),
        };
        let (_, header) =
            SafeTensors::read_metadata(&bytes).map_err(|error| refuse(first_line(&error)))?;
        let progress = header
            .metadata()
            .as_ref()
            .and_then(|entries| entries.get(PROGRESS))
            .ok_or_else(|| refuse("it does not say how far the run was".to_owned()))?;
        let progress = serde_json::from_str(progress).map_err(|e| refuse(first_line(&e)))?;
        let mut tensors = BTreeMap::new();
        let mut moments: [BTreeMap<String, Tensor>; 2] = Default::default();
        let all = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu)
            .map_err(|error| refuse(first_line(&error)))?;
        for (name, tensor) in all {
            let [first, second] = &mut moments;
            for (prefix, group) in [
                (WEIGHT, &mut tensors),
                (MOMENTS[0], first),
                (MOMENTS[1], second),
            ] {
                if let Some(name) = name.strip_prefix(prefix) {
                    group.insert(name.to_owned(), tensor.clone());
                }
            }
        }
        let [first, mut second] = moments;
        let pairs = first.into_iter().map(|(name, first)| {
            let second = second.remove(&name);
            let second = second.ok_or_else(|| refuse(format!("no second moment of {name}")))?;
            Ok((name, [first, second]))
        });
        Ok(Self {
            progress,
            tensors,
            moments: pairs.collect::<Result<_, TrainError>>()?,
        })
    }

    /// The names of weights that hold something that is no number.
    ///
    /// # Errors
    /// Those of candle's operators.
    pub fn not_finite(&self) -> Result<Vec<&str>, TrainError> {
        let mut names = Vec::new();
        for (name, tensor) in &self.tensors {
            let values = tensor.flatten_all()?.to_vec1::<f32>()?;
            if !values.iter().all(|value| value.is_finite()) {
                names.push(name.as_str());
            }
        }
        Ok(names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint() -> Checkpoint {
        let tensor = |values: [f32; 2]| Tensor::new(&values, &Device::Cpu).unwrap();
        Checkpoint {
            progress: TrainingProgress {
                epochs: 2,
                steps: 17,
                seconds: 0.1,
                best: Some(1.0 / 3.0),
                epochs_since_best: 1,
                run: "ab".to_owned(),
            },
            tensors: BTreeMap::from([("fuse.weight".to_owned(), tensor([0.1, -1e-40]))]),
            moments: BTreeMap::from([(
                "fuse.weight".to_owned(),
                [tensor([1e-30, 2.0]), tensor([3.0, 4.0])],
            )]),
        }
    }

    fn bits(tensor: &Tensor) -> Vec<u32> {
        let values = tensor.to_vec1::<f32>().unwrap();
        values.into_iter().map(f32::to_bits).collect()
    }

    #[test]
    fn it_reads_back_bit_for_bit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("biam.checkpoint");
        let written = checkpoint();
        written.write(&path).unwrap();
        let read = Checkpoint::read(&path).unwrap();
        assert_eq!(read.progress, written.progress);
        let name = "fuse.weight";
        assert_eq!(bits(&read.tensors[name]), bits(&written.tensors[name]));
        for i in 0..2 {
            assert_eq!(
                bits(&read.moments[name][i]),
                bits(&written.moments[name][i])
            );
        }
        assert!(read.not_finite().unwrap().is_empty());
    }

    #[test]
    fn what_is_no_checkpoint_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("biam.checkpoint");
        std::fs::write(&path, b"not a checkpoint at all").unwrap();
        let refusal = Checkpoint::read(&path).err().unwrap().to_string();
        assert!(
            refusal.contains("biam.checkpoint: not a checkpoint"),
            "{refusal}"
        );
        let mut bytes = Vec::new();
        checkpoint().write(&path).unwrap();
        bytes.extend(&std::fs::read(&path).unwrap()[..200]);
        std::fs::write(&path, bytes).unwrap();
        assert!(Checkpoint::read(&path).is_err());
    }

    #[test]
    fn weights_that_are_no_numbers_are_found() {
        let mut checkpoint = checkpoint();
        let broken = Tensor::new(&[f32::INFINITY], &Device::Cpu).unwrap();
        checkpoint.tensors.insert("rcb.key.bias".to_owned(), broken);
        assert_eq!(checkpoint.not_finite().unwrap(), ["rcb.key.bias"]);
    }
}
