//! The sentence encoder all-MiniLM-L6-v2 (Apache-2.0): any word or phrase to a vector of 384.
//!
//! MiniLM (Wang et al., 2020) trained as a sentence encoder with sentence-transformers (Reimers and
//! Gurevych, 2019). A label's vector is the mean of the last layer over all its tokens, the marks
//! at both ends included, l2-normalised.

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use half::f16;
use half::slice::HalfFloatSliceExt;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::{DecoderWrapper, PostProcessorWrapper, TokenizerImpl, TruncationParams};

use super::bert::{Bert, VOCABULARY, WIDTH};
use super::text::normalise_label;
use super::{LabelEncoder, Reading, SemanticsError, Source, english_words, first_line};
use crate::panics::quietly_caught;

/// Most tokens of a label, the marks at both ends included, as sentence-transformers' configuration
/// of all-MiniLM-L6-v2 has it. No label that has a reading is ever cut: each of its characters is one
/// token at most.
const MAX_TOKENS: usize = 256;

/// Most labels that go through the network at once: enough to keep the processor busy, few enough
/// for the inner layer of a batch to stay in its cache.
const BATCH: usize = 32;

/// The word pieces of BERT with what its file says of marks.
type Tokenizer = TokenizerImpl<
    WordPiece,
    BertNormalizer,
    BertPreTokenizer,
    PostProcessorWrapper,
    DecoderWrapper,
>;

/// all-MiniLM-L6-v2 on a device.
pub struct SentenceEncoder {
    tokenizer: Tokenizer,
    network: Bert,
    device: Device,
}

impl SentenceEncoder {
    /// Loads the network from safetensors (of half or single precision; it computes in single) and
    /// its tokenizer from `tokenizer.json`.
    ///
    /// # Errors
    /// Where a file is not of all-MiniLM-L6-v2: a tensor missing, a shape that differs, a
    /// vocabulary of another size than the table of words.
    pub fn load(
        weights: Source<'_>,
        tokenizer: Source<'_>,
        device: &Device,
    ) -> Result<Self, SemanticsError> {
        Ok(Self {
            network: load_network(weights.bytes, device).map_err(|e| refuse(weights, e))?,
            tokenizer: load_tokenizer(tokenizer)?,
            device: device.clone(),
        })
    }

    /// Token ids of a label, with or without the marks at both ends.
    fn tokens(&self, label: &str, marks: bool) -> Result<Vec<u32>, SemanticsError> {
        let label = normalise_label(label)?;
        match self.tokenizer.encode_fast(&*label, marks) {
            Ok(encoding) => Ok(encoding.get_ids().to_vec()),
            Err(error) => Err(split_error(&label, &error)),
        }
    }

    /// Normalised vectors `[B, D]` of labels that all have the same number of tokens.
    fn encode_batch(&self, batch: &[&[u32]]) -> candle_core::Result<Tensor> {
        let length = batch.first().map_or(0, |tokens| tokens.len());
        let tokens = Tensor::from_vec(batch.concat(), (batch.len(), length), &self.device)?;
        let last = self.network.forward(&tokens)?;
        // A sum serves: the mean's divisor would fall out of the normalisation.
        let sum = last.sum(1)?;
        let norm = sum.sqr()?.sum_keepdim(1)?.sqrt()?;
        sum.broadcast_div(&norm)
    }
}

impl LabelEncoder for SentenceEncoder {
    fn dimension(&self) -> usize {
        WIDTH
    }

