//! The kinds of file that a figure is written as: the one list that the window and `render` read.

use std::path::{Path, PathBuf};

use super::display_list::DisplayList;
use super::png::{PngError, png};
use super::svg::{SvgError, svg};

/// A kind of file, told by its ending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileFormat {
    Png,
    Svg,
}

/// An ending that no figure is written with.
#[derive(Debug, thiserror::Error)]
#[error("{}: figures are written as {}; end the name so", crate::files::shown(.0), FileFormat::endings())]
pub struct UnknownFormat(PathBuf);

/// Why a figure could not be drawn.
#[derive(Debug, thiserror::Error)]
pub enum DrawError {
    #[error(transparent)]
    Svg(#[from] SvgError),
    #[error(transparent)]
    Png(#[from] PngError),
}

impl FileFormat {
    /// All formats in the order they are offered.
    pub const ALL: [Self; 2] = [Self::Png, Self::Svg];

    /// The ending of its files, in small letters.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Svg => "svg",
        }
    }

    /// What a dialog calls it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Png => "PNG picture",
            Self::Svg => "SVG drawing",
        }
    }

    /// All endings in words: `.png or .svg`.
    pub fn endings() -> String {
        let endings = Self::ALL.map(|format| format!(".{}", format.ending()));
        let (last, others) = endings.split_last().unwrap_or((&endings[0], &[]));
        format!("{} or {last}", others.join(", "))
    }

    /// What a file's name asks for; capitals are as good as small letters.
    ///
    /// # Errors
    /// Any other ending, or none, with the possible ones.
    pub fn of(path: &Path) -> Result<Self, UnknownFormat> {
        let ending = path.extension().unwrap_or_default();
        let mut formats = Self::ALL.into_iter();
        formats
            .find(|format| ending.eq_ignore_ascii_case(format.ending()))
            .ok_or_else(|| UnknownFormat(path.to_owned()))
    }

    /// A page as the bytes of such a file, with `dpi` pixels an inch where it has pixels.
    ///
    /// # Errors
    /// A page that is too large for that many pixels.
    pub fn draw(self, page: &DisplayList, dpi: f32) -> Result<Vec<u8>, DrawError> {
        let drawing = svg(page)?;
        Ok(match self {
            Self::Svg => drawing.into_bytes(),
            Self::Png => png(&drawing, dpi)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_are_read_in_any_case_and_others_are_refused_with_the_list() {
        for (name, format) in [
            ("a.png", FileFormat::Png),
            ("a.b.PNG", FileFormat::Png),
            ("x/fig.SvG", FileFormat::Svg),
        ] {
            assert_eq!(FileFormat::of(Path::new(name)).ok(), Some(format), "{name}");
        }
        for name in [
            "fig.pdf", "fig.jpg", "fig", "png", ".svg", "fig.png.", "fig.svgz",
        ] {
            let refusal = FileFormat::of(Path::new(name)).map_err(|error| error.to_string());
            let said = format!("{name}: figures are written as .png or .svg; end the name so");
            assert_eq!(refusal, Err(said));
        }
    }
}
