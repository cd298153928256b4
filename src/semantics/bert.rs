//! The network inside the sentence encoder: BERT (Devlin et al., 2019) in the shape of
//! all-MiniLM-L6-v2, forward only.
//!
//! It takes sequences of one length at a time, so it has neither padding nor masks. The table of
//! word vectors, half of all weights, stays in the file's precision and is widened row by row as
//! tokens ask for it; everything else is computed in single precision.

use candle_core::safetensors::Load;
use candle_core::{D, DType, Device, Result, Tensor, bail};
use candle_nn::ops::softmax_last_dim;
use candle_nn::{LayerNorm, Linear, Module};
use safetensors::SafeTensors;

/// Tokens in the vocabulary.
pub const VOCABULARY: usize = 30522;
/// Width D of every token's vector.
pub const WIDTH: usize = 384;
/// Tokens of the longest sequence that has a learnt position.
const POSITIONS: usize = 512;
/// Kinds of sequences the network was trained with (first, second); a label is always the first.
const KINDS: usize = 2;
const LAYERS: usize = 6;
const HEADS: usize = 12;
const INNER: usize = 1536;
const EPSILON: f64 = 1e-12;

/// Name and shape of each tensor the network needs, as the published model names them.
pub fn tensors() -> Vec<(String, Vec<usize>)> {
    let mut list = vec![
        (word_table(), vec![VOCABULARY, WIDTH]),
        (position_table(), vec![POSITIONS, WIDTH]),
        (kind_table(), vec![KINDS, WIDTH]),
    ];
    let mut pair = |name: &str, outputs: usize, inputs: Option<usize>| {
        let weight = std::iter::once(outputs).chain(inputs).collect();
        list.push((format!("{name}.weight"), weight));
        list.push((format!("{name}.bias"), vec![outputs]));
    };
    pair("embeddings.LayerNorm", WIDTH, None);
    for layer in 0..LAYERS {
        for part in ["self.query", "self.key", "self.value", "output.dense"] {
            pair(&attention(layer, part), WIDTH, Some(WIDTH));
        }
        pair(&attention(layer, "output.LayerNorm"), WIDTH, None);
        pair(&in_layer(layer, "intermediate.dense"), INNER, Some(WIDTH));
        pair(&in_layer(layer, "output.dense"), WIDTH, Some(INNER));
        pair(&in_layer(layer, "output.LayerNorm"), WIDTH, None);
    }
    list
}

fn word_table() -> String {
    "embeddings.word_embeddings.weight".into()
}

fn position_table() -> String {
    "embeddings.position_embeddings.weight".into()
}

fn kind_table() -> String {
    "embeddings.token_type_embeddings.weight".into()
}

fn in_layer(layer: usize, part: &str) -> String {
    format!("encoder.layer.{layer}.{part}")
}

fn attention(layer: usize, part: &str) -> String {
    format!("encoder.layer.{layer}.attention.{part}")
}

/// The network with its weights on a device.
pub struct Bert {
    /// `[vocabulary, D]`, in the file's precision.
    words: Tensor,
    /// `[positions, D]`: each position's vector plus that of the first kind of sequence, which are
    /// only ever added together.
    positions: Tensor,
    norm: LayerNorm,
    layers: Vec<Layer>,
}

struct Layer {
    /// Query, key and value of all heads as one `[3D, D]` product.
    query_key_value: Linear,
    mixed: Linear,
    mixed_norm: LayerNorm,
    inner: Linear,
    outer: Linear,
    outer_norm: LayerNorm,
}

/// Reads weights by name, with their shape checked, in single precision.
struct Weights<'a> {
    file: &'a SafeTensors<'a>,
    device: &'a Device,
}

impl Weights<'_> {
    fn stored(&self, name: &str, shape: &[usize]) -> Result<Tensor> {
        let view = self.file.tensor(name).map_err(candle_core::Error::wrap)?;
        if view.shape() != shape {
            bail!("{name} has shape {:?}, not {shape:?}", view.shape());
        }
        view.load(self.device)
    }

    fn single(&self, name: &str, shape: &[usize]) -> Result<Tensor> {
        self.stored(name, shape)?.to_dtype(DType::F32)
    }

    fn linear(&self, name: &str, outputs: usize, inputs: usize) -> Result<Linear> {
        let weight = self.single(&format!("{name}.weight"), &[outputs, inputs])?;
        let bias = self.single(&format!("{name}.bias"), &[outputs])?;
        Ok(Linear::new(weight, Some(bias)))
    }

    fn norm(&self, name: &str) -> Result<LayerNorm> {
        let weight = self.single(&format!("{name}.weight"), &[WIDTH])?;
        let bias = self.single(&format!("{name}.bias"), &[WIDTH])?;
        Ok(LayerNorm::new(weight, bias, EPSILON))
    }
}

