//! The networks of a bundle, and the views of its full one.

use std::collections::BTreeSet;

use candle_core::{DType, Tensor};
use rayon::prelude::*;

use super::BundleError;
use super::load::{BundleReader, TrainedVariant};
use super::manifest::VariantEntry;
use crate::backbone::{Covered, RegionFeatures};
use crate::model::{EncodeOptions, HeadFile, Takes};

impl BundleReader<'_> {
    /// The networks in the manifest's order. Those that share a file share its weights.
    pub(super) fn variants(&self) -> Result<Vec<TrainedVariant>, BundleError> {
        let entries = || self.manifest.variants.iter().enumerate();
        let files: BTreeSet<&str> = entries().map(|(_, entry)| entry.file.as_str()).collect();
        let files: Vec<&str> = files.into_iter().collect();
        let loaded: Result<Vec<_>, BundleError> = files
            .par_iter()
            .map(|file| {
                let entries = entries().filter(|(_, entry)| entry.file == *file);
                self.weights(file, |vb| {
                    let head = HeadFile::new(vb);
                    entries
                        .map(|(place, entry)| Ok((place, self.variant(place, entry, &head)?)))
                        .collect::<candle_core::Result<Vec<_>>>()
                })
            })
            .collect();
        let mut all: Vec<(usize, TrainedVariant)> = loaded?.into_iter().flatten().collect();
        all.sort_by_key(|(place, _)| *place);
        Ok(all.into_iter().map(|(_, trained)| trained).collect())
    }

    fn variant(
        &self,
        place: usize,
        entry: &VariantEntry,
        head: &HeadFile<'_>,
    ) -> candle_core::Result<TrainedVariant> {
        let network = self.configurations[place].load(head)?;
        let ordinary_regions = match &entry.ordinary_regions {
            Some(name) => Some(head.tensor(name)?),
            None => None,
        };
        // The first photo should not wait for weights to be packed; here the heads do it side by
        // side. Ordinary regions of another width are found here too.
        let photo = self.blank_photo(&network.takes())?;
        let encoded = network.encode(&photo, &EncodeOptions::default())?;
        if let (Some(name), Some(ordinary), Some(features)) = (
            &entry.ordinary_regions,
            &ordinary_regions,
            network.region_features(&encoded),
        ) {
            let (found, wanted) = (ordinary.dims2()?.1, features.dims3()?.2);
            if found != wanted {
                candle_core::bail!("`{name}` has {found} channels, the network {wanted}")
            }
        }
        Ok(TrainedVariant {
            id: entry.id,
            network,
            ordinary_regions,
            label_features: None,
        })
    }

    fn blank_photo(&self, takes: &Takes) -> candle_core::Result<RegionFeatures> {
        let [rows, columns] = self.manifest.backbone.grid;
        let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, self.device);
        let channels = takes.region_channels;
        let channels = channels.unwrap_or(self.plan.region_channels());
        let global = self.plan.global_channels();
        Ok(RegionFeatures {
            regions: zeros(&[1, channels, rows, columns])?,
            global: zeros(&[1, takes.global_channels.unwrap_or(global)])?,
            covered: Covered::WHOLE,
        })
    }
}