    fn encode(&self, labels: &[&str]) -> Result<Tensor, SemanticsError> {
        if labels.is_empty() {
            return Ok(Tensor::zeros((0, WIDTH), DType::F32, &self.device)?);
        }
        let tokens: Vec<Vec<u32>> = labels
            .iter()
            .map(|label| self.tokens(label, true))
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

    fn reading(&self, label: &str) -> Result<Reading, SemanticsError> {
        let label = normalise_label(label)?;
        let split = self.tokenizer.encode(&*label, false);
        let split = split.map_err(|error| split_error(&label, &error))?;
        let unknown = self.tokenizer.token_to_id("[UNK]");
        let most = self.tokenizer.get_model().max_input_chars_per_word;
        let parts = english_words::parts(&label, &split, unknown, most);
        english_words::reading(label, &parts)
    }
}

fn split_error(label: &str, error: &tokenizers::Error) -> SemanticsError {
    SemanticsError::Split {
        label: label.to_owned(),
        reason: first_line(error),
    }
}

fn load_network(file: &[u8], device: &Device) -> candle_core::Result<Bert> {
    let mut tensors = candle_core::safetensors::load_buffer(file, &Device::Cpu)?;
    for tensor in tensors.values_mut().filter(|t| t.dtype() == DType::F16) {
        // The builder would widen value after value, which takes as long as all else together.
        let values = tensor.flatten_all()?.to_vec1::<f16>()?.to_f32_vec();
        *tensor = Tensor::from_vec(values, tensor.shape(), &Device::Cpu)?;
    }
    Bert::load(VarBuilder::from_tensors(tensors, DType::F32, device))
}

/// Reads `tokenizer.json`, but for its padding and truncation, which are always this encoder's.
fn load_tokenizer(source: Source<'_>) -> Result<Tokenizer, SemanticsError> {
    // Some damaged files make the tokenizer panic, when read or when first used.
    quietly_caught(|| read_tokenizer(source.bytes))
        .unwrap_or_else(|panic| Err(format!("it is damaged: {panic}").into()))
        .map_err(|error| refuse_tokenizer(source, error))
}

fn read_tokenizer(bytes: &[u8]) -> tokenizers::Result<Tokenizer> {
    let mut tokenizer = Tokenizer::from_bytes(bytes)?;
    tokenizer
        .with_padding(None)
        .with_truncation(Some(TruncationParams {
            max_length: MAX_TOKENS,
            ..TruncationParams::default()
        }))?;
    // "[MASK]" typed as a label is text like any other.
    tokenizer.set_encode_special_tokens(true);
    let found = tokenizer.get_vocab_size(true);
    if found != VOCABULARY {
        return Err(format!("it has {found} tokens, the network {VOCABULARY}").into());
    }
    let probe = tokenizer.encode("dog", true)?;
    if probe.get_tokens() != ["[CLS]", "dog", "[SEP]"] {
        return Err(format!("it splits “dog” into {:?}", probe.get_tokens()).into());
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
    to_half(source.bytes)
        .and_then(|bytes| {
            load_network(&bytes, &Device::Cpu)?;
            Ok(bytes)
        })
        .map_err(|error| refuse(source, error))
}

/// The embeddings and layers of a safetensors file, without the pooler that other uses of BERT have
/// after them, in half precision.
fn to_half(file: &[u8]) -> candle_core::Result<Vec<u8>> {
    let mut tensors = candle_core::safetensors::load_buffer(file, &Device::Cpu)?;
    tensors.retain(|name, _| {
        let used = name.starts_with("embeddings.") || name.starts_with("encoder.");
        used && !name.ends_with("position_ids")
    });
    for (name, tensor) in &mut tensors {
        *tensor = tensor.to_dtype(DType::F16)?;
        let values = tensor.flatten_all()?.to_vec1::<f16>()?;
        if !values.iter().all(|value| value.is_finite()) {
            candle_core::bail!("{name} holds values that half precision cannot");
        }
    }
    safetensors::serialize(tensors, None).map_err(candle_core::Error::wrap)
}

/// Converts the published `tokenizer.json` to what a bundle holds: the same file, but with no
/// padding to a fixed length and with this encoder's truncation, so that other programs that read
/// it split labels as this one does.
///
/// # Errors
/// Where it is no tokenizer of this network.
pub fn convert_sentence_tokenizer(source: Source<'_>) -> Result<Vec<u8>, SemanticsError> {
    let json = serde_json::to_vec(&load_tokenizer(source)?);
    json.map_err(|error| refuse_tokenizer(source, error))
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
