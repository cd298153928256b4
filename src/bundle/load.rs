//! A bundle's folder read into networks on a device.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use sha2::{Digest, Sha256};

use super::BundleError;
use super::backbone::BackbonePlan;
use super::manifest::{FORMAT, Manifest, upgraded};
use crate::backbone::{Backbone, RegionFeatures};
use crate::files::{FileError, first_line, one_line, read_bounded};
use crate::image_io::{Framing, NetworkInput};
use crate::kernels::{Activation, Pointwise};
use crate::model::{Configuration, Network, PreparedLabels, VariantId};
use crate::semantics::{LabelEncoder, LabelFeatures, LabelLists, Source};

/// Name of the manifest in a bundle's folder.
pub const MANIFEST: &str = "bundle.toml";
/// Largest manifest, in bytes.
const MANIFEST_LIMIT: u64 = 1 << 20;
/// Largest file of a bundle: VGG-19 in single precision with room to spare.
const FILE_LIMIT: u64 = 2 << 30;

/// The way from a photo to the backbone's input. It counts up when [`crate::image_io`] comes to give
/// other pixels for the same photo, so that features kept on a disk are computed again.
const PREPROCESSING: u32 = 3;

/// One trained network with its ordinary regions.
pub struct TrainedVariant {
    pub id: VariantId,
    pub network: Arc<dyn Network>,
    /// e_f of random regions of training photos, `[R, out]`.
    pub ordinary_regions: Option<Tensor>,
    /// What it takes of a label, where that is more than the encoder's vector.
    pub label_features: Option<Arc<LabelFeatures>>,
}

impl TrainedVariant {
    /// What the network makes of labels, of the encoder's vectors `[L, D]`.
    ///
    /// # Errors
    /// Vectors of another encoder.
    pub fn prepare_labels(&self, vectors: &Tensor) -> candle_core::Result<PreparedLabels> {
        match &self.label_features {
            Some(features) => self.network.prepare_labels(&features.of(vectors)?),
            None => self.network.prepare_labels(vectors),
        }
    }
}

/// Sizes of what a bundle's networks are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadSizes {
    /// Channels of x_r as the heads take it: projected where the bundle projects.
    pub region_channels: usize,
    /// Channels of x_g.
    pub global_channels: usize,
    /// Size of the encoder's vector of a label.
    pub label_dimension: usize,
}

/// A model folder, loaded.
pub struct Bundle {
    pub folder: PathBuf,
    pub name: String,
    pub sizes: HeadSizes,
    pub lists: LabelLists,
    /// Vectors of the bundle's labels, `[L, D]`, in the order of `lists`.
    pub label_vectors: Tensor,
    pub encoder: Box<dyn LabelEncoder>,
    /// What networks take of a label, where that is more than the encoder's vector.
    pub label_features: Option<Arc<LabelFeatures>>,
    pub variants: Vec<TrainedVariant>,
    pub device: Device,
    pub backbone_plan: BackbonePlan,
    /// How photos are brought to the backbone.
    pub input: NetworkInput,
    /// Rows and columns of regions.
    pub grid: [usize; 2],
    backbone: Box<dyn Backbone>,
    projection: Option<Pointwise>,
    features_identity: String,
}

impl Bundle {
    /// Reads and checks a bundle's folder and builds its networks on `device`.
    ///
    /// # Errors
    /// A file that is missing, unreadable, truncated or changed; a manifest of another format;
    /// weights that do not fit the configuration. Each names the file.
    pub fn open(folder: &Path, device: &Device) -> Result<Self, BundleError> {
        Self::open_some(folder, device, |_| true)
    }

    /// [`Bundle::open`] with only those networks that are `wanted`, as if there were no others.
    ///
    /// # Errors
    /// As [`Bundle::open`].
    pub fn open_some(
        folder: &Path,
        device: &Device,
        wanted: impl Fn(VariantId) -> bool,
    ) -> Result<Self, BundleError> {
        let mut manifest = read_manifest(folder)?;
        manifest.variants.retain(|entry| wanted(entry.id));
        Self::build(&Place::folder(folder), &manifest, device)
    }

