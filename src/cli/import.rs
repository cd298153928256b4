//! `biam-lens import`: parts or a foreign checkpoint into a bundle; ordinary regions for one.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Args;

use super::progress::ProgressLine;
use super::{Outcome, common};
use crate::bundle::add_ordinary::{Gathered, add_ordinary_regions};
use crate::bundle::foreign::{Foreign, Imported, import_foreign};
use crate::bundle::import::{BundleSources, assemble};
use crate::bundle::label_space::LabelFiles;
use crate::bundle::manifest::Manifest;
use crate::bundle::{ImportStep, MANIFEST};
use crate::engine::DeviceChoice;
use crate::files::{one_line, shown};
use crate::image_io::Framing;
use crate::model::ordinary_regions::PHOTOS;

/// Options of `import`.
#[derive(Debug, Args)]
pub struct Options {
    /// Folder with backbone, projection, heads (standard|rcb|scb|biam.safetensors), labels.tsv and
    /// teacher.tsv; or, with --ordinary, a model that is to have ordinary regions
    #[arg(value_name = "PARTS|MODEL", required_unless_present = "checkpoint")]
    parts: Option<PathBuf>,
    /// Folder with all-MiniLM-L6-v2: model.safetensors and tokenizer.json
    #[arg(long, value_name = "DIR", conflicts_with = "checkpoint")]
    text_encoder: Option<PathBuf>,
    /// Checkpoint of the paper's authors, or of their code
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with = "parts",
        requires = "vgg19",
        requires = "seen"
    )]
    checkpoint: Option<PathBuf>,
    /// VGG-19 for the checkpoint: torchvision's vgg19 (.pth) or timm's vgg19.tv_in1k (.safetensors)
    #[arg(long, value_name = "FILE", requires = "checkpoint")]
    vgg19: Option<PathBuf>,
    /// Word vectors for the checkpoint: GloVe's text (glove.6B.300d.txt), word2vec's text or binary,
    /// or word_vectors.bin of a model (default: the words of --label-vectors alone)
    #[arg(long, value_name = "FILE", requires = "checkpoint")]
    word_vectors: Option<PathBuf>,
    /// Labels the checkpoint was trained on, one a line, such as NUS-WIDE's TagList1k.txt
    #[arg(long, value_name = "FILE", requires = "checkpoint")]
    seen: Option<PathBuf>,
    /// Labels it never saw, such as Concepts81.txt; one that is in both lists is unseen
    #[arg(long, value_name = "FILE", requires = "checkpoint")]
    unseen: Option<PathBuf>,
    /// Vectors of the labels as the authors publish them: pickled arrays, or .npy, with a row for
    /// each line of the lists (default: made from --word-vectors)
    #[arg(long, value_name = "FILE", requires = "checkpoint")]
    label_vectors: Option<PathBuf>,
    /// Attention heads of the checkpoint (default: 8, the authors')
    #[arg(long, value_name = "N", requires = "checkpoint")]
    heads: Option<usize>,
    /// How many responses of the checkpoint's a score is the mean of (default: 6, the authors')
    #[arg(long, value_name = "N", requires = "checkpoint")]
    top_k: Option<usize>,
    /// Show the checkpoint the middle of a photo with its aspect kept, where the authors squash the
    /// whole photo into a square
    #[arg(long, requires = "checkpoint")]
    centre_crop: bool,
    /// Photos and folders to take ordinary regions from, which σ is measured against; 512 photos
    /// or more are best
    #[arg(long, value_name = "PHOTO|FOLDER", num_args = 1..)]
    ordinary: Vec<PathBuf>,
    /// Where to look at those photos: auto, cpu, cuda or cuda:N
    #[arg(long, default_value_t)]
    device: DeviceChoice,
    /// Text for the bundle's card: data, licences, what the model is bad at
    #[arg(long, value_name = "FILE")]
    notes: Option<PathBuf>,
    /// Where the weights come from, such as "data=Flickr8k"; may be given several times
    #[arg(long, value_name = "TOPIC=TEXT", value_parser = topic)]
    provenance: Vec<(String, String)>,
    /// The bundle's name (default: the folder's)
    #[arg(long)]
    name: Option<String>,
    /// The folder to make
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Makes the bundle, or adds to one, and says what is in it.
pub fn run(options: Options) -> Result<Outcome> {
    match (&options.checkpoint, &options.parts) {
        (Some(_), _) => foreign(options),
        (None, Some(model)) if !options.ordinary.is_empty() => {
            let model = model.clone();
            ordinary(&model, &options)
        }
        _ => parts(options),
    }
}

