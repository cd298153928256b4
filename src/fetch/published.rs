//! The files that can be fetched by name.

use std::path::PathBuf;

use super::FetchError;
use super::address;

/// Weights that others publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Published {
    /// VGG-19 as trained by torchvision, the backbone of the paper
    Vgg19,
}

impl Published {
    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Vgg19 => "VGG-19",
        }
    }

    /// Where it is published.
    pub fn address(self) -> &'static str {
        match self {
            Self::Vgg19 => {
                "https://huggingface.co/timm/vgg19.tv_in1k/resolve/main/model.safetensors"
            }
        }
    }

    /// The file that `fetch` makes where no other is named: in the user's data folder. It has the
    /// ending of the file at `address`, which says how it is read.
    ///
    /// # Errors
    /// A system that knows no such folder.
    pub fn default_file(self, address: &str) -> Result<PathBuf, FetchError> {
        let folders = directories::ProjectDirs::from("", "", "biam-lens");
        let folder = folders.ok_or(FetchError::NoFolder)?;
        let stem = match self {
            Self::Vgg19 => "vgg19.tv_in1k",
        };
        let ending = match address::file_name(address) {
            name if name.ends_with(".pth") => "pth",
            _ => "safetensors",
        };
        let name = format!("{stem}.{ending}");
        Ok(folder.data_dir().join("backbones").join(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_keeps_the_ending_that_says_how_it_is_read() {
        let name = |address| {
            let file = Published::Vgg19.default_file(address).unwrap();
            file.file_name().unwrap().to_str().unwrap().to_owned()
        };
        assert_eq!(
            name(Published::Vgg19.address()),
            "vgg19.tv_in1k.safetensors"
        );
        let torchvision = "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth?x=y";
        assert_eq!(name(torchvision), "vgg19.tv_in1k.pth");
    }
}
