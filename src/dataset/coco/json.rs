//! The needed part of a COCO file, whatever its writer took for a number, a text or a box.
//!
//! Everything else is passed over while reading. What a field should hold and does not is no error
//! here: it is nothing, and the reader says so of that one annotation.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// The lists of a file. An entry that is null is none.
#[derive(Deserialize)]
pub(super) struct Instances {
    pub images: Option<Vec<Option<Image>>>,
    pub annotations: Option<Vec<Option<Annotation>>>,
    pub categories: Option<Vec<Option<Category>>>,
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
pub(super) struct Image {
    pub id: Scalar,
    pub file_name: Scalar,
    pub width: Scalar,
    pub height: Scalar,
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
pub(super) struct Annotation {
    pub id: Scalar,
    pub image_id: Scalar,
    pub category_id: Scalar,
    /// x, y, width, height in pixels.
    pub bbox: Bbox,
    pub iscrowd: Scalar,
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
pub(super) struct Category {
    pub id: Scalar,
    pub name: Scalar,
    pub supercategory: Scalar,
}

/// No photo has so many pixels: what is not below it, infinity included, is no number here. An exponent
/// of three digits, of which [`super::python_numbers`] leaves two, is above it in either form.
const BOUND: f64 = 1e10;

/// A single value of any type.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Scalar {
    /// Missing, null, a list or an object.
    #[default]
    Nothing,
    Whole(i64),
    Real(f64),
    Text(String),
    Truth(bool),
}

impl Scalar {
    /// A number below [`BOUND`], also one that is written as a text.
    pub fn number(&self) -> Option<f64> {
        let number = match self {
            Self::Whole(number) => *number as f64,
            Self::Real(number) => *number,
            Self::Text(text) => text.trim().parse().ok()?,
            Self::Nothing | Self::Truth(_) => return None,
        };
        (number.abs() < BOUND).then_some(number)
    }

    /// A side of a photo.
    pub fn side(&self) -> Option<f64> {
        self.number().filter(|&side| side >= 1.0)
    }

    /// A name, also one that is a number.
    pub fn text(&self) -> Option<String> {
        let text = match self {
            Self::Whole(number) => number.to_string(),
            Self::Real(number) => number.to_string(),
            Self::Text(text) => text.trim().to_owned(),
            Self::Nothing | Self::Truth(_) => return None,
        };
        (!text.is_empty()).then_some(text)
    }

    /// Whether it is true, 1 or a text that says so.
    pub fn is_true(&self) -> bool {
        match self {
            Self::Truth(truth) => *truth,
            Self::Text(text) if text.trim().eq_ignore_ascii_case("true") => true,
            other => other.number().is_some_and(|number| number != 0.0),
        }
    }

