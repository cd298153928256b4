//! What a value means: the scale that turns responses into positions on a colour map.

use serde::{Deserialize, Serialize};

use crate::engine::{Comparison, ResponseMap};

/// What panels are coloured by.
///
/// Raw responses of two variants are not comparable (the ranking loss leaves one scale per network
/// free), so the standard score is the default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScaleMode {
    /// Standard score over ordinary regions, 0 to one highest value everywhere.
    #[default]
    Sigma,
    /// Raw responses, each panel from its lowest to its highest.
    RawPanel,
    /// Raw responses, one range for all variants of a label.
    RawLabel,
    /// Raw responses, one range for all labels of a variant.
    RawVariant,
    /// Raw responses between two given values.
    Fixed,
    /// The fraction of ordinary regions that respond less.
    Rank,
}

impl ScaleMode {
    /// Every mode, in the order menus list them.
    pub const ALL: [Self; 6] = [
        Self::Sigma,
        Self::RawPanel,
        Self::RawLabel,
        Self::RawVariant,
        Self::Fixed,
        Self::Rank,
    ];

    /// The name in files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sigma => "sigma",
            Self::RawPanel => "raw-panel",
            Self::RawLabel => "raw-label",
            Self::RawVariant => "raw-variant",
            Self::Fixed => "fixed",
            Self::Rank => "rank",
        }
    }

    /// What it is, in words; also the text beside a colour bar.
    pub fn title(self) -> &'static str {
        match self {
            Self::Sigma => "σ above ordinary",
            Self::RawPanel => "raw response, this panel",
            Self::RawLabel => "raw response, this label",
            Self::RawVariant => "raw response, this variant",
            Self::Fixed => "raw response, fixed range",
            Self::Rank => "rank among ordinary regions",
        }
    }

    /// Whether every panel of a comparison has the same scale.
    pub fn is_shared(self) -> bool {
        matches!(self, Self::Sigma | Self::Fixed | Self::Rank)
    }

    /// Whether ordinary regions must be known.
    pub fn needs_ordinary_regions(self) -> bool {
        matches!(self, Self::Sigma | Self::Rank)
    }

    /// This mode where `comparison` allows it, otherwise [`ScaleMode::RawPanel`]: without
    /// ordinary regions (an imported bundle) there is no standard score and no rank.
    pub fn available(self, comparison: &Comparison) -> Self {
        let known = || {
            comparison
                .maps
                .iter()
                .flatten()
                .all(|map| map.ordinary.is_some())
        };
        if self.needs_ordinary_regions() && !known() {
            Self::RawPanel
        } else {
            self
        }
    }
}

/// A scale mode's name that nobody knows.
#[derive(Debug, thiserror::Error)]
#[error("unknown scale “{0}”: choose from sigma, raw-panel, raw-label, raw-variant, fixed, rank")]
pub struct UnknownScaleMode(String);

impl std::str::FromStr for ScaleMode {
    type Err = UnknownScaleMode;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wanted = text.trim().to_lowercase();
        Self::ALL
            .into_iter()
            .find(|mode| mode.name() == wanted)
            .ok_or_else(|| UnknownScaleMode(text.trim().to_owned()))
    }
}

/// The standard score at which the default scale ends unless another is given. Present things reach
/// 3 to 9 σ.
const HIGHEST_SIGMA: f32 = 5.0;

/// The ends of scales that are given and not measured in a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScaleRanges {
    /// The two ends of [`ScaleMode::Fixed`], raw responses.
    pub fixed: [f32; 2],
    /// The high end of [`ScaleMode::Sigma`], and both ends of a difference.
    pub highest_sigma: f32,
}

impl Default for ScaleRanges {
    fn default() -> Self {
        Self {
            fixed: [0.0, 1.0],
            highest_sigma: HIGHEST_SIGMA,
        }
    }
}

impl ScaleRanges {
    /// The standard score, from 0.
    pub fn sigma(&self) -> Scale {
        Scale {
            high: self.highest_sigma,
            ..Scale::SIGMA
        }
    }

    /// One standard score less another, as wide on both sides as [`ScaleRanges::sigma`].
    pub fn difference(&self) -> Scale {
        Scale {
            low: -self.highest_sigma,
            high: self.highest_sigma,
            ..Scale::DIFFERENCE
        }
    }
}

/// A range of values, in the unit of its mode.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    pub mode: ScaleMode,
    pub low: f32,
    pub high: f32,
    /// Whether values are differences of two standard scores, with zero in the middle.
    pub difference: bool,
}

