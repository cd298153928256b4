//! A report as tables for people.

use std::fmt::Write as _;

use super::F1;
use super::bootstrap::{Difference, PairDifferences};
use super::protocol::{Measures, Task};
use super::report::{BoxedLabels, LocalisationReport, Report, TaskReport, VariantReport};

/// Width of the column of names.
const NAME: usize = 10;
/// Width of a column of numbers.
const NUMBER: usize = 8;

/// The whole report.
pub fn text(report: &Report) -> String {
    let mut text = heading(report);
    for task in [Task::Zsl, Task::ZslApart, Task::Gzsl, Task::Seen] {
        text += &task_table(report, task).unwrap_or_default();
    }
    text += &localisation_table(report).unwrap_or_default();
    text += &cost_table(report).unwrap_or_default();
    text += &comparison_tables(report).unwrap_or_default();
    text
}

/// How alike networks are, and what differs between them.
fn comparison_tables(report: &Report) -> Option<String> {
    let comparison = report.comparison.as_ref()?;
    let name = |[a, b]: [crate::model::VariantId; 2]| format!("{} / {}", a.title(), b.title());
    let width = comparison
        .differences
        .iter()
        .map(|pair| name(pair.variants).chars().count());
    let width = width.max().unwrap_or_default().max(NAME);
    let mut text = format!(
        "\nHow alike: correlation of maps, part of the {} best regions that both have, same best \
         region (over photos and labels), correlation of ranks (over photos)\n{:<width$}",
        report.top_k, ""
    );
    for title in ["maps", "best k", "best", "ranks"] {
        let _ = write!(text, "  {title:>NUMBER$}");
    }
    text.push('\n');
    for pair in &comparison.agreements {
        let _ = write!(text, "{:<width$}", name(pair.variants));
        let all = pair.agreement;
        for value in [
            all.map_correlation,
            all.top_k_overlap,
            all.same_best_region,
            all.rank_correlation,
        ] {
            let _ = write!(text, "  {value:>NUMBER$.4}");
        }
        text.push('\n');
    }
    text += "\nDifferences, second less first, with 95 % intervals over resampled photos; * where 0 \
             is outside\n";
    for pair in &comparison.differences {
        let _ = writeln!(
            text,
            "{:<width$}  {}",
            name(pair.variants),
            differences(pair)
        );
    }
    Some(text)
}

fn differences(pair: &PairDifferences) -> String {
    let one = |what: &str, difference: &Difference| {
        let Difference { value, interval } = difference;
        let [low, high] = interval;
        let mark = if difference.is_clear() { "*" } else { "" };
        format!("{what} {value:+.4} ({low:+.4} to {high:+.4}){mark}")
    };
    let map = pair.map.iter().map(|(task, difference)| {
        let what = match task {
            Task::Zsl => "ZSL",
            Task::ZslApart => "ZSL without near-twins",
            Task::Gzsl => "GZSL",
            Task::Seen => "seen",
        };
        one(what, difference)
    });
    let pointing = pair
        .pointing
        .iter()
        .map(|difference| one("pointing", difference));
    map.chain(pointing).collect::<Vec<_>>().join("; ")
}

fn heading(report: &Report) -> String {
    let Report {
        bundle,
        data,
        photos,
        labels,
        seen,
        unseen,
        top_k,
        ..
    } = report;
    let (bundle, data) = (crate::files::one_line(bundle), crate::files::one_line(data));
    let mut text = format!(
        "{bundle} on {data}: {photos} photos, {labels} labels, {seen} seen and {unseen} unseen; \
         scores are means of the {top_k} largest responses\n"
    );
    text += "mAP is the mean over labels with a positive; in mAP0 the others count as 0\n";
    text
}

fn task_table(report: &Report, task: Task) -> Option<String> {
    let rows: Vec<(&VariantReport, &TaskReport)> = report
        .variants
        .iter()
        .filter_map(|variant| Some((variant, variant.task(task)?)))
        .collect();
    let (_, first) = rows.first()?;
    let labels = first.labels;
    let mut text = String::from("\n");
    text += &match task {
        Task::Zsl => format!("Zero-shot: {labels} unseen labels\n"),
        Task::ZslApart => format!(
            "Zero-shot without near-twins: {labels} unseen labels whose nearest seen label has a \
             cosine below {}\n",
            report.near_twin_cosine
        ),
        Task::Gzsl => format!("Generalised zero-shot: {labels} seen and unseen labels\n"),
        Task::Seen => format!("Standard classification: {labels} seen labels\n"),
    };
    let [all, positive] = groups(first);
    let titles = [
        format!("all {} photos", all.photos),
        format!("{} with a positive", positive.photos),
    ];
    let names = ranking_names(all);
    push_titles(&mut text, &titles, names.len());
    push_names(&mut text, &[&names, &names]);
    for (variant, row) in &rows {
        let values = groups(row).map(ranking_values);
        push_row(&mut text, variant.variant.title(), &values);
    }
    if task == Task::Seen {
        text += &per_class_table(&rows);
    }
    Some(text)
}

/// Over all photos, and over those with a positive.
fn groups(report: &TaskReport) -> [&Measures; 2] {
    let both = &report.measures;
    [&both.all_photos, &both.photos_with_a_positive]
}

fn ranking_names(measures: &Measures) -> Vec<String> {
    let f1 = measures.top.iter().map(|at| format!("F1@{}", at.k));
    ["mAP".to_owned(), "mAP0".to_owned()]
        .into_iter()
        .chain(f1)
        .collect()
}

