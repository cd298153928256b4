//! The sentence encoder all-MiniLM-L6-v2 (Apache-2.0): any word or phrase to a vector of 384.
//!
//! MiniLM (Wang et al., 2020) trained as a sentence encoder with sentence-transformers (Reimers and
//! Gurevych, 2019). A label's vector is the mean of the last layer over all its tokens, the marks
//! at both ends included, l2-normalised.

use candle_core::{DType, Device, Tensor};
use half::f16;
use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};
use serde_json::{Map, Value, json};

use super::bert::{self, Bert};
use super::text::normalise_label;
use super::word_pieces::{MAX_TOKENS, WordPieces};
use super::{LabelEncoder, SemanticsError, Source, first_line};

/// Most labels that go through the network at once: enough to keep the processor busy, few enough
/// for the inner layer of a batch to stay in its cache.
const BATCH: usize = 32;

/// all-MiniLM-L6-v2 on a device.
pub struct SentenceEncoder {
    pieces: WordPieces,
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
        Ok(Self {
            pieces: load_tokenizer(tokenizer)?,
            network,
            device: device.clone(),
        })
    }

    /// Token ids of a label, the marks at both ends included.
    fn tokens(&self, label: &str) -> Result<Vec<u32>, SemanticsError> {
        let label = normalise_label(label)?;
        self.pieces
            .split(&label)
            .map_err(|reason| SemanticsError::Split { label, reason })
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
        Ok(self.pieces.know(&self.tokens(label)?))
    }
}

fn load_tokenizer(source: Source<'_>) -> Result<WordPieces, SemanticsError> {
    WordPieces::load(source.bytes, bert::VOCABULARY).map_err(|e| refuse_tokenizer(source, e))
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

/// Converts the published `tokenizer.json` to what a bundle holds: the same file, but with no
/// padding to a fixed length and with this encoder's truncation, so that other programs that read
/// it split labels as this one does.
///
/// # Errors
/// Where it is no tokenizer of this network.
pub fn convert_sentence_tokenizer(source: Source<'_>) -> Result<Vec<u8>, SemanticsError> {
    load_tokenizer(source)?;
    let mut file: Map<String, Value> =
        serde_json::from_slice(source.bytes).map_err(|e| refuse_tokenizer(source, e))?;
    let truncation = json!({
        "direction": "Right",
        "max_length": MAX_TOKENS,
        "strategy": "LongestFirst",
        "stride": 0,
    });
    file.insert("padding".into(), Value::Null);
    file.insert("truncation".into(), truncation);
    serde_json::to_vec(&file).map_err(|e| refuse_tokenizer(source, e))
}

fn refuse(source: Source<'_>, reason: impl ToString) -> SemanticsError {
    SemanticsError::Weights {
        path: source.path.to_owned(),
        reason: first_line(&reason),
    }
}

fn refuse_tokenizer(source: Source<'_>, reason: impl ToString) -> SemanticsError {
    SemanticsError::Tokenizer {
        path: source.path.to_owned(),
        reason: first_line(&reason),
    }
}
