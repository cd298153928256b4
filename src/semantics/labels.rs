//! What a label is to a bundle: seen, taught or unseen. Reads and writes the bundle's lists.
//!
//! `labels.tsv` lists the bundle's own labels (`label`, `status`: seen or unseen), `teacher.tsv` the
//! classes of its semantic teacher (`name`, `classifier rows averaged`, `status`: used or left out).

use std::collections::{HashMap, HashSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::text::{label_key, normalise_label};
use super::{SemanticsError, Source};

/// Largest list file worth reading, in bytes: room for a million short labels.
pub const MAX_LIST_BYTES: u64 = 16 << 20;

const LABELS_HEADER: [&str; 2] = ["label", "status"];
const TEACHER_HEADER: [&str; 3] = ["name", "classifier rows averaged", "status"];
const SEEN: &str = "seen";
const UNSEEN: &str = "unseen";
const USED: &str = "used";
const LEFT_OUT: &str = "left out";

/// What a label is to a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LabelStatus {
    /// A training label of the ranking loss.
    Seen,
    /// Only its name was among the teacher's classes; no training photo was labelled with it.
    Taught,
    /// Neither.
    Unseen,
}

impl fmt::Display for LabelStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Seen => SEEN,
            Self::Taught => "taught",
            Self::Unseen => UNSEEN,
        })
    }
}

/// One label of the bundle's own list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedLabel {
    pub label: String,
    /// Whether the ranking loss was trained on it.
    pub seen: bool,
}

/// One class of the semantic teacher. A class is known by its place in the list: two classes may
/// share a name (crane, the bird, and crane, the machine).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TeacherClass {
    pub name: String,
    /// Rows of the backbone's classifier whose mean is this class.
    pub rows: Vec<u32>,
    /// Whether training used it; the others share a word with an unseen label.
    pub used: bool,
}

/// The labels of a bundle and the classes of its teacher.
#[derive(Clone, Debug, Default)]
pub struct LabelLists {
    labels: Vec<ListedLabel>,
    teacher: Vec<TeacherClass>,
    /// Place in `labels` by [`label_key`].
    places: HashMap<String, usize>,
    /// [`label_key`] of the teacher's used classes.
    taught: HashSet<String>,
}

impl LabelLists {
    /// Lists from `labels.tsv` and, where the bundle has one, `teacher.tsv`.
    ///
    /// # Errors
    /// The first line that is not understood, with its file: a wrong header, a missing column, a
    /// label that is none or is listed twice, an unknown status, rows that are no numbers.
    pub fn parse(labels: Source<'_>, teacher: Option<Source<'_>>) -> Result<Self, SemanticsError> {
        let mut lists = Self::default();
        for line in lines(labels, LABELS_HEADER)? {
            let line = line?;
            let [label, status] = line.columns;
            let seen = line.choice(status, SEEN, UNSEEN)?;
            let label = line.label(label)?;
            let place = lists.labels.len();
            if let Some(first) = lists.places.insert(label_key(&label), place) {
                let first = first + FIRST_LINE;
                return Err(line.refuse(format!("“{label}” is already listed in line {first}")));
            }
            lists.labels.push(ListedLabel { label, seen });
        }
        let Some(teacher) = teacher else {
            return Ok(lists);
        };
        for line in lines(teacher, TEACHER_HEADER)? {
            let line = line?;
            let [name, rows, status] = line.columns;
            let used = line.choice(status, USED, LEFT_OUT)?;
            let name = line.label(name)?;
            let rows = rows
                .split(',')
                .map(|row| row.trim().parse())
                .collect::<Result<_, _>>()
                .map_err(|_| {
                    line.refuse("the second column must be row numbers parted by commas")
                })?;
            if used {
                lists.taught.insert(label_key(&name));
            }
            lists.teacher.push(TeacherClass { name, rows, used });
        }
        Ok(lists)
    }

    /// What `label` is to the bundle, whatever its case and the white space around it.
    pub fn status(&self, label: &str) -> LabelStatus {
        let key = label_key(label);
        let listed = self.places.get(&key).and_then(|&i| self.labels.get(i));
        if listed.is_some_and(|listed| listed.seen) {
            LabelStatus::Seen
        } else if self.taught.contains(&key) {
            LabelStatus::Taught
        } else {
            LabelStatus::Unseen
        }
    }

    /// The bundle's labels in file order.
    pub fn labels(&self) -> &[ListedLabel] {
        &self.labels
    }

    /// The labels of the ranking loss, in file order.
    pub fn seen(&self) -> impl Iterator<Item = &str> {
        self.with_seen(true)
    }

