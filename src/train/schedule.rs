//! The learning rate over the steps: a linear warm-up, then half a cosine.

use serde::{Deserialize, Serialize};
use std::f64::consts::PI;

/// How long the warm-up takes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WarmUp {
    Steps(usize),
    Epochs(f64),
}

/// Learning rate by step.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    peak: f64,
    /// The last rate as a fraction of the peak.
    last: f64,
    warm_up: usize,
    steps: usize,
}

impl Schedule {
    /// A schedule over `epochs` of `steps_each`, at most `peak`, ending at `last · peak`.
    pub fn new(peak: f64, last: f64, warm_up: WarmUp, epochs: usize, steps_each: usize) -> Self {
        let steps = epochs * steps_each;
        let warm_up = match warm_up {
            WarmUp::Steps(steps) => steps,
            WarmUp::Epochs(epochs) => (epochs * steps_each as f64).round() as usize,
        };
        Self {
            peak,
            last,
            // A short run must get beyond its warm-up, too.
            warm_up: warm_up.min(steps / 2),
            steps,
        }
    }

    /// The rate of a step; steps count from 0.
    pub fn rate(&self, step: usize) -> f64 {
        if step < self.warm_up {
            return self.peak * (step + 1) as f64 / self.warm_up as f64;
        }
        let span = (self.steps - self.warm_up).saturating_sub(1).max(1);
        let done = ((step - self.warm_up) as f64 / span as f64).min(1.0);
        let cosine = 0.5 * (1.0 + (PI * done).cos());
        self.peak * (self.last + (1.0 - self.last) * cosine)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_climbs_to_the_peak_and_ends_at_the_fraction() {
        let schedule = Schedule::new(1e-3, 0.02, WarmUp::Steps(200), 4, 300);
        assert!((schedule.rate(0) - 5e-6).abs() < 1e-12);
        assert!((schedule.rate(199) - 1e-3).abs() < 1e-12);
        assert!((schedule.rate(200) - 1e-3).abs() < 1e-12);
        assert!((schedule.rate(1199) - 2e-5).abs() < 1e-12);
        let rates: Vec<f64> = (200..1200).map(|step| schedule.rate(step)).collect();
        assert!(rates.is_sorted_by(|a, b| a >= b));
        // Half way down the cosine lies the mean of both ends.
        assert!((rates[499] + rates[500] - 1.02e-3).abs() < 1e-9);
    }

    #[test]
    fn a_warm_up_in_epochs_is_as_many_steps() {
        let by_epochs = Schedule::new(1.0, 0.5, WarmUp::Epochs(3.0), 40, 10);
        let by_steps = Schedule::new(1.0, 0.5, WarmUp::Steps(30), 40, 10);
        assert!((0..400).all(|step| by_epochs.rate(step) == by_steps.rate(step)));
    }

    #[test]
    fn a_run_shorter_than_its_warm_up_still_reaches_the_peak() {
        let schedule = Schedule::new(1.0, 0.1, WarmUp::Steps(200), 1, 4);
        assert_eq!(schedule.rate(1), 1.0);
        assert!((schedule.rate(3) - 0.1).abs() < 1e-12);
        assert!(Schedule::new(1.0, 0.1, WarmUp::Steps(9), 1, 1).rate(0) > 0.0);
    }
}
