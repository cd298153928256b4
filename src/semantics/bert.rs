//! BERT's encoder (Devlin et al., 2019), as all-MiniLM-L6-v2 has it: tokens to vectors, each of which
//! has looked at all the others.

use candle_core::{D, Result, Tensor};
use candle_nn::ops::softmax;
use candle_nn::{Embedding, LayerNorm, Linear, Module, VarBuilder, embedding, layer_norm, linear};

/// Tokens that the table of words has.
pub(super) const VOCABULARY: usize = 30_522;
/// Width D of every token's vector.
pub(super) const WIDTH: usize = 384;
const LAYERS: usize = 6;
const HEADS: usize = 12;
/// Width between the two linear layers that follow attention.
const INNER: usize = 1536;
/// Places that have an embedding: no longer sequence is encoded.
const PLACES: usize = 512;
/// First and second sequence of a pair; a label is always the first.
const KINDS: usize = 2;
const NORM_EPSILON: f64 = 1e-12;

/// The whole encoder on a device.
pub(super) struct Bert {
    words: Embedding,
    places: Tensor,
    /// What stands for the first kind of sequence, `[D]`.
    kind: Tensor,
    norm: LayerNorm,
    layers: Vec<Layer>,
}

impl Bert {
    /// Reads the tensors by their published names.
    pub fn load(vb: VarBuilder) -> Result<Self> {
        let (embeddings, encoder) = (vb.pp("embeddings"), vb.pp("encoder"));
        let table = |size, name: &str| embedding(size, WIDTH, embeddings.pp(name));
        Ok(Self {
            words: table(VOCABULARY, "word_embeddings")?,
            places: table(PLACES, "position_embeddings")?.embeddings().clone(),
            kind: table(KINDS, "token_type_embeddings")?.embeddings().get(0)?,
            norm: norm(embeddings)?,
            layers: (0..LAYERS)
                .map(|index| Layer::load(encoder.pp(format!("layer.{index}"))))
                .collect::<Result<_>>()?,
        })
    }

    /// The last layer's vectors `[B, T, D]` of tokens `[B, T]`, all of which count.
    pub fn forward(&self, tokens: &Tensor) -> Result<Tensor> {
        let places = self.places.narrow(0, 0, tokens.dim(1)?)?;
        let words = self.words.forward(tokens)?.broadcast_add(&self.kind)?;
        let embedded = self.norm.forward(&words.broadcast_add(&places)?)?;
        self.layers
            .iter()
            .try_fold(embedded, |xs, layer| layer.forward(&xs))
    }
}

/// Attention of every token to all, then two linear layers on each; a norm after each sum.
struct Layer {
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
    attention_norm: LayerNorm,
    expand: Linear,
    reduce: Linear,
    norm: LayerNorm,
}

impl Layer {
    fn load(vb: VarBuilder) -> Result<Self> {
        let square = |name: &str| linear(WIDTH, WIDTH, vb.pp(name));
        Ok(Self {
            query: square("attention.self.query")?,
            key: square("attention.self.key")?,
            value: square("attention.self.value")?,
            output: square("attention.output.dense")?,
            attention_norm: norm(vb.pp("attention.output"))?,
            expand: linear(WIDTH, INNER, vb.pp("intermediate.dense"))?,
            reduce: linear(INNER, WIDTH, vb.pp("output.dense"))?,
            norm: norm(vb.pp("output"))?,
        })
    }

    fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        let attended = self.output.forward(&self.attend(xs)?)?;
        let attended = self.attention_norm.forward(&(attended + xs)?)?;
        let inner = self.expand.forward(&attended)?.gelu_erf()?;
        let reduced = self.reduce.forward(&inner)?;
        self.norm.forward(&(reduced + attended)?)
    }

    /// Scaled dot-product attention in heads, `[B, T, D]` to `[B, T, D]`.
    fn attend(&self, xs: &Tensor) -> Result<Tensor> {
        let (batch, tokens, _) = xs.dims3()?;
        let width = WIDTH / HEADS;
        let heads = |layer: &Linear| {
            let split = layer.forward(xs)?.reshape((batch, tokens, HEADS, width))?;
            split.transpose(1, 2)?.contiguous()
        };
        let scores = heads(&self.query)?.matmul(&heads(&self.key)?.t()?)?;
        let weights = softmax(&(scores / (width as f64).sqrt())?, D::Minus1)?;
        let mixed = weights.matmul(&heads(&self.value)?)?;
        mixed.transpose(1, 2)?.contiguous()?.flatten_from(D::Minus2)
    }
}

fn norm(vb: VarBuilder) -> Result<LayerNorm> {
    layer_norm(WIDTH, NORM_EPSILON, vb.pp("LayerNorm"))
}
