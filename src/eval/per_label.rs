//! A report label by label, as CSV.

use std::fmt::Write as _;

use super::report::Report;
use super::split::LabelSets;

const HEADER: &str = "variant,label,status,nearest_seen,cosine,positives,negatives,unknown,\
average_precision,box_pairs,pointing,energy_in_box,chance\n";

/// One row for each network and label. Numbers that do not exist (the average precision of a label
/// without a positive) are empty.
pub fn csv(report: &Report, labels: &[String], sets: &LabelSets) -> String {
    let mut text = HEADER.to_owned();
    for variant in &report.variants {
        for row in &variant.per_label {
            let unseen = sets.unseen.binary_search(&row.label).ok();
            let nearest = unseen.and_then(|place| sets.nearest[place].as_ref());
            let number = |value: Option<f64>| value.map_or(String::new(), |v| format!("{v:.6}"));
            let found = row.localisation;
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "{},{},{},{},{},{},{},{},{},{},{},{},{}",
                variant.variant,
                quoted(labels.get(row.label).map_or("", String::as_str)),
                if unseen.is_some() { "unseen" } else { "seen" },
                nearest.map_or(String::new(), |nearest| quoted(&nearest.label)),
                number(nearest.map(|nearest| f64::from(nearest.cosine))),
                row.positives,
                row.negatives,
                row.unknown,
                number(row.average_precision),
                found.map_or(String::new(), |_| row.box_pairs.to_string()),
                number(found.map(|found| found.pointing)),
                number(found.map(|found| found.energy_in_box)),
                number(found.map(|found| found.chance)),
            );
        }
    }
    text
}

/// A field as RFC 4180 writes it.
fn quoted(field: &str) -> String {
    match field.contains(['"', ',', '\n', '\r']) {
        true => format!("\"{}\"", field.replace('"', "\"\"")),
        false => field.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_with_commas_and_quotes_are_quoted() {
        assert_eq!(quoted("traffic light"), "traffic light");
        assert_eq!(quoted("salt, pepper"), "\"salt, pepper\"");
        assert_eq!(quoted("12\" disc"), "\"12\"\" disc\"");
    }
}
