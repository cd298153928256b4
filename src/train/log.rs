//! What a run tells: one JSON object a line in a file, and a table on the terminal.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::error::TrainError;
use super::learner::Losses;
use crate::files::FileError;

/// Steps between two lines of the file.
const EVERY: usize = 10;
/// Time between two pictures on the terminal.
const REDRAW: Duration = Duration::from_millis(200);

/// One line of the file. Losses of an epoch are means over its steps.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Line<'a> {
    /// `step` or `epoch`.
    pub event: &'static str,
    pub variant: &'a str,
    /// Counts from 1.
    pub epoch: usize,
    /// Step within the epoch, from 1.
    pub step: usize,
    pub steps: usize,
    pub loss: f64,
    pub ranking: f64,
    pub photo_ranking: f64,
    pub distillation: f64,
    pub learning_rate: f64,
    pub photos_per_second: f64,
    /// F1@5 on the photos kept aside, for an epoch of a run that stops by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub f1: Option<f64>,
}

impl Line<'_> {
    /// Notes a step, or an epoch as a whole.
    pub fn take(&mut self, step: usize, losses: Losses, rate: f64) {
        self.step = step;
        self.loss = losses.total;
        self.ranking = losses.ranking;
        self.photo_ranking = losses.photo_ranking;
        self.distillation = losses.distillation;
        self.learning_rate = rate;
    }
}

/// The file and the terminal.
pub struct Log {
    path: PathBuf,
    file: File,
    terminal: bool,
    drawn: Option<Instant>,
    headed: bool,
}

impl Log {
    /// A log that is appended to `path`, with a live table where standard error is a terminal and
    /// one line an epoch where it is not.
    ///
    /// # Errors
    /// A file that cannot be opened.
    pub fn open(path: &Path) -> Result<Self, TrainError> {
        let file = OpenOptions::new().create(true).append(true).open(path);
        Ok(Self {
            path: path.to_owned(),
            file: file.map_err(|source| write_error(path, source))?,
            terminal: io::stderr().is_terminal(),
            drawn: None,
            headed: false,
        })
    }

    /// A step is done.
    ///
    /// # Errors
    /// A full disk.
    pub fn step(&mut self, line: &Line<'_>) -> Result<(), TrainError> {
        if line.step.is_multiple_of(EVERY) || line.step == line.steps {
            self.append(line)?;
        }
        let due = self.drawn.is_none_or(|drawn| drawn.elapsed() >= REDRAW);
        if self.terminal && due {
            self.drawn = Some(Instant::now());
            self.head();
            // What is drawn last stays for the next picture to cover.
            let _ = write!(io::stderr(), "\r{}", table_row(line));
        }
        Ok(())
    }

    /// An epoch is done.
    ///
    /// # Errors
    /// A full disk.
    pub fn epoch(&mut self, line: &Line<'_>) -> Result<(), TrainError> {
        self.append(line)?;
        self.head();
        let start = if self.terminal { "\r" } else { "" };
        // Where standard error is closed there is nobody to tell, and no reason to stop training.
        let _ = writeln!(io::stderr(), "{start}{}", table_row(line));
        Ok(())
    }

    fn head(&mut self) {
        if !self.headed {
            self.headed = true;
            let _ = writeln!(io::stderr(), "{HEAD}");
        }
    }

    fn append(&mut self, line: &Line<'_>) -> Result<(), TrainError> {
        let mut text = serde_json::to_vec(line).map_err(candle_core::Error::wrap)?;
        text.push(b'\n');
        let written = self.file.write_all(&text);
        Ok(written.map_err(|source| write_error(&self.path, source))?)
    }
}

const HEAD: &str = "network   epoch    step        loss  ranking  of photos  distill.  learning rate  photos/s   F1@5";

fn table_row(line: &Line<'_>) -> String {
    let f1 = line.f1.map_or("–".to_owned(), |f1| format!("{f1:.4}"));
    format!(
        "{:<9} {:>5} {:>5}/{:<5} {:>7.4} {:>8.4} {:>10.4} {:>9.4} {:>14.2e} {:>9.1} {f1:>6}",
        line.variant,
        line.epoch,
        line.step,
        line.steps,
        line.loss,
        line.ranking,
        line.photo_ranking,
        line.distillation,
        line.learning_rate,
        line.photos_per_second,
    )
}

fn write_error(path: &Path, source: io::Error) -> FileError {
    let path = path.to_owned();
    match source.kind() {
        io::ErrorKind::StorageFull => FileError::DiskFull(path),
        io::ErrorKind::PermissionDenied => FileError::Unwritable(path),
        _ => FileError::Write { path, source },
    }
}

/// Means over the steps of an epoch.
#[derive(Clone, Copy, Debug, Default)]
pub struct Means {
    sum: Losses,
    steps: usize,
}

impl Means {
    pub fn add(&mut self, losses: Losses) {
        self.sum.ranking += losses.ranking;
        self.sum.photo_ranking += losses.photo_ranking;
        self.sum.distillation += losses.distillation;
        self.sum.total += losses.total;
        self.steps += 1;
    }

    pub fn losses(&self) -> Losses {
        let over = 1.0 / self.steps.max(1) as f64;
        Losses {
            ranking: self.sum.ranking * over,
            photo_ranking: self.sum.photo_ranking * over,
            distillation: self.sum.distillation * over,
            total: self.sum.total * over,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(step: usize) -> Line<'static> {
        Line {
            event: "step",
            variant: "biam",
            epoch: 1,
            step,
            steps: 12,
            loss: 1.5,
            ranking: 1.0,
            photo_ranking: 0.5,
            distillation: 0.05,
            learning_rate: 1e-3,
            photos_per_second: 40.0,
            f1: None,
        }
    }

    #[test]
    fn every_tenth_and_the_last_step_are_objects_of_their_own_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.jsonl");
        let mut log = Log::open(&path).unwrap();
        for step in 1..=12 {
            log.step(&line(step)).unwrap();
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let steps: Vec<u64> = text
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
            .map(|value| value["step"].as_u64().unwrap())
            .collect();
        assert_eq!(steps, [10, 12]);
        assert!(text.contains("\"learning-rate\":0.001") && !text.contains("f1"));
    }

    #[test]
    fn rows_stand_under_their_heads() {
        assert_eq!(table_row(&line(3)).chars().count(), HEAD.chars().count());
    }
}