    /// Builds the networks of `manifest` from its files.
    pub(super) fn build(
        place: &Place<'_>,
        manifest: &Manifest,
        device: &Device,
    ) -> Result<Self, BundleError> {
        let folder = place.named;
        let refuse = |reason: String| BundleError::Manifest {
            path: folder.join(MANIFEST),
            reason,
        };
        let configurations = manifest.variants.iter().map(|entry| entry.configuration());
        let parts = BundleReader {
            place,
            manifest,
            plan: BackbonePlan::new(&manifest.backbone),
            configurations: configurations.collect::<Result<_, _>>().map_err(refuse)?,
            device,
        };
        parts.check_sizes()?;
        let (variants, (encoder, rest)) = rayon::join(
            || parts.variants(),
            || rayon::join(|| parts.encoder(), || parts.features_and_labels()),
        );
        let (backbone, projection, lists, label_vectors) = rest?;
        let encoder = encoder?;
        let label_features = parts.label_features()?.map(Arc::new);
        let sizes = HeadSizes {
            region_channels: match &projection {
                Some(projection) => projection.outputs(),
                None => parts.plan.region_channels(),
            },
            global_channels: parts.plan.global_channels(),
            label_dimension: encoder.dimension(),
        };
        parts.check_given(&sizes, label_features.as_deref())?;
        let mut variants = variants?;
        for trained in &mut variants {
            if trained.network.takes().label_dimension != sizes.label_dimension {
                trained.label_features.clone_from(&label_features);
            }
        }
        let (found, wanted) = (label_vectors.dim(1).unwrap_or(0), sizes.label_dimension);
        if found != wanted {
            return Err(BundleError::Weights {
                path: folder.join(&manifest.labels.vectors),
                reason: format!(
                    "vectors of {found} numbers, the label encoder gives {wanted}; make the bundle \
                     again with biam-lens import"
                ),
            });
        }
        let features_identity = parts.features_identity();
        Ok(Self {
            folder: folder.to_owned(),
            name: manifest.name.clone(),
            lists,
            label_vectors,
            encoder,
            label_features,
            variants,
            device: device.clone(),
            input: parts.input(),
            backbone_plan: parts.plan,
            grid: manifest.backbone.grid,
            backbone,
            projection,
            features_identity,
            sizes,
        })
    }

    /// The networks' names, in the manifest's order.
    pub fn variant_names(&self) -> Vec<VariantId> {
        self.variants.iter().map(|trained| trained.id).collect()
    }

    /// The k of the networks whose scores are pooled maps: the largest, where they differ; 1 where
    /// there is no such network.
    pub fn top_k(&self) -> usize {
        let networks = self.variants.iter();
        let all = networks.filter_map(|trained| trained.network.top_k());
        all.max().unwrap_or(1)
    }

    /// The network of that name, where the bundle has it.
    pub fn variant(&self, variant: VariantId) -> Option<&TrainedVariant> {
        self.variants.iter().find(|trained| trained.id == variant)
    }

    /// Side of the square input in pixels.
    pub fn input_size(&self) -> u32 {
        self.input.side
    }

    /// Region features x_r as the heads take them (projected where the bundle projects) and the
    /// global feature, of `pixels` `[N, S, S, 3]` in u8.
    pub fn features(&self, pixels: &Tensor) -> candle_core::Result<RegionFeatures> {
        let raw = self.raw_features(pixels)?;
        Ok(RegionFeatures {
            regions: self.projected(&raw.regions)?,
            ..raw
        })
    }

    /// The backbone's own region features and global feature of `pixels` `[N, S, S, 3]` in u8.
    pub fn raw_features(&self, pixels: &Tensor) -> candle_core::Result<RegionFeatures> {
        self.backbone.features(pixels)
    }

    /// Raw region features `[N, C, h, w]` as the heads take them, `[N, D, h, w]`: projected where
    /// the bundle projects.
    pub fn projected(&self, raw: &Tensor) -> candle_core::Result<Tensor> {
        let Some(projection) = &self.projection else {
            return Ok(raw.clone());
        };
        let channels_last = raw.permute((0, 2, 3, 1))?.contiguous()?;
        projection.forward(&channels_last)?.permute((0, 3, 1, 2))
    }