impl Bert {
    /// Takes the tensors that [`tensors`] lists out of a file of any float precision.
    ///
    /// # Errors
    /// Where one is missing or of another shape.
    pub fn load(file: &SafeTensors<'_>, device: &Device) -> Result<Self> {
        let weights = Weights { file, device };
        let kinds = weights.single(&kind_table(), &[KINDS, WIDTH])?;
        let positions = weights.single(&position_table(), &[POSITIONS, WIDTH])?;
        Ok(Self {
            words: weights.stored(&word_table(), &[VOCABULARY, WIDTH])?,
            positions: positions.broadcast_add(&kinds.get(0)?)?,
            norm: weights.norm("embeddings.LayerNorm")?,
            layers: (0..LAYERS)
                .map(|layer| Layer::load(&weights, layer))
                .collect::<Result<_>>()?,
        })
    }

    /// The last layer's vectors `[B, n, D]` of `B` sequences of `n` tokens, `tokens` `[B, n]` in
    /// u32.
    ///
    /// # Errors
    /// A token outside the vocabulary, a sequence longer than the learnt positions, or a tensor
    /// operation that fails.
    pub fn forward(&self, tokens: &Tensor) -> Result<Tensor> {
        let (sequences, length) = tokens.dims2()?;
        let words = self.words.index_select(&tokens.flatten_all()?, 0)?;
        let words = words
            .to_dtype(DType::F32)?
            .reshape((sequences, length, WIDTH))?;
        let placed = words.broadcast_add(&self.positions.narrow(0, 0, length)?)?;
        // Two dimensions from here on: every layer but the attention treats each token alone.
        let mut x = self
            .norm
            .forward(&placed.reshape((sequences * length, WIDTH))?)?;
        for layer in &self.layers {
            x = layer.forward(&x, sequences, length)?;
        }
        x.reshape((sequences, length, WIDTH))
    }
}

impl Layer {
    fn load(weights: &Weights<'_>, layer: usize) -> Result<Self> {
        let linear = |part: &str| weights.linear(&attention(layer, part), WIDTH, WIDTH);
        let parts = [
            linear("self.query")?,
            linear("self.key")?,
            linear("self.value")?,
        ];
        let weight = Tensor::cat(&parts.each_ref().map(Linear::weight), 0)?;
        let biases: Vec<&Tensor> = parts.iter().filter_map(Linear::bias).collect();
        let bias = Tensor::cat(&biases, 0)?;
        Ok(Self {
            query_key_value: Linear::new(weight, Some(bias)),
            mixed: linear("output.dense")?,
            mixed_norm: weights.norm(&attention(layer, "output.LayerNorm"))?,
            inner: weights.linear(&in_layer(layer, "intermediate.dense"), INNER, WIDTH)?,
            outer: weights.linear(&in_layer(layer, "output.dense"), WIDTH, INNER)?,
            outer_norm: weights.norm(&in_layer(layer, "output.LayerNorm"))?,
        })
    }

    /// `x` and the result are `[sequences · length, D]`.
    fn forward(&self, x: &Tensor, sequences: usize, length: usize) -> Result<Tensor> {
        let mixed = self.attend(x, sequences, length)?;
        let x = self
            .mixed_norm
            .forward(&(self.mixed.forward(&mixed)? + x)?)?;
        let inner = self.inner.forward(&x)?.gelu_erf()?;
        self.outer_norm.forward(&(self.outer.forward(&inner)? + x)?)
    }

    /// softmax(q kᵀ / sqrt(D / heads)) v of each head within each sequence, the heads side by side.
    fn attend(&self, x: &Tensor, sequences: usize, length: usize) -> Result<Tensor> {
        let head = WIDTH / HEADS;
        let parts = self
            .query_key_value
            .forward(x)?
            .reshape((sequences, length, 3, HEADS, head))?
            .permute((2, 0, 3, 1, 4))?
            .contiguous()?;
        let query = (parts.get(0)? * (head as f64).sqrt().recip())?;
        let scores = query.matmul(&parts.get(1)?.transpose(D::Minus2, D::Minus1)?)?;
        softmax_last_dim(&scores)?
            .matmul(&parts.get(2)?)?
            .transpose(1, 2)?
            .reshape((sequences * length, WIDTH))
    }
}
