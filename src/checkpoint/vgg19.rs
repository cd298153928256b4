//! VGG-19's weights as others publish them, brought to the tensors of a bundle.
//!
//! Read are torchvision's `vgg19` as a PyTorch file of any format (`features.0.weight` …
//! `classifier.3.bias`), timm's safetensors (the same convolutions, `pre_logits.fc1` and `fc2` as
//! convolutions of 7x7 and 1x1), and a bundle's own.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use half::f16;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};

use super::names::listed;
use super::wrappings::place_of;
use super::{CheckpointError, StateDict};
use crate::backbone::vgg19::Config;
use crate::files::{ByteOrder, FloatFormat, open_regular, read_bounded};

/// Largest file of safetensors that is read: VGG-19 in double precision with room to spare.
const FILE_LIMIT: u64 = 2 << 30;

/// Reads VGG-19 of this configuration from any of the published files and gives the bundle's
/// file: safetensors in half precision.
///
/// # Errors
/// A file that cannot be read or is neither format; tensors that are missing, of another shape or
/// hold numbers that half precision has not. Each names the file and the tensor.
pub fn vgg19_weights(path: &Path, config: &Config) -> Result<Vec<u8>, CheckpointError> {
    let mut file = Published::open(path)?;
    let shapes = file.shapes(path)?;
    converted(path, &mut file, &shapes, config)
}

/// The same for a VGG-19 whose stages and hidden layers may have other widths than the published
/// ones, which are told.
///
/// # Errors
/// As [`vgg19_weights`].
pub fn vgg19_of_any_width(path: &Path) -> Result<(Config, Vec<u8>), CheckpointError> {
    let mut file = Published::open(path)?;
    let shapes = file.shapes(path)?;
    let published = Config::vgg19();
    let shape = |own: &str| {
        let names = foreign_names(own, &published);
        let mut names = names.iter().map(String::as_str).chain([own]);
        names.find_map(|name| shapes.get(name)).map(Vec::as_slice)
    };
    // What is missing is told with all that is.
    let config = Config::of_shapes(shape).unwrap_or(published.clone());
    let bytes = converted(path, &mut file, &shapes, &config)?;
    Ok((config, bytes))
}

fn converted(
    path: &Path,
    file: &mut Published,
    shapes: &Shapes,
    config: &Config,
) -> Result<Vec<u8>, CheckpointError> {
    let places = places(shapes, config).map_err(|reason| CheckpointError::content(path, reason))?;
    let mut tensors = BTreeMap::new();
    for Place {
        own,
        foreign,
        shape,
    } in places
    {
        let numbers = file.numbers(&foreign)?;
        let bytes = half_precision(&foreign, &numbers)
            .map_err(|reason| CheckpointError::content(path, reason))?;
        tensors.insert(own, (shape, bytes));
    }
    let views = tensors.iter().map(|(name, (shape, bytes))| {
        TensorView::new(Dtype::F16, shape.clone(), bytes).map(|view| (name, view))
    });
    views
        .collect::<Result<Vec<_>, _>>()
        .and_then(|views| safetensors::serialize(views, None))
        .map_err(|error| CheckpointError::content(path, error.to_string()))
}

/// Numbers in half precision as a file has them.
fn half_precision(name: &str, numbers: &[f32]) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::with_capacity(numbers.len() * size_of::<f16>());
    for &number in numbers {
        let half = f16::from_f32(number);
        if !half.is_finite() {
            return Err(format!(
                "tensor {name} has the number {number}, which half precision has not: fetch the \
                 file again"
            ));
        }
        bytes.extend(half.to_le_bytes());
    }
    Ok(bytes)
}

/// Where one of a bundle's tensors comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    own: String,
    foreign: String,
    shape: Vec<usize>,
}

/// Names as this program looks for them, with the shapes.
type Shapes = BTreeMap<String, Vec<usize>>;

/// A tensor that torchvision's and timm's VGG-19 have.
const MARK: &str = "features.0.weight";

/// Finds every tensor.
fn places(shapes: &Shapes, config: &Config) -> Result<Vec<Place>, String> {
    let mut places = Vec::new();
    let mut missing = Vec::new();
    for (own, shape) in config.tensors() {
        let names = foreign_names(&own, config);
        let found = names.iter().chain([&own]).find_map(|name| {
            let shape = shapes.get(name)?;
            Some((name.clone(), shape))
        });
        match found {
            None => missing.extend(names.into_iter().next()),
            Some((foreign, found)) if matrix(found, &shape) == shape => places.push(Place {
                own,
                foreign,
                shape,
            }),
            Some((foreign, found)) => {
                return Err(format!(
                    "tensor {foreign} is {found:?}, where VGG-19 has {shape:?}: choose \
                     torchvision's vgg19 (not vgg16, not vgg19_bn) or timm's vgg19.tv_in1k"
                ));
            }
        }
    }
    match missing.is_empty() {
        true => Ok(places),
        false => Err(format!(
            "of VGG-19 it lacks {} (it has {}): choose torchvision's vgg19 or timm's \
             vgg19.tv_in1k",
            listed(missing.iter().map(String::as_str)),
            listed(shapes.keys().map(String::as_str))
        )),
    }
}