    /// W `[R, C]` and b `[R]` of the projection x_r = W x + b, where there is one.
    pub fn projection_parts(&self) -> Option<(&Tensor, Option<&Tensor>)> {
        let projection = self.projection.as_ref()?;
        Some((projection.weight(), projection.bias()))
    }

    /// Whether the heads take region features that are projected first.
    pub fn projects(&self) -> bool {
        self.projection.is_some()
    }

    /// The rows of the backbone's own classifier, `[classes, C]`, where it has one.
    pub fn classifier_rows(&self) -> Option<&Tensor> {
        self.backbone.classifier_rows()
    }

    /// What tells this bundle's features from those of any other: the SHA-256, in hexadecimal, over
    /// the hashes of backbone and projection, the input's size and the way photos are brought to it.
    pub fn features_identity(&self) -> &str {
        &self.features_identity
    }
}

/// Reads a bundle's manifest and checks its format and file names.
pub fn read_manifest(folder: &Path) -> Result<Manifest, BundleError> {
    let path = folder.join(MANIFEST);
    let bytes = match read_bounded(&path, MANIFEST_LIMIT) {
        Err(FileError::Missing(_)) => return Err(BundleError::NoBundle(folder.to_owned())),
        read => read?,
    };
    let refuse = |reason: String| BundleError::Manifest {
        path: path.clone(),
        reason,
    };
    let text = String::from_utf8(bytes).map_err(|_| refuse("it is not text".to_owned()))?;
    // The format comes first: a later one may well have other fields.
    let table: toml::Table =
        toml::from_str(&text).map_err(|error| refuse(toml_reason(&text, &error)))?;
    let manifest: Manifest = match table.get("format").and_then(toml::Value::as_integer) {
        Some(found) if found == i64::from(FORMAT) => {
            toml::from_str(&text).map_err(|error| refuse(toml_reason(&text, &error)))?
        }
        Some(1) => upgraded(table)
            .try_into()
            .map_err(|error: toml::de::Error| refuse(one_line(&error.message())))?,
        Some(found) => return Err(BundleError::Format { path, found }),
        None => return Err(refuse("it has no `format`".to_owned())),
    };
    manifest.check().map_err(refuse)?;
    // A bundle from somewhere else must not reach outside its folder.
    for name in manifest.files() {
        if Path::new(name).file_name() != Some(name.as_ref()) {
            return Err(BundleError::FileName {
                path,
                name: name.to_owned(),
            });
        }
    }
    Ok(manifest)
}

/// What is wrong with a manifest's text and in which line.
fn toml_reason(text: &str, error: &toml::de::Error) -> String {
    let message = one_line(&error.message());
    match error.span().and_then(|span| text.get(..span.start)) {
        Some(before) => format!("line {}: {message}", before.matches('\n').count() + 1),
        None => message,
    }
}

/// The SHA-256 of a file's bytes in hexadecimal.
pub(super) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Gives the bytes of a bundle's file by its name.
type Read<'a> = Box<dyn Fn(&str) -> Result<Vec<u8>, BundleError> + Sync + 'a>;

/// Where a bundle's files are.
pub(super) struct Place<'a> {
    /// The folder that errors name.
    pub named: &'a Path,
    /// The folder of files that are mapped.
    pub mapped: &'a Path,
    pub read: Read<'a>,
}

impl<'a> Place<'a> {
    /// A folder on disk.
    pub(super) fn folder(folder: &'a Path) -> Self {
        Self {
            named: folder,
            mapped: folder,
            read: Box::new(|name| Ok(read_bounded(&folder.join(name), FILE_LIMIT)?)),
        }
    }
}

/// What every part of a bundle is read from.
pub(super) struct BundleReader<'a> {
    pub place: &'a Place<'a>,
    pub manifest: &'a Manifest,
    pub plan: BackbonePlan,
    /// Of the manifest's networks, in their order.
    pub configurations: Vec<Box<dyn Configuration>>,
    pub device: &'a Device,
}

type FeaturesAndLabels = (Box<dyn Backbone>, Option<Pointwise>, LabelLists, Tensor);