    /// The bundle's labels that training never saw, in file order.
    pub fn unseen(&self) -> impl Iterator<Item = &str> {
        self.with_seen(false)
    }

    fn with_seen(&self, seen: bool) -> impl Iterator<Item = &str> {
        let wanted = move |listed: &&ListedLabel| listed.seen == seen;
        self.labels.iter().filter(wanted).map(|l| l.label.as_str())
    }

    /// Place of a label in [`LabelLists::labels`], found as [`LabelLists::status`] finds it.
    pub fn place(&self, label: &str) -> Option<usize> {
        self.places.get(&label_key(label)).copied()
    }

    /// The teacher's classes in file order, those left out included.
    pub fn teacher(&self) -> &[TeacherClass] {
        &self.teacher
    }
}

/// The text of `labels.tsv`. Labels must be normalised.
pub fn write_labels(labels: &[ListedLabel]) -> String {
    let mut text = LABELS_HEADER.join("\t") + "\n";
    for ListedLabel { label, seen } in labels {
        let status = if *seen { SEEN } else { UNSEEN };
        text += &format!("{label}\t{status}\n");
    }
    text
}

/// The text of `teacher.tsv`. Names must be normalised.
pub fn write_teacher(classes: &[TeacherClass]) -> String {
    let mut text = TEACHER_HEADER.join("\t") + "\n";
    for TeacherClass { name, rows, used } in classes {
        let rows: Vec<String> = rows.iter().map(u32::to_string).collect();
        let status = if *used { USED } else { LEFT_OUT };
        text += &format!("{name}\t{}\t{status}\n", rows.join(","));
    }
    text
}

/// Line of a file's first entry: lines count from 1 and the header is the first.
const FIRST_LINE: usize = 2;

/// One entry of a list, its columns still text.
struct Line<'a, const N: usize> {
    source: Source<'a>,
    number: usize,
    columns: [&'a str; N],
}

impl<const N: usize> Line<'_, N> {
    fn refuse(&self, reason: impl Into<String>) -> SemanticsError {
        refuse(self.source, self.number, reason)
    }

    fn label(&self, text: &str) -> Result<String, SemanticsError> {
        normalise_label(text).map_err(|error| self.refuse(error.to_string()))
    }

    /// Whether `text` is the first of two words, the only ones allowed.
    fn choice(&self, text: &str, yes: &str, no: &str) -> Result<bool, SemanticsError> {
        match text.trim() {
            text if text == yes => Ok(true),
            text if text == no => Ok(false),
            _ => Err(self.refuse(format!("the last column must be “{yes}” or “{no}”"))),
        }
    }
}

fn refuse(source: Source<'_>, line: usize, reason: impl Into<String>) -> SemanticsError {
    SemanticsError::List {
        path: source.path.to_owned(),
        line,
        reason: reason.into(),
    }
}

