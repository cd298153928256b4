//! What a published file of word vectors has that gets no row, so that it can be told.

use crate::files::one_line;

/// How much of a word or a reason is shown, in characters.
const SHOWN_CHARS: usize = 120;

/// What of a published file has no row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Words that came before: the first vector counts.
    pub duplicates: Skipped,
    /// Words whose vector is all zeros, which has no direction.
    pub zeros: Skipped,
    /// Words or lines that are not UTF-8.
    pub not_text: Skipped,
    /// Lines of a text file that are no word and its numbers.
    pub broken: Skipped,
}

/// Lines or words of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    pub count: usize,
    /// Which is the first of them, counted from 1, and its word or what is wrong with it:
    /// `line 3: dog` in a text file, `word 3: dog` in a binary one.
    pub first: Option<String>,
}

impl Skipped {
    pub(super) fn add(&mut self, unit: &str, place: u64, what: &str) {
        self.count += 1;
        self.first.get_or_insert_with(|| {
            let what: String = what.chars().take(SHOWN_CHARS).collect();
            format!("{unit} {place}: {}", one_line(&what))
        });
    }
}

impl LeftOut {
    /// One line for each kind of which there is any.
    pub fn summary(&self) -> Vec<String> {
        let kinds = [
            (&self.broken, "no word and its numbers"),
            (&self.not_text, "not UTF-8"),
            (&self.duplicates, "a word that came before"),
            (&self.zeros, "a vector of zeros"),
        ];
        let told = kinds.into_iter().filter_map(|(skipped, kind)| {
            let (count, first) = (skipped.count, skipped.first.as_ref()?);
            Some(format!(
                "{count} of the word vectors ({kind}), the first is {first}"
            ))
        });
        told.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_told_with_its_first_place() {
        let mut left_out = LeftOut::default();
        assert_eq!(left_out.summary(), [""; 0]);
        left_out.duplicates.add("line", 7, "dog");
        left_out.duplicates.add("line", 9, "cat\n");
        left_out
            .broken
            .add("line", 3, "2 numbers where the others have 3");
        assert_eq!(
            left_out.summary(),
            [
                "1 of the word vectors (no word and its numbers), the first is line 3: 2 numbers \
                 where the others have 3",
                "2 of the word vectors (a word that came before), the first is line 7: dog",
            ]
        );
    }
}
