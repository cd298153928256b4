//! Colour maps: from a position between 0 and 1 to a colour.

use serde::{Deserialize, Serialize};

/// How positions on a scale become colours.
///
/// Viridis to turbo follow the tables that matplotlib publishes (the first five dedicated to the
/// public domain, CC0; turbo by Google, Apache-2.0), kept as every third or fifth entry and
/// interpolated: nowhere more than 2 of 255 from the full table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColourMap {
    #[default]
    Viridis,
    Magma,
    Inferno,
    Plasma,
    Cividis,
    Turbo,
    Grey,
    /// Blue, light grey in the middle, red: for differences. Both ends have the same lightness,
    /// so neither sign looks stronger.
    Diverging,
}

impl ColourMap {
    /// Every colour map, in the order menus list them.
    pub const ALL: [Self; 8] = [
        Self::Viridis,
        Self::Magma,
        Self::Inferno,
        Self::Plasma,
        Self::Cividis,
        Self::Turbo,
        Self::Grey,
        Self::Diverging,
    ];

    /// The name in menus, files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Viridis => "viridis",
            Self::Magma => "magma",
            Self::Inferno => "inferno",
            Self::Plasma => "plasma",
            Self::Cividis => "cividis",
            Self::Turbo => "turbo",
            Self::Grey => "grey",
            Self::Diverging => "diverging",
        }
    }

    /// The RGB colour at `t`, clamped to 0 to 1; a value that is not a number gets the lowest.
    pub fn colour(self, t: f32) -> [u8; 3] {
        let points = self.control_points();
        let t = if t.is_nan() { 0.0 } else { t.clamp(0.0, 1.0) };
        let place = t * (points.len() - 1) as f32;
        let index = (place as usize).min(points.len() - 2);
        let weight = place - index as f32;
        let (from, to) = (channels(points[index]), channels(points[index + 1]));
        std::array::from_fn(|c| {
            let (a, b) = (f32::from(from[c]), f32::from(to[c]));
            (a + (b - a) * weight).round() as u8
        })
    }

    fn control_points(self) -> &'static [u32] {
        match self {
            Self::Viridis => VIRIDIS,
            Self::Magma => MAGMA,
            Self::Inferno => INFERNO,
            Self::Plasma => PLASMA,
            Self::Cividis => CIVIDIS,
            Self::Turbo => TURBO,
            Self::Grey => GREY,
            Self::Diverging => DIVERGING,
        }
    }
}

impl std::fmt::Display for ColourMap {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A colour map's name that nobody knows.
#[derive(Debug, thiserror::Error)]
#[error(
    "unknown colour map “{0}”: choose from viridis, magma, inferno, plasma, cividis, turbo, grey, diverging"
)]
pub struct UnknownColourMap(String);

impl std::str::FromStr for ColourMap {
    type Err = UnknownColourMap;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wanted = text.trim().to_lowercase();
        Self::ALL
            .into_iter()
            .find(|map| map.name() == wanted)
            .ok_or_else(|| UnknownColourMap(text.trim().to_owned()))
    }
}

fn channels(packed: u32) -> [u8; 3] {
    let [_, red, green, blue] = packed.to_be_bytes();
    [red, green, blue]
}

const GREY: &[u32] = &[0x000000, 0xffffff];

const VIRIDIS: &[u32] = &[
    0x440154, 0x46085c, 0x471063, 0x481769, 0x481d6f, 0x482475, 0x472a7a, 0x46307e, 0x453781,
    0x433d84, 0x414287, 0x3f4889, 0x3d4e8a, 0x3a538b, 0x38598c, 0x355e8d, 0x33638d, 0x31688e,
    0x2e6d8e, 0x2c718e, 0x2a768e, 0x297b8e, 0x27808e, 0x25848e, 0x23898e, 0x218e8d, 0x20928c,
    0x1f978b, 0x1e9c89, 0x1fa188, 0x21a585, 0x24aa83, 0x28ae80, 0x2eb37c, 0x35b779, 0x3dbc74,
    0x46c06f, 0x50c46a, 0x5ac864, 0x65cb5e, 0x70cf57, 0x7cd250, 0x89d548, 0x95d840, 0xa2da37,
    0xb0dd2f, 0xbddf26, 0xcae11f, 0xd8e219, 0xe5e419, 0xf1e51d, 0xfde725,
];

