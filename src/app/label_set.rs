//! The labels under comparison and the named sets of labels, with undo.

use serde::{Deserialize, Serialize};

use crate::semantics::label_pieces;

/// How many steps back are kept.
const HISTORY: usize = 200;

/// Labels that were saved under a name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelSetEntry {
    pub name: String,
    pub labels: Vec<String>,
}

/// Everything that a step back restores.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Chosen {
    labels: Vec<String>,
    /// Those of the labels that stay when the list is cleared or another set is loaded.
    pinned: Vec<String>,
    sets: Vec<LabelSetEntry>,
}

/// An ordered list of labels without duplicates, the named sets, and the history of both.
#[derive(Clone, Debug, Default)]
pub struct LabelSet {
    now: Chosen,
    past: Vec<Chosen>,
    future: Vec<Chosen>,
}

impl LabelSet {
    /// Starts with these labels; there is nothing to undo yet.
    pub fn new(labels: &[String]) -> Self {
        let mut set = Self::default();
        set.now.labels = set.new_ones(labels.iter().map(String::as_str));
        set
    }

    /// The labels in the order they are compared.
    pub fn labels(&self) -> &[String] {
        &self.now.labels
    }

    /// Whether this label is in the list, whatever its case.
    pub fn contains(&self, label: &str) -> bool {
        self.position(label).is_some()
    }

    /// Adds every label of a typed list (`dog, traffic light, joy`) that is not there yet, in one
    /// step of history. Returns how many were new.
    pub fn add(&mut self, typed: &str) -> usize {
        self.add_all(label_pieces(typed))
    }

