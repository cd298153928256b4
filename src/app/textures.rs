//! Pictures of panels as textures: made anew only when the map, the way it is displayed or the
//! panel's size in pixels has changed.

use std::collections::HashMap;
use std::sync::Arc;

use egui::{ColorImage, Context, TextureHandle, TextureOptions};
use image::RgbImage;
use rayon::prelude::*;

use crate::engine::{Comparison, Photo, ResponseMap};
use crate::figure::contour::{Polyline, contour_lines};
use crate::figure::interpolation::Field;
use crate::figure::overlay::{OverlayStyle, overlay, panel_photo};
use crate::figure::scale::{Scale, difference_values, panel_values};
use crate::model::Variant;

/// How long a panel's size must stay the same before its picture is made anew, in seconds: while
/// the window is being resized the old picture is stretched.
const SETTLED_AFTER: f64 = 0.12;

/// How long a frame may go on painting panels; the others follow in the next frames, so that
/// neither a dragged slider nor a new photo ever stops the window.
const REPAINTING: std::time::Duration = std::time::Duration::from_millis(6);

/// A label in a variant, or the difference of that variant and another.
pub type PanelKey = (String, Variant, Option<Variant>);

/// A panel that is to be seen.
pub struct Wanted<'a> {
    pub key: PanelKey,
    pub map: &'a ResponseMap,
    /// What is taken away from `map`, for a difference.
    pub less: Option<&'a ResponseMap>,
    pub scale: Scale,
    pub style: OverlayStyle,
}

/// A panel's picture and the lines over it, in fractions of the photo.
pub struct Panel {
    pub texture: TextureHandle,
    pub contours: Vec<Polyline>,
    made_of: MadeOf,
    last_seen: u64,
    painted: u64,
}

/// What a picture depends on.
#[derive(Clone)]
struct MadeOf {
    responses: Arc<[f32]>,
    less: Option<Arc<[f32]>>,
    scale: Scale,
    style: OverlayStyle,
    photo: Arc<RgbImage>,
}

impl MadeOf {
    /// Whether both show the same responses, if perhaps at another size or in other colours.
    fn answers_as(&self, other: &Self) -> bool {
        let same_less = match (&self.less, &other.less) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (one, other) => one.is_none() && other.is_none(),
        };
        same_less && Arc::ptr_eq(&self.responses, &other.responses)
    }

    /// Whether both show the same responses over the same picture of the photo.
    fn shows(&self, other: &Self) -> bool {
        self.answers_as(other) && Arc::ptr_eq(&self.photo, &other.photo)
    }

    fn is(&self, other: &Self) -> bool {
        self.shows(other) && self.scale == other.scale && self.style == other.style
    }
}

/// The photo at the panels' size.
struct PanelPhoto {
    of: Arc<Photo>,
    small: Arc<RgbImage>,
    texture: TextureHandle,
}

/// All pictures of the comparison.
pub struct Textures {
    panels: HashMap<PanelKey, Panel>,
    photo: Option<PanelPhoto>,
    wanted_size: [u32; 2],
    wanted_since: f64,
    frame: u64,
    /// Threads of their own: those that compute networks are busy for long stretches.
    threads: Option<Arc<rayon::ThreadPool>>,
    /// How many pictures were made so far.
    pub made: usize,
}

impl Default for Textures {
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(2, |n| n.get().min(8));
        Self {
            panels: HashMap::new(),
            photo: None,
            wanted_size: [0; 2],
            wanted_since: 0.0,
            frame: 0,
            threads: rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .thread_name(|index| format!("panels {index}"))
                .build()
                .ok()
                .map(Arc::new),
            made: 0,
        }
    }
}

impl Textures {
    /// None yet, to be made by the same threads: for panels of another size.
    pub fn beside(&self) -> Self {
        Self {
            panels: HashMap::new(),
            photo: None,
            wanted_size: [0; 2],
            wanted_since: 0.0,
            frame: 0,
            threads: self.threads.clone(),
            made: 0,
        }
    }

    /// The photo at the size of a panel; `size` is in pixels.
    pub fn photo(&mut self, ctx: &Context, photo: &Arc<Photo>, size: [u32; 2]) -> &TextureHandle {
        let size = self.settled_size(ctx, photo, within_limit(ctx, size));
        let fits = |known: &PanelPhoto| {
            Arc::ptr_eq(&known.of, photo) && known.small.dimensions() == (size[0], size[1])
        };
        let known = self.photo.take().filter(fits);
        let made = known.unwrap_or_else(|| {
            let small = Arc::new(panel_photo(photo, size[0], size[1]));
            let texture = ctx.load_texture("photo", opaque(&small), TextureOptions::LINEAR);
            let of = Arc::clone(photo);
            PanelPhoto { of, small, texture }
        });
        &self.photo.insert(made).texture
    }

