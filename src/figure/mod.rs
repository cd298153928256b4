//! Turns replies into pictures: one display list, painted on the screen and into files.
//!
//! [`scale`] says what a value means, [`colour_map`] which colour it gets, [`overlay`] lays the
//! colours over the photo and [`contour`] draws its lines; the window uses these directly. For
//! files, [`layout`] puts the panels on a page as a [`display_list`], which [`svg`] writes down
//! and [`png`] paints; [`file_format`] lists what files there can be.

pub mod caption;
mod cells;
pub mod colour_map;
pub mod contour;
pub mod display_list;
pub mod figure_style;
pub mod file_format;
pub mod font;
mod headings;
pub mod interpolation;
pub mod layout;
mod legend;
pub mod missing_letters;
pub mod overlay;
mod panel;
pub mod png;
pub mod scale;
pub mod svg;

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;

    use crate::backbone::Covered;
    use crate::engine::{
        Comparison, Grid, LabelFacts, OrdinaryResponses, PhotoSource, ResponseMap, ShownPhoto,
    };
    use crate::model::VariantId;
    use crate::semantics::LabelStatus;

    /// A comparison of invented numbers: 4 x 6 regions; label l of variant v is hottest, at
    /// 6 + l + 10 v raw, in region 3 l + v; ordinary responses have mean 1 and deviation 2.
    pub(crate) fn comparison(labels: usize, variants: usize) -> Comparison {
        let statuses = [LabelStatus::Seen, LabelStatus::Taught, LabelStatus::Unseen];
        Comparison {
            photo: Arc::new(ShownPhoto {
                source: PhotoSource::Sample("invented"),
                size: [600, 400],
                shown: image::RgbImage::from_fn(600, 400, |x, y| {
                    image::Rgb([(x / 3) as u8, (y / 2) as u8, 90])
                }),
                facts: Vec::new(),
                true_labels: None,
            }),
            grid: Grid {
                rows: 4,
                columns: 6,
            },
            covered: Covered::WHOLE,
            trained_k: 3,
            labels: (0..labels)
                .map(|l| LabelFacts {
                    text: format!("label {l}"),
                    status: statuses[l % 3],
                    nearest: Vec::new(),
                    left_out: None,
                })
                .collect(),
            refused: Vec::new(),
            variants: VariantId::PAPER[..variants].to_vec(),
            maps: (0..variants)
                .map(|v| (0..labels).map(|l| response_map(v, l)).collect())
                .collect(),
            ranking: None,
            times: Vec::new(),
            device: "CPU".to_owned(),
        }
    }

    fn response_map(variant: usize, label: usize) -> ResponseMap {
        let mut responses = vec![1.0; 24];
        responses[(3 * label + variant) % 24] = (6 + label + 10 * variant) as f32;
        ResponseMap {
            own_score: None,
            responses: Arc::from(responses),
            ordinary: OrdinaryResponses::new([-1.0, 3.0].repeat(100)).map(Arc::new),
        }
    }
}