    /// Adds labels as they are, commas in them and all, in one step of history. Returns how many were
    /// new.
    pub fn add_all<'a>(&mut self, labels: impl Iterator<Item = &'a str>) -> usize {
        let new = self.new_ones(labels);
        let count = new.len();
        if count > 0 {
            self.change(|now| now.labels.extend(new));
        }
        count
    }

    /// Removes one label; false when it is not in the list.
    pub fn remove(&mut self, label: &str) -> bool {
        let Some(position) = self.position(label) else {
            return false;
        };
        self.change(|now| {
            let removed = now.labels.remove(position);
            now.pinned.retain(|pinned| *pinned != removed);
        })
    }

    /// Puts what was typed in a label's place: one label, or several of a list. False when
    /// nothing comes of it: no text, or only labels that stand elsewhere in the list.
    pub fn rename(&mut self, label: &str, typed: &str) -> bool {
        let Some(position) = self.position(label) else {
            return false;
        };
        let mut others = self.clone();
        let old = others.now.labels.remove(position);
        let new = others.new_ones(label_pieces(typed));
        if new.is_empty() {
            return false;
        }
        self.change(|now| {
            let pinned = now.pinned.iter().position(|pinned| *pinned == old);
            if let Some(pinned) = pinned {
                now.pinned.splice(pinned..=pinned, new.iter().cloned());
            }
            now.labels.splice(position..=position, new);
        })
    }

    /// Moves a label to another place, counted from 0; false when it stands there already.
    pub fn place(&mut self, label: &str, at: usize) -> bool {
        let Some(position) = self.position(label) else {
            return false;
        };
        self.change(|now| {
            let label = now.labels.remove(position);
            now.labels.insert(at.min(now.labels.len()), label);
        })
    }

    /// Where a label stands, from 0, whatever its case.
    pub fn position(&self, label: &str) -> Option<usize> {
        let wanted = tidy(label);
        let mut labels = self.now.labels.iter();
        labels.position(|known| same_label(known, &wanted))
    }

    /// Whether a label stays when the list is cleared or another set is loaded.
    pub fn is_pinned(&self, label: &str) -> bool {
        self.now.pinned.iter().any(|pinned| pinned == label)
    }

    /// Pins a label, or releases a pinned one; false when it is not in the list.
    pub fn toggle_pin(&mut self, label: &str) -> bool {
        let known = self.position(label).and_then(|at| self.labels().get(at));
        let Some(label) = known.cloned() else {
            return false;
        };
        self.change(|now| {
            let before = now.pinned.len();
            now.pinned.retain(|pinned| *pinned != label);
            if now.pinned.len() == before {
                now.pinned.push(label);
            }
        })
    }

    /// Removes all labels but the pinned ones.
    pub fn clear(&mut self) {
        self.change(|now| now.labels.retain(|label| now.pinned.contains(label)));
    }

    /// Whether clearing would remove anything.
    pub fn can_clear(&self) -> bool {
        self.now.labels.len() > self.now.pinned.len()
    }

    /// The named sets in the order of their names.
    pub fn sets(&self) -> &[LabelSetEntry] {
        &self.now.sets
    }

    /// Takes in the sets of an earlier run or of another window, which were `base`; this is no step
    /// of history, and a step back does not lose them.
    pub fn merge_sets(&mut self, base: &[LabelSetEntry], theirs: &[LabelSetEntry]) {
        let steps = self.past.iter_mut().chain(&mut self.future);
        for step in steps.chain([&mut self.now]) {
            step.sets = merged_sets(base, &step.sets, theirs);
        }
    }

    /// Saves the labels under a name, over a set of that name; false without a name or labels.
    pub fn save_set(&mut self, name: &str) -> bool {
        let name = tidy(name);
        if name.is_empty() || self.now.labels.is_empty() {
            return false;
        }
        self.change(|now| {
            now.sets.retain(|set| !same_label(&set.name, &name));
            let labels = now.labels.clone();
            now.sets.push(LabelSetEntry { name, labels });
            now.sets.sort_by_key(|set| set.name.to_lowercase());
        })
    }

    /// Whether there is a set of this name.
    pub fn has_set(&self, name: &str) -> bool {
        let name = tidy(name);
        self.now.sets.iter().any(|set| same_label(&set.name, &name))
    }

    /// Puts a set's labels after the pinned ones, in place of all others.
    pub fn load_set(&mut self, index: usize) -> bool {
        let Some(set) = self.now.sets.get(index).cloned() else {
            return false;
        };
        let mut next = self.clone();
        next.now.labels.retain(|label| self.is_pinned(label));
        let new = next.new_ones(set.labels.iter().map(String::as_str));
        next.now.labels.extend(new);
        self.change(|now| now.labels = next.now.labels)
    }

    /// Deletes a named set; the labels under comparison stay.
    pub fn delete_set(&mut self, index: usize) -> bool {
        self.change(|now| {
            if index < now.sets.len() {
                now.sets.remove(index);
            }
        })
    }

    /// Takes back the last change; false when there is none.
    pub fn undo(&mut self) -> bool {
        let Some(before) = self.past.pop() else {
            return false;
        };
        self.future.push(std::mem::replace(&mut self.now, before));
        true
    }

    /// Makes the change again that was last taken back; false when there is none.
    pub fn redo(&mut self) -> bool {
        let Some(after) = self.future.pop() else {
            return false;
        };
        self.past.push(std::mem::replace(&mut self.now, after));
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

    fn new_ones<'a>(&self, typed: impl Iterator<Item = &'a str>) -> Vec<String> {
        let mut new: Vec<String> = Vec::new();
        for label in typed.map(tidy).filter(|label| !label.is_empty()) {
            if !self.contains(&label) && !new.iter().any(|other| same_label(other, &label)) {
                new.push(label);
            }
        }
        new
    }

    /// Makes a change one step of history; false when it changes nothing.
    fn change(&mut self, make: impl FnOnce(&mut Chosen)) -> bool {
        let before = self.now.clone();
        make(&mut self.now);
        if self.now == before {
            return false;
        }
        self.future.clear();
        self.past.push(before);
        if self.past.len() > HISTORY {
            self.past.remove(0);
        }
        true
    }
}

/// Two changes of `base` in one: a set as we left it where we have changed it, as they left it
/// elsewhere; in the order of the names.
pub fn merged_sets(
    base: &[LabelSetEntry],
    ours: &[LabelSetEntry],
    theirs: &[LabelSetEntry],
) -> Vec<LabelSetEntry> {
    fn named<'a>(sets: &'a [LabelSetEntry], name: &str) -> Option<&'a LabelSetEntry> {
        sets.iter().find(|set| same_label(&set.name, name))
    }
    let changed = |name: &str| named(base, name) != named(ours, name);
    let ours = ours.iter().filter(|set| changed(&set.name));
    let theirs = theirs.iter().filter(|set| !changed(&set.name));
    let mut merged: Vec<LabelSetEntry> = ours.chain(theirs).cloned().collect();
    merged.sort_by_key(|set| set.name.to_lowercase());
    merged
}

