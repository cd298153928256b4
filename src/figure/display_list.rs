//! A page as a list of things at places in millimetres: what every writer draws from.

use std::sync::Arc;

use image::RgbImage;

use super::font::Cut;

/// A page and what is on it, first things lowest.
#[derive(Clone, Debug, PartialEq)]
pub struct DisplayList {
    /// Width and height of the page in millimetres.
    pub size: [f32; 2],
    /// `None`: see-through.
    pub background: Option<[u8; 3]>,
    pub items: Vec<Item>,
}

/// Something on the page. Places are millimetres from the page's top left corner.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    Image {
        area: Area,
        image: Arc<RgbImage>,
    },
    Line {
        points: Vec<[f32; 2]>,
        closed: bool,
        /// Millimetres.
        width: f32,
        /// Red, green, blue, opacity.
        colour: [u8; 4],
    },
    Rectangle {
        area: Area,
        /// Width of the outline in millimetres.
        width: f32,
        colour: [u8; 4],
    },
    Text(Text),
}

/// A rectangle in millimetres.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Area {
    pub x: f32,
    pub y: f32,
    pub width: f32,
    pub height: f32,
}

/// One line of text.
#[derive(Clone, Debug, PartialEq)]
pub struct Text {
    pub text: String,
    /// Where the anchor lies on the baseline.
    pub place: [f32; 2],
    pub anchor: Anchor,
    /// Points.
    pub size: f32,
    pub cut: Cut,
    pub colour: [u8; 3],
    /// Whether it is read from bottom to top.
    pub upwards: bool,
}

/// Which part of a text lies at its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    Start,
    Middle,
    End,
}
