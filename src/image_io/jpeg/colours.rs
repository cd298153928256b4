//! Samples of all components → pixels.

use rayon::prelude::*;

use super::samples::Samples;

/// How components become channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::image_io) enum Colours {
    /// They are channels.
    Plain,
    /// Luma and two of chroma, then red, green and blue.
    LumaChroma,
    /// The same of the first three of four.
    LumaChromaBlack,
}

/// `[height, width, components]`, all components brought to the finest sampling.
///
/// `factors` are the sampling factors of each component, `finest` the largest ones.
pub(super) fn pixels(
    planes: &[Samples],
    factors: &[(usize, usize)],
    finest: (usize, usize),
    (width, height): (usize, usize),
    colours: Colours,
) -> Vec<u8> {
    let channels = planes.len();
    let mut pixels = vec![0; width * height * channels];
    let row_bytes = width * channels;
    pixels
        .par_chunks_exact_mut(row_bytes)
        .enumerate()
        .for_each_init(
            || (vec![0; width + 1], Vec::new()),
            |(line, sums), (row, target)| {
                for (channel, (plane, factors)) in planes.iter().zip(factors).enumerate() {
                    plane.row(row, *factors, finest, line, sums);
                    let (targets, _) = (target.iter_mut().skip(channel).step_by(channels), ());
                    for (value, &sample) in targets.zip(line.iter()) {
                        *value = sample;
                    }
                }
                if colours != Colours::Plain {
                    target.chunks_exact_mut(channels).for_each(to_rgb);
                }
                if colours == Colours::LumaChromaBlack {
                    // Of four components the first three are inverted by this.
                    for pixel in target.chunks_exact_mut(channels) {
                        pixel[..3]
                            .iter_mut()
                            .for_each(|value| *value = 255 - *value);
                    }
                }
            },
        );
    pixels
}

/// Luma and chroma (Rec. 601, full range) → red, green, blue, in place.
fn to_rgb(pixel: &mut [u8]) {
    const HALF: i32 = 1 << 15;
    let luma = i32::from(pixel[0]) << 16;
    let (blue, red) = (i32::from(pixel[1]) - 128, i32::from(pixel[2]) - 128);
    let byte = |value: i32| ((value + HALF) >> 16).clamp(0, 255) as u8;
    pixel[0] = byte(luma + 91_881 * red);
    pixel[1] = byte(luma - 22_554 * blue - 46_802 * red);
    pixel[2] = byte(luma + 116_130 * blue);
}

impl Samples {
    /// One row of the photo into `line`: halved components are interpolated as libjpeg does (three
    /// parts of the nearer sample, one of the farther), others take the nearest sample.
    fn row(
        &self,
        row: usize,
        (across, down): (usize, usize),
        finest: (usize, usize),
        line: &mut [u8],
        sums: &mut Vec<u16>,
    ) {
        // libjpeg leaves components of hardly any width alone.
        let wide = self.width > 2;
        let halved_across = across * 2 == finest.0 && (down == finest.1 || down * 2 == finest.1);
        let halved_down = down * 2 == finest.1 && (across == finest.0 || across * 2 == finest.0);
        if down == finest.1 && across == finest.0 {
            let count = line.len().min(self.width);
            line[..count].copy_from_slice(&self.line(row)[..count]);
        } else if halved_across && wide {
            self.sum_rows(row, halved_down, sums);
            doubled(sums, halved_down, line);
        } else if halved_down && across == finest.0 {
            self.sum_rows(row, true, sums);
            let half = if row.is_multiple_of(2) { 1 } else { 2 };
            for (value, &sum) in line.iter_mut().zip(sums.iter()) {
                *value = ((sum + half) >> 2) as u8;
            }
        } else {
            let nearest = |place: usize, part: usize, of: usize| (2 * place + 1) * part / (2 * of);
            let from = self.line(nearest(row, down, finest.1));
            for (place, value) in line.iter_mut().enumerate() {
                *value = from[nearest(place, across, finest.0).min(self.width - 1)];
            }
        }
    }

    fn line(&self, row: usize) -> &[u8] {
        let row = row.min(self.height - 1);
        &self.values[row * self.stride..][..self.width]
    }

    /// The samples that a row lies at, or three parts of them and one of the row beyond.
    fn sum_rows(&self, row: usize, halved: bool, sums: &mut Vec<u16>) {
        sums.clear();
        if !halved {
            sums.extend(self.line(row).iter().map(|value| u16::from(*value)));
            return;
        }
        let near = row / 2;
        let far = match row % 2 {
            0 => near.saturating_sub(1),
            _ => near + 1,
        };
        let pairs = self.line(near).iter().zip(self.line(far));
        sums.extend(pairs.map(|(&near, &far)| 3 * u16::from(near) + u16::from(far)));
    }
}

/// Twice as many samples; `sums` are four times as large where rows were summed.
fn doubled(sums: &[u16], summed: bool, line: &mut [u8]) {
    let (shift, left_half, right_half) = if summed { (4, 8, 7) } else { (2, 1, 2) };
    let last = sums.len() - 1;
    for (place, pair) in line.chunks_mut(2).enumerate() {
        let place = place.min(last);
        let near = 3 * sums[place];
        let left = near + sums[place.saturating_sub(1)] + left_half;
        pair[0] = (left >> shift) as u8;
        if let Some(value) = pair.get_mut(1) {
            *value = ((near + sums[last.min(place + 1)] + right_half) >> shift) as u8;
        }
    }
}
