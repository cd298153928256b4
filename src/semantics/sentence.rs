//! The sentence encoder all-MiniLM-L6-v2 (Apache-2.0): any word or phrase to a vector of 384.
//!
//! MiniLM (Wang et al., 2020) trained as a sentence encoder with sentence-transformers (Reimers and
//! Gurevych, 2019). A label's vector is the mean of the last layer over all its tokens, the marks
//! at both ends included, l2-normalised.

use candle_core::{DType, Device, Tensor};
use half::f16;
use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};
use tokenizers::{Tokenizer, TruncationParams};

use super::bert::{self, Bert};
use super::text::normalise_label;
use super::{LabelEncoder, SemanticsError, Source};

/// Most tokens of a label, as sentence-transformers' configuration of this network has it. Only
/// labels near the limit of characters in scripts whose letters split into several tokens (Hangul)
/// are ever cut.
pub const MAX_TOKENS: usize = 256;

/// Most labels that go through the network at once: enough to keep the processor busy, few enough
/// for the inner layer of a batch to stay in its cache.
const BATCH: usize = 32;

/// all-MiniLM-L6-v2 on a device.
pub struct SentenceEncoder {
    tokenizer: Tokenizer,
    unknown: Option<u32>,
    network: Bert,
    device: Device,
}

impl SentenceEncoder {
    /// Loads the network from safetensors (of half or single precision; it computes in single) and
    /// its tokenizer from `tokenizer.json`.
    ///
    /// # Errors
    /// Where a file is not of all-MiniLM-L6-v2: a tensor missing, a shape that differs, a
    /// vocabulary larger than the table of words.
    pub fn load(
        weights: Source<'_>,
        tokenizer: Source<'_>,
        device: &Device,
    ) -> Result<Self, SemanticsError> {
        let file = SafeTensors::deserialize(weights.bytes).map_err(|e| refuse(weights, e))?;
        let network = Bert::load(&file, device).map_err(|e| refuse(weights, e))?;
        let tokenizer = load_tokenizer(tokenizer)?;
        Ok(Self {
            unknown: tokenizer.token_to_id("[UNK]"),
            tokenizer,
            network,
            device: device.clone(),
        })
    }

    /// Token ids of a label, the marks at both ends included.
    fn tokens(&self, label: &str) -> Result<Vec<u32>, SemanticsError> {
        let label = normalise_label(label)?;
        match self.tokenizer.encode_fast(label.as_str(), true) {
            Ok(encoding) => Ok(encoding.get_ids().to_vec()),
            Err(error) => Err(SemanticsError::Split {
                label,
                reason: error.to_string(),
            }),
        }
    }

    /// Normalised vectors `[B, D]` of labels that all have the same number of tokens.
    fn encode_batch(&self, batch: &[&[u32]]) -> candle_core::Result<Tensor> {
        let length = batch.first().map_or(0, |tokens| tokens.len());
        let tokens = Tensor::from_vec(batch.concat(), (batch.len(), length), &self.device)?;
        // A sum serves: the mean's divisor would fall out of the normalisation.
        let sum = self.network.forward(&tokens)?.sum(1)?;
        let norm = sum.sqr()?.sum_keepdim(1)?.sqrt()?;
        sum.broadcast_div(&norm)
    }
}

impl LabelEncoder for SentenceEncoder {
    fn dimension(&self) -> usize {
        bert::WIDTH
    }

    fn encode(&self, labels: &[&str]) -> Result<Tensor, SemanticsError> {
        if labels.is_empty() {
            return Ok(Tensor::zeros((0, bert::WIDTH), DType::F32, &self.device)?);
        }
        let tokens: Vec<Vec<u32>> = labels
            .iter()
            .map(|label| self.tokens(label))
            .collect::<Result<_, _>>()?;
        let mut order: Vec<usize> = (0..labels.len()).collect();
        order.sort_by_key(|&label| tokens[label].len());
        let mut batches = Vec::new();
        for equal in order.chunk_by(|&a, &b| tokens[a].len() == tokens[b].len()) {
            for chunk in equal.chunks(BATCH) {
                let batch: Vec<&[u32]> = chunk.iter().map(|&label| &tokens[label][..]).collect();
                batches.push(self.encode_batch(&batch)?);
            }
        }
        let mut rows = vec![0u32; labels.len()];
        for (row, &label) in (0u32..).zip(&order) {
            rows[label] = row;
        }
        let rows = Tensor::from_vec(rows, labels.len(), &self.device)?;
        Ok(Tensor::cat(&batches, 0)?.index_select(&rows, 0)?)
    }