    /// What the value is as an id.
    pub fn id(&self) -> Option<Id> {
        match self {
            Self::Whole(number) => Some(Id::Whole(*number)),
            Self::Real(number) if number.fract() == 0.0 && number.abs() < 9e15 => {
                Some(Id::Whole(*number as i64))
            }
            Self::Text(_) => self.text().map(Id::Text),
            _ => None,
        }
    }
}

/// What images, categories and annotations are known by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Id {
    Whole(i64),
    Text(String),
}

impl Id {
    /// The number that a text of digits is, without zeros before it.
    fn whole(&self) -> Option<i64> {
        match self {
            Self::Whole(number) => Some(*number),
            Self::Text(text) => text
                .parse::<f64>()
                .ok()
                .and_then(|n| Scalar::Real(n).id())
                .and_then(|id| match id {
                    Self::Whole(number) => Some(number),
                    Self::Text(_) => None,
                }),
        }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(number) => number.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

/// Things by their ids: as they are written, or else as the same number (`"0001"` and 1), where only
/// one has it.
pub(super) struct ById<T> {
    exact: HashMap<Id, T>,
    /// `None` for a number that several have.
    whole: HashMap<i64, Option<T>>,
}

impl<T: Copy> ById<T> {
    pub fn new() -> Self {
        Self {
            exact: HashMap::new(),
            whole: HashMap::new(),
        }
    }

    /// The thing that has this very id already, where there is one; it stays.
    pub fn insert(&mut self, id: Id, thing: T) -> Option<T> {
        if let Some(first) = self.exact.get(&id) {
            return Some(*first);
        }
        if let Some(whole) = id.whole() {
            let known = self.whole.entry(whole);
            known
                .and_modify(|known| *known = None)
                .or_insert(Some(thing));
        }
        self.exact.insert(id, thing);
        None
    }

    pub fn get(&self, id: &Id) -> Option<T> {
        let alike = || self.whole.get(&id.whole()?).copied().flatten();
        self.exact.get(id).copied().or_else(alike)
    }
}

/// A box as it is written.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum Bbox {
    /// Missing, null or empty.
    #[default]
    Nothing,
    /// Four finite numbers.
    Four([f64; 4]),
    /// Another count of values.
    OtherCount,
    /// A value is no finite number, or the box is no list.
    NoNumbers,
}

struct AnyScalar;

impl<'de> Visitor<'de> for AnyScalar {
    type Value = Scalar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Scalar, E> {
        Ok(Scalar::Truth(truth))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Scalar, E> {
        Ok(Scalar::Whole(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Scalar, E> {
        Ok(i64::try_from(number).map_or(Scalar::Real(number as f64), Scalar::Whole))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Scalar, E> {
        Ok(Scalar::Real(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Scalar, E> {
        Ok(Scalar::Text(text.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Scalar, E> {
        Ok(Scalar::Nothing)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Scalar, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::Nothing)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Nothing)
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyScalar)
    }
}

struct AnyBox;

impl<'de> Visitor<'de> for AnyBox {
    type Value = Bbox;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a box")
    }

    fn visit_unit<E>(self) -> Result<Bbox, E> {
        Ok(Bbox::Nothing)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Bbox, E> {
        Ok(Bbox::NoNumbers)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Bbox, E> {
        Ok(Bbox::NoNumbers)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Bbox, E> {
        Ok(Bbox::NoNumbers)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Bbox, E> {
        Ok(Bbox::NoNumbers)
    }

    fn visit_str<E>(self, _: &str) -> Result<Bbox, E> {
        Ok(Bbox::NoNumbers)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Bbox, A::Error> {
        let (mut numbers, mut count, mut all) = ([0.0; 4], 0, true);
        while let Some(value) = list.next_element::<Scalar>()? {
            match (value.number(), numbers.get_mut(count)) {
                (Some(number), Some(place)) => *place = number,
                (number, _) => all &= number.is_some(),
            }
            count += 1;
        }
        Ok(match (count, all) {
            (0, _) => Bbox::Nothing,
            (4, true) => Bbox::Four(numbers),
            (4, false) => Bbox::NoNumbers,
            _ => Bbox::OtherCount,
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Bbox, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Bbox::NoNumbers)
    }
}

impl<'de> Deserialize<'de> for Bbox {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyBox)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_any_type_are_numbers_texts_and_ids() {
        let scalar = |json: &str| serde_json::from_str::<Scalar>(json).unwrap();
        for (json, number, id) in [
            ("7", Some(7.0), Some("7")),
            ("7.0", Some(7.0), Some("7")),
            ("7.5", Some(7.5), None),
            ("\"0007\"", Some(7.0), Some("0007")),
            ("\"a\"", None, Some("a")),
            ("\"12.5\"", Some(12.5), Some("12.5")),
            ("\"nan\"", None, Some("nan")),
            ("\" \"", None, None),
            ("null", None, None),
            ("true", None, None),
            ("[1]", None, None),
            ("{\"a\": [1]}", None, None),
        ] {
            let scalar = scalar(json);
            assert_eq!(scalar.number(), number, "{json}");
            assert_eq!(
                scalar.id().map(|id| id.to_string()).as_deref(),
                id,
                "{json}"
            );
        }
        for (json, truth) in [
            ("1", true),
            ("true", true),
            ("\"1\"", true),
            ("0", false),
            ("null", false),
        ] {
            assert_eq!(scalar(json).is_true(), truth, "{json}");
        }
    }

    #[test]
    fn boxes_of_any_kind_are_told_apart() {
        for (json, expected) in [
            ("[1, 2.5, \"3\", 4]", Bbox::Four([1.0, 2.5, 3.0, 4.0])),
            ("[]", Bbox::Nothing),
            ("null", Bbox::Nothing),
            ("[1, 2, 3]", Bbox::OtherCount),
            ("[1, 2, 3, 4, 5]", Bbox::OtherCount),
            ("[1, 2, 3, null]", Bbox::NoNumbers),
            ("[1, 2, 3, \"\"]", Bbox::NoNumbers),
            ("[[1, 2], [3, 4], 5, 6]", Bbox::NoNumbers),
            ("{\"x\": 1}", Bbox::NoNumbers),
            ("7", Bbox::NoNumbers),
            ("\"\"", Bbox::NoNumbers),
        ] {
            assert_eq!(
                serde_json::from_str::<Bbox>(json).unwrap(),
                expected,
                "{json}"
            );
        }
    }

    #[test]
    fn ids_are_found_as_written_or_as_the_only_same_number() {
        let text = |text: &str| Id::Text(text.to_owned());
        let mut ids = ById::new();
        assert_eq!(ids.insert(Id::Whole(1), 'a'), None);
        assert_eq!(ids.insert(text("0002"), 'b'), None);
        assert_eq!(ids.insert(text("0003"), 'c'), None);
        assert_eq!(ids.insert(Id::Whole(3), 'd'), None);
        assert_eq!(ids.insert(Id::Whole(1), 'e'), Some('a'));
        assert_eq!(ids.get(&text("0001")), Some('a'));
        assert_eq!(ids.get(&Id::Whole(2)), Some('b'));
        assert_eq!(
            (ids.get(&text("0003")), ids.get(&Id::Whole(3))),
            (Some('c'), Some('d'))
        );
        assert_eq!((ids.get(&text("3")), ids.get(&text("x"))), (None, None));
    }
}
