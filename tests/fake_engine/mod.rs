//! An engine that answers at once and always the same: made-up photos, maps that are one hot spot.

mod inside;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use biam_lens::backbone::Covered;
use biam_lens::engine::{
    BundleFacts, Comparison, Failure, Grid, LabelFacts, OrdinaryResponses, PhotoSource, Ranking,
    RefusedLabel, Reply, Request, ResponseMap, ShownPhoto, StageTime, TrueLabels, WorkProgress,
    Worker,
};
use biam_lens::image_io::PhotoFact;
use biam_lens::model::VariantId;
use biam_lens::semantics::LabelStatus;

pub const GRID: Grid = Grid {
    rows: 14,
    columns: 14,
};

const SEEN: [&str; 12] = [
    "dog", "cat", "grass", "ball", "man", "woman", "street", "water", "tree", "bicycle", "shirt",
    "beach",
];
const UNSEEN: [&str; 4] = ["frisbee", "surfboard", "zebra", "umbrella"];
const TAUGHT: [&str; 2] = ["toaster", "accordion"];

/// The engine's end of the two channels.
pub struct FakeEngine {
    requests: Receiver<Request>,
    replies: Sender<Reply>,
    /// While true, comparisons are begun and not finished.
    pub slow: bool,
    pub ordinary_regions: bool,
    /// What a list beside every photo says.
    pub true_labels: Option<TrueLabels>,
    /// Labels that are ranked beyond those of the bundle.
    pub more_ranked: usize,
    /// Every request but thumbnails and work ahead, in order.
    pub asked: Vec<Request>,
    /// What was last asked for ahead; nothing is answered.
    pub ahead: Vec<PhotoSource>,
    pub thumbnails: usize,
}

impl FakeEngine {
    /// The engine and the window's end of it. The facts of the bundle are already under way.
    pub fn start(ordinary_regions: bool) -> (Self, Worker) {
        let (request_sender, requests) = channel();
        let (replies, reply_receiver) = channel();
        let engine = Self {
            requests,
            replies,
            slow: false,
            ordinary_regions,
            true_labels: None,
            more_ranked: 0,
            asked: Vec::new(),
            ahead: Vec::new(),
            thumbnails: 0,
        };
        engine.reply(Reply::Bundle(Arc::new(engine.bundle())));
        (
            engine,
            Worker::from_channels(request_sender, reply_receiver),
        )
    }

    /// Answers what was asked since the last call; true when there was anything.
    pub fn answer(&mut self) -> bool {
        let requests: Vec<Request> = self.requests.try_iter().collect();
        let any = !requests.is_empty();
        for request in requests {
            self.answer_one(request);
        }
        any
    }

    /// Sends a reply that nobody asked for.
    pub fn reply(&self, reply: Reply) {
        self.replies.send(reply).expect("the window is there");
    }

    fn answer_one(&mut self, request: Request) {
        match &request {
            Request::Thumbnail { photo, side } => {
                self.thumbnails += 1;
                let picture = picture(photo, *side, *side * 3 / 4);
                self.reply(Reply::Thumbnail {
                    photo: photo.clone(),
                    picture: Arc::new(picture),
                });
                return;
            }
            Request::Compare {
                photo,
                labels,
                variants,
                ..
            } => self.compare(photo, labels, variants),
            Request::Ahead { photos, .. } => {
                self.ahead = photos.clone();
                return;
            }
            Request::LookInside {
                photo,
                labels,
                variants,
            } => self.reply(Reply::Inside(Arc::new(
                self.inside(photo, labels, variants),
            ))),
            Request::Attend {
                photo,
                region,
                variants,
            } => self.reply(Reply::Looks(Arc::new(inside::looks(
                photo, *region, variants,
            )))),
            Request::OtherScene {
                photo,
                scene,
                labels,
                variants,
            } => self.other_scene(photo, scene, labels, variants),
            Request::Occlude(asked) => self.occlude(asked),
            Request::Cancel => self.reply(Reply::Progress(None)),
            Request::Device(_) => {}
        }
        self.asked.push(request);
    }

    fn fail(&self, source: &PhotoSource) {
        self.reply(Reply::Failure(Failure {
            message: format!(
                "{} is not a photo that can be read: save it as PNG or JPEG",
                source.name()
            ),
            photo: Some(source.clone()),
            fatal: false,
        }));
    }