/// The names that others have for one of a bundle's tensors, torchvision's first.
fn foreign_names(own: &str, config: &Config) -> Vec<String> {
    let (layer, part) = own.rsplit_once('.').unwrap_or_default();
    let names = match layer {
        "fc6" => ["classifier.0".to_owned(), "pre_logits.fc1".to_owned()],
        "fc7" => ["classifier.3".to_owned(), "pre_logits.fc2".to_owned()],
        // The list that torchvision counts has an activation after each convolution and the
        // maximum before each stage but the first. A parallel network adds `module`.
        _ => {
            let mut number = 0;
            for convolution in config.convolutions() {
                number += usize::from(convolution.first_of_stage && number > 0);
                if convolution.name == layer {
                    break;
                }
                number += 2;
            }
            [
                format!("features.{number}"),
                format!("features.module.{number}"),
            ]
        }
    };
    names.map(|name| format!("{name}.{part}")).to_vec()
}

/// A convolution that sees its whole input as the matrix that it is, where a matrix is wanted.
fn matrix(found: &[usize], wanted: &[usize]) -> Vec<usize> {
    match (found, wanted) {
        (&[outputs, ref inputs @ ..], &[_, _]) => {
            // A tensor without numbers may claim any size.
            let inputs = inputs
                .iter()
                .fold(1, |product: usize, &side| product.saturating_mul(side));
            vec![outputs, inputs]
        }
        _ => found.to_vec(),
    }
}

/// A file of weights in either format.
struct Published {
    file: File,
    /// What stands before the names of the network.
    place: String,
}

enum File {
    Torch(StateDict),
    Safetensors(PathBuf, Vec<u8>),
}

impl Published {
    fn open(path: &Path) -> Result<Self, CheckpointError> {
        Ok(Self {
            file: File::open(path)?,
            place: String::new(),
        })
    }

    /// Names and shapes of the network's tensors of real numbers, without what stands before them.
    fn shapes(&mut self, path: &Path) -> Result<Shapes, CheckpointError> {
        let all = self.file.all_shapes()?;
        let place = place_of(all.keys().map(String::as_str), MARK);
        let place = place.map_err(|reason| CheckpointError::content(path, reason))?;
        self.place = place.unwrap_or_default().to_owned();
        let shapes = all.iter().filter_map(|(name, shape)| {
            let name = name.strip_prefix(&self.place)?;
            Some((name.to_owned(), shape.clone()))
        });
        Ok(shapes.collect())
    }

    /// The numbers of one of [`Published::shapes`].
    fn numbers(&mut self, name: &str) -> Result<Vec<f32>, CheckpointError> {
        self.file.numbers(&format!("{}{name}", self.place))
    }
}

impl File {
    fn open(path: &Path) -> Result<Self, CheckpointError> {
        // Safetensors start with eight bytes of length, then a JSON object.
        let (file, _) = open_regular(path)?;
        let mut head = Vec::new();
        file.take(9)
            .read_to_end(&mut head)
            .map_err(|error| CheckpointError::of(path, error.into()))?;
        match head.get(8) {
            Some(b'{') => Ok(Self::Safetensors(
                path.to_owned(),
                read_bounded(path, FILE_LIMIT)?,
            )),
            _ => StateDict::open(path).map(Self::Torch),
        }
    }

    /// Names and shapes of the tensors of real numbers.
    fn all_shapes(&self) -> Result<Shapes, CheckpointError> {
        match self {
            Self::Torch(checkpoint) => Ok(checkpoint
                .shapes()
                .map(|(name, shape)| (name.to_owned(), shape.to_vec()))
                .collect()),
            Self::Safetensors(path, bytes) => Ok(parsed(path, bytes)?
                .iter()
                .filter(|(_, view)| float_format(view.dtype()).is_some())
                .map(|(name, view)| (name.to_owned(), view.shape().to_vec()))
                .collect()),
        }
    }

    /// The numbers of one of [`File::all_shapes`].
    fn numbers(&mut self, name: &str) -> Result<Vec<f32>, CheckpointError> {
        let (path, bytes) = match self {
            Self::Torch(checkpoint) => return Ok(checkpoint.tensor(name)?.data),
            Self::Safetensors(path, bytes) => (path, bytes),
        };
        let missing = || CheckpointError::content(path, format!("there is no tensor {name}"));
        let view = parsed(path, bytes)?.tensor(name).map_err(|_| missing())?;
        let format = float_format(view.dtype()).ok_or_else(missing)?;
        let mut numbers = Vec::with_capacity(view.data().len() / format.bytes());
        format.decode(view.data(), ByteOrder::LowestFirst, &mut numbers);
        Ok(numbers)
    }
}

