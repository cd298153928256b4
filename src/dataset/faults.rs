//! What a reader could not use, counted by kind.

/// Things that were left out, by what was wrong with them, each kind with its first place.
#[derive(Debug, Default)]
pub(super) struct Faults {
    kinds: Vec<Fault>,
}

#[derive(Debug)]
struct Fault {
    what: &'static str,
    times: usize,
    first: String,
}

impl Faults {
    /// Counts one; `place` says where it is: a file with a line or an annotation's number.
    pub fn add(&mut self, what: &'static str, place: impl FnOnce() -> String) {
        match self.kinds.iter_mut().find(|fault| fault.what == what) {
            Some(fault) => fault.times += 1,
            None => self.kinds.push(Fault {
                what,
                times: 1,
                first: place(),
            }),
        }
    }

    /// One line for each kind, in the order in which they first came.
    pub fn notes(&self) -> impl Iterator<Item = String> {
        self.kinds
            .iter()
            .map(|Fault { what, times, first }| match times {
                1 => format!("{what}: once, in {first}"),
                _ => format!("{what}: {times} times, first in {first}"),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_counted_by_kind_with_the_first_place() {
        let mut faults = Faults::default();
        faults.add("no bbox", || "a.json annotation 2".to_owned());
        faults.add("no name", || "a.json annotation 3".to_owned());
        faults.add("no bbox", || "a.json annotation 5".to_owned());
        let notes: Vec<String> = faults.notes().collect();
        assert_eq!(
            notes,
            [
                "no bbox: 2 times, first in a.json annotation 2",
                "no name: once, in a.json annotation 3"
            ]
        );
    }
}