const MAGMA: &[u32] = &[
    0x000004, 0x02020b, 0x050416, 0x090720, 0x0e0b2b, 0x140e36, 0x1a1042, 0x21114e, 0x29115a,
    0x311165, 0x390f6e, 0x420f75, 0x4a1079, 0x52137c, 0x5a167e, 0x621980, 0x6a1c81, 0x721f81,
    0x792282, 0x812581, 0x892881, 0x912b81, 0x992d80, 0xa1307e, 0xaa337d, 0xb2357b, 0xba3878,
    0xc23b75, 0xca3e72, 0xd2426f, 0xd9466b, 0xe04c67, 0xe75263, 0xec5860, 0xf1605d, 0xf4695c,
    0xf7725c, 0xf97b5d, 0xfb8560, 0xfc8e64, 0xfd9869, 0xfea16e, 0xfeaa74, 0xfeb47b, 0xfebd82,
    0xfec68a, 0xfecf92, 0xfed89a, 0xfde2a3, 0xfdebac, 0xfcf4b6, 0xfcfdbf,
];

const INFERNO: &[u32] = &[
    0x000004, 0x02020c, 0x050417, 0x0a0722, 0x10092d, 0x160b39, 0x1e0c45, 0x260c51, 0x2f0a5b,
    0x380962, 0x400a67, 0x490b6a, 0x510e6c, 0x59106e, 0x61136e, 0x69166e, 0x71196e, 0x781c6d,
    0x801f6c, 0x88226a, 0x902568, 0x982766, 0xa02a63, 0xa82e5f, 0xb0315b, 0xb73557, 0xbf3952,
    0xc63d4d, 0xcc4248, 0xd34743, 0xd94d3d, 0xdf5337, 0xe45a31, 0xe9612b, 0xed6925, 0xf1711f,
    0xf47918, 0xf78212, 0xf98b0b, 0xfa9407, 0xfb9d07, 0xfca60c, 0xfcb014, 0xfbba1f, 0xfac42a,
    0xf8cd37, 0xf6d746, 0xf4e156, 0xf2ea69, 0xf2f27d, 0xf5f992, 0xfcffa4,
];

const PLASMA: &[u32] = &[
    0x0d0887, 0x1b068d, 0x260591, 0x2f0596, 0x38049a, 0x41049d, 0x4903a0, 0x5102a3, 0x5901a5,
    0x6100a7, 0x6900a8, 0x7100a8, 0x7801a8, 0x8004a8, 0x8707a6, 0x8e0ca4, 0x9511a1, 0x9c179e,
    0xa21d9a, 0xa82296, 0xae2892, 0xb42e8d, 0xba3388, 0xbf3984, 0xc43e7f, 0xc9447a, 0xcd4a76,
    0xd24f71, 0xd6556d, 0xda5b69, 0xde6164, 0xe26660, 0xe66c5c, 0xe97257, 0xed7953, 0xf07f4f,
    0xf3854b, 0xf58c46, 0xf79342, 0xf99a3e, 0xfba139, 0xfca835, 0xfdaf31, 0xfeb72d, 0xfebe2a,
    0xfdc627, 0xfcce25, 0xfbd724, 0xf8df25, 0xf6e826, 0xf3f027, 0xf0f921,
];

const CIVIDIS: &[u32] = &[
    0x00224e, 0x002553, 0x002758, 0x00295d, 0x002b62, 0x002d68, 0x002f6d, 0x003170, 0x053371,
    0x0f3570, 0x163770, 0x1c396f, 0x213b6e, 0x263d6e, 0x2a3f6d, 0x2e416d, 0x32436d, 0x35456c,
    0x39486c, 0x3c4a6c, 0x3f4c6c, 0x424e6c, 0x45506c, 0x48526c, 0x4b546c, 0x4e566c, 0x51586d,
    0x545a6d, 0x565c6d, 0x595e6e, 0x5c616e, 0x5e636f, 0x61656f, 0x646770, 0x666970, 0x696b71,
    0x6c6d72, 0x6e6f73, 0x717274, 0x737475, 0x767676, 0x787877, 0x7b7a78, 0x7e7c78, 0x807f78,
    0x838179, 0x868379, 0x898578, 0x8c8878, 0x8f8a78, 0x928c78, 0x948e77, 0x979177, 0x9a9376,
    0x9d9576, 0xa09875, 0xa39a74, 0xa69c74, 0xa99f73, 0xaca172, 0xafa471, 0xb3a670, 0xb6a96f,
    0xb9ab6d, 0xbcae6c, 0xbfb06b, 0xc2b369, 0xc5b568, 0xc8b866, 0xccba64, 0xcfbd62, 0xd2c060,
    0xd5c25e, 0xd9c55c, 0xdcc859, 0xdfca57, 0xe2cd54, 0xe6d051, 0xe9d34e, 0xedd54a, 0xf0d846,
    0xf3db42, 0xf7de3e, 0xfbe138, 0xfee434, 0xfee838,
];

