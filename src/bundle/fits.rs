//! Whether the parts of a bundle fit each other.

use super::BundleError;
use super::load::{BundleReader, HeadSizes, MANIFEST};
use crate::semantics::LabelFeatures;

/// The input's side is a multiple of it, in pixels.
const SIDE_STEP: usize = 32;
/// Largest side of the input in pixels: beyond it a photo takes minutes and gigabytes.
const LARGEST_INPUT: usize = 2048;

impl BundleReader<'_> {
    /// Input, grid, channels and k fit each other, before anything large is read or allocated.
    pub(super) fn check_sizes(&self) -> Result<(), BundleError> {
        let refuse = |reason: String| {
            Err(BundleError::Manifest {
                path: self.place.named.join(MANIFEST),
                reason,
            })
        };
        let backbone = &self.manifest.backbone;
        let side = backbone.input_size;
        if !side.is_multiple_of(SIDE_STEP) || !(SIDE_STEP..=LARGEST_INPUT).contains(&side) {
            return refuse(format!(
                "input-size = {side} is no multiple of {SIDE_STEP} up to {LARGEST_INPUT}"
            ));
        }
        let only = self.plan.input_size();
        if side != only {
            return refuse(format!(
                "input-size = {side}, but this backbone takes {only}"
            ));
        }
        let regions = side / self.plan.stride();
        if backbone.grid != [regions; 2] {
            let [rows, columns] = backbone.grid;
            return refuse(format!(
                "grid = [{rows}, {columns}], but input-size = {side} gives [{regions}, {regions}]"
            ));
        }
        let (all, features) = (regions * regions, self.plan.region_channels());
        for configuration in &self.configurations {
            if let Some(k) = configuration.top_k().filter(|&k| k > all) {
                return refuse(format!("top-k = {k} is more than the {all} regions"));
            }
            let takes = configuration.takes();
            let unprojected = self.manifest.projection.is_none() && !takes.raw_regions;
            let given = takes.region_channels.unwrap_or(features);
            if unprojected && given != features {
                return refuse(format!(
                    "the networks take regions of {given} channels, the backbone gives {features} \
                     and there is no projection"
                ));
            }
            let features = self.plan.global_channels();
            if let Some(given) = takes.global_channels.filter(|&given| given != features) {
                return refuse(format!(
                    "the networks take a global feature of {given} channels, the backbone gives \
                     {features}"
                ));
            }
        }
        Ok(())
    }

    /// The networks take what there is to be given; what makes label features was made with this
    /// bundle's encoder.
    pub(super) fn check_given(
        &self,
        sizes: &HeadSizes,
        features: Option<&LabelFeatures>,
    ) -> Result<(), BundleError> {
        let refuse = |reason: String| {
            Err(BundleError::Manifest {
                path: self.place.named.join(MANIFEST),
                reason,
            })
        };
        if let (Some(entry), Some(features)) = (&self.manifest.labels.features, features) {
            let encoder = self.manifest.sha256.get(&self.manifest.label_encoder.file);
            let takes = features.sentence_dimension();
            if encoder != Some(&entry.encoder_sha256) || takes != sizes.label_dimension {
                return refuse(format!(
                    "the anchors in {} were encoded with another label encoder than {}; make the \
                     bundle again with the encoder they belong to",
                    entry.file, self.manifest.label_encoder.file
                ));
            }
        }
        let features = features.map(LabelFeatures::dimension);
        let entries = self.manifest.variants.iter().zip(&self.configurations);
        for (entry, configuration) in entries {
            let (id, takes) = (entry.id, configuration.takes());
            let projected = takes.region_channels.filter(|_| !takes.raw_regions);
            let (wanted, given) = (projected, sizes.region_channels);
            if let Some(wanted) = wanted.filter(|&wanted| wanted != given) {
                return refuse(format!(
                    "the network “{id}” takes regions of {wanted}, the projection gives {given}"
                ));
            }
            let (wanted, vector) = (takes.label_dimension, sizes.label_dimension);
            if wanted != vector && Some(wanted) != features {
                let others =
                    features.map_or(String::new(), |size| format!(", label features {size}"));
                return refuse(format!(
                    "the network “{id}” takes label vectors of {wanted}, the label encoder gives \
                     {vector}{others}"
                ));
            }
        }
        Ok(())
    }

    /// What makes label features of vectors, where the bundle has it.
    pub(super) fn label_features(&self) -> Result<Option<LabelFeatures>, BundleError> {
        let entry = self.manifest.labels.features.as_ref();
        entry
            .map(|entry| self.weights(&entry.file, |vb| LabelFeatures::new(&vb)))
            .transpose()
    }
}
