//! A sample of ordinary regions: what is usual, against which a response has a meaning.

use candle_core::{Result, Tensor, bail};
use rand::rngs::StdRng;
use rand::seq::{SliceRandom as _, index};

use super::biam::Biam;
use super::network::{EncodeOptions, Network, Takes};
use super::silenced::{Block, Filler, view};
use super::variant_id::VariantId;
use crate::backbone::RegionFeatures;

/// The tensor of a head's file that holds them.
pub const TENSOR: &str = "ordinary_regions";
/// Regions that are kept.
pub const ORDINARY_REGIONS: usize = 2048;
/// Photos that they come from, where there are so many.
pub const PHOTOS: usize = 512;
/// Photos that are worth encoding at once.
pub const BATCH: usize = 8;

/// Ordinary regions of one network, as they are gathered photo by photo.
pub struct Sampler<'n> {
    network: &'n dyn Network,
    random: StdRng,
    /// Regions that are taken of each photo.
    each: usize,
    photos: usize,
    /// e_f, `[R, out]` in parts.
    regions: Vec<Tensor>,
    /// [e_r; e_g] of the same regions of the full network, `[R, 2C]` in parts.
    inputs: Vec<Tensor>,
    /// Sums over photos of the mean of [e_r; e_g], `[2C]` each.
    means: Vec<Tensor>,
}

/// What a network says of ordinary regions.
pub struct Sample {
    /// e_f, `[R, out]`.
    pub ordinary: Tensor,
    /// Of the full network.
    pub full: Option<FullSample>,
}

/// What its views need beside that.
pub struct FullSample {
    /// Mean of [e_r; e_g] over all regions of the photos, `[2C]`.
    pub input_mean: Tensor,
    /// e_f of the same regions in the views [`VariantId::VIEWS`] of [`Filler::Mean`], `[R, out]` each.
    pub views: Vec<(VariantId, Tensor)>,
}

impl<'n> Sampler<'n> {
    /// For `photos` photos of some `regions` regions each.
    pub fn new(network: &'n dyn Network, photos: usize, regions: usize, random: StdRng) -> Self {
        Self {
            network,
            random,
            each: ORDINARY_REGIONS.div_ceil(photos.max(1)).min(regions),
            photos: 0,
            regions: Vec::new(),
            inputs: Vec::new(),
            means: Vec::new(),
        }
    }

    /// What the network takes.
    pub fn takes(&self) -> Takes {
        self.network.takes()
    }

    /// Takes random regions of a few photos, whose features are those that the network takes.
    ///
    /// # Errors
    /// Features that do not fit the network.
    pub fn add(&mut self, photos: &RegionFeatures) -> Result<()> {
        let encoded = self.network.encode(photos, &EncodeOptions::default())?;
        let Some(features) = self.network.region_features(&encoded) else {
            bail!("this network has no features of single regions")
        };
        let (count, per_photo, _) = features.dims3()?;
        let random = &mut self.random;
        let each = self.each.min(per_photo);
        let places: Vec<u32> = (0..count)
            .flat_map(|photo| {
                let sampled = index::sample(random, per_photo, each);
                sampled
                    .into_iter()
                    .map(move |region| (photo * per_photo + region) as u32)
            })
            .collect();
        let places = Tensor::new(places, features.device())?;
        let of_places = |all: &Tensor| all.flatten_to(1)?.index_select(&places, 0);
        self.regions.push(of_places(features)?);
        if let Some(full) = self.network.as_full() {
            let inputs = full.fuse_input(photos)?;
            self.means
                .push(inputs.mean((0, 1))?.affine(count as f64, 0.0)?);
            self.inputs.push(of_places(&inputs)?);
        }
        self.photos += count;
        Ok(())
    }

    /// The sample, in random order.
    ///
    /// # Errors
    /// No photo was added, a device that fails.
    pub fn finish(mut self) -> Result<Sample> {
        let ordinary = Tensor::cat(&self.regions, 0)?;
        let mut order: Vec<u32> = (0..ordinary.dim(0)? as u32).collect();
        order.shuffle(&mut self.random);
        order.truncate(ORDINARY_REGIONS);
        let order = Tensor::new(order, ordinary.device())?;
        let ordinary = ordinary.index_select(&order, 0)?;
        let full = match self.network.as_full() {
            None => None,
            Some(full) => {
                let sum = Tensor::stack(&self.means, 0)?.sum(0)?;
                let input_mean = sum.affine(1.0 / self.photos as f64, 0.0)?;
                let inputs = Tensor::cat(&self.inputs, 0)?.index_select(&order, 0)?;
                let views = views(full, &ordinary, &inputs, &input_mean)?;
                Some(FullSample { input_mean, views })
            }
        };
        Ok(Sample { ordinary, full })
    }
}

/// e_f of single regions where one half of their [e_r; e_g], `inputs` `[R, 2C]`, is its mean;
/// `ordinary` is their e_f `[R, out]` with both.
fn views(
    network: &Biam,
    ordinary: &Tensor,
    inputs: &Tensor,
    input_mean: &Tensor,
) -> Result<Vec<(VariantId, Tensor)>> {
    let fuse = |inputs: &Tensor| network.fuse(&inputs.unsqueeze(0)?)?.squeeze(0);
    // What a shortcut brings to e_f does not go through the blocks.
    let shortcut = match network.config().shortcut {
        true => Some((ordinary - fuse(inputs)?)?),
        false => None,
    };
    let (regions, both) = inputs.dims2()?;
    let channels = both / 2;
    let views = [Block::Scb, Block::Rcb].map(|block| {
        let halves =
            [(Block::Rcb, 0), (Block::Scb, channels)].map(|(half, start)| match half == block {
                true => input_mean
                    .narrow(0, start, channels)?
                    .broadcast_as((regions, channels))?
                    .contiguous(),
                false => inputs.narrow(1, start, channels)?.contiguous(),
            });
        let [region, scene] = halves;
        let fused = fuse(&Tensor::cat(&[region?, scene?], 1)?)?;
        let features = match &shortcut {
            Some(shortcut) => (fused + shortcut)?,
            None => fused,
        };
        Ok((view(block, Filler::Mean), features))
    });
    views.into_iter().collect()
}
