//! What happens inside a network for one photo, kept so that questions about a label or a region are
//! cheap.

use candle_core::Tensor;

use super::parts::ResponseParts;
use super::region_attention::RegionAttention;

/// The inside of a network that is made of the paper's blocks, for one photo.
#[derive(Debug)]
pub struct Inside {
    /// Where its responses come from.
    pub parts: ResponseParts,
    /// Where regions look, where the network has the paper's region-contextualised block.
    pub attention: Option<RegionAttention>,
    /// r_g `[C]`, where it has a scene-contextualised block.
    pub gate: Option<Tensor>,
}
