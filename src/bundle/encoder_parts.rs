//! The label encoder among the parts of a bundle.

use std::path::Path;

use candle_core::Device;

use super::BundleError;
use super::import::{Files, read};
use super::manifest::{LabelEncoderEntry, LabelEncoderKind};
use crate::semantics::sentence::SentenceEncoder;
use crate::semantics::{
    LabelEncoder, SemanticsError, Source, WordEncoder, WordVectors, convert_sentence_tokenizer,
    convert_sentence_weights,
};

const TEXT_ENCODER: &str = "text_encoder.safetensors";
const TOKENIZER: &str = "tokenizer.json";
/// Word vectors as this program writes them.
pub const WORD_VECTORS: &str = "word_vectors.bin";

/// Puts the label encoder of a folder into `files`: word vectors of this program's own, or
/// all-MiniLM-L6-v2 as it is published or as a bundle has it.
///
/// # Errors
/// A file that is missing, unreadable or of another encoder.
pub(super) fn take_encoder(
    folder: &Path,
    files: &mut Files,
) -> Result<(LabelEncoderEntry, Box<dyn LabelEncoder>), BundleError> {
    let words = folder.join(WORD_VECTORS);
    if words.exists() {
        let vectors = WordVectors::open(&words).map_err(SemanticsError::from)?;
        files.insert(WORD_VECTORS.to_owned(), read(&words)?);
        let encoder = WordEncoder::new(vectors, &Device::Cpu);
        return Ok((word_vectors_entry(encoder.vectors()), Box::new(encoder)));
    }
    let of_bundle = folder.join(TEXT_ENCODER);
    let weights_path = match of_bundle.exists() {
        true => of_bundle,
        false => folder.join("model.safetensors"),
    };
    let tokenizer_path = folder.join(TOKENIZER);
    let weights = convert_sentence_weights(Source {
        path: &weights_path,
        bytes: &read(&weights_path)?,
    })?;
    let tokenizer = convert_sentence_tokenizer(Source {
        path: &tokenizer_path,
        bytes: &read(&tokenizer_path)?,
    })?;
    let source = |path, bytes| Source { path, bytes };
    let encoder = SentenceEncoder::load(
        source(&weights_path, &weights),
        source(&tokenizer_path, &tokenizer),
        &Device::Cpu,
    )?;
    files.insert(TEXT_ENCODER.to_owned(), weights);
    files.insert(TOKENIZER.to_owned(), tokenizer);
    let entry = LabelEncoderEntry {
        kind: LabelEncoderKind::AllMiniLmL6V2,
        file: TEXT_ENCODER.to_owned(),
        tokenizer: Some(TOKENIZER.to_owned()),
        index_sha256: None,
    };
    Ok((entry, Box::new(encoder)))
}

/// What a manifest says of word vectors.
pub(super) fn word_vectors_entry(vectors: &WordVectors) -> LabelEncoderEntry {
    LabelEncoderEntry {
        kind: LabelEncoderKind::WordVectors,
        file: WORD_VECTORS.to_owned(),
        tokenizer: None,
        index_sha256: Some(vectors.index_sha256()),
    }
}