fn parts(options: Options) -> Result<Outcome> {
    let (out, name) = target(&options)?;
    let heads = options.parts.context("no folder of parts is named")?;
    let Some(text_encoder) = options.text_encoder else {
        match heads.join(MANIFEST).exists() {
            true => bail!(
                "{}: a model already; --ordinary PHOTOS computes its ordinary regions",
                shown(&heads)
            ),
            false => {
                bail!("no label encoder; name the folder of all-MiniLM-L6-v2 with --text-encoder")
            }
        }
    };
    let parts = BundleSources {
        heads,
        text_encoder,
        name,
        notes: options.notes,
        provenance: options.provenance.into_iter().collect(),
        out,
    };
    let manifest = assemble(&parts, |doing| common::print_note(&doing))?;
    common::print(&format!("{}\n", first_line(&parts.out, &manifest)))?;
    Ok(Outcome::Complete)
}

/// The folder to make, and the bundle's name.
fn target(options: &Options) -> Result<(PathBuf, String)> {
    let out = options.out.clone();
    let out = out.context("no folder to make; name one with --out")?;
    let name = match &options.name {
        Some(name) => name.clone(),
        None => {
            let name = out.file_name().context("--out names no folder")?;
            name.to_string_lossy().into_owned()
        }
    };
    Ok((out, name))
}

fn first_line(folder: &Path, manifest: &Manifest) -> String {
    let variants = manifest.variants.iter();
    let variants: Vec<&str> = variants.map(|entry| entry.id.name()).collect();
    format!("{}: {}", shown(folder), variants.join(", "))
}

fn foreign(options: Options) -> Result<Outcome> {
    let (out, name) = target(&options)?;
    let (photos, all_listed) = photos(&options.ordinary)?;
    let named = |file: Option<PathBuf>, option: &str| {
        file.with_context(|| format!("a checkpoint needs --{option} FILE beside it"))
    };
    let foreign = Foreign {
        checkpoint: named(options.checkpoint, "checkpoint")?,
        vgg19: named(options.vgg19, "vgg19")?,
        word_vectors: options.word_vectors,
        labels: LabelFiles {
            seen: named(options.seen, "seen")?,
            unseen: options.unseen,
            vectors: options.label_vectors,
        },
        heads: options.heads,
        top_k: options.top_k,
        resize: match options.centre_crop {
            true => Framing::CentreCrop,
            false => Framing::Squash,
        },
        ordinary: photos,
        name,
        notes: options.notes,
        provenance: options.provenance.into_iter().collect(),
        out,
    };
    let device = options.device.open()?;
    let mut told = Told::default();
    let imported = import_foreign(&foreign, &device.device, &mut |step| told.step(step))?;
    drop(told);
    for reason in imported.words_left_out.iter().chain(&imported.left_out) {
        common::print_note(&format!("left out: {reason}"));
    }
    let all_read = imported.ordinary.as_ref().is_none_or(tell_of_photos);
    common::print(&report(&foreign.out, &imported))?;
    Ok(Outcome::complete_if(all_listed && all_read))
}

