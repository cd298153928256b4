//! The door: what engine, screen, files, training and evaluation know of any network.
//!
//! A network answers in three steps: [`Network::encode`] once a photo, all that needs no label;
//! [`Network::prepare_labels`] once a label set, all that needs no photo; [`Network::respond`] for
//! both. So another label costs the last two alone. [`super::registry`] lists the architectures.

use std::collections::BTreeMap;

use candle_core::{Result, Tensor, bail};

use super::biam::Biam;
use super::counts::Counts;
use super::dropout::Dropout;
use super::inside::Inside;
use super::region_classifier;
use super::silenced::Block;
use crate::backbone::{Covered, RegionFeatures};

/// A network that answers. It cannot learn: what answers is built from what was trained.
pub trait Network: Send + Sync {
    /// What it takes of a photo and of a label.
    fn takes(&self) -> Takes;

    /// Everything about `N` photos that needs no label. `photos` are in the form of
    /// [`Network::takes`].
    ///
    /// # Errors
    /// Shapes that do not fit the network, options that it does not have.
    fn encode(&self, photos: &RegionFeatures, options: &EncodeOptions) -> Result<Encoded>;

    /// Everything about `L` labels that needs no photo, of their vectors `[L, D]`.
    ///
    /// # Errors
    /// Vectors of another size.
    fn prepare_labels(&self, vectors: &Tensor) -> Result<PreparedLabels>;

    /// Response maps and scores of `L` labels in `N` photos. Here and in the three methods below the
    /// usual way: a photo keeps region features `[N, P, C]`, a label a vector `[L, C]`, a response is
    /// their product (Eq. 1), a score the mean of a map's k largest.
    ///
    /// # Errors
    /// Photos and labels of another network.
    fn respond(&self, photos: &Encoded, labels: &PreparedLabels) -> Result<Responses> {
        match self.top_k() {
            Some(k) => region_classifier::respond(photos, labels, k),
            None => bail!("a network without pooled maps says itself how it responds"),
        }
    }

    /// k of the scores, where a score is the mean of a map's k largest responses.
    fn top_k(&self) -> Option<usize>;

    /// Scores `[N, L]` of response maps `[N, L, h, w]` with another k; `None` where a score is no
    /// pooled map. k = h·w is exactly the paper's spatial pooling.
    ///
    /// # Errors
    /// Those of candle's operators.
    fn pool(&self, maps: &Tensor, k: usize) -> Result<Option<Tensor>> {
        region_classifier::pool_maps(maps, k).map(Some)
    }

    /// Features `[N, P, C]` of single regions of encoded photos, to which a label's response does not
    /// depend on the rest of the photo any more; `None` where it does.
    fn region_features<'e>(&self, photos: &'e Encoded) -> Option<&'e Tensor> {
        photos.tensors.first()
    }

    /// Responses `[L, R]` of single regions `[R, C]`, as [`Network::region_features`] gives them.
    ///
    /// # Errors
    /// Regions of another width; a network without such features.
    fn respond_regions(&self, regions: &Tensor, labels: &PreparedLabels) -> Result<Tensor> {
        region_classifier::responses_of_regions(regions, labels)
    }

    /// What happens inside for `N` photos; nothing in a network without blocks.
    ///
    /// # Errors
    /// As [`Network::encode`].
    fn trace(&self, _photos: &RegionFeatures, _options: &EncodeOptions) -> Result<Trace> {
        Ok(Trace::default())
    }

    /// The inside of one photo, for questions about single labels and regions; `None` where the
    /// network is not made of the paper's blocks.
    ///
    /// # Errors
    /// As [`Network::encode`]; more than one photo.
    fn look_inside(&self, _: &RegionFeatures, _: &EncodeOptions) -> Result<Option<Inside>> {
        Ok(None)
    }

    /// Parameters and multiply-adds for a photo of `regions` regions and `labels` labels, which were
    /// prepared before.
    fn cost(&self, regions: usize, labels: usize) -> Counts;

    /// The full network, either of whose two blocks can be silenced, where it is that.
    fn as_full(&self) -> Option<&Biam> {
        None
    }
}

/// What a network takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Takes {
    /// Whether it takes the backbone's own region features, not the projected ones.
    pub raw_regions: bool,
    /// Channels of a region, where they are known before the weights.
    pub region_channels: Option<usize>,
    /// Channels of the global feature, where it takes one.
    pub global_channels: Option<usize>,
    /// Size of a label's vector.
    pub label_dimension: usize,
}