/// The tensors of a file of safetensors; its sizes have been checked.
fn parsed<'a>(path: &Path, bytes: &'a [u8]) -> Result<SafeTensors<'a>, CheckpointError> {
    SafeTensors::deserialize(bytes).map_err(|error| {
        let reason = format!("no whole file of safetensors ({error}): fetch it again");
        CheckpointError::content(path, reason)
    })
}

fn float_format(kind: Dtype) -> Option<FloatFormat> {
    Some(match kind {
        Dtype::F16 => FloatFormat::Half,
        Dtype::BF16 => FloatFormat::BrainHalf,
        Dtype::F32 => FloatFormat::Single,
        Dtype::F64 => FloatFormat::Double,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Torchvision's shapes.
    fn torchvision() -> Shapes {
        let mut shapes = Shapes::new();
        let mut add = |name: String, weight: Vec<usize>| {
            shapes.insert(format!("{name}.bias"), vec![weight[0]]);
            shapes.insert(format!("{name}.weight"), weight);
        };
        let plan = [
            (0, 64, 3),
            (2, 64, 64),
            (5, 128, 64),
            (7, 128, 128),
            (10, 256, 128),
            (12, 256, 256),
            (14, 256, 256),
            (16, 256, 256),
            (19, 512, 256),
            (21, 512, 512),
            (23, 512, 512),
            (25, 512, 512),
            (28, 512, 512),
            (30, 512, 512),
            (32, 512, 512),
            (34, 512, 512),
        ];
        for (number, outputs, inputs) in plan {
            add(format!("features.{number}"), vec![outputs, inputs, 3, 3]);
        }
        add("classifier.0".to_owned(), vec![4096, 25_088]);
        add("classifier.3".to_owned(), vec![4096, 4096]);
        add("classifier.6".to_owned(), vec![1000, 4096]);
        shapes
    }

    fn renamed(shapes: Shapes, from: &str, to: &str) -> Shapes {
        shapes
            .into_iter()
            .map(|(name, shape)| (name.replace(from, to), shape))
            .collect()
    }

    #[test]
    fn torchvision_s_and_timm_s_names_are_known() {
        let config = Config::vgg19();
        let found = places(&torchvision(), &config).unwrap();
        assert_eq!(found.len(), 36);
        let of = |own: &str| found.iter().find(|place| place.own == own).unwrap();
        assert_eq!(of("conv3_1.weight").foreign, "features.10.weight");
        assert_eq!(of("conv5_4.bias").foreign, "features.34.bias");
        assert_eq!(of("fc7.weight").foreign, "classifier.3.weight");
        let parallel = renamed(torchvision(), "features.", "features.module.");
        assert!(places(&parallel, &config).is_ok());
        let mut timm = renamed(torchvision(), "classifier.0", "pre_logits.fc1");
        timm = renamed(timm, "classifier.3", "pre_logits.fc2");
        timm.insert("pre_logits.fc1.weight".to_owned(), vec![4096, 512, 7, 7]);
        timm.insert("pre_logits.fc2.weight".to_owned(), vec![4096, 4096, 1, 1]);
        let found = places(&timm, &config).unwrap();
        assert!(found.contains(&Place {
            own: "fc6.weight".to_owned(),
            foreign: "pre_logits.fc1.weight".to_owned(),
            shape: vec![4096, 25_088],
        }));
        let own = config.tensors().into_iter().collect();
        assert_eq!(places(&own, &config).unwrap()[0].foreign, "conv1_1.weight");
    }

    #[test]
    fn other_networks_are_told_by_their_tensors() {
        let config = Config::vgg19();
        let mut shapes = torchvision();
        shapes.insert("features.12.weight".to_owned(), vec![256, 128, 3, 3]);
        let refusal = places(&shapes, &config).unwrap_err();
        assert!(
            refusal.contains("features.12.weight is [256, 128, 3, 3]")
                && refusal.contains("[256, 256, 3, 3]"),
            "{refusal}"
        );
        let mut shapes = torchvision();
        shapes.remove("classifier.3.bias");
        let refusal = places(&shapes, &config).unwrap_err();
        assert!(refusal.contains("lacks classifier.3.bias"), "{refusal}");
    }

    #[test]
    fn numbers_that_half_precision_lacks_are_refused() {
        assert_eq!(half_precision("x", &[1.0]), Ok(vec![0, 0x3c]));
        let refusal = half_precision("x", &[1.0, 1e6]).unwrap_err();
        assert!(
            refusal.contains("tensor x has the number 1000000"),
            "{refusal}"
        );
        assert!(half_precision("x", &[f32::NAN]).is_err());
    }
}