fn ranking_values(measures: &Measures) -> Vec<Option<f64>> {
    let f1 = measures.top.iter().map(|at| at.overall.map(|f1| f1.f1));
    [
        measures.map.map(|map| map.mean),
        measures.map.map(|map| map.empty_as_zero),
    ]
    .into_iter()
    .chain(f1)
    .collect()
}

/// Precision, recall and F1 per class (C) and overall (O) of the K best labels, over all photos.
fn per_class_table(rows: &[(&VariantReport, &TaskReport)]) -> String {
    let mut text = String::new();
    let Some((_, first)) = rows.first() else {
        return text;
    };
    for (place, at) in first.measures.all_photos.top.iter().enumerate() {
        let names = ["CP", "CR", "CF1", "OP", "OR", "OF1"].map(str::to_owned);
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "the {} best labels of all photos, per class (C) and overall (O)",
            at.k
        );
        push_names(&mut text, &[&names]);
        for (variant, row) in rows {
            let at = row.measures.all_photos.top.get(place);
            let three = |f1: Option<F1>| match f1 {
                Some(f1) => [Some(f1.precision), Some(f1.recall), Some(f1.f1)],
                None => [None; 3],
            };
            let classes = three(at.and_then(|at| at.per_class));
            let overall = three(at.and_then(|at| at.overall));
            let values = [classes, overall].concat();
            push_row(&mut text, variant.variant.title(), &[values]);
        }
    }
    text
}

fn localisation_table(report: &Report) -> Option<String> {
    let rows: Vec<(&VariantReport, &LocalisationReport)> = report
        .variants
        .iter()
        .filter_map(|variant| Some((variant, variant.localisation.as_ref()?)))
        .collect();
    let (_, first) = rows.first()?;
    let mut text = String::from(
        "\nBoxes: pointing game and energy in box, means over labels and (pairs) over pairs of a \
         photo and a label\n",
    );
    let title = |what: &str, group: &BoxedLabels| {
        let BoxedLabels { labels, pairs, .. } = group;
        let chance = group.over_labels.chance;
        format!("{labels} {what}, {pairs} pairs, chance {chance:.3}")
    };
    let mut titles = vec![title("labels", &first.all)];
    titles.extend(first.unseen.as_ref().map(|group| title("unseen", group)));
    let names = ["mAP", "pointing", "energy", "(pairs)"].map(str::to_owned);
    push_titles(&mut text, &titles, names.len());
    push_names(&mut text, &vec![&names[..]; titles.len()]);
    for (variant, row) in rows {
        let groups: Vec<Vec<Option<f64>>> = std::iter::once(&row.all)
            .chain(&row.unseen)
            .map(|group| {
                vec![
                    group.map.map(|map| map.mean),
                    Some(group.over_labels.pointing),
                    Some(group.over_labels.energy_in_box),
                    Some(group.over_pairs.pointing),
                ]
            })
            .collect();
        push_row(&mut text, variant.variant.title(), &groups);
    }
    Some(text)
}

fn cost_table(report: &Report) -> Option<String> {
    let rows: Vec<_> = report
        .variants
        .iter()
        .filter_map(|variant| Some((variant, variant.cost?)))
        .collect();
    let (_, first) = rows.first()?;
    let mut text = format!(
        "\nCost per photo of {} labels; multiply-adds of convolutions, linear layers and attention; \
         time and memory of a program with this network alone\n",
        first.labels
    );
    let names = [
        "head M", "all M", "head G", "all G", "head ms", "all ms", "peak MiB",
    ];
    push_titles(
        &mut text,
        &["parameters".to_owned(), "multiply-adds".to_owned()],
        2,
    );
    push_names(&mut text, &[&names.map(str::to_owned)]);
    for (variant, cost) in rows {
        let _ = write!(text, "{:<NAME$}", variant.variant.title());
        let measured = cost.measured;
        let values = [
            Some(cost.head.parameters as f64 / 1e6),
            Some(cost.total.parameters as f64 / 1e6),
            Some(cost.head.multiply_adds as f64 / 1e9),
            Some(cost.total.multiply_adds as f64 / 1e9),
            measured.map(|measured| measured.head_ms),
            measured.map(|measured| measured.photo_ms),
            measured.and_then(|m| Some(m.peak_bytes? as f64 / f64::from(1 << 20))),
        ];
        for value in values {
            let value = value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"));
            let _ = write!(text, "  {value:>NUMBER$}");
        }
        text.push('\n');
    }
    Some(text)
}

/// Titles over groups of `columns` columns each.
fn push_titles(text: &mut String, titles: &[String], columns: usize) {
    let width = columns * (NUMBER + 2);
    *text += &" ".repeat(NAME);
    for (place, title) in titles.iter().enumerate() {
        let gap = if place > 0 { "  " } else { "" };
        let _ = write!(text, "{gap}{title:>width$}");
    }
    text.push('\n');
}

fn push_names(text: &mut String, groups: &[&[String]]) {
    *text += &" ".repeat(NAME);
    for (place, group) in groups.iter().enumerate() {
        *text += if place > 0 { "  " } else { "" };
        for name in *group {
            let _ = write!(text, "  {name:>NUMBER$}");
        }
    }
    text.push('\n');
}

fn push_row(text: &mut String, name: &str, groups: &[Vec<Option<f64>>]) {
    let _ = write!(text, "{name:<NAME$}");
    for (place, group) in groups.iter().enumerate() {
        *text += if place > 0 { "  " } else { "" };
        for value in group {
            let value = value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"));
            let _ = write!(text, "  {value:>NUMBER$}");
        }
    }
    text.push('\n');
}
