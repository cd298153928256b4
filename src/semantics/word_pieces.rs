//! From a label's text to the token ids of the sentence encoder.
//!
//! Of `tokenizer.json` only the vocabulary and the clean-up of letters are read. Everything else in
//! it (padding, truncation, marks, decoder) is the same for every copy of this network or of no use
//! here, and the general reader of that format can be made to panic by a damaged file.

use serde::Deserialize;
use tokenizers::Tokenizer;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;

/// Most tokens of a label, the two marks included, as sentence-transformers' configuration of
/// all-MiniLM-L6-v2 has it. Only labels near the limit of characters in scripts whose letters split
/// into several tokens (Hangul) are ever cut.
pub const MAX_TOKENS: usize = 256;

/// The parts of `tokenizer.json` that matter.
#[derive(Deserialize)]
struct TokenizerFile {
    normalizer: BertNormalizer,
    model: WordPiece,
}

/// Splits text into the word pieces of a BERT vocabulary.
pub struct WordPieces {
    tokenizer: Tokenizer,
    start: u32,
    end: u32,
    unknown: u32,
}

impl WordPieces {
    /// Reads `tokenizer.json` for a network with a table of `words` rows.
    ///
    /// # Errors
    /// The reason, where the file is of another kind, damaged, or of a larger vocabulary.
    pub fn load(bytes: &[u8], words: usize) -> Result<Self, String> {
        let file: TokenizerFile =
            serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        let mut tokenizer = Tokenizer::new(file.model);
        let largest = tokenizer.get_vocab(false).into_values().max().unwrap_or(0);
        if largest as usize >= words {
            return Err(format!("it has a token {largest}, the network {words}"));
        }
        let mark = |token: &str| {
            let id = tokenizer.token_to_id(token);
            id.ok_or_else(|| format!("its vocabulary lacks {token}"))
        };
        let (start, end, unknown) = (mark("[CLS]")?, mark("[SEP]")?, mark("[UNK]")?);
        tokenizer
            .with_normalizer(Some(file.normalizer))
            .map_err(|error| error.to_string())?
            .with_pre_tokenizer(Some(BertPreTokenizer));
        Ok(Self {
            tokenizer,
            start,
            end,
            unknown,
        })
    }

    /// Token ids of `text` between the two marks, at most [`MAX_TOKENS`].
    ///
    /// # Errors
    /// The tokenizer's reason, where it refuses the text.
    pub fn split(&self, text: &str) -> Result<Vec<u32>, String> {
        let encoding = self.tokenizer.encode_fast(text, false);
        let encoding = encoding.map_err(|error| error.to_string())?;
        let inner = encoding.get_ids().iter().copied().take(MAX_TOKENS - 2);
        Ok(std::iter::once(self.start)
            .chain(inner)
            .chain([self.end])
            .collect())
    }

    /// Whether any token of a split text is in the vocabulary.
    pub fn know(&self, tokens: &[u32]) -> bool {
        let empty = [self.start, self.end, self.unknown];
        tokens.iter().any(|token| !empty.contains(token))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(model: &str) -> String {
        let vocabulary =
            r####"{"[UNK]":0,"[CLS]":1,"[SEP]":2,"ice":3,"##berg":4,"-":5,"cafe":6}"####;
        format!(
            r####"{{"padding":{{"strategy":{{"Fixed":128}}}},"decoder":{{"type":"none such"}},
            "normalizer":{{"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":true,
            "strip_accents":null,"lowercase":true}},"model":{{"type":"{model}","unk_token":"[UNK]",
            "continuing_subword_prefix":"##","max_input_chars_per_word":100,"vocab":{vocabulary}}}}}"####
        )
    }

    #[test]
    fn words_split_into_the_longest_known_pieces() -> Result<(), String> {
        let pieces = WordPieces::load(file("WordPiece").as_bytes(), 7)?;
        assert_eq!(pieces.split("Iceberg")?, [1, 3, 4, 2]);
        assert_eq!(pieces.split("ICE-CAFÉ zebra")?, [1, 3, 5, 6, 0, 2]);
        assert_eq!(pieces.split("")?, [1, 2]);
        assert_eq!(pieces.split(&"ice ".repeat(300))?.len(), MAX_TOKENS);
        assert!(pieces.know(&pieces.split("zebra ice")?));
        assert!(!pieces.know(&pieces.split("zebra 🐶")?));
        Ok(())
    }

    #[test]
    fn files_that_do_not_fit_are_refused() {
        let refused = |text: &str, words| WordPieces::load(text.as_bytes(), words).err();
        assert_eq!(
            refused(&file("WordPiece"), 6).as_deref(),
            Some("it has a token 6, the network 6")
        );
        let unmarked = file("WordPiece").replace("[SEP]", "[END]");
        assert_eq!(
            refused(&unmarked, 7).as_deref(),
            Some("its vocabulary lacks [SEP]")
        );
        assert!(refused(&file("BPE"), 7).is_some());
        assert!(refused(&file("WordPiece")[..200], 7).is_some());
    }
}