impl Scale {
    /// The standard score, 0 to 5: the same colours everywhere.
    pub const SIGMA: Self = Self {
        mode: ScaleMode::Sigma,
        low: 0.0,
        high: HIGHEST_SIGMA,
        difference: false,
    };

    /// One standard score less another, −5 to 5.
    pub const DIFFERENCE: Self = Self {
        mode: ScaleMode::Sigma,
        low: -HIGHEST_SIGMA,
        high: HIGHEST_SIGMA,
        difference: true,
    };

    /// Where a value lies, 0 to 1. Values beyond an end count as that end, and so do values that
    /// are not numbers (low end); a range of no width puts everything at its low end.
    pub fn position(&self, value: f32) -> f32 {
        let position = (value - self.low) / (self.high - self.low);
        if position.is_finite() {
            position.clamp(0.0, 1.0)
        } else if self.high > self.low && value == f32::INFINITY {
            1.0
        } else {
            0.0
        }
    }

    /// How far from unremarkable a position is, 0 to 1: distance from the low end, or from the
    /// middle for differences. For ranks it is the sixth power, since half of all ordinary regions
    /// rank above 50 %: it passes a tenth at 68 % and a half at 89 %.
    pub fn strength(&self, position: f32) -> f32 {
        if self.difference {
            (2.0 * position - 1.0).abs()
        } else if self.mode == ScaleMode::Rank {
            position.powi(6)
        } else {
            position
        }
    }

    /// The text that names it on the colour bar.
    pub fn label(&self) -> &'static str {
        if self.difference {
            "difference in σ"
        } else {
            self.mode.title()
        }
    }

    /// Values to mark on the colour bar with their texts, low to high: round numbers, at most
    /// seven. Ends that cut values off are among them, and their texts say so (`≥5`).
    pub fn ticks(&self) -> Vec<(f32, String)> {
        let step = round_step(self.high - self.low);
        if !step.is_finite() || step <= 0.0 {
            return vec![(self.low, self.value_text(self.low, 0.01))];
        }
        let slack = step * 1e-3;
        let first = ((self.low - slack) / step).ceil() as i64;
        let last = ((self.high + slack) / step).floor() as i64;
        let round = (first..=last).map(|i| i as f32 * step);
        let text = |value| (value, self.value_text(value, step));
        if !matches!(self.mode, ScaleMode::Sigma | ScaleMode::Fixed) {
            return round.map(text).collect();
        }
        // The ends' own texts need the room of the round numbers next to them.
        let room = 0.5 * step;
        let inside = round.filter(|&value| value - self.low > room && self.high - value > room);
        let end = |mark, value| (value, format!("{mark}{}", end_text(value, step)));
        std::iter::once(end('≤', self.low))
            .chain(inside.map(text))
            .chain([end('≥', self.high)])
            .collect()
    }

    /// Values at which contour lines are drawn: 2, 3, 4 σ; the ticks inside the range otherwise.
    pub fn contour_levels(&self) -> Vec<f32> {
        if self.mode == ScaleMode::Sigma && !self.difference {
            return vec![2.0, 3.0, 4.0];
        }
        let slack = (self.high - self.low) * 1e-3;
        self.ticks()
            .into_iter()
            .map(|(value, _)| value)
            .filter(|&v| v > self.low + slack && v < self.high - slack)
            .filter(|&v| !self.difference || v.abs() > slack)
            .collect()
    }

    fn value_text(&self, value: f32, step: f32) -> String {
        if self.mode == ScaleMode::Rank {
            return format!("{:.0} %", value * 100.0);
        }
        number_text(value, decimals(step))
    }
}

/// Decimals that tell multiples of a step apart.
fn decimals(step: f32) -> usize {
    (-step.log10()).ceil().max(0.0) as usize
}

/// A scale's end with as many decimals as it has, at most two more than the ticks beside it.
fn end_text(value: f32, step: f32) -> String {
    let least = decimals(step);
    let is_whole = |&decimals: &usize| {
        let scaled = value * 10_f32.powi(decimals as i32);
        (scaled - scaled.round()).abs() < 1e-2
    };
    let enough = (least..least + 2).find(is_whole).unwrap_or(least + 2);
    number_text(value, enough)
}

/// A step of 1, 2 or 5 times a power of ten that divides `span` into three to six parts.
fn round_step(span: f32) -> f32 {
    let rough = span / 6.0;
    let power = 10_f32.powf(rough.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|step| *step >= rough * 0.999)
        .unwrap_or(10.0 * power)
}

