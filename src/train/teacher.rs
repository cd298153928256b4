//! The semantic teacher: what the backbone's own classifier says of every single region, for its
//! classes and their hypernyms.

use candle_core::{DType, Device, Result, Tensor, bail};

use crate::semantics::labels::TeacherClass;

/// A word of this many letters or more also leaves out the words that end in it.
const SHORTEST_ENDING: usize = 4;

/// The classes that a head learns from.
pub struct Teacher {
    /// What a raw region feature is multiplied with, `[T, C]`.
    pub rows: Tensor,
    /// What networks take of the names, `[T, D]`.
    pub vectors: Tensor,
    /// What a network can start from, where labels have features.
    pub baseline: Option<Baseline>,
}

/// The kernel baseline's responses to the teacher's classes: rows times region features less an offset.
pub struct Baseline {
    /// Predicted rows, `[T, R]`.
    pub rows: Tensor,
    /// b, `[R]`.
    pub offset: Tensor,
}

/// The same classes, used where their name shares no word with an unseen label.
///
/// Two words are the same when they are without upper case and a final s, hyphens parting words; a
/// class's word that ends in a label's word of four letters or more (motorboat, boat) counts as
/// shared, too.
pub fn choose_classes<S: AsRef<str>>(classes: &[TeacherClass], unseen: &[S]) -> Vec<TeacherClass> {
    let unseen: Vec<String> = unseen
        .iter()
        .flat_map(|label| words(label.as_ref()))
        .collect();
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

/// The rows `[T, C]` of classes, in 64 bits on the CPU: each the mean of its leaves' rows in the
/// backbone's classifier `[classes, C]`, less the mean of all rows, since what all classes share
/// says nothing of any.
///
/// # Errors
/// A class without leaves or with a leaf that the classifier does not have.
pub fn teacher_rows(classes: &[&TeacherClass], classifier: &Tensor) -> Result<Tensor> {
    let (count, channels) = classifier.dims2()?;
    let rows = classifier.to_device(&Device::Cpu)?.to_dtype(DType::F64)?;
    let centred = rows
        .broadcast_sub(&rows.mean_keepdim(0)?)?
        .to_vec2::<f64>()?;
    let mut values = Vec::with_capacity(classes.len() * channels);
    for class in classes {
        let mut mean = vec![0.0; channels];
        if class.rows.is_empty() {
            bail!("the teacher class “{}” averages no row", class.name)
        }
        for &row in &class.rows {
            let Some(leaf) = centred.get(row as usize) else {
                bail!(
                    "the teacher class “{}” averages row {row}, the classifier has {count}; use a \
                     bundle whose parts belong together",
                    class.name
                )
            };
            for (mean, value) in mean.iter_mut().zip(leaf) {
                *mean += value / class.rows.len() as f64;
            }
        }
        values.extend(mean);
    }
    Tensor::from_vec(values, (classes.len(), channels), &Device::Cpu)
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
        let names = [
            "school Bus",
            "ping-pong ball",
            "speedboats",
            "handbar",
            "glass",
            "lakeland",
        ];
        assert_eq!(
            used(&names, &["bus", "Pong", "boat", "bar", "glasses", "lake"]),
            [false, false, false, true, true, true]
        );
    }

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
    fn a_row_is_the_mean_of_its_leaves_less_the_mean_of_all() -> Result<()> {
        let rows = Tensor::new(&[[0f32, 3.0], [3.0, 3.0], [6.0, 0.0]], &Device::Cpu)?;
        let (wolf, animal) = (class("wolf", &[2]), class("animal", &[0, 2]));
        let found = teacher_rows(&[&wolf, &animal], &rows)?.to_vec2::<f64>()?;
        assert_eq!(found, [[3.0, -2.0], [0.0, -0.5]]);
        let refusal = teacher_rows(&[&class("unicorn", &[3])], &rows).expect_err("no row 3");
        assert!(refusal.to_string().contains("unicorn"), "{refusal}");
        Ok(())
    }
}