impl BundleReader<'_> {
    /// A file of the bundle, with its content as the manifest has it.
    pub(super) fn read(&self, name: &str) -> Result<(PathBuf, Vec<u8>), BundleError> {
        let path = self.place.named.join(name);
        let bytes = (self.place.read)(name)?;
        match self.manifest.sha256.get(name) {
            Some(hash) if *hash == sha256(&bytes) => Ok((path, bytes)),
            Some(_) => Err(BundleError::Changed(path)),
            None => Err(BundleError::NoHash(path)),
        }
    }

    fn input(&self) -> NetworkInput {
        NetworkInput {
            // Checked to be far below what an u32 holds.
            side: self.plan.input_size() as u32,
            interpolation: self.plan.interpolation(),
            framing: self.manifest.backbone.resize,
        }
    }

    fn features_identity(&self) -> String {
        let hash = |name: &str| self.manifest.sha256.get(name).map_or("", String::as_str);
        let backbone = &self.manifest.backbone;
        let projection = self.manifest.projection.as_ref();
        sha256(
            format!(
                "{:?} {} {} {PREPROCESSING} {}{}",
                backbone.kind,
                backbone.input_size,
                hash(&backbone.file),
                projection.map_or("", |entry| hash(&entry.file)),
                match backbone.resize {
                    Framing::Squash => "",
                    Framing::CentreCrop => " centre-crop",
                },
            )
            .as_bytes(),
        )
    }

    /// Reads safetensors and makes something of them, in single precision.
    pub(super) fn weights<T>(
        &self,
        name: &str,
        make: impl FnOnce(VarBuilder) -> candle_core::Result<T>,
    ) -> Result<T, BundleError> {
        let (path, bytes) = self.read(name)?;
        VarBuilder::from_buffered_safetensors(bytes, DType::F32, self.device)
            .and_then(make)
            .map_err(|error| BundleError::Weights {
                path,
                reason: weights_reason(&error),
            })
    }

    fn features_and_labels(&self) -> Result<FeaturesAndLabels, BundleError> {
        let file = &self.manifest.backbone.file;
        let backbone = self.weights(file, |vb| self.plan.build(vb))?;
        let projection = match &self.manifest.projection {
            Some(entry) => Some(self.weights(&entry.file, |vb| self.projection(vb))?),
            None => None,
        };
        let lists = self.lists()?;
        let count = lists.labels().len();
        let vectors = self.weights(&self.manifest.labels.vectors, |vb| {
            let vectors = vb.get_unchecked("vectors")?;
            match vectors.dims2()? {
                (found, _) if found == count => Ok(vectors),
                (found, _) => candle_core::bail!("`vectors` has {found} rows for {count} labels"),
            }
        })?;
        Ok((backbone, projection, lists, vectors))
    }

    fn projection(&self, vb: VarBuilder) -> candle_core::Result<Pointwise> {
        let channels = self.plan.region_channels();
        let (out, _) = vb.get_unchecked("projection.weight")?.dims2()?;
        let weight = vb.get((out, channels), "projection.weight")?;
        let bias = vb.get(out, "projection.bias")?;
        Pointwise::new(&weight, Some(&bias), Activation::None)
    }

    fn lists(&self) -> Result<LabelLists, BundleError> {
        let (labels_path, labels) = self.read(&self.manifest.labels.file)?;
        let teacher = match &self.manifest.labels.teacher {
            Some(name) => Some(self.read(name)?),
            None => None,
        };
        let teacher = teacher.as_ref().map(|(path, bytes)| Source { path, bytes });
        let labels = Source {
            path: &labels_path,
            bytes: &labels,
        };
        Ok(LabelLists::parse(labels, teacher)?)
    }
}

/// What candle says of weights, in one line without its backtrace.
fn weights_reason(error: &candle_core::Error) -> String {
    let first = first_line(error);
    let text = match first.strip_prefix("cannot find tensor ") {
        Some(name) => format!("the tensor `{name}` is missing"),
        None => first,
    };
    format!("{text}; fetch the bundle again or make it with biam-lens import")
}
