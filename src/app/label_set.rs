//! The labels under comparison, with undo.

/// How many steps back are kept.
const HISTORY: usize = 200;

/// An ordered list of labels without duplicates, and its history.
#[derive(Clone, Debug, Default)]
pub struct LabelSet {
    labels: Vec<String>,
    past: Vec<Vec<String>>,
    future: Vec<Vec<String>>,
}

impl LabelSet {
    /// Starts with these labels; there is nothing to undo yet.
    pub fn new(labels: &[String]) -> Self {
        let mut set = Self::default();
        set.labels = set.new_ones(labels.iter().map(String::as_str));
        set
    }

    /// The labels in the order they were added.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// Whether this label is in the list, whatever its case.
    pub fn contains(&self, label: &str) -> bool {
        self.position(label).is_some()
    }

    /// Adds every label of a typed list (`dog, traffic light, joy`) that is not there yet, in one
    /// step of history. Returns how many were new.
    pub fn add(&mut self, typed: &str) -> usize {
        let new = self.new_ones(split(typed));
        let count = new.len();
        if count > 0 {
            let mut labels = self.labels.clone();
            labels.extend(new);
            self.change(labels);
        }
        count
    }

    /// Removes one label; false when it is not in the list.
    pub fn remove(&mut self, label: &str) -> bool {
        let Some(position) = self.position(label) else {
            return false;
        };
        let mut labels = self.labels.clone();
        labels.remove(position);
        self.change(labels);
        true
    }

    /// Removes all labels.
    pub fn clear(&mut self) {
        if !self.labels.is_empty() {
            self.change(Vec::new());
        }
    }

    /// Takes back the last change; false when there is none.
    pub fn undo(&mut self) -> bool {
        let Some(labels) = self.past.pop() else {
            return false;
        };
        self.future
            .push(std::mem::replace(&mut self.labels, labels));
        true
    }

    /// Makes the change again that was last taken back; false when there is none.
    pub fn redo(&mut self) -> bool {
        let Some(labels) = self.future.pop() else {
            return false;
        };
        self.past.push(std::mem::replace(&mut self.labels, labels));
        true
    }

    /// Whether there is a change to take back.
    pub fn can_undo(&self) -> bool {
        !self.past.is_empty()
    }

    /// Whether there is a change to make again.
    pub fn can_redo(&self) -> bool {
        !self.future.is_empty()
    }

    fn position(&self, label: &str) -> Option<usize> {
        let wanted = tidy(label).to_lowercase();
        self.labels
            .iter()
            .position(|known| known.to_lowercase() == wanted)
    }

    fn new_ones<'a>(&self, typed: impl Iterator<Item = &'a str>) -> Vec<String> {
        let mut new: Vec<String> = Vec::new();
        for label in typed.map(tidy).filter(|label| !label.is_empty()) {
            let lower = label.to_lowercase();
            if !self.contains(&label) && new.iter().all(|other| other.to_lowercase() != lower) {
                new.push(label);
            }
        }
        new
    }

    fn change(&mut self, labels: Vec<String>) {
        self.future.clear();
        self.past.push(std::mem::replace(&mut self.labels, labels));
        if self.past.len() > HISTORY {
            self.past.remove(0);
        }
    }
}

/// Commas, semicolons and line ends part one label from the next.
fn split(typed: &str) -> impl Iterator<Item = &str> {
    typed.split([',', ';', '\n', '\t'])
}

/// A label as it is encoded: no outer spaces, single ones inside, no quotation marks around it.
fn tidy(label: &str) -> String {
    let bare = label.trim().trim_matches(['"', '“', '”']);
    bare.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(labels: &[&str]) -> LabelSet {
        LabelSet::new(&labels.iter().map(|&l| l.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn a_typed_list_adds_each_new_label_once() {
        let mut labels = set(&["dog"]);
        assert_eq!(
            labels.add(" Dog,traffic   light ; joy,, joy, \"red car\""),
            3
        );
        assert_eq!(
            labels.labels(),
            ["dog", "traffic light", "joy", "red car"].map(String::from)
        );
        assert_eq!(labels.add("JOY"), 0);
    }

    #[test]
    fn every_change_can_be_undone_and_redone() {
        let mut labels = set(&["dog"]);
        labels.add("cat, cow");
        assert!(labels.remove("CAT"));
        labels.clear();
        assert!(labels.labels().is_empty());
        assert!(labels.undo() && labels.undo());
        assert_eq!(labels.labels(), ["dog", "cat", "cow"].map(String::from));
        assert!(labels.redo());
        assert_eq!(labels.labels(), ["dog", "cow"].map(String::from));
        labels.add("joy");
        assert!(!labels.redo(), "a new change ends what could be redone");
        while labels.undo() {}
        assert_eq!(labels.labels(), ["dog"].map(String::from));
    }

    #[test]
    fn what_changes_nothing_leaves_no_step() {
        let mut labels = set(&[]);
        labels.clear();
        labels.add("  , ");
        assert!(!labels.remove("dog"));
        assert!(!labels.can_undo());
    }
}
