//! Pictures of panels as textures: made anew only when the map, the way it is displayed or the
//! panel's size in pixels has changed, and never on the frame's own time.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use egui::{ColorImage, Context, Rect, TextureHandle, TextureId, TextureOptions};
use image::RgbImage;

use super::layer::Layer;
use super::painter::{self, Painter};
use super::photo_part::{WHOLE, covers, cut, seen_in, whole_pixels, within};
use crate::backbone::Covered;
use crate::engine::{Comparison, Grid, ResponseMap, ShownPhoto};
use crate::figure::contour::{Polyline, contour_lines};
use crate::figure::interpolation::Field;
use crate::figure::overlay::{OverlayStyle, overlay, panel_photo};
use crate::figure::scale::{Scale, difference_values, panel_values};
use crate::model::VariantId;

/// How long a panel's size or the part of the photo in it must stay the same before its picture is
/// made anew, in seconds: until then the old picture is stretched.
const SETTLED_AFTER: f64 = 0.12;

/// What a frame of a fluid window can wait for pictures.
const PATIENCE: Duration = Duration::from_millis(4);

/// A label in a variant, and what is shown of it.
pub type PanelKey = (String, VariantId, Layer);

/// A panel that is to be seen.
pub struct WantedPanel<'a> {
    pub key: PanelKey,
    pub map: &'a ResponseMap,
    /// What is taken away from `map`, for a difference.
    pub less: Option<&'a ResponseMap>,
    pub scale: Scale,
    pub style: OverlayStyle,
}

/// What of the photo a picture shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Level {
    Whole,
    /// The part that is magnified.
    Part,
}

#[derive(Clone, PartialEq, Eq, Hash)]
enum Key {
    Photo(Level),
    Panel(PanelKey, Level),
}

/// A picture that was made.
enum Made {
    Photo(PhotoOf, Arc<RgbImage>, ColorImage),
    Panel(PanelOf, ColorImage, Vec<Polyline>),
}

/// What a picture of the photo depends on.
#[derive(Clone)]
struct PhotoOf {
    photo: Arc<ShownPhoto>,
    size: [u32; 2],
    part: Rect,
}

impl PhotoOf {
    fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.photo, &other.photo) && self.size == other.size && self.part == other.part
    }

    fn make(&self) -> RgbImage {
        let [width, height] = self.size;
        if self.part == WHOLE {
            return panel_photo(&self.photo.shown, width, height);
        }
        panel_photo(&cut(&self.photo.shown, self.part), width, height)
    }
}

/// What a panel's picture depends on.
#[derive(Clone)]
struct PanelOf {
    map: ResponseMap,
    less: Option<ResponseMap>,
    scale: Scale,
    style: OverlayStyle,
    photo: Arc<RgbImage>,
    part: Rect,
    grid: Grid,
    covered: Covered,
}

impl PanelOf {
    /// Whether it shows these responses, if perhaps at another size or in other colours.
    fn shows(&self, map: &ResponseMap, less: Option<&ResponseMap>) -> bool {
        let same_less = match (&self.less, less) {
            (Some(one), Some(other)) => Arc::ptr_eq(&one.responses, &other.responses),
            (one, other) => one.is_none() && other.is_none(),
        };
        same_less && Arc::ptr_eq(&self.map.responses, &map.responses)
    }

    fn is(&self, other: &Self) -> bool {
        self.shows(&other.map, other.less.as_ref())
            && Arc::ptr_eq(&self.photo, &other.photo)
            && self.scale == other.scale
            && self.style == other.style
    }

    /// The picture, and the contour lines in fractions of the whole photo.
    fn make(&self) -> (ColorImage, Vec<Polyline>) {
        let values = match &self.less {
            Some(less) => difference_values(&self.map, less),
            None => panel_values(&self.map, self.scale.mode),
        };
        let values = values.unwrap_or_default();
        let covered = seen_in(self.covered, self.part);
        let (photo, scale, style) = (&self.photo, &self.scale, &self.style);
        let picture = overlay(photo, self.grid, covered, &values, scale, style);
        if !style.contours {
            return (opaque(&picture), Vec::new());
        }
        let field = Field {
            grid: self.grid,
            covered: self.covered,
            values: &values,
            interpolation: style.interpolation,
        };
        let levels = scale.contour_levels().into_iter();
        let contours = levels.flat_map(|level| contour_lines(&field, level));
        (opaque(&picture), contours.collect())
    }
}

