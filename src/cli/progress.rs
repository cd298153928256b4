//! One line on the terminal that says how far a long command is.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

/// Time between two looks of the line.
const PAUSE: Duration = Duration::from_millis(200);

/// A line on standard error that is written over and goes when the work ends. Where standard error is
/// no terminal nothing is written.
pub struct ProgressLine {
    doing: &'static str,
    total: usize,
    /// What is counted.
    unit: &'static str,
    started: Instant,
    shown: Option<Instant>,
    terminal: bool,
}

impl ProgressLine {
    /// `doing` something with `total` photos.
    pub fn new(doing: &'static str, total: usize) -> Self {
        Self::of(doing, total, "photos")
    }

    /// `doing` something with `total` of a `unit`.
    pub fn of(doing: &'static str, total: usize, unit: &'static str) -> Self {
        Self {
            doing,
            total,
            unit,
            started: Instant::now(),
            shown: None,
            terminal: io::stderr().is_terminal(),
        }
    }

    /// So many are done.
    pub fn show(&mut self, done: usize) {
        let due = self.shown.is_none_or(|shown| shown.elapsed() >= PAUSE);
        if self.terminal && due {
            self.shown = Some(Instant::now());
            let counted = (done, self.total, self.unit);
            let line = line(self.doing, counted, self.started.elapsed());
            // A terminal that has gone needs no progress.
            let _ = write!(io::stderr(), "\r\x1b[K{line}");
        }
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        if self.shown.is_some() {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

fn line(doing: &str, (done, total, unit): (usize, usize, &str), elapsed: Duration) -> String {
    let rate = done as f64 / elapsed.as_secs_f64().max(1e-3);
    let left = total.saturating_sub(done) as f64 / rate.max(1e-9);
    match done {
        0 => format!("{doing}: {total} {unit}"),
        _ => format!("{doing}: {done} of {total} {unit}, {rate:.1} a second, {left:.0} s left"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_rate_and_time_left() {
        let said = line("Looking", (20, 50, "photos"), Duration::from_secs(2));
        assert_eq!(said, "Looking: 20 of 50 photos, 10.0 a second, 3 s left");
        let begun = line("Looking", (0, 5, "photos"), Duration::ZERO);
        assert_eq!(begun, "Looking: 5 photos");
    }
}