    fn compare(&self, source: &PhotoSource, labels: &[String], variants: &[VariantId]) {
        if source.name().contains("broken") {
            self.fail(source);
            return;
        }
        let portrait = source.name().contains("portrait");
        let photo = Arc::new(ShownPhoto {
            source: source.clone(),
            size: [if portrait { 512 } else { 1024 }, 768],
            shown: picture(source, 640, 480),
            facts: photo_facts(source),
            true_labels: self.true_labels.clone().or_else(|| true_labels(source)),
        });
        self.reply(Reply::Photo(Arc::clone(&photo)));
        if self.slow {
            self.reply(Reply::Progress(Some(WorkProgress {
                doing: "Encoding with RCB".to_owned(),
                fraction: Some(0.4),
            })));
            return;
        }
        let known: Vec<String> = labels.iter().filter(|l| !refused(l)).cloned().collect();
        let maps = |&variant: &VariantId| {
            let of = |label: &String| self.map(source, label, variant);
            known.iter().map(of).collect()
        };
        let without = labels
            .iter()
            .filter(|l| refused(l))
            .map(|label| RefusedLabel {
                label: label.clone(),
                reason: format!("the label “{label}” has no vector"),
            });
        self.reply(Reply::Comparison(Arc::new(Comparison {
            grid: GRID,
            covered: Covered::WHOLE,
            trained_k: 10,
            labels: known.iter().map(|label| facts(label)).collect(),
            refused: without.collect(),
            variants: variants.to_vec(),
            maps: variants.iter().map(maps).collect(),
            ranking: Some(self.ranking(source, &known, variants)),
            times: times(variants),
            device: "CPU, 2 threads".to_owned(),
            photo,
        })));
    }

    fn map(&self, source: &PhotoSource, label: &str, variant: VariantId) -> ResponseMap {
        let seed = number(&source.name()) ^ number(label);
        let (row, column) = ((seed % 10 + 2) as f32, (seed / 10 % 10 + 2) as f32);
        // Each network has a scale of its own; "nothing" is a label that is nowhere.
        let unit = 0.1 * (1 + place(variant)) as f32;
        let height = if label == "nothing" { 1.2 } else { 6.0 };
        let width = 3.0 + place(variant) as f32;
        let responses: Vec<f32> = (0..GRID.regions())
            .map(|region| {
                let down = (region / GRID.columns) as f32 - row;
                let right = (region % GRID.columns) as f32 - column;
                let spot = height * (-(down * down + right * right) / width).exp();
                unit * (spot - 0.5)
            })
            .collect();
        let ordinary = (0..1000).map(|i| unit * ((i as f32 * 0.618).fract() - 0.5) * 12f32.sqrt());
        ResponseMap {
            responses: responses.into(),
            own_score: None,
            ordinary: self
                .ordinary_regions
                .then(|| OrdinaryResponses::new(ordinary.collect()).map(Arc::new))
                .flatten(),
        }
    }

    fn ranking(&self, source: &PhotoSource, typed: &[String], variants: &[VariantId]) -> Ranking {
        let mut labels = bundle_labels();
        let more = (0..self.more_ranked).map(|n| (format!("thing {n}"), LabelStatus::Unseen));
        labels.extend(more);
        for label in typed {
            if labels.iter().all(|(known, _)| known != label) {
                labels.push((label.clone(), status(label)));
            }
        }
        let score = |variant: VariantId, label: &str| {
            let own = number(&format!("{} {label} {variant}", source.name()));
            (number(label) % 60 + own % 40) as f32 * 0.01 * (1 + place(variant)) as f32
        };
        let of = |&variant: &VariantId| -> Vec<f32> {
            labels.iter().map(|(l, _)| score(variant, l)).collect()
        };
        let scores: Vec<Vec<f32>> = variants.iter().map(of).collect();
        // The mean of the first ten regions, the trained k, is the score; one of them stands out,
        // by as much as the label's name says, and all others lie below.
        let at = |region: usize, score: f32, label: &str| {
            let peak = 0.01 * (number(label) % 97) as f32;
            match region {
                0 => score + peak,
                1..10 => score - peak / 9.0,
                _ => score - peak - 1.0,
            }
        };
        let responses = scores.iter().map(|scores| {
            let regions = 0..GRID.regions();
            let labels = &labels;
            let values = regions.flat_map(|region| {
                let of = move |(score, label): (&f32, &(String, _))| at(region, *score, &label.0);
                std::iter::zip(scores, labels).map(of)
            });
            values.collect()
        });
        let responses = responses.collect();
        Ranking {
            responses,
            labels: labels.into(),
            pooled: vec![true; scores.len()],
            scores,
        }
    }