/// A panel's picture and the lines over it, in fractions of the photo.
pub struct Panel {
    pub texture: TextureHandle,
    pub contours: Vec<Polyline>,
    of: PanelOf,
    last_seen: u64,
}

impl Panel {
    /// Where a part of the photo lies in the picture, in fractions of the picture.
    pub fn place_of(&self, part: Rect) -> Rect {
        within(part, self.of.part)
    }
}

/// The photo at the panels' size.
struct PanelPhoto {
    of: PhotoOf,
    small: Arc<RgbImage>,
    texture: TextureHandle,
}

/// Something that is used once it no longer changes.
struct Settling<T> {
    value: T,
    since: f64,
}

impl<T: PartialEq> Settling<T> {
    fn new(value: T) -> Self {
        Self {
            value,
            since: f64::NEG_INFINITY,
        }
    }

    /// Whether `value` has stayed the same for long enough; if not, a later frame asks again.
    fn is_settled(&mut self, ctx: &Context, value: T) -> bool {
        let now = ctx.time();
        if self.value != value {
            *self = Self { value, since: now };
        }
        let settled = now - self.since >= SETTLED_AFTER;
        if !settled {
            ctx.request_repaint_after(Duration::from_secs_f64(SETTLED_AFTER));
        }
        settled
    }
}

/// All pictures of the comparison.
pub struct Textures {
    panels: HashMap<(PanelKey, Level), Panel>,
    photos: HashMap<Level, PanelPhoto>,
    /// Where the pictures of panels are made from in this frame.
    level: Level,
    size: Settling<[u32; 2]>,
    part: Settling<Rect>,
    frame: u64,
    painter: Painter<Key, Made>,
    /// How long a frame waits for its pictures; what is not there by then follows in later frames.
    pub patience: Duration,
    deadline: Instant,
    /// How many pictures of panels were made so far.
    pub made: usize,
}

impl Default for Textures {
    fn default() -> Self {
        Self::new(Painter::new(painter::threads()))
    }
}

impl Textures {
    fn new(painter: Painter<Key, Made>) -> Self {
        Self {
            panels: HashMap::new(),
            photos: HashMap::new(),
            level: Level::Whole,
            size: Settling::new([0; 2]),
            part: Settling::new(WHOLE),
            frame: 0,
            painter,
            patience: PATIENCE,
            deadline: Instant::now(),
            made: 0,
        }
    }

    /// None yet, to be made by the same threads: for panels of another size.
    pub fn beside(&self) -> Self {
        Self::new(self.painter.beside())
    }

    /// Sees to it that `part` of the photo is there at the size of a panel, in pixels.
    pub fn prepare_photo(
        &mut self,
        ctx: &Context,
        photo: &Arc<ShownPhoto>,
        size: [u32; 2],
        part: Rect,
    ) {
        self.deadline = Instant::now() + self.patience;
        let size = self.settled_size(ctx, photo, within_limit(ctx, size));
        let whole = PhotoOf {
            photo: Arc::clone(photo),
            size,
            part: WHOLE,
        };
        self.bring_photo(ctx, Level::Whole, &whole);
        self.level = Level::Whole;
        let settled = self.part.is_settled(ctx, part);
        if part == WHOLE {
            self.photos.remove(&Level::Part);
        } else if settled {
            let part = whole_pixels(part, &photo.shown);
            self.bring_photo(ctx, Level::Part, &PhotoOf { part, ..whole });
            self.level = Level::Part;
        }
    }

    /// Starts a picture of the photo that is not there, and waits for it as long as a frame may.
    fn bring_photo(&mut self, ctx: &Context, level: Level, of: &PhotoOf) {
        loop {
            if self.photos.get(&level).is_some_and(|old| old.of.is(of)) {
                return;
            }
            let wanted = of.clone();
            self.painter.start(Key::Photo(level), move || {
                let small = Arc::new(wanted.make());
                let picture = opaque(&small);
                Made::Photo(wanted, small, picture)
            });
            if !self.keep_next(ctx) {
                ctx.request_repaint();
                return;
            }
        }
    }

