//! Where the numbers of one photo lie in its record.

use std::ops::Range;

use half::f16;
use half::slice::HalfFloatSliceExt;
use serde::{Deserialize, Serialize};

use super::Which;

/// Records start on multiples of this many bytes.
const ALIGNMENT: usize = 64;

/// The shape of every record: raw and projected region features in half precision, region by region
/// (channels-last), then the global feature in single precision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RecordLayout {
    pub rows: usize,
    pub columns: usize,
    /// C, or 0 where raw features are not kept.
    pub raw: usize,
    /// D, or 0 where projected features are not kept.
    pub projected: usize,
    /// G.
    pub global: usize,
}

impl RecordLayout {
    /// Regions of one photo, P.
    pub fn regions(&self) -> usize {
        self.rows * self.columns
    }

    /// Channels of one kind of region features, 0 where they are not kept.
    pub fn channels(&self, which: Which) -> usize {
        match which {
            Which::Raw => self.raw,
            Which::Projected => self.projected,
        }
    }

    /// Bytes of a record.
    pub fn bytes(&self) -> usize {
        (self.global_start() + self.global * size_of::<f32>()).next_multiple_of(ALIGNMENT)
    }

    /// Bytes of one kind of region features within a record.
    pub fn halves(&self, which: Which) -> Range<usize> {
        let start = match which {
            Which::Raw => 0,
            Which::Projected => self.regions() * self.raw,
        };
        let end = start + self.regions() * self.channels(which);
        start * size_of::<f16>()..end * size_of::<f16>()
    }

    /// Bytes of the global feature within a record.
    pub fn floats(&self) -> Range<usize> {
        let start = self.global_start();
        start..start + self.global * size_of::<f32>()
    }

    fn global_start(&self) -> usize {
        let halves = self.regions() * (self.raw + self.projected);
        (halves * size_of::<f16>()).next_multiple_of(size_of::<f32>())
    }

    /// A record from its parts, each as long as the layout says; parts that are not kept are passed
    /// over. `None` where a part has another length.
    pub fn record(&self, raw: &[f32], projected: &[f32], global: &[f32]) -> Option<Vec<u8>> {
        let mut record = vec![0; self.bytes()];
        for (which, values) in [(Which::Raw, raw), (Which::Projected, projected)] {
            if self.channels(which) == 0 {
                continue;
            }
            let place = record.get_mut(self.halves(which))?;
            if place.len() != size_of_val(values) / 2 {
                return None;
            }
            let mut halves = vec![f16::ZERO; values.len()];
            halves.convert_from_f32_slice(values);
            for (bytes, half) in place.chunks_exact_mut(2).zip(&halves) {
                bytes.copy_from_slice(&half.to_ne_bytes());
            }
        }
        let place = record.get_mut(self.floats())?;
        if place.len() != size_of_val(global) {
            return None;
        }
        for (bytes, value) in place.chunks_exact_mut(4).zip(global) {
            bytes.copy_from_slice(&value.to_ne_bytes());
        }
        Some(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_the_default_backbone_have_the_size_that_is_told() {
        let layout = RecordLayout {
            rows: 14,
            columns: 14,
            raw: 1280,
            projected: 512,
            global: 1280,
        };
        assert_eq!(layout.halves(Which::Raw), 0..501_760);
        assert_eq!(layout.halves(Which::Projected), 501_760..702_464);
        assert_eq!(layout.floats(), 702_464..707_584);
        assert_eq!(layout.bytes(), 707_584);
    }

    #[test]
    fn a_part_of_another_length_makes_no_record() {
        let layout = RecordLayout {
            rows: 1,
            columns: 3,
            raw: 1,
            projected: 0,
            global: 2,
        };
        assert_eq!(layout.floats(), 8..16);
        let record = layout.record(&[1.0, 2.0, 3.0], &[9.0], &[0.5, 0.25]);
        assert_eq!(record.map(|record| record.len()), Some(64));
        assert_eq!(layout.record(&[1.0, 2.0], &[], &[0.5, 0.25]), None);
        assert_eq!(layout.record(&[1.0, 2.0, 3.0], &[], &[0.5]), None);
    }
}