    fn bundle(&self) -> BundleFacts {
        BundleFacts {
            name: "made up".to_owned(),
            folder: PathBuf::from("weights/made-up"),
            variants: VariantId::PAPER.to_vec(),
            labels: bundle_labels().into(),
            trained_k: 10,
            has_ordinary_regions: self.ordinary_regions,
            device: "CPU, 2 threads".to_owned(),
            device_note: None,
        }
    }
}

/// A variant's place in the paper's order.
fn place(variant: VariantId) -> usize {
    let mut all = VariantId::WITH_BASELINES.iter();
    all.position(|&known| known == variant).unwrap_or_default()
}

/// Labels in angle brackets have no vector here.
fn refused(label: &str) -> bool {
    label.starts_with('<')
}

fn bundle_labels() -> Vec<(String, LabelStatus)> {
    let seen = SEEN.iter().map(|&label| (label, LabelStatus::Seen));
    let unseen = UNSEEN.iter().map(|&label| (label, LabelStatus::Unseen));
    seen.chain(unseen)
        .map(|(label, status)| (label.to_owned(), status))
        .collect()
}

fn status(label: &str) -> LabelStatus {
    if SEEN.contains(&label) {
        LabelStatus::Seen
    } else if TAUGHT.contains(&label) {
        LabelStatus::Taught
    } else {
        LabelStatus::Unseen
    }
}

fn facts(label: &str) -> LabelFacts {
    LabelFacts {
        text: label.to_owned(),
        status: status(label),
        nearest: vec![("dog".to_owned(), 0.71), ("ball".to_owned(), 0.48)],
        left_out: label
            .contains("собака")
            .then(|| format!("the label “{label}” is read without “собака”")),
    }
}

fn times(variants: &[VariantId]) -> Vec<StageTime> {
    let time = |stage: String, milliseconds: f64| StageTime {
        stage,
        milliseconds,
        cached: false,
    };
    let mut times = vec![time("decode".into(), 9.0), time("backbone".into(), 180.0)];
    times.extend(variants.iter().map(|v| time(format!("encode.{v}"), 20.0)));
    times
}

/// A photo that is called listed has a list of its labels beside it.
fn true_labels(source: &PhotoSource) -> Option<TrueLabels> {
    let path = source.path().filter(|_| source.name().contains("listed"))?;
    let labels = ["cat", "zebra", "red ball"];
    Some(TrueLabels {
        labels: labels.map(str::to_owned).to_vec(),
        list: path.with_file_name("labels.tsv"),
    })
}

fn photo_facts(source: &PhotoSource) -> Vec<PhotoFact> {
    let camera = PhotoFact {
        name: "Camera",
        value: "Box Brownie".to_owned(),
        is_caution: false,
    };
    source.path().map(|_| camera).into_iter().collect()
}

/// A number that depends on the text alone (FNV-1a).
fn number(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    }) >> 20
}

/// Sky over a meadow with a ball, in a tint of its own for every photo.
fn picture(source: &PhotoSource, width: u32, height: u32) -> image::RgbImage {
    let tint = (number(&source.name()) % 80) as f32;
    let portrait = source.name().contains("portrait");
    let width = if portrait { height * 2 / 3 } else { width };
    image::RgbImage::from_fn(width, height, |x, y| {
        let (x, y) = (x as f32 / width as f32, y as f32 / height as f32);
        let ball = (x - 0.62).powi(2) * 1.8 + (y - 0.66).powi(2) < 0.012;
        let colour = if ball {
            [190.0, 70.0 + tint, 60.0]
        } else if y < 0.45 {
            [120.0 + 80.0 * y, 150.0 + tint, 215.0 - 60.0 * y]
        } else {
            [70.0 + 60.0 * x, 140.0 - 40.0 * y, 60.0 + tint]
        };
        image::Rgb(colour.map(|c| c as u8))
    })
}