/// How to encode a photo.
#[derive(Clone, Debug, Default)]
pub struct EncodeOptions {
    /// Another photo's global feature `[N, G]` in place of the photo's own.
    pub scene: Option<Tensor>,
    /// Replace this block's half of [e_r; e_g] by its mean over ordinary regions, or by zero where
    /// the bundle has no such mean. Only the full network has two halves.
    pub silence: Option<Block>,
}

/// Photos as one network sees them: all that [`Network::respond`] needs, and nothing that others
/// could use.
#[derive(Clone, Debug)]
pub struct Encoded {
    /// What the network keeps, in an order of its own; photos come first in every shape.
    pub(in crate::model) tensors: Vec<Tensor>,
    /// Rows and columns of the maps to come.
    pub grid: (usize, usize),
    /// Where the grid lies in the photo.
    pub covered: Covered,
}

/// Labels as one network sees them.
#[derive(Clone, Debug)]
pub struct PreparedLabels {
    /// What the network keeps, in an order of its own; labels come first in every shape.
    pub(in crate::model) tensors: Vec<Tensor>,
}

impl PreparedLabels {
    /// Only the labels in these `rows`, in their order.
    ///
    /// # Errors
    /// A row that is not there.
    pub fn select(&self, rows: &[u32]) -> Result<Self> {
        let select = |tensor: &Tensor| {
            let rows = Tensor::from_slice(rows, rows.len(), tensor.device())?;
            tensor.index_select(&rows, 0)
        };
        let tensors = self.tensors.iter().map(select).collect::<Result<_>>()?;
        Ok(Self { tensors })
    }
}

/// A network's answer.
#[derive(Clone, Debug)]
pub struct Responses {
    /// What the scores are made of, `[N, L, h, w]`; `None` where a score has no place in the photo.
    pub maps: Option<Tensor>,
    /// `[N, L]`.
    pub scores: Tensor,
}

/// What happened inside: plain arrays by name.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// Such as `attention`, `gate`, `h_r`, `e_r`, `e_g`, `e_f`; the network's file says which, and in
    /// which shape.
    pub arrays: BTreeMap<&'static str, Array>,
}

/// Numbers with their shape, the last axis fastest.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    pub shape: Vec<usize>,
    pub values: Vec<f32>,
}

impl Trace {
    /// Adds a tensor under its name.
    ///
    /// # Errors
    /// A device that fails.
    pub(in crate::model) fn add(&mut self, name: &'static str, tensor: &Tensor) -> Result<()> {
        let array = Array {
            shape: tensor.dims().to_vec(),
            values: tensor.flatten_all()?.to_vec1()?,
        };
        self.arrays.insert(name, array);
        Ok(())
    }
}

/// A network that learns. It cannot answer: its layers' fast forms would be those of weights that
/// have changed since. [`super::registry::Configuration::load`] makes what answers of its tensors.
pub trait Trainable: Send + Sync {
    /// What the network makes of a batch, with dropout, batch statistics and gradients; updates the
    /// norms' running statistics.
    ///
    /// # Errors
    /// Shapes that do not fit the configuration.
    fn forward(&self, photos: &RegionFeatures, dropout: &mut Dropout) -> Result<Activations>;

    /// What [`Trainable::scores`] takes of `L` labels, of their vectors `[L, D]`, with gradients.
    ///
    /// # Errors
    /// Vectors of another size.
    fn project_labels(&self, vectors: &Tensor) -> Result<Tensor>;

    /// Scores `[N, L]`, differentiable.
    ///
    /// # Errors
    /// Those of candle's operators.
    fn scores(&self, photos: &Activations, labels: &Tensor) -> Result<Tensor>;

    /// Responses `[R, L]` of single regions, by their `places` `[R]` among all of the batch,
    /// differentiable: what a teacher that speaks about regions can correct. `None` where the network
    /// has no responses of single regions.
    ///
    /// # Errors
    /// Those of candle's operators.
    fn region_responses(
        &self,
        photos: &Activations,
        places: &Tensor,
        labels: &Tensor,
    ) -> Result<Option<Tensor>>;

    /// The norms' running statistics by tensor name, `[C]` each.
    fn running_statistics(&self) -> Vec<(String, Tensor)>;
}

/// What a learning network made of a batch, in an order of its own.
pub struct Activations(pub(in crate::model) Vec<Tensor>);