const TURBO: &[u32] = &[
    0x30123b, 0x36215f, 0x3b2f80, 0x3f3e9c, 0x424bb5, 0x4559cb, 0x4666dd, 0x4773eb, 0x4680f6,
    0x458cfd, 0x4099ff, 0x38a5fb, 0x2fb2f4, 0x27bee9, 0x1fc9dd, 0x1ad4d0, 0x18ddc2, 0x1ae4b6,
    0x22ebaa, 0x2ff19b, 0x3ff68a, 0x52fa7a, 0x65fd69, 0x79fe59, 0x8bff4b, 0x9cfe40, 0xa9fb39,
    0xb7f735, 0xc3f134, 0xd0ea34, 0xdbe236, 0xe5d938, 0xeecf3a, 0xf5c53a, 0xfaba39, 0xfdae35,
    0xfea130, 0xfe932a, 0xfc8423, 0xf9751d, 0xf46617, 0xef5811, 0xe84b0c, 0xe14109, 0xd83706,
    0xce2d04, 0xc32503, 0xb71d02, 0xa91601, 0x9b0f01, 0x8b0902, 0x7a0403,
];

const DIVERGING: &[u32] = &[
    0x094f8e, 0x12599e, 0x1a63ae, 0x216dbf, 0x3278cb, 0x4482d5, 0x568cdd, 0x6796e4, 0x78a1ea,
    0x88abee, 0x98b5f1, 0xa8bff3, 0xb7c9f4, 0xc5d2f3, 0xd3dbf2, 0xe0e4ef, 0xebebeb, 0xf4dfdd,
    0xfad2ce, 0xfec5be, 0xffb7af, 0xffa89f, 0xfd9a91, 0xfa8c82, 0xf47d75, 0xed6f68, 0xe5625b,
    0xdb5450, 0xcf4746, 0xc23c3c, 0xb13536, 0xa12e2f, 0x902728,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_the_published_ones() {
        assert_eq!(ColourMap::Viridis.colour(0.0), [0x44, 0x01, 0x54]);
        assert_eq!(ColourMap::Viridis.colour(1.0), [0xfd, 0xe7, 0x25]);
        assert_eq!(ColourMap::Magma.colour(1.0), [0xfc, 0xfd, 0xbf]);
        assert_eq!(ColourMap::Turbo.colour(0.0), [0x30, 0x12, 0x3b]);
        assert_eq!(ColourMap::Grey.colour(0.5), [128, 128, 128]);
    }

    #[test]
    fn entries_between_control_points_stay_within_two_of_the_full_table() {
        // Entries 1, 128 and 254 of matplotlib's 256.
        let published = [
            (
                ColourMap::Viridis,
                [[68, 2, 86], [33, 145, 140], [251, 231, 35]],
            ),
            (
                ColourMap::Magma,
                [[1, 0, 5], [183, 55, 121], [252, 251, 189]],
            ),
            (
                ColourMap::Inferno,
                [[1, 0, 5], [188, 55, 84], [250, 253, 161]],
            ),
            (
                ColourMap::Plasma,
                [[16, 7, 136], [204, 71, 120], [240, 247, 36]],
            ),
        ];
        for (map, colours) in published {
            for (entry, expected) in [1, 128, 254].into_iter().zip(colours) {
                let got = map.colour(entry as f32 / 255.0);
                for c in 0..3 {
                    assert!(
                        (i32::from(got[c]) - expected[c]).abs() <= 2,
                        "{map} {entry}: {got:?} {expected:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn positions_outside_or_not_a_number_are_safe() {
        for map in ColourMap::ALL {
            assert_eq!(map.colour(f32::NAN), map.colour(0.0));
            assert_eq!(map.colour(-3.0), map.colour(0.0));
            assert_eq!(map.colour(f32::INFINITY), map.colour(1.0));
        }
    }

    #[test]
    fn the_middle_of_the_diverging_map_is_light_grey_and_its_sides_differ() {
        let [red, green, blue] = ColourMap::Diverging.colour(0.5);
        assert!(red == green && green == blue && red > 220);
        let (low, high) = (
            ColourMap::Diverging.colour(0.1),
            ColourMap::Diverging.colour(0.9),
        );
        assert!(low[2] > low[0] && high[0] > high[2]);
    }

    #[test]
    fn names_are_read_back() {
        for map in ColourMap::ALL {
            assert_eq!(map.name().parse::<ColourMap>().ok(), Some(map));
        }
        assert!("jet".parse::<ColourMap>().is_err());
    }
}
