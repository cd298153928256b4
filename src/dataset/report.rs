//! What a reader found.

use std::fmt;

use crate::files::one_line;

/// How many unknown labels are named before the others are only counted.
const NAMED: usize = 8;

/// What a reader found in a data set and what it left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Photos that are there.
    pub photos: usize,
    /// Photos that the set lists but that are not on the disk.
    pub missing_photos: usize,
    /// Labels of rows that the set's own list of labels does not have.
    pub unknown_labels: Vec<UnknownLabel>,
    /// Labels that are +1, over all photos.
    pub positives: u64,
    /// Labels that are -1, over all photos.
    pub negatives: u64,
    /// What else is worth a line.
    pub notes: Vec<String>,
}

/// A label that no list has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownLabel {
    pub name: String,
    /// How often it came.
    pub times: usize,
}

impl Report {
    /// Adds another set's report.
    pub(super) fn add(&mut self, other: Report) {
        self.photos += other.photos;
        self.missing_photos += other.missing_photos;
        self.unknown_labels.extend(other.unknown_labels);
        self.positives += other.positives;
        self.negatives += other.negatives;
        self.notes.extend(other.notes);
    }
}

impl fmt::Display for Report {
    /// One line of counts, then one for each thing that was left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            photos,
            positives,
            negatives,
            ..
        } = self;
        write!(
            f,
            "{photos} photos, {positives} positive and {negatives} negative labels"
        )?;
        if self.missing_photos > 0 {
            let all = self.photos + self.missing_photos;
            let missing = self.missing_photos;
            write!(
                f,
                "\n{missing} of {all} photos are not there and were left out"
            )?;
        }
        if !self.unknown_labels.is_empty() {
            let names: Vec<String> = self.unknown_labels.iter().map(shown).collect();
            let count = names.len();
            write!(f, "\n{count} labels are not in the set's own list: ")?;
            write!(f, "{}", names[..count.min(NAMED)].join(", "))?;
            if count > NAMED {
                write!(f, " and {} others", count - NAMED)?;
            }
        }
        for note in &self.notes {
            write!(f, "\n{}", one_line(note))?;
        }
        Ok(())
    }
}

fn shown(label: &UnknownLabel) -> String {
    let name = one_line(&label.name);
    match label.times {
        1 => format!("“{name}”"),
        times => format!("“{name}” ({times} times)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_says_what_was_left_out() {
        let unknown = |i: usize| UnknownLabel {
            name: format!("w{i}"),
            times: i,
        };
        let report = Report {
            photos: 3,
            missing_photos: 1,
            unknown_labels: (1..=10).map(unknown).collect(),
            positives: 4,
            negatives: 5,
            notes: vec!["a\nnote".to_owned()],
        };
        let text = report.to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "3 photos, 4 positive and 5 negative labels");
        assert_eq!(lines[1], "1 of 4 photos are not there and were left out");
        assert!(
            lines[2].starts_with("10 labels are not in the set's own list: “w1”, “w2” (2 times)")
        );
        assert!(lines[2].ends_with(" and 2 others"));
        assert_eq!(lines[3], "a\u{fffd}note");
    }
}