    fn knows(&self, label: &str) -> Result<bool, SemanticsError> {
        let tokens = self.tokens(label)?;
        let inner = tokens.get(1..tokens.len().saturating_sub(1));
        Ok(inner
            .unwrap_or_default()
            .iter()
            .any(|&token| Some(token) != self.unknown))
    }
}

/// Reads `tokenizer.json` and sets what must not depend on the file: no padding, truncation at
/// [`MAX_TOKENS`].
fn load_tokenizer(source: Source<'_>) -> Result<Tokenizer, SemanticsError> {
    let refuse = |reason: String| SemanticsError::Tokenizer {
        path: source.path.to_owned(),
        reason,
    };
    let mut tokenizer =
        Tokenizer::from_bytes(source.bytes).map_err(|error| refuse(error.to_string()))?;
    tokenizer.with_padding(None);
    tokenizer
        .with_truncation(Some(TruncationParams {
            max_length: MAX_TOKENS,
            ..TruncationParams::default()
        }))
        .map_err(|error| refuse(error.to_string()))?;
    let largest = tokenizer.get_vocab(true).into_values().max().unwrap_or(0);
    if largest as usize >= bert::VOCABULARY {
        return Err(refuse(format!(
            "it has a token {largest}, the network {} tokens",
            bert::VOCABULARY
        )));
    }
    Ok(tokenizer)
}

/// Converts the published weights (`model.safetensors`, single or half precision) to what a bundle
/// holds: the tensors that the network uses, in half precision, as the bytes of a safetensors file.
/// Half precision keeps the cosine to the published weights' vectors above 0.999999.
///
/// # Errors
/// Where a tensor is missing, of another shape, or of values that half precision cannot hold.
pub fn convert_sentence_weights(source: Source<'_>) -> Result<Vec<u8>, SemanticsError> {
    let file = SafeTensors::deserialize(source.bytes).map_err(|e| refuse(source, e))?;
    let mut halves = Vec::new();
    for (name, shape) in bert::tensors() {
        let view = file.tensor(&name).map_err(|e| refuse(source, e))?;
        if view.shape() != shape {
            let found = view.shape();
            return Err(refuse(
                source,
                format!("{name} has shape {found:?}, not {shape:?}"),
            ));
        }
        let bytes = to_half(&view).map_err(|reason| refuse(source, format!("{name} {reason}")))?;
        halves.push((name, shape, bytes));
    }
    let views = halves
        .iter()
        .map(|(name, shape, bytes)| Ok((name, TensorView::new(Dtype::F16, shape.clone(), bytes)?)))
        .collect::<Result<Vec<_>, safetensors::SafeTensorError>>()
        .map_err(|e| refuse(source, e))?;
    serialize(views, None).map_err(|e| refuse(source, e))
}

/// A tensor's values rounded to half precision, little-endian.
fn to_half(view: &TensorView<'_>) -> Result<Vec<u8>, String> {
    let halves: Vec<f16> = match view.dtype() {
        Dtype::F16 => {
            let pairs = view.data().as_chunks().0.iter();
            pairs.map(|&bytes| f16::from_le_bytes(bytes)).collect()
        }
        Dtype::F32 => {
            let quads = view.data().as_chunks().0.iter();
            quads
                .map(|&bytes| f16::from_f32(f32::from_le_bytes(bytes)))
                .collect()
        }
        other => {
            return Err(format!(
                "is of type {other:?}, not of single or half precision"
            ));
        }
    };
    if halves.iter().any(|half| !half.is_finite()) {
        return Err("holds values that half precision cannot".into());
    }
    Ok(halves.iter().flat_map(|half| half.to_le_bytes()).collect())
}

/// Converts the published `tokenizer.json` to what a bundle holds: the same without padding to a
/// fixed length and with the truncation that the loader sets anyway.
///
/// # Errors
/// Where it is no tokenizer of this network.
pub fn convert_sentence_tokenizer(source: Source<'_>) -> Result<Vec<u8>, SemanticsError> {
    let text = load_tokenizer(source)?.to_string(false);
    text.map(String::into_bytes)
        .map_err(|error| SemanticsError::Tokenizer {
            path: source.path.to_owned(),
            reason: error.to_string(),
        })
}

fn refuse(source: Source<'_>, reason: impl ToString) -> SemanticsError {
    SemanticsError::Weights {
        path: source.path.to_owned(),
        reason: reason.to_string(),
    }
}
