//! The semantic teacher: what the backbone's own classifier says of every single region, for its
//! classes and their hypernyms.

use candle_core::{Result, Tensor, bail};

use crate::semantics::labels::TeacherClass;

/// A word of this many letters or more also leaves out the words that end in it.
const SHORTEST_ENDING: usize = 4;

/// The classes that a head learns from.
pub struct Teacher {
    /// What a raw region feature is multiplied with, `[T, C]`.
    pub rows: Tensor,
    /// The names' vectors, `[T, D]`.
    pub vectors: Tensor,
}

/// The same classes, used where their name shares no word with an unseen label.
///
/// Two words are the same when they are without upper case and a final s, hyphens parting words; a
/// class's word that ends in a label's word of four letters or more (motorboat, boat) counts as
/// shared, too.
pub fn choose_classes<S: AsRef<str>>(classes: &[TeacherClass], unseen: &[S]) -> Vec<TeacherClass> {
    let unseen: Vec<String> = unseen.iter().flat_map(|label| words(label.as_ref())).collect();
    let shares = |name: &str| {
        words(name).iter().any(|word| {
            unseen.iter().any(|other| {
                let long = other.chars().count() >= SHORTEST_ENDING;
                word == other || long && word.ends_with(other.as_str())
            })
        })
    };
    classes
        .iter()
        .map(|class| TeacherClass {
            used: !shares(&class.name),
            ..class.clone()
        })
        .collect()
}

fn words(name: &str) -> Vec<String> {
    name.to_lowercase()
        .split(|c: char| c.is_whitespace() || c == '-')
        .filter(|word| !word.is_empty())
        .map(|word| word.strip_suffix('s').unwrap_or(word).to_owned())
        .collect()
}

/// The rows `[T, C]` of the used classes: each the mean of its leaves' rows in the backbone's
/// classifier `[classes, C]`, less the mean of all rows.
///
/// # Errors
/// A class without leaves or with a leaf that the classifier does not have.
pub fn teacher_rows(classifier: &Tensor, classes: &[TeacherClass]) -> Result<Tensor> {
    let (count, channels) = classifier.dims2()?;
    let values = classifier.to_vec2::<f32>()?;
    let mut mean = vec![0.0_f64; channels];
    for row in &values {
        add(&mut mean, row, 1.0 / count as f64);
    }
    let mut rows = Vec::new();
    let used = classes.iter().filter(|class| class.used);
    for class in used.clone() {
        let mut row: Vec<f64> = mean.iter().map(|value| -value).collect();
        if class.rows.is_empty() {
            bail!("the class “{}” has no leaves", class.name)
        }
        for &leaf in &class.rows {
            let Some(leaf) = values.get(leaf as usize) else {
                bail!("the class “{}” has leaf {leaf} of {count}", class.name)
            };
            add(&mut row, leaf, 1.0 / class.rows.len() as f64);
        }
        rows.extend(row.into_iter().map(|value| value as f32));
    }
    Tensor::from_vec(rows, (used.count(), channels), classifier.device())
}

fn add(sum: &mut [f64], row: &[f32], factor: f64) {
    for (sum, &value) in sum.iter_mut().zip(row) {
        *sum += factor * f64::from(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    fn class(name: &str, rows: &[u32]) -> TeacherClass {
        TeacherClass {
            name: name.to_owned(),
            rows: rows.to_vec(),
            used: true,
        }
    }

    fn used(names: &[&str], unseen: &[&str]) -> Vec<bool> {
        let classes: Vec<TeacherClass> = names.iter().map(|name| class(name, &[0])).collect();
        let chosen = choose_classes(&classes, unseen);
        chosen.iter().map(|class| class.used).collect()
    }

    #[test]
    fn a_shared_word_leaves_a_class_out() {
        let names = ["school Bus", "ping-pong ball", "speedboats", "handbar", "glass", "lakeland"];
        assert_eq!(
            used(&names, &["bus", "Pong", "boat", "bar", "glasses", "lake"]),
            [false, false, false, true, true, true]
        );
    }

    /// The words that each end of the shipped bundle's lists has.
    #[test]
    fn the_shipped_lists_follow_the_rule() {
        let read = |name: &str| std::fs::read(format!("weights/default/{name}")).unwrap();
        let (labels, teacher) = (read("labels.tsv"), read("teacher.tsv"));
        let source = |name: &'static str, bytes| crate::semantics::Source {
            path: std::path::Path::new(name),
            bytes,
        };
        let lists = crate::semantics::LabelLists::parse(
            source("labels.tsv", &labels),
            Some(source("teacher.tsv", &teacher)),
        )
        .unwrap();
        let unseen: Vec<&str> = lists.unseen().collect();
        let chosen = choose_classes(lists.teacher(), &unseen);
        assert_eq!(chosen, lists.teacher());
        assert_eq!(chosen.iter().filter(|class| class.used).count(), 1308);
    }

    #[test]
    fn a_row_is_the_mean_of_its_leaves_less_the_mean_of_all() {
        let classifier = Tensor::new(&[[1.0_f32, 0.0], [3.0, 0.0], [2.0, 6.0]], &Device::Cpu);
        let mut classes = vec![class("a", &[0, 1]), class("b", &[0]), class("c", &[2])];
        classes[1].used = false;
        let rows = teacher_rows(classifier.as_ref().unwrap(), &classes).unwrap();
        assert_eq!(rows.to_vec2::<f32>().unwrap(), [[0.0, -2.0], [0.0, 4.0]]);
        classes[2].rows = vec![3];
        let refusal = teacher_rows(&classifier.unwrap(), &classes).unwrap_err();
        assert!(refusal.to_string().contains("“c” has leaf 3 of 3"));
    }
}