/// A number with a true minus sign and no minus on zero.
pub(crate) fn number_text(value: f32, decimals: usize) -> String {
    let text = format!("{:.decimals$}", value.abs());
    let is_zero = text.chars().all(|c| c == '0' || c == '.');
    if value < 0.0 && !is_zero {
        format!("−{text}")
    } else {
        text
    }
}

/// The scale of one panel of a comparison. Indices beyond the comparison give the range 0 to 1.
pub fn panel_scale(
    comparison: &Comparison,
    variant: usize,
    label: usize,
    mode: ScaleMode,
    ranges: &ScaleRanges,
) -> Scale {
    let of_variant = || comparison.maps.get(variant).into_iter().flatten();
    let fixed = ranges.fixed;
    let [low, high] = match mode {
        ScaleMode::Sigma => return ranges.sigma(),
        ScaleMode::Rank => [0.0, 1.0],
        ScaleMode::Fixed => [fixed[0].min(fixed[1]), fixed[0].max(fixed[1])],
        ScaleMode::RawPanel => range(of_variant().nth(label).into_iter()),
        ScaleMode::RawLabel => range(comparison.maps.iter().filter_map(|maps| maps.get(label))),
        ScaleMode::RawVariant => range(of_variant()),
    };
    Scale {
        mode,
        low,
        high,
        difference: false,
    }
}

fn range<'a>(maps: impl Iterator<Item = &'a ResponseMap>) -> [f32; 2] {
    raw_range(maps).unwrap_or([0.0, 1.0])
}

/// The lowest and the highest raw response of some maps; `None` without any.
pub fn raw_range<'a>(maps: impl Iterator<Item = &'a ResponseMap>) -> Option<[f32; 2]> {
    let [low, high] = maps
        .flat_map(|map| map.responses.iter().copied())
        .filter(|response| response.is_finite())
        .fold([f32::INFINITY, f32::NEG_INFINITY], |[low, high], m| {
            [low.min(m), high.max(m)]
        });
    (low <= high).then_some([low, high])
}

/// A map's values in the unit of `mode`; `None` when ordinary regions are needed and not known.
pub fn panel_values(map: &ResponseMap, mode: ScaleMode) -> Option<Vec<f32>> {
    match mode {
        ScaleMode::Sigma => map.sigmas(),
        ScaleMode::Rank => {
            let ordinary = map.ordinary.as_ref()?;
            Some(map.responses.iter().map(|&m| ordinary.rank(m)).collect())
        }
        _ => Some(map.responses.to_vec()),
    }
}

/// A difference with one decimal and always a sign.
pub fn signed(value: f32) -> String {
    let text = number_text(value, 1);
    if value >= 0.05 {
        format!("+{text}")
    } else {
        text
    }
}

