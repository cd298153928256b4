//! What one annotation of a VOC set says.

use std::path::Path;

use roxmltree::{Document, Node, ParsingOptions};

use super::super::encoding::decode_xml;
use crate::files::{one_line, read_bounded};

/// Largest annotation, in bytes: the largest scenes have some thousand things.
const FILE_LIMIT: u64 = 64 << 20;

/// What one annotation says.
#[derive(Debug, Default)]
pub(super) struct Annotation {
    /// The photo's file as it is named there.
    pub filename: Option<String>,
    /// Width and height of the photo, where they are numbers of at least 1.
    pub size: Option<[f64; 2]>,
    pub things: Vec<Thing>,
}

/// One object.
#[derive(Debug)]
pub(super) struct Thing {
    pub name: Option<String>,
    pub is_difficult: bool,
    /// xmin, ymin, xmax, ymax as they are there; none without a bndbox.
    pub corners: Option<[Option<f64>; 4]>,
    pub line: usize,
}

/// Reads an annotation in the encoding that it declares.
///
/// # Errors
/// What is wrong, with the line where one is to blame; to be written behind the file's name.
pub(super) fn read(path: &Path) -> Result<Annotation, String> {
    let bytes = read_bounded(path, FILE_LIMIT).map_err(|error| format!(" ({error})"))?;
    let text = decode_xml(&bytes).map_err(|reason| format!(": {reason}"))?;
    parse(&text).map_err(|(line, reason)| format!(" line {line}: not a VOC annotation ({reason})"))
}

fn parse(text: &str) -> Result<Annotation, (usize, String)> {
    // A document type is passed over; entities of its own could make a short file endless.
    if let Some(at) = text.find("<!ENTITY") {
        let line = text[..at].matches('\n').count() + 1;
        return Err((line, "it declares entities".to_owned()));
    }
    let options = ParsingOptions {
        allow_dtd: true,
        ..ParsingOptions::default()
    };
    let document = Document::parse_with_options(text, options)
        .map_err(|error| (error.pos().row as usize, one_line(&error)))?;
    let root = document.root_element();
    let line = |node: Node<'_, '_>| document.text_pos_at(node.range().start).row as usize;
    if !root.has_tag_name("annotation") {
        let reason = format!("its root is <{}>", one_line(&root.tag_name().name()));
        return Err((line(root), reason));
    }
    let size = child(root, "size").and_then(|size| {
        let side = |name| number(size, name).filter(|&side| side >= 1.0);
        Some([side("width")?, side("height")?])
    });
    let objects = root.children().filter(|node| node.has_tag_name("object"));
    let thing = |object: Node<'_, '_>| Thing {
        name: text_of(object, "name"),
        is_difficult: text_of(object, "difficult")
            .is_some_and(|text| text == "1" || text.eq_ignore_ascii_case("true")),
        corners: child(object, "bndbox")
            .map(|bounds| ["xmin", "ymin", "xmax", "ymax"].map(|name| number(bounds, name))),
        line: line(object),
    };
    Ok(Annotation {
        filename: text_of(root, "filename"),
        size,
        things: objects.map(thing).collect(),
    })
}

/// The child of that name; the parts of a person have names and boxes of their own further down.
fn child<'a, 'input>(node: Node<'a, 'input>, name: &str) -> Option<Node<'a, 'input>> {
    node.children().find(|child| child.has_tag_name(name))
}

/// The text of the child of that name, if there is any.
fn text_of(node: Node<'_, '_>, name: &str) -> Option<String> {
    let child = child(node, name)?;
    let texts = child
        .children()
        .filter_map(|inner| inner.is_text().then(|| inner.text())?);
    let text: String = texts.collect();
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

fn number(node: Node<'_, '_>, name: &str) -> Option<f64> {
    let number: f64 = text_of(node, name)?.parse().ok()?;
    number.is_finite().then_some(number)
}
