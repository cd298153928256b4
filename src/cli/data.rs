//! The options that choose photos with labels, shared by training and evaluation.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::Args;

use super::common::print_note;
use crate::dataset::{self, Dataset, Kind, Part, Split};
use crate::files::shown;

/// How many names are told before the others are only counted.
const NAMED: usize = 5;

/// Options of every command that reads data sets.
#[derive(Clone, Debug, Args)]
pub struct DatasetArguments {
    /// Folder of a data set; repeat it for several that become one
    #[arg(long, value_name = "DIR", required = true)]
    pub data: Vec<PathBuf>,
    /// What the data sets are: folder, coco, voc, nus-wide or open-images (default: known by their
    /// files)
    #[arg(long, value_name = "KIND")]
    pub data_kind: Option<Kind>,
    /// Part of the data sets, such as train, val or test
    #[arg(long, value_name = "NAME")]
    pub part: Option<String>,
    /// File with the labels to keep, one a line; all others are left out
    #[arg(long, value_name = "FILE")]
    pub only_labels: Option<PathBuf>,
    /// File with the labels that no training may see, one a line; an empty one: none is unseen
    /// (default: the data set's own unseen labels, if it has such)
    #[arg(long, value_name = "FILE")]
    pub unseen: Option<PathBuf>,
}

impl DatasetArguments {
    /// Reads the data sets as one, with the split of their labels; says on standard error what each
    /// of them has and lacks. Without `--part` it is `usual`, or the only part of a set.
    pub fn read(&self, usual: &str) -> Result<(Dataset, Split)> {
        let mut unknown = Vec::new();
        let set = self.read_with(usual, &mut print_report, &mut unknown)?;
        print_unknown("to be kept", &unknown);
        let split = match &self.unseen {
            Some(path) => Split::read(path, &set.labels)?,
            None => Split::of_places(set.labels.len(), &set.unseen),
        };
        print_unknown("to be unseen", split.unknown());
        Ok((set, split))
    }

    /// The data sets as [`DatasetArguments::read`] reads them, without a word.
    pub fn read_silently(&self, usual: &str) -> Result<Dataset> {
        self.read_with(usual, &mut |_, _| {}, &mut Vec::new())
    }

    /// Reads the data sets as one; gives each to `each`, and the names that are to be kept and are
    /// no labels to `unknown`.
    fn read_with(
        &self,
        usual: &str,
        each: &mut dyn FnMut(&Path, &Dataset),
        unknown: &mut Vec<String>,
    ) -> Result<Dataset> {
        let part = match &self.part {
            Some(name) => Part::Named(name),
            None => Part::Usual(usual),
        };
        let mut sets = Vec::with_capacity(self.data.len());
        for path in &self.data {
            let set = dataset::open(path, self.data_kind, part)?;
            each(path, &set);
            sets.push(set);
        }
        let mut set = Dataset::merge(sets);
        if let Some(path) = &self.only_labels {
            let (kept, others) = set.keep_only(&dataset::read_names(path)?);
            if kept.labels.is_empty() {
                bail!(
                    "{}: no label of these data sets is in it; name labels to keep, or leave out \
                     --only-labels",
                    shown(path)
                );
            }
            set = kept;
            unknown.extend(others);
        }
        if set.photos.is_empty() {
            bail!("there is no photo in these data sets; name others with --data or --part");
        }
        Ok(set)
    }
}

fn print_report(path: &Path, set: &Dataset) {
    for line in set.report.to_string().lines() {
        print_note(&format!("{}: {line}", shown(path)));
    }
}

/// Names labels of a list that the data sets do not have.
fn print_unknown(what: &str, unknown: &[String]) {
    if unknown.is_empty() {
        return;
    }
    let named = unknown[..unknown.len().min(NAMED)].join("”, “");
    let others = match unknown.len().saturating_sub(NAMED) {
        0 => String::new(),
        others => format!(" and {others} others"),
    };
    print_note(&format!(
        "{what}, but no label of these data sets: “{named}”{others}"
    ));
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use std::fs;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        data: DatasetArguments,
    }

    fn parse(arguments: &[&str]) -> DatasetArguments {
        let arguments = ["program"].iter().chain(arguments);
        Command::try_parse_from(arguments).unwrap().data
    }

    #[test]
    fn several_sets_become_one_with_a_split() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        for (set, list, label) in [("one", "train", "dog"), ("two", "photos", "cat")] {
            fs::create_dir(path(set)).unwrap();
            fs::write(path(&format!("{set}/a.jpg")), "a photo").unwrap();
            fs::write(
                path(&format!("{set}/vocabulary.txt")),
                format!("{label}\nsky\n"),
            )
            .unwrap();
            let row = format!("a.jpg\t{label}\n");
            fs::write(path(&format!("{set}/{list}.tsv")), row).unwrap();
        }
        fs::write(path("unseen.txt"), "cat\nyak\n").unwrap();
        let (one, two, unseen) = (path("one"), path("two"), path("unseen.txt"));
        let both = ["--data", &one, "--data", &two];
        let (set, split) = parse(&[&both[..], &["--unseen", &unseen]].concat())
            .read("train")
            .unwrap();
        assert_eq!(set.labels, ["dog", "sky", "cat"]);
        assert_eq!((split.seen(), split.unseen()), (&[0, 1][..], &[2][..]));
        let mut row = [9; 3];
        set.photos[1].labels.fill(&mut row);
        assert_eq!(row, [0, -1, 1]);

        let (set, split) = parse(&[&both[..], &["--only-labels", &unseen]].concat())
            .read("train")
            .unwrap();
        assert_eq!(
            (set.labels, split.seen().len()),
            (vec!["cat".to_owned()], 1)
        );

        let named = parse(&[&both[..], &["--part", "train"]].concat()).read("train");
        let error = named.map(|_| ()).unwrap_err().to_string();
        assert!(
            error.contains("two: this set has no part “train”: it has photos"),
            "{error}"
        );
    }

    #[test]
    fn a_kind_is_a_name_of_the_list() {
        let kind = parse(&["--data", "x", "--data-kind", "nus-wide"]).data_kind;
        assert_eq!(kind, Some(Kind::NusWide));
        let arguments = ["program", "--data", "x", "--data-kind", "imagenet"];
        assert!(Command::try_parse_from(arguments).is_err());
    }
}
