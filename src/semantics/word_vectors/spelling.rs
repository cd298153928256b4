//! Words that are spelled nearly like another.

use rayon::prelude::*;

/// Most letters of a word that is compared.
const MAX_LETTERS: usize = 40;
/// A word so short has too many neighbours at two changes.
const SHORT: usize = 4;
/// Words compared at a time by one thread.
const BLOCK: usize = 4096;

/// The rows of up to `n` of `words` words, of which row i is `word(i)`, that become `wanted` by at most
/// two changes (one for a short word): a letter put in, left out, replaced, or two that change places.
/// Fewer changes first, then lower rows.
pub(super) fn nearest<'w>(
    wanted: &str,
    words: usize,
    word: impl Fn(usize) -> &'w str + Sync,
    n: usize,
) -> Vec<usize> {
    let wanted: Vec<char> = wanted.chars().collect();
    if wanted.len() > MAX_LETTERS {
        return Vec::new();
    }
    let limit = if wanted.len() <= SHORT { 1 } else { 2 };
    let mut found: Vec<(usize, usize)> = (0..words.div_ceil(BLOCK))
        .into_par_iter()
        .flat_map_iter(|block| {
            let rows = block * BLOCK..words.min((block + 1) * BLOCK);
            let mut letters = Vec::new();
            let mut near = Vec::new();
            for row in rows {
                letters.clear();
                letters.extend(word(row).chars().take(MAX_LETTERS + limit));
                if let Some(changes) = changes(&wanted, &letters, limit) {
                    near.push((changes, row));
                }
            }
            near
        })
        .collect();
    found.sort_unstable();
    found.truncate(n);
    found.into_iter().map(|(_, row)| row).collect()
}

/// How many changes make `a` of `b`, if at most `limit`.
fn changes(a: &[char], b: &[char], limit: usize) -> Option<usize> {
    if a.len().abs_diff(b.len()) > limit || b.len() > MAX_LETTERS + 2 {
        return None;
    }
    // Rows of the table of changes between the starts of a and b: two before, before, this.
    let mut rows = [[0; MAX_LETTERS + 3]; 3];
    for (j, cell) in rows[1][..=b.len()].iter_mut().enumerate() {
        *cell = j;
    }
    for i in 1..=a.len() {
        let [two_before, before, this] = &mut rows;
        this[0] = i;
        let mut least = i;
        for j in 1..=b.len() {
            let differ = usize::from(a[i - 1] != b[j - 1]);
            let mut cell = (before[j - 1] + differ)
                .min(before[j] + 1)
                .min(this[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                cell = cell.min(two_before[j - 2] + 1);
            }
            this[j] = cell;
            least = least.min(cell);
        }
        if least > limit {
            return None;
        }
        rows.rotate_left(1);
    }
    Some(rows[1][b.len()]).filter(|&changes| changes <= limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn between(a: &str, b: &str) -> Option<usize> {
        let letters = |text: &str| text.chars().collect::<Vec<_>>();
        changes(&letters(a), &letters(b), 2)
    }

    #[test]
    fn changes_are_counted() {
        for (a, b, expected) in [
            ("panda", "panda", Some(0)),
            ("pnda", "panda", Some(1)),
            ("pandas", "panda", Some(1)),
            ("ponda", "panda", Some(1)),
            ("apnda", "panda", Some(1)),
            ("kitten", "sitting", None),
            ("sunset", "subset", Some(1)),
            ("", "ab", Some(2)),
            ("zürich", "zurich", Some(1)),
            ("a", "abcd", None),
        ] {
            assert_eq!(between(a, b), expected, "{a} {b}");
            assert_eq!(between(b, a), expected, "{b} {a}");
        }
    }

    #[test]
    fn fewer_changes_then_lower_rows() {
        let words = ["dog", "panda", "pandas", "ponda", "pends", "panda's"];
        let found = nearest("pnda", words.len(), |row| words[row], 3);
        assert_eq!(found, [1, 3]);
        let found = nearest("pandaa", words.len(), |row| words[row], 3);
        assert_eq!(found, [1, 2, 3]);
        assert!(nearest(&"x".repeat(500), words.len(), |row| words[row], 3).is_empty());
    }
}