    /// Makes the pictures of `wanted` panels that are not there yet or out of date, several at a
    /// time. [`Textures::photo`] must have been called in this frame.
    pub fn prepare(&mut self, ctx: &Context, comparison: &Comparison, wanted: &[Wanted<'_>]) {
        self.frame += 1;
        let Some(photo) = self.photo.as_ref().map(|photo| Arc::clone(&photo.small)) else {
            return;
        };
        let (mut stale, mut restyled) = (Vec::new(), Vec::new());
        for panel in wanted {
            let made_of = MadeOf {
                responses: Arc::clone(&panel.map.responses),
                less: panel.less.map(|map| Arc::clone(&map.responses)),
                scale: panel.scale,
                style: panel.style,
                photo: Arc::clone(&photo),
            };
            let Some(known) = self.panels.get_mut(&panel.key) else {
                stale.push((panel, made_of));
                continue;
            };
            if known.made_of.shows(&made_of) {
                known.last_seen = self.frame;
                if !known.made_of.is(&made_of) {
                    restyled.push((known.painted, (panel, made_of)));
                }
            } else {
                stale.push((panel, made_of));
            }
        }
        // New maps come first; then those that have waited longest, so that each has its turn.
        restyled.sort_by_key(|(painted, _)| *painted);
        let restyled = restyled.into_iter().map(|(_, panel)| panel);
        let mut waiting = stale.into_iter().chain(restyled).peekable();
        let start = std::time::Instant::now();
        let threads = self.threads.as_ref();
        let together = threads.map_or(1, |pool| pool.current_num_threads());
        while waiting.peek().is_some() && start.elapsed() <= REPAINTING {
            let next: Vec<_> = waiting.by_ref().take(together).collect();
            self.repaint(ctx, comparison, next);
        }
        for (panel, made_of) in waiting {
            ctx.request_repaint();
            // Better no map for a moment than another photo's.
            let outdated = |known: &Panel| !known.made_of.answers_as(&made_of);
            if self.panels.get(&panel.key).is_some_and(outdated) {
                self.panels.remove(&panel.key);
            }
        }
        // What scrolled out of view long ago gives its memory back.
        let limit = self.frame.saturating_sub(120);
        self.panels.retain(|_, panel| panel.last_seen >= limit);
    }

    fn repaint(
        &mut self,
        ctx: &Context,
        comparison: &Comparison,
        panels: Vec<(&Wanted<'_>, MadeOf)>,
    ) {
        let make = |(panel, made_of): (&Wanted<'_>, MadeOf)| {
            let (image, contours) = paint(comparison, panel, &made_of.photo);
            (panel.key.clone(), image, contours, made_of)
        };
        let painted: Vec<_> = match &self.threads {
            Some(threads) => threads.install(|| panels.into_par_iter().map(make).collect()),
            None => panels.into_iter().map(make).collect(),
        };
        for (key, image, contours, made_of) in painted {
            self.keep(ctx, key, image, contours, made_of);
        }
    }

    /// The photo as it was last prepared.
    pub fn shown_photo(&self) -> Option<egui::TextureId> {
        self.photo.as_ref().map(|photo| photo.texture.id())
    }

    /// The picture of a panel, once it was prepared.
    pub fn panel(&self, key: &PanelKey) -> Option<&Panel> {
        self.panels.get(key)
    }

    fn keep(
        &mut self,
        ctx: &Context,
        key: PanelKey,
        image: ColorImage,
        contours: Vec<Polyline>,
        made_of: MadeOf,
    ) {
        self.made += 1;
        let last_seen = self.frame;
        if let Some(panel) = self.panels.get_mut(&key) {
            panel.texture.set(image, TextureOptions::LINEAR);
            panel.contours = contours;
            panel.made_of = made_of;
            panel.last_seen = last_seen;
            panel.painted = last_seen;
        } else {
            let name = format!("{} {}", key.0, key.1);
            let panel = Panel {
                texture: ctx.load_texture(name, image, TextureOptions::LINEAR),
                contours,
                made_of,
                last_seen,
                painted: last_seen,
            };
            self.panels.insert(key, panel);
        }
    }

    /// The size to make pictures at: the wanted one, or the last one while it still changes.
    fn settled_size(&mut self, ctx: &Context, photo: &Arc<Photo>, size: [u32; 2]) -> [u32; 2] {
        let now = ctx.time();
        if self.wanted_size != size {
            self.wanted_size = size;
            self.wanted_since = now;
        }
        let old = self
            .photo
            .as_ref()
            .filter(|old| Arc::ptr_eq(&old.of, photo));
        match old.map(|old| old.small.dimensions()) {
            Some((width, height))
                if [width, height] != size && now - self.wanted_since < SETTLED_AFTER =>
            {
                let wait = std::time::Duration::from_secs_f64(SETTLED_AFTER);
                ctx.request_repaint_after(wait);
                [width, height]
            }
            _ => size,
        }
    }
}

/// A picture without transparency as egui takes it.
pub fn opaque(picture: &RgbImage) -> ColorImage {
    let size = [picture.width() as usize, picture.height() as usize];
    ColorImage::from_rgb(size, picture.as_raw())
}

/// A larger texture than the graphics card can hold would end the program.
fn within_limit(ctx: &Context, size: [u32; 2]) -> [u32; 2] {
    let limit = ctx.input(|input| input.max_texture_side) as f32;
    let longest = size[0].max(size[1]).max(1) as f32;
    let factor = (limit / longest).min(1.0);
    size.map(|side| ((side as f32 * factor) as u32).max(1))
}

fn paint(
    comparison: &Comparison,
    panel: &Wanted<'_>,
    photo: &RgbImage,
) -> (ColorImage, Vec<Polyline>) {
    let Wanted {
        map,
        less,
        scale,
        style,
        ..
    } = panel;
    let values = match less {
        Some(less) => difference_values(map, less),
        None => panel_values(map, scale.mode),
    };
    let values = values.unwrap_or_default();
    let (grid, covered) = (comparison.grid, comparison.covered);
    let picture = overlay(photo, grid, covered, &values, scale, style);
    let contours = if style.contours {
        let field = Field {
            grid,
            covered,
            values: &values,
            interpolation: style.interpolation,
        };
        let levels = scale.contour_levels();
        levels
            .into_iter()
            .flat_map(|level| contour_lines(&field, level))
            .collect()
    } else {
        Vec::new()
    };
    (opaque(&picture), contours)
}
