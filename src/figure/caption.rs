//! What is said under a panel: how far its best region stands above what is ordinary.

use super::scale::{Scale, number_text, signed};
use crate::engine::ResponseMap;

/// Below this best standard score a map is said to show nothing above ordinary.
///
/// Were the 196 regions of a photo independent and normally distributed, their best would
/// typically reach 2.7 σ by chance; but neighbouring regions see almost the same pixels, so there
/// are far fewer independent draws. In the reference network things that are not in the photo reach
/// 0.2 to 1.9 σ at best and things that are reach 2.4 to 9 σ, so the line is drawn at 2.
/// It is a reading aid, not a test of significance.
pub const ORDINARY_UP_TO_SIGMA: f32 = 2.0;

/// One line about a panel, in several lengths.
#[derive(Clone, Debug, PartialEq)]
pub struct Caption {
    /// The whole of it: `4.2 σ · above 99.8 % of ordinary regions`.
    pub text: String,
    /// The same in fewer words, longest first; the last is a few characters long.
    pub shorter: Vec<String>,
    /// Nothing stands above ordinary: to be written in a fainter colour.
    pub faint: bool,
}

impl Caption {
    /// The longest form that `fits`, or else the shortest.
    pub fn fitting(&self, fits: impl Fn(&str) -> bool) -> &str {
        std::iter::once(&self.text)
            .chain(&self.shorter)
            .find(|text| fits(text))
            .or(self.shorter.last())
            .unwrap_or(&self.text)
    }
}

/// What to say of `map` painted with `scale`: its best σ and rank where ordinary regions are
/// known, and the range of its colours where other panels have another.
pub fn caption(map: &ResponseMap, scale: &Scale) -> Caption {
    let mut caption = best_region(map);
    if !scale.mode.is_shared() {
        let range = range_text(scale);
        caption.text = format!("{} · {range}", caption.text);
        for shorter in &mut caption.shorter {
            *shorter = format!("{shorter} · {range}");
        }
        caption.shorter.push(range);
    }
    caption
}

/// What to say of the difference of two maps: from where to where it goes, in σ.
pub fn difference_caption(values: &[f32]) -> Caption {
    let lowest = values.iter().copied().fold(f32::INFINITY, f32::min);
    let highest = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let range = format!("{} to {} σ", signed(lowest), signed(highest));
    Caption {
        text: format!("from {range}"),
        shorter: vec![range],
        faint: false,
    }
}

fn best_region(map: &ResponseMap) -> Caption {
    let largest = map.largest();
    let Some(ordinary) = &map.ordinary else {
        let best = number_text(largest, decimals_for(largest.abs()));
        return Caption {
            text: format!("best {best} · no ordinary regions to compare with"),
            shorter: vec![format!("best {best}"), best],
            faint: false,
        };
    };
    // Rounded as it is written, so that no `2.0 σ` is called ordinary and another is not.
    let sigma = (ordinary.sigma(largest) * 10.0).round() / 10.0;
    let best = format!("{} σ", number_text(sigma, 1));
    if sigma < ORDINARY_UP_TO_SIGMA {
        return Caption {
            text: format!("{best} · nothing above ordinary"),
            shorter: vec![format!("{best} · ordinary"), best],
            faint: true,
        };
    }
    let (share, of) = share_below(ordinary.rank(largest));
    Caption {
        text: format!("{best} · above {share}{of} ordinary regions"),
        shorter: vec![
            format!("{best} · above {share}{of} ordinary"),
            format!("{best} · above {share}"),
            best,
        ],
        faint: false,
    }
}

/// `99.8 %` and ` of`, rounded down so that only a response above every one is above `all`.
fn share_below(rank: f32) -> (String, &'static str) {
    if rank >= 1.0 {
        return ("all".to_owned(), "");
    }
    let percent = (f64::from(rank) * 1000.0).floor() / 10.0;
    (format!("{percent:.1} %"), " of")
}

fn range_text(scale: &Scale) -> String {
    let decimals = decimals_for(scale.high - scale.low);
    format!(
        "{} to {}",
        number_text(scale.low, decimals),
        number_text(scale.high, decimals)
    )
}

/// Decimals that leave a number of this size three digits.
fn decimals_for(size: f32) -> usize {
    if size > 0.0 && size.is_finite() {
        (2.0 - size.log10().floor()).clamp(0.0, 6.0) as usize
    } else {
        1
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::engine::OrdinaryResponses;
    use crate::figure::scale::ScaleMode;

    /// Ordinary responses with mean 0 and deviation 1, all within ±1.
    fn map(best: f32) -> ResponseMap {
        let ordinary = OrdinaryResponses::new([-1.0, 1.0].repeat(500)).map(Arc::new);
        assert!(ordinary.is_some());
        ResponseMap {
            own_score: None,
            responses: Arc::from([0.0, best, -0.5, 0.1]),
            ordinary,
        }
    }

    #[test]
    fn a_strong_map_names_its_best_and_its_rank() {
        let strong = caption(&map(4.21), &Scale::SIGMA);
        assert_eq!(strong.text, "4.2 σ · above all ordinary regions");
        assert!(!strong.faint);
        assert_eq!(strong.fitting(|text| text.chars().count() < 8), "4.2 σ");
        assert_eq!(strong.fitting(|_| false), "4.2 σ");
        assert_eq!(strong.fitting(|_| true), strong.text);
    }

    #[test]
    fn a_weak_map_says_that_nothing_is_above_ordinary() {
        let weak = caption(&map(1.3), &Scale::SIGMA);
        assert_eq!(weak.text, "1.3 σ · nothing above ordinary");
        assert!(weak.faint);
        assert!(!caption(&map(2.0), &Scale::SIGMA).faint);
        assert!(!caption(&map(1.96), &Scale::SIGMA).faint);
        assert!(caption(&map(1.94), &Scale::SIGMA).faint);
    }

    #[test]
    fn ranks_are_rounded_down() {
        assert_eq!(share_below(0.9999).0, "99.9 %");
        assert_eq!(share_below(0.9985).0, "99.8 %");
        assert_eq!(share_below(1.0).0, "all");
    }

    #[test]
    fn a_scale_of_its_own_is_named_in_every_length() {
        let scale = Scale {
            mode: ScaleMode::RawPanel,
            low: -0.5,
            high: 3.0,
            difference: false,
        };
        let caption = caption(&map(3.0), &scale);
        assert!(
            caption.text.ends_with("· −0.50 to 3.00"),
            "{}",
            caption.text
        );
        assert!(
            caption
                .shorter
                .iter()
                .all(|text| text.ends_with("−0.50 to 3.00"))
        );
    }

    #[test]
    fn without_ordinary_regions_the_raw_best_is_given() {
        let mut map = map(3.0);
        map.ordinary = None;
        let caption = caption(&map, &Scale::SIGMA);
        assert_eq!(caption.shorter.last().map(String::as_str), Some("3.00"));
        assert!(caption.text.contains("no ordinary regions"));
    }
}