/// The entries of a list after its header.
fn lines<'a, const N: usize>(
    source: Source<'a>,
    header: [&str; N],
) -> Result<impl Iterator<Item = Result<Line<'a, N>, SemanticsError>>, SemanticsError> {
    let text = str::from_utf8(source.bytes).map_err(|error| {
        let before = source.bytes.get(..error.valid_up_to()).unwrap_or_default();
        let line = 1 + before.iter().filter(|&&byte| byte == b'\n').count();
        refuse(source, line, "the text is not UTF-8; save it as UTF-8")
    })?;
    let mut all = text.trim_start_matches('\u{feff}').lines();
    let first: Vec<&str> = all.next().unwrap_or_default().split('\t').collect();
    if first != header {
        let header = header.join("”, “");
        return Err(refuse(
            source,
            1,
            format!("the header must be the columns “{header}”, parted by tabs"),
        ));
    }
    Ok((FIRST_LINE..).zip(all).map(move |(number, line)| {
        let columns: Vec<&str> = line.split('\t').collect();
        let columns = columns.try_into().map_err(|found: Vec<&str>| {
            let reason = format!("{} columns instead of {N}, parted by tabs", found.len());
            refuse(source, number, reason)
        })?;
        Ok(Line {
            source,
            number,
            columns,
        })
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    const LABELS: &str =
        "label\tstatus\ndog\tseen\nTraffic Light\tunseen\ncat\tseen\nsky\tunseen\n";
    const TEACHER: &str = "name\tclassifier rows averaged\tstatus\n\
        crane\t134\tleft out\nwolf\t269\tused\ncrane\t517\tused\nsky\t7,8\tleft out\ndog\t1,2,3\tused\n";

    fn source<'a>(path: &'a str, text: &'a str) -> Source<'a> {
        let (path, bytes) = (Path::new(path), text.as_bytes());
        Source { path, bytes }
    }

    fn parse(labels: &str, teacher: &str) -> Result<LabelLists, String> {
        LabelLists::parse(
            source("a/labels.tsv", labels),
            Some(source("a/teacher.tsv", teacher)),
        )
        .map_err(|error| error.to_string())
    }

    #[test]
    fn a_name_with_two_senses_is_taught_when_either_was_used() -> Result<(), String> {
        let lists = parse(LABELS, TEACHER)?;
        assert_eq!(lists.status(" CRANE "), LabelStatus::Taught);
        assert_eq!(lists.status("wolf"), LabelStatus::Taught);
        let cranes: Vec<_> = lists
            .teacher()
            .iter()
            .filter(|c| c.name == "crane")
            .collect();
        assert_eq!(cranes.len(), 2);
        assert_eq!((&cranes[1].rows[..], cranes[1].used), (&[517u32][..], true));
        Ok(())
    }

    #[test]
    fn seen_comes_before_taught_and_left_out_is_unseen() -> Result<(), String> {
        let lists = parse(LABELS, TEACHER)?;
        assert_eq!(lists.status("Dog"), LabelStatus::Seen);
        assert_eq!(lists.status("sky"), LabelStatus::Unseen);
        assert_eq!(lists.status("traffic   light"), LabelStatus::Unseen);
        assert_eq!(lists.status("never heard of"), LabelStatus::Unseen);
        Ok(())
    }

    #[test]
    fn lists_keep_the_order_of_the_file() -> Result<(), String> {
        let lists = parse(LABELS, TEACHER)?;
        assert_eq!(lists.seen().collect::<Vec<_>>(), ["dog", "cat"]);
        assert_eq!(lists.unseen().collect::<Vec<_>>(), ["Traffic Light", "sky"]);
        assert_eq!(lists.place("CAT"), Some(2));
        assert_eq!(lists.place("wolf"), None);
        Ok(())
    }

    #[test]
    fn written_lists_read_back_the_same() -> Result<(), String> {
        let lists = parse(LABELS, TEACHER)?;
        assert_eq!(write_labels(lists.labels()), LABELS);
        assert_eq!(write_teacher(lists.teacher()), TEACHER);
        Ok(())
    }

    #[test]
    fn foreign_line_ends_and_byte_order_mark_are_understood() -> Result<(), String> {
        let lists = parse("\u{feff}label\tstatus\r\ndog\tseen\r\n", TEACHER)?;
        assert_eq!(lists.seen().collect::<Vec<_>>(), ["dog"]);
        Ok(())
    }

    #[test]
    fn errors_name_file_and_line() {
        let refused = |labels: &str, teacher: &str| parse(labels, teacher).unwrap_err();
        assert_eq!(
            refused("label\tstatus\ndog\tseen\ncat\tmaybe\n", TEACHER),
            "a/labels.tsv line 3: the last column must be “seen” or “unseen”"
        );
        assert_eq!(
            refused(
                "label\tstatus\ndog\tseen\ncat\tseen\nDOG\tunseen\n",
                TEACHER
            ),
            "a/labels.tsv line 4: “DOG” is already listed in line 2"
        );
        assert_eq!(
            refused("label\tstatus\n\ndog\tseen\n", TEACHER),
            "a/labels.tsv line 2: 1 columns instead of 2, parted by tabs"
        );
        assert_eq!(
            refused("label\tstatus\n \tseen\n", TEACHER),
            "a/labels.tsv line 2: a label is empty; type a word or a short phrase"
        );
        assert!(refused("", TEACHER).starts_with("a/labels.tsv line 1: the header must be"));
        let header = "name\tclassifier rows averaged\tstatus\n";
        for rows in ["", "1,", "-1", "x", "4294967296"] {
            assert_eq!(
                refused(
                    LABELS,
                    &format!("{header}wolf\t1\tused\ncrane\t{rows}\tused\n")
                ),
                "a/teacher.tsv line 3: the second column must be row numbers parted by commas"
            );
        }
    }

    #[test]
    fn text_of_another_encoding_is_refused_with_its_line() {
        let bytes = b"label\tstatus\ndog\tseen\ncaf\xe9\tseen\n";
        let path = Path::new("labels.tsv");
        let error = LabelLists::parse(Source { path, bytes }, None).unwrap_err();
        assert_eq!(
            error.to_string(),
            "labels.tsv line 3: the text is not UTF-8; save it as UTF-8"
        );
    }

    #[test]
    fn status_is_written_in_lower_case() -> Result<(), serde_json::Error> {
        assert_eq!(serde_json::to_string(&LabelStatus::Taught)?, "\"taught\"");
        assert_eq!(format!("{:>7}", LabelStatus::Seen), "   seen");
        Ok(())
    }
}
