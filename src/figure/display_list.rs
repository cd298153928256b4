//! A page as a list of things at places in millimetres: what every writer draws from.

use std::sync::Arc;

use image::RgbImage;

use super::font::FontStyle;

/// A page and what is on it, first things lowest.
#[derive(Clone, Debug, PartialEq)]
pub struct DisplayList {
    /// Width and height of the page in millimetres.
    pub size: [f32; 2],
    /// `None`: see-through.
    pub background: Option<[u8; 3]>,
    pub items: Vec<Item>,
}

impl DisplayList {
    /// Several pages as one, below each other; as wide as the widest. `None` without a page.
    pub fn stacked(pages: Vec<Self>) -> Option<Self> {
        let mut pages = pages.into_iter();
        let mut all = pages.next()?;
        for page in pages {
            let below = all.size[1];
            all.items
                .extend(page.items.into_iter().map(|item| item.moved_down(below)));
            all.size = [all.size[0].max(page.size[0]), below + page.size[1]];
        }
        Some(all)
    }
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

impl Item {
    fn moved_down(mut self, by: f32) -> Self {
        match &mut self {
            Self::Image { area, .. } | Self::Rectangle { area, .. } => area.y += by,
            Self::Line { points, .. } => points.iter_mut().for_each(|point| point[1] += by),
            Self::Text(text) => text.place[1] += by,
        }
        self
    }
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
    pub font_style: FontStyle,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_stacked_below_each_other() {
        let page = |width: f32, height: f32| DisplayList {
            size: [width, height],
            background: None,
            items: vec![Item::Line {
                points: vec![[0.0, 1.0], [2.0, 3.0]],
                closed: false,
                width: 0.1,
                colour: [0; 4],
            }],
        };
        let stacked = DisplayList::stacked(vec![page(10.0, 5.0), page(12.0, 7.0)]);
        let stacked = stacked.expect("two pages");
        assert_eq!(stacked.size, [12.0, 12.0]);
        let Item::Line { points, .. } = &stacked.items[1] else {
            panic!("a line")
        };
        assert_eq!(points[..], [[0.0, 6.0], [2.0, 8.0]]);
        assert_eq!(DisplayList::stacked(Vec::new()), None);
    }
}
