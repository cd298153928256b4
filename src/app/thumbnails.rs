//! Small pictures for the photo list: asked for when a row is seen, a bounded number kept.

use std::collections::{HashMap, HashSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use egui::TextureHandle;

use crate::engine::{PhotoSource, Request, Worker};

/// Longest side of a thumbnail, in points.
pub const THUMBNAIL_SIDE: u32 = 64;

/// Some 30 kB of graphics memory each.
const MOST_KEPT: usize = 400;

/// The engine forgets old wishes when many wait; so do we, to wish again when the row is seen.
const MOST_AWAITED: usize = 128;

struct Kept {
    texture: TextureHandle,
    last_seen: u64,
}

/// The thumbnails that have come and those that are awaited.
#[derive(Default)]
pub struct Thumbnails {
    kept: HashMap<PhotoSource, Kept>,
    awaited: VecDeque<PhotoSource>,
    clock: u64,
    /// The row that was chosen in the last frame.
    followed: Option<usize>,
    /// Offset and height of the part of the list that was seen in the last frame.
    view: (f32, f32),
}

impl Thumbnails {
    /// The picture of a photo, if it has come.
    pub fn get(&mut self, source: &PhotoSource) -> Option<&TextureHandle> {
        self.clock += 1;
        let kept = self.kept.get_mut(source)?;
        kept.last_seen = self.clock;
        Some(&kept.texture)
    }

    /// Asks for a picture once.
    pub fn ask(&mut self, source: &PhotoSource, side: u32, worker: &Worker) {
        if !self.awaited.contains(source) {
            self.awaited.push_back(source.clone());
            if self.awaited.len() > MOST_AWAITED {
                self.awaited.pop_front();
            }
            worker.ask(Request::Thumbnail {
                photo: source.clone(),
                side,
            });
        }
    }

    /// Takes in a picture that has come.
    pub fn receive(
        &mut self,
        ctx: &egui::Context,
        source: PhotoSource,
        picture: &Arc<image::RgbImage>,
    ) {
        self.forget_wish(&source);
        let image = super::textures::opaque(picture);
        let options = egui::TextureOptions::LINEAR;
        let texture = ctx.load_texture(format!("thumbnail {}", source.name()), image, options);
        let last_seen = self.clock;
        self.kept.insert(source, Kept { texture, last_seen });
        if self.kept.len() > MOST_KEPT {
            self.forget_the_oldest();
        }
    }

    /// Photos that could not be read may be asked for again, now that they were opened anew.
    pub fn retry_all(&mut self, photos: &[PathBuf]) {
        let photos: HashSet<&Path> = photos.iter().map(PathBuf::as_path).collect();
        self.awaited
            .retain(|awaited| awaited.path().is_none_or(|path| !photos.contains(path)));
    }

    fn forget_wish(&mut self, source: &PhotoSource) {
        self.awaited.retain(|awaited| awaited != source);
    }

    /// Where to scroll so that the chosen row is seen, if another one was chosen since the last
    /// frame and it is not in view.
    pub fn follow(&mut self, chosen: usize, row_height: f32, step: f32) -> Option<f32> {
        if self.followed.replace(chosen) == Some(chosen) {
            return None;
        }
        let (offset, height) = self.view;
        let top = chosen as f32 * step;
        let wanted = offset.min(top).max(top + row_height - height);
        (height > 0.0 && wanted != offset).then_some(wanted.max(0.0))
    }

    /// Notes which part of the list is seen.
    pub fn seen(&mut self, offset: f32, height: f32) {
        self.view = (offset, height);
    }

    fn forget_the_oldest(&mut self) {
        let mut ages: Vec<u64> = self.kept.values().map(|kept| kept.last_seen).collect();
        ages.sort_unstable();
        // A quarter at a time, so that this is not done for every new picture.
        if let Some(&limit) = ages.get(MOST_KEPT / 4) {
            self.kept.retain(|_, kept| kept.last_seen >= limit);
        }
    }
}
