//! What turns a bundle's labels, and typed ones, into vectors.

use super::BundleError;
use super::load::BundleReader;
use super::manifest::LabelEncoderKind;
use crate::semantics::sentence::SentenceEncoder;
use crate::semantics::{LabelEncoder, SemanticsError, Source, WordEncoder, WordVectors};

impl BundleReader<'_> {
    pub(super) fn encoder(&self) -> Result<Box<dyn LabelEncoder>, BundleError> {
        match self.manifest.label_encoder.kind {
            LabelEncoderKind::AllMiniLmL6V2 => Ok(Box::new(self.sentence_encoder()?)),
            LabelEncoderKind::WordVectors => Ok(Box::new(self.word_encoder()?)),
        }
    }

    fn sentence_encoder(&self) -> Result<SentenceEncoder, BundleError> {
        let entry = &self.manifest.label_encoder;
        let (weights_path, weights) = self.read(&entry.file)?;
        let tokenizer = entry.tokenizer.as_deref().unwrap_or_default();
        let (tokenizer_path, tokenizer) = self.read(tokenizer)?;
        let source = |path, bytes| Source { path, bytes };
        let encoder = SentenceEncoder::load(
            source(&weights_path, &weights),
            source(&tokenizer_path, &tokenizer),
            self.device,
        )?;
        Ok(encoder)
    }

    /// Opens the word vectors where they lie. A program that starts checks their index alone: hashing
    /// the hundreds of megabytes of vectors would read what is otherwise mapped as it is needed.
    fn word_encoder(&self) -> Result<WordEncoder, BundleError> {
        let entry = &self.manifest.label_encoder;
        let path = self.place.mapped.join(&entry.file);
        let vectors = WordVectors::open(&path).map_err(SemanticsError::from)?;
        if entry.index_sha256 != Some(vectors.index_sha256()) {
            return Err(BundleError::Changed(path));
        }
        let found = vectors.dimension();
        let takes = self.configurations.iter().map(|network| network.takes());
        let wanted = takes.map(|takes| takes.label_dimension).next();
        if let Some(wanted) = wanted.filter(|&wanted| wanted != found) {
            let reason = format!(
                "vectors of {found} numbers, the networks take {wanted}; import word vectors that \
                 belong to the networks"
            );
            return Err(BundleError::Weights { path, reason });
        }
        Ok(WordEncoder::new(vectors, self.device))
    }
}