fn ordinary(model: &Path, options: &Options) -> Result<Outcome> {
    if options.out.is_some() || options.text_encoder.is_some() {
        bail!(
            "--ordinary adds to the model {}; leave out --out and --text-encoder, or make the model \
             first",
            shown(model)
        );
    }
    let (photos, all_listed) = photos(&options.ordinary)?;
    let device = options.device.open()?;
    let mut told = Told::default();
    let gathered =
        add_ordinary_regions(model, &photos, &device.device, &mut |step| told.step(step))?;
    drop(told);
    let all_read = tell_of_photos(&gathered);
    common::print(&format!("{}: {}\n", shown(model), of_photos(&gathered)))?;
    Ok(Outcome::complete_if(all_listed && all_read))
}

/// The photos that are named, if any, and whether all of them could be found.
fn photos(paths: &[PathBuf]) -> Result<(Vec<PathBuf>, bool)> {
    match paths.is_empty() {
        true => Ok((Vec::new(), true)),
        false => common::photos(paths),
    }
}

/// Names the photos that could not be read; false where there are any.
fn tell_of_photos(gathered: &Gathered) -> bool {
    common::print_all_cautions(&gathered.cautions);
    for reason in &gathered.unreadable {
        common::print_note(reason);
    }
    gathered.unreadable.is_empty()
}

fn of_photos(gathered: &Gathered) -> String {
    let (regions, photos) = (gathered.regions, gathered.photos);
    let hint = match photos < PHOTOS {
        true => format!("; {PHOTOS} photos or more are best"),
        false => String::new(),
    };
    format!("{regions} ordinary regions of {photos} photos{hint}")
}

/// What was applied, what is missing, what was left over.
fn report(out: &Path, imported: &Imported) -> String {
    let config = &imported.config;
    let mut text = first_line(out, &imported.manifest) + "\n";
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "network: {} channels, {} heads, k = {} (heads and k are in no checkpoint)",
        config.channels, config.heads, config.top_k
    );
    let _ = writeln!(
        text,
        "applied: {} tensors, none is missing",
        imported.applied.len()
    );
    for applied in &imported.applied {
        let _ = writeln!(
            text,
            "  {:<18} {:<46} {:?}",
            applied.own,
            one_line(&applied.foreign),
            applied.shape
        );
    }
    let _ = match imported.unused.is_empty() {
        true => writeln!(text, "unused: none"),
        false => writeln!(text, "unused: {}", one_line(&imported.unused.join(", "))),
    };
    if !imported.beside.is_empty() {
        let beside = imported.beside.join(", ");
        let _ = writeln!(text, "passed over: {}", one_line(&beside));
    }
    let _ = writeln!(
        text,
        "labels: {} seen, {} unseen, {} left out",
        imported.seen,
        imported.unseen,
        imported.left_out.len()
    );
    let _ = writeln!(text, "words that can be typed: {}", imported.words);
    let _ = match &imported.ordinary {
        Some(gathered) => writeln!(text, "{}", of_photos(gathered)),
        None => writeln!(
            text,
            "no ordinary regions, so no σ: biam-lens import {} --ordinary PHOTOS computes them",
            shown(out)
        ),
    };
    text
}

/// Says what is done, and how far it is.
#[derive(Default)]
struct Told {
    line: Option<ProgressLine>,
}

impl Told {
    fn step(&mut self, step: ImportStep<'_>) {
        match step {
            ImportStep::Doing(doing) => {
                self.line = None;
                common::print_note(&doing);
            }
            ImportStep::Words(progress) => {
                let new = || ProgressLine::bytes("Reading words", progress.total, 0);
                self.line.get_or_insert_with(new).show_bytes(progress.read);
            }
            ImportStep::Photos { done, total } => {
                let new = || ProgressLine::new("Looking for ordinary regions", total);
                self.line.get_or_insert_with(new).show(done);
            }
        }
    }
}

fn topic(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((topic, words)) if !topic.trim().is_empty() => {
            Ok((topic.trim().to_owned(), words.trim().to_owned()))
        }
        _ => Err("write it as TOPIC=TEXT".to_owned()),
    }
}