/// Region by region, how many σ `map` stands above `other`, for [`Scale::difference`]; `None` when
/// ordinary regions are missing or the maps differ in size.
pub fn difference_values(map: &ResponseMap, other: &ResponseMap) -> Option<Vec<f32>> {
    let (values, subtracted) = (map.sigmas()?, other.sigmas()?);
    (values.len() == subtracted.len())
        .then(|| values.iter().zip(&subtracted).map(|(a, b)| a - b).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::tests::comparison;

    #[test]
    fn positions_are_linear_clamped_and_safe() {
        assert_eq!(Scale::SIGMA.position(2.5), 0.5);
        assert_eq!(Scale::SIGMA.position(-1.0), 0.0);
        assert_eq!(Scale::SIGMA.position(99.0), 1.0);
        assert_eq!(Scale::SIGMA.position(f32::NAN), 0.0);
        assert_eq!(Scale::SIGMA.position(f32::INFINITY), 1.0);
        let flat = Scale {
            low: 1.0,
            high: 1.0,
            ..Scale::SIGMA
        };
        assert_eq!(flat.position(1.0), 0.0);
        assert_eq!(Scale::DIFFERENCE.position(0.0), 0.5);
        assert_eq!(Scale::DIFFERENCE.strength(0.5), 0.0);
        assert_eq!(Scale::DIFFERENCE.strength(0.0), 1.0);
    }

    #[test]
    fn sigma_and_rank_share_one_scale_over_all_panels() {
        let comparison = comparison(3, 2);
        for mode in [ScaleMode::Sigma, ScaleMode::Rank, ScaleMode::Fixed] {
            assert!(mode.is_shared());
            let ranges = ScaleRanges::default();
            let first = panel_scale(&comparison, 0, 0, mode, &ranges);
            for (variant, label) in [(0, 2), (1, 0), (1, 2)] {
                assert_eq!(
                    first,
                    panel_scale(&comparison, variant, label, mode, &ranges)
                );
            }
        }
    }

    #[test]
    fn raw_ranges_cover_what_their_name_says() {
        let comparison = comparison(2, 2);
        let of = |variant: usize, label: usize| comparison.maps[variant][label].largest();
        let ranges = ScaleRanges::default();
        let high =
            |variant, label, mode| panel_scale(&comparison, variant, label, mode, &ranges).high;
        assert_eq!(high(1, 0, ScaleMode::RawPanel), of(1, 0));
        assert_eq!(high(1, 0, ScaleMode::RawLabel), of(0, 0).max(of(1, 0)));
        assert_eq!(high(1, 0, ScaleMode::RawVariant), of(1, 0).max(of(1, 1)));
        assert_ne!(of(1, 0), of(1, 1));
        assert_ne!(of(1, 0), of(0, 0));
    }

    #[test]
    fn ticks_are_round_and_name_what_is_cut_off() {
        let texts = |scale: Scale| -> Vec<String> {
            scale.ticks().into_iter().map(|(_, text)| text).collect()
        };
        assert_eq!(texts(Scale::SIGMA), ["≤0", "1", "2", "3", "4", "≥5"]);
        assert_eq!(texts(Scale::DIFFERENCE), ["≤−5", "−2", "0", "2", "≥5"]);
        let ranges = ScaleRanges {
            fixed: [1.27, 0.03],
            highest_sigma: 9.0,
        };
        assert_eq!(texts(ranges.sigma()), ["≤0", "2", "4", "6", "≥9"]);
        let fixed = panel_scale(&comparison(1, 1), 0, 0, ScaleMode::Fixed, &ranges);
        assert_eq!(texts(fixed), ["≤0.03", "0.5", "1.0", "≥1.27"]);
        let raw = Scale {
            mode: ScaleMode::RawPanel,
            low: -0.13,
            high: 0.42,
            difference: false,
        };
        assert_eq!(texts(raw), ["−0.1", "0.0", "0.1", "0.2", "0.3", "0.4"]);
        let rank = Scale {
            mode: ScaleMode::Rank,
            low: 0.0,
            high: 1.0,
            difference: false,
        };
        assert_eq!(texts(rank)[0], "0 %");
        assert_eq!(texts(rank).last().map(String::as_str), Some("100 %"));
        assert_eq!(
            texts(Scale {
                low: 2.0,
                high: 2.0,
                ..raw
            })
            .len(),
            1
        );
    }

    #[test]
    fn contours_are_drawn_at_two_three_and_four_sigma() {
        assert_eq!(Scale::SIGMA.contour_levels(), [2.0, 3.0, 4.0]);
        assert!(!Scale::DIFFERENCE.contour_levels().contains(&0.0));
    }

    #[test]
    fn without_ordinary_regions_sigma_gives_way_to_raw() {
        let mut comparison = comparison(1, 2);
        assert_eq!(ScaleMode::Sigma.available(&comparison), ScaleMode::Sigma);
        comparison.maps[1][0].ordinary = None;
        assert_eq!(ScaleMode::Sigma.available(&comparison), ScaleMode::RawPanel);
        assert_eq!(ScaleMode::Fixed.available(&comparison), ScaleMode::Fixed);
        assert!(panel_values(&comparison.maps[1][0], ScaleMode::Sigma).is_none());
        assert!(panel_values(&comparison.maps[1][0], ScaleMode::RawPanel).is_some());
        assert!(difference_values(&comparison.maps[0][0], &comparison.maps[1][0]).is_none());
    }

    #[test]
    fn values_come_in_the_unit_of_their_mode() {
        let comparison = comparison(1, 1);
        let map = &comparison.maps[0][0];
        let ordinary = map.ordinary.as_ref().expect("known");
        let sigma = panel_values(map, ScaleMode::Sigma).expect("known");
        let rank = panel_values(map, ScaleMode::Rank).expect("known");
        assert_eq!(sigma[3], ordinary.sigma(map.responses[3]));
        assert_eq!(rank[3], ordinary.rank(map.responses[3]));
        let difference = difference_values(map, map).expect("known");
        assert!(difference.iter().all(|&d| d == 0.0));
    }

    #[test]
    fn names_are_read_back() {
        for mode in ScaleMode::ALL {
            assert_eq!(mode.name().parse::<ScaleMode>().ok(), Some(mode));
        }
        assert!("log".parse::<ScaleMode>().is_err());
    }
}