    /// Makes the pictures of `wanted` panels that are not there yet or out of date.
    /// [`Textures::prepare_photo`] must have been called in this frame.
    pub fn prepare(&mut self, ctx: &Context, comparison: &Comparison, wanted: &[WantedPanel<'_>]) {
        self.frame += 1;
        let level = self.level;
        if let Some(photo) = self.photos.get(&level)
            && Arc::ptr_eq(&photo.of.photo, &comparison.photo)
        {
            let (photo, part) = (Arc::clone(&photo.small), photo.of.part);
            for panel in wanted {
                let of = PanelOf {
                    map: panel.map.clone(),
                    less: panel.less.cloned(),
                    scale: panel.scale,
                    style: panel.style,
                    photo: Arc::clone(&photo),
                    part,
                    grid: comparison.grid,
                    covered: comparison.covered,
                };
                self.start_panel((panel.key.clone(), level), of);
            }
        }
        let mut made_any = false;
        while self.keep_next(ctx) {
            made_any = true;
        }
        // What was made may have been asked for before the last change.
        if made_any || self.painter.is_busy() {
            ctx.request_repaint();
        }
        // What scrolled out of view long ago gives its memory back.
        let limit = self.frame.saturating_sub(120);
        self.panels.retain(|_, panel| panel.last_seen >= limit);
    }

    /// Starts a panel's picture unless it is there.
    fn start_panel(&mut self, key: (PanelKey, Level), of: PanelOf) {
        if let Some(known) = self.panels.get_mut(&key) {
            known.last_seen = self.frame;
            if known.of.is(&of) {
                return;
            }
        }
        self.painter.start(Key::Panel(key.0, key.1), move || {
            let (picture, contours) = of.make();
            Made::Panel(of, picture, contours)
        });
    }

    /// Waits for the next picture that is under way as long as this frame may; true when one came.
    fn keep_next(&mut self, ctx: &Context) -> bool {
        match self.painter.finished(self.deadline) {
            Some((Key::Photo(level), Made::Photo(of, small, picture))) => {
                let texture = ctx.load_texture("photo", picture, TextureOptions::LINEAR);
                let photo = PanelPhoto { of, small, texture };
                self.photos.insert(level, photo);
                true
            }
            Some((Key::Panel(key, level), Made::Panel(of, picture, contours))) => {
                self.keep_panel(ctx, (key, level), of, picture, contours);
                true
            }
            Some(_) => true,
            None => false,
        }
    }

    fn keep_panel(
        &mut self,
        ctx: &Context,
        key: (PanelKey, Level),
        of: PanelOf,
        picture: ColorImage,
        contours: Vec<Polyline>,
    ) {
        self.made += 1;
        let last_seen = self.frame;
        let old = self.panels.remove(&key).map(|old| old.texture);
        let texture = match old {
            Some(mut texture) => {
                texture.set(picture, TextureOptions::LINEAR);
                texture
            }
            None => {
                let name = format!("{} {}", key.0.0, key.0.1);
                ctx.load_texture(name, picture, TextureOptions::LINEAR)
            }
        };
        let panel = Panel {
            texture,
            contours,
            of,
            last_seen,
        };
        self.panels.insert(key, panel);
    }

    /// The picture of `photo` that shows `part` best, and where the part lies in it.
    pub fn shown_photo(&self, photo: &Arc<ShownPhoto>, part: Rect) -> Option<(TextureId, Rect)> {
        let known = |level| {
            let known: &PanelPhoto = self.photos.get(&level)?;
            let fits = Arc::ptr_eq(&known.of.photo, photo) && covers(known.of.part, part);
            fits.then(|| (known.texture.id(), within(part, known.of.part)))
        };
        known(Level::Part).or_else(|| known(Level::Whole))
    }

    /// The picture of a panel that shows these responses, the sharpest that has all of `part`.
    pub fn panel(
        &self,
        key: &PanelKey,
        map: &ResponseMap,
        less: Option<&ResponseMap>,
        part: Rect,
    ) -> Option<&Panel> {
        let known = |level| {
            let known = self.panels.get(&(key.clone(), level))?;
            (known.of.shows(map, less) && covers(known.of.part, part)).then_some(known)
        };
        known(self.level).or_else(|| known(Level::Whole))
    }

    /// The size to make pictures at: the wanted one, or the last one while it still changes.
    fn settled_size(&mut self, ctx: &Context, photo: &Arc<ShownPhoto>, size: [u32; 2]) -> [u32; 2] {
        let settled = self.size.is_settled(ctx, size);
        match self.photos.get(&Level::Whole) {
            Some(old) if !settled && Arc::ptr_eq(&old.of.photo, photo) => old.of.size,
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
