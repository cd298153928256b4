//! Photos with a part covered: several at once through the backbone.

use candle_core::Tensor;

use super::Session;
use crate::backbone::Covered;
use crate::engine::EngineError;
use crate::engine::occlusion::{Area, Scores};
use crate::engine::photos::PreparedPhoto;
use crate::model::{EncodeOptions, VariantId};

/// Photos that go through the backbone together.
pub const TOGETHER: usize = 8;

impl Session {
    /// Scores of labels in `variants` on a photo with each of a few rectangles covered in turn, the
    /// mean of the `k` largest responses; the labels must have vectors.
    ///
    /// # Errors
    /// A variant that the bundle lacks, a network that pools no regions, a failing device.
    pub fn covered_scores(
        &mut self,
        photo: &PreparedPhoto,
        areas: &[Option<Area>],
        labels: &[String],
        variants: &[VariantId],
        k: usize,
    ) -> Result<Vec<Scores>, EngineError> {
        self.check_variants(variants)?;
        let side = self.input().side as usize;
        let mut pixels = Vec::with_capacity(areas.len() * photo.pixels.len());
        let colour = mean_colour(&photo.pixels);
        for area in areas {
            let first = pixels.len();
            pixels.extend_from_slice(&photo.pixels);
            if let Some(area) = area {
                cover(&mut pixels[first..], side, photo.covered, *area, colour);
            }
        }
        let shape = (areas.len(), side, side, 3);
        let pixels = Tensor::from_vec(pixels, shape, &self.bundle.device)?;
        let features = self.bundle.photo_features(&pixels)?;
        let mut set = self.label_set(labels)?;
        let mut scores = vec![Vec::with_capacity(variants.len()); areas.len()];
        for &variant in variants {
            let trained = self.trained(variant)?;
            let network = &trained.network;
            let encoded =
                network.encode(features.of(network.takes()), &EncodeOptions::default())?;
            let answer = network.respond(&encoded, set.prepared_for(trained)?)?;
            let pooled = match &answer.maps {
                Some(maps) => network.pool(maps, k)?,
                None => None,
            };
            let pooled = pooled.unwrap_or(answer.scores).to_vec2::<f32>()?;
            for (photo, labels) in scores.iter_mut().zip(pooled) {
                photo.push(labels);
            }
        }
        self.asked = Some(set);
        Ok(scores)
    }
}

/// The mean of `[S, S, 3]` pixels.
fn mean_colour(pixels: &[u8]) -> [u8; 3] {
    let mut sums = [0u64; 3];
    for pixel in pixels.chunks_exact(3) {
        for (sum, value) in sums.iter_mut().zip(pixel) {
            *sum += u64::from(*value);
        }
    }
    let count = (pixels.len() / 3).max(1) as u64;
    sums.map(|sum| ((sum + count / 2) / count) as u8)
}

/// Paints the pixels of a rectangle of the photo, of which the network sees `seen`.
fn cover(pixels: &mut [u8], side: usize, seen: Covered, area: Area, colour: [u8; 3]) {
    let place = |at: f32, from: f32, to: f32| {
        let part = (at - from) / (to - from);
        (part.clamp(0.0, 1.0) * side as f32).round() as usize
    };
    let [x0, y0, x1, y1] = area;
    let columns = place(x0, seen.x0, seen.x1)..place(x1, seen.x0, seen.x1);
    for row in place(y0, seen.y0, seen.y1)..place(y1, seen.y0, seen.y1) {
        for column in columns.clone() {
            let first = 3 * (row * side + column);
            pixels[first..first + 3].copy_from_slice(&colour);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rectangle_of_the_photo_is_covered_where_the_network_sees_it() {
        let mut pixels = vec![0u8; 4 * 4 * 3];
        // The network sees the right half alone.
        let seen = Covered {
            x0: 0.5,
            ..Covered::WHOLE
        };
        cover(&mut pixels, 4, seen, [0.25, 0.5, 0.75, 1.0], [9, 8, 7]);
        let covered: Vec<usize> = (0..16).filter(|place| pixels[3 * place] == 9).collect();
        assert_eq!(covered, [8, 9, 12, 13]);
        cover(&mut pixels, 4, seen, [0.0, 0.0, 0.4, 1.0], [1, 1, 1]);
        assert!(!pixels.contains(&1), "that part is not seen");
    }

    #[test]
    fn the_mean_colour_is_rounded() {
        assert_eq!(mean_colour(&[0, 10, 255, 1, 20, 255]), [1, 15, 255]);
        assert_eq!(mean_colour(&[]), [0, 0, 0]);
    }
}