/// Whether two labels, or names, differ in case at most. Asked for thousands of labels in a frame,
/// so nothing is allocated for the usual ones.
pub fn same_label(a: &str, b: &str) -> bool {
    if a.is_ascii() && b.is_ascii() {
        return a.eq_ignore_ascii_case(b);
    }
    a.to_lowercase() == b.to_lowercase()
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
    fn a_column_parts_labels_and_labels_of_a_list_keep_their_commas() {
        let mut labels = set(&[]);
        assert_eq!(
            labels.add("dog\r\ncat\rtraffic light\u{2028}zebra，cow；ox"),
            6
        );
        assert_eq!(labels.labels()[2], "traffic light");
        assert_eq!(labels.add_all(["salt, pepper", "dog"].into_iter()), 1);
        assert_eq!(labels.labels()[6], "salt, pepper");
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
        let mut labels = set(&["cat"]);
        labels.add("  , ");
        labels.add("CAT");
        assert!(!labels.remove("dog") && !labels.rename("dog", "cow"));
        assert!(!labels.place("cat", 0) && !labels.place("cat", 5));
        assert!(!labels.rename("cat", " cat ") && !labels.rename("cat", " , "));
        assert!(!labels.save_set(" ") && !labels.load_set(0) && !labels.delete_set(0));
        assert!(!labels.can_undo());
    }

    #[test]
    fn a_renamed_label_keeps_its_place_and_its_pin() {
        let mut labels = set(&["dog", "cat", "cow"]);
        labels.toggle_pin("cat");
        assert!(labels.rename("cat", " Cat "), "only its case changed");
        assert!(labels.rename("cat", "kitten, tiger, dog"));
        assert_eq!(
            labels.labels(),
            ["dog", "kitten", "tiger", "cow"].map(String::from)
        );
        assert!(labels.is_pinned("kitten") && labels.is_pinned("tiger"));
        assert!(!labels.rename("cow", "DOG"), "it is there already");
        assert!(labels.undo());
        assert_eq!(labels.labels(), ["dog", "Cat", "cow"].map(String::from));
        assert!(labels.is_pinned("Cat"));
    }

    #[test]
    fn labels_move_to_another_place() {
        let mut labels = set(&["a", "b", "c"]);
        assert!(labels.place("a", 2));
        assert_eq!(labels.labels(), ["b", "c", "a"].map(String::from));
        assert!(labels.place("a", 0));
        assert_eq!(labels.labels(), ["a", "b", "c"].map(String::from));
    }

    #[test]
    fn pinned_labels_stay_when_all_others_go() {
        let mut labels = set(&["dog", "cat", "cow"]);
        labels.save_set("Farm");
        labels.add("joy");
        labels.toggle_pin("joy");
        labels.clear();
        assert_eq!(labels.labels(), ["joy"].map(String::from));
        assert!(!labels.can_clear());
        assert!(labels.load_set(0));
        let loaded = ["joy", "dog", "cat", "cow"].map(String::from);
        assert_eq!(labels.labels(), loaded);
        labels.remove("joy");
        labels.add("joy");
        assert!(!labels.is_pinned("joy"), "a label that went lost its pin");
    }

    #[test]
    fn a_set_is_saved_over_one_of_its_name_and_comes_back_when_deleted() {
        let mut labels = set(&["dog"]);
        assert!(labels.save_set("pets") && labels.save_set("animals"));
        labels.add("cat");
        assert!(labels.save_set(" Pets "));
        let names: Vec<&str> = labels.sets().iter().map(|set| set.name.as_str()).collect();
        assert_eq!(names, ["animals", "Pets"]);
        assert_eq!(labels.sets()[1].labels.len(), 2);
        assert!(labels.delete_set(1) && !labels.has_set("pets"));
        assert!(labels.undo() && labels.has_set("pets"));
        assert_eq!(labels.labels().len(), 2, "the labels themselves stayed");
    }
}
