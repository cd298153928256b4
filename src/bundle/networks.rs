//! The trained networks of a bundle, and the views of its full one.

use std::collections::BTreeSet;
use std::sync::Arc;

use candle_core::{DType, Tensor};
use candle_nn::VarBuilder;
use rayon::prelude::*;

use super::BundleError;
use super::load::{Parts, TrainedVariant};
use super::manifest::VariantEntry;
use crate::backbone::{Covered, RegionFeatures};
use crate::model::{Biam, EncodeOptions, Network, Ridge, SilencedView, Variant};

impl Parts<'_> {
    /// The networks in the manifest's order. Those that share a file share its weights.
    pub(super) fn variants(&self) -> Result<Vec<TrainedVariant>, BundleError> {
        let entries = || self.manifest.variants.iter().enumerate();
        let files: BTreeSet<&str> = entries().map(|(_, entry)| entry.file.as_str()).collect();
        let files: Vec<&str> = files.into_iter().collect();
        let loaded: Result<Vec<_>, BundleError> = files
            .par_iter()
            .map(|file| {
                let entries = entries().filter(|(_, entry)| entry.file == *file);
                self.weights(file, |vb| self.of_one_file(entries, &vb))
            })
            .collect();
        let mut all: Vec<(usize, TrainedVariant)> = loaded?.into_iter().flatten().collect();
        all.sort_by_key(|(place, _)| *place);
        Ok(all.into_iter().map(|(_, trained)| trained).collect())
    }

    fn of_one_file<'e>(
        &self,
        entries: impl Iterator<Item = (usize, &'e VariantEntry)>,
        vb: &VarBuilder,
    ) -> candle_core::Result<Vec<(usize, TrainedVariant)>> {
        let mut full = None;
        entries
            .map(|(place, entry)| {
                let trained = TrainedVariant {
                    ordinary_regions: self.ordinary_regions(entry, vb)?,
                    network: self.network(entry.name, vb, &mut full)?,
                };
                Ok((place, trained))
            })
            .collect()
    }

    fn ordinary_regions(
        &self,
        entry: &VariantEntry,
        vb: &VarBuilder,
    ) -> candle_core::Result<Option<Tensor>> {
        let Some(name) = &entry.ordinary_regions else {
            return Ok(None);
        };
        let regions = vb.get_unchecked(name)?;
        let (_, out) = regions.dims2()?;
        let wanted = match entry.name {
            Variant::Ridge => self.plan.region_channels(),
            _ => self.config.out_channels,
        };
        if out != wanted {
            candle_core::bail!("`{name}` has {out} channels, the network {wanted}")
        }
        Ok(Some(regions))
    }

    /// A network; the full one is kept in `full` for its views.
    fn network(
        &self,
        variant: Variant,
        vb: &VarBuilder,
        full: &mut Option<Arc<Biam>>,
    ) -> candle_core::Result<Network> {
        Ok(match variant {
            Variant::Ridge => {
                let channels = self.plan.region_channels();
                let dimension = self.config.label_dimension;
                Network::Ridge(Ridge::new(channels, dimension, vb.clone())?)
            }
            Variant::Biam => Network::Biam(self.full(vb, full)?),
            Variant::Silenced(block, _) => {
                let view = SilencedView::new(self.full(vb, full)?, block);
                if view.variant() != variant {
                    candle_core::bail!(
                        "it makes the view “{}”, bundle.toml says “{variant}”",
                        view.variant()
                    )
                }
                Network::Silenced(view)
            }
            _ => Network::Biam(self.biam(variant, vb)?),
        })
    }

    fn full(
        &self,
        vb: &VarBuilder,
        full: &mut Option<Arc<Biam>>,
    ) -> candle_core::Result<Arc<Biam>> {
        if let Some(network) = full {
            return Ok(network.clone());
        }
        Ok(full.insert(self.biam(Variant::Biam, vb)?).clone())
    }

    fn biam(&self, variant: Variant, vb: &VarBuilder) -> candle_core::Result<Arc<Biam>> {
        let network = Biam::new(self.config, variant, vb.clone())?;
        // The first photo should not wait for weights to be packed; here the heads do it side by
        // side.
        network.encode(&self.blank_photo()?, &EncodeOptions::default())?;
        Ok(Arc::new(network))
    }

    fn blank_photo(&self) -> candle_core::Result<RegionFeatures> {
        let [rows, columns] = self.manifest.backbone.grid;
        let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, self.device);
        Ok(RegionFeatures {
            regions: zeros(&[1, self.config.region_channels, rows, columns])?,
            global: zeros(&[1, self.config.global_channels])?,
            covered: Covered::WHOLE,
        })
    }
}
