//! One line on the terminal that says how far a long command is.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use crate::files::megabytes;

/// Time between two looks of the line.
const PAUSE: Duration = Duration::from_millis(200);

/// A line on standard error that is written over and goes when the work ends. Where standard error is
/// no terminal nothing is written.
pub struct ProgressLine {
    doing: &'static str,
    unit: Unit,
    total: u64,
    /// What was done before the work began and says nothing about its rate.
    before: u64,
    started: Instant,
    shown: Option<Instant>,
    terminal: bool,
}

/// What a line counts.
#[derive(Clone, Copy)]
enum Unit {
    Photos,
    Bytes,
}

impl ProgressLine {
    /// `doing` something with `total` photos.
    pub fn new(doing: &'static str, total: usize) -> Self {
        Self::counting(Unit::Photos, doing, total as u64, 0)
    }

    /// `doing` something with `total` bytes, of which `before` need no more work.
    pub fn bytes(doing: &'static str, total: u64, before: u64) -> Self {
        Self::counting(Unit::Bytes, doing, total, before)
    }

    fn counting(unit: Unit, doing: &'static str, total: u64, before: u64) -> Self {
        Self {
            doing,
            unit,
            total,
            before,
            started: Instant::now(),
            shown: None,
            terminal: io::stderr().is_terminal(),
        }
    }

    /// So many photos are done.
    pub fn show(&mut self, done: usize) {
        self.show_bytes(done as u64);
    }

    /// So many bytes are done, those from before among them.
    pub fn show_bytes(&mut self, done: u64) {
        let due = self.shown.is_none_or(|shown| shown.elapsed() >= PAUSE);
        if self.terminal && due {
            self.shown = Some(Instant::now());
            let line = self.line(done, self.started.elapsed());
            // A terminal that has gone needs no progress.
            let _ = write!(io::stderr(), "\r\x1b[K{line}");
        }
    }

    fn line(&self, done: u64, elapsed: Duration) -> String {
        let Self { doing, total, .. } = self;
        let new = done.saturating_sub(self.before);
        let rate = new as f64 / elapsed.as_secs_f64().max(1e-3);
        let left = duration(total.saturating_sub(done) as f64 / rate.max(1e-9));
        match (self.unit, new) {
            (Unit::Photos, 0) => format!("{doing}: {total} photos"),
            (Unit::Photos, _) => {
                format!("{doing}: {done} of {total} photos, {rate:.1} a second, {left} left")
            }
            (Unit::Bytes, 0) => format!("{doing}: {}", megabytes(*total)),
            (Unit::Bytes, _) => format!(
                "{doing}: {} of {}, {} a second, {left} left",
                megabytes(done),
                megabytes(*total),
                megabytes(rate as u64)
            ),
        }
    }
}

/// `41 s`, `12 min` or `1.5 h`.
fn duration(seconds: f64) -> String {
    match seconds {
        short if short < 100.0 => format!("{short:.0} s"),
        middle if middle < 6000.0 => format!("{:.0} min", middle / 60.0),
        long => format!("{:.1} h", long / 3600.0),
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        if self.shown.is_some() {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_rate_and_time_left() {
        let line = ProgressLine::new("Looking", 50);
        assert_eq!(
            line.line(20, Duration::from_secs(2)),
            "Looking: 20 of 50 photos, 10.0 a second, 3 s left"
        );
        assert_eq!(line.line(0, Duration::ZERO), "Looking: 50 photos");
    }

    #[test]
    fn bytes_from_before_do_not_count_for_the_rate() {
        let line = ProgressLine::bytes("Fetching", 575_000_000, 500_000_000);
        assert_eq!(
            line.line(515_000_000, Duration::from_secs(5)),
            "Fetching: 515 MB of 575 MB, 3.0 MB a second, 20 s left"
        );
        let nothing_new = line.line(500_000_000, Duration::from_secs(5));
        assert_eq!(nothing_new, "Fetching: 575 MB");
    }

    #[test]
    fn long_times_are_not_told_in_seconds() {
        assert_eq!(duration(61.0), "61 s");
        assert_eq!(duration(600.0), "10 min");
        assert_eq!(duration(9000.0), "2.5 h");
    }
}
