//! The metrics against scikit-learn and transcriptions of their definitions:
//! `tests/reference/metrics.py` writes the fixture.

use anyhow::{Context, Result, ensure};
use biam_lens::backbone::Covered;
use biam_lens::eval::localisation::locate;
use biam_lens::eval::protocol::{Measures, TaskMeasures};
use biam_lens::eval::{F1, Judged, average_precision};
use serde::Deserialize;

#[derive(Deserialize)]
struct Fixture {
    scores: Vec<Vec<f32>>,
    truth: Vec<Vec<i8>>,
    tasks: Vec<Task>,
    maps: Vec<Map>,
}

#[derive(Deserialize)]
struct Task {
    labels: Vec<usize>,
    all_photos: Expected,
    photos_with_a_positive: Expected,
}

#[derive(Deserialize)]
struct Expected {
    photos: usize,
    precisions: Vec<Option<f64>>,
    mean: f64,
    empty_as_zero: f64,
    top: Vec<Top>,
}

#[derive(Deserialize)]
struct Top {
    k: usize,
    overall: [f64; 3],
    per_class: [f64; 3],
}

#[derive(Deserialize)]
struct Map {
    grid: (usize, usize),
    covered: [f32; 4],
    boxes: Vec<[f32; 4]>,
    responses: Vec<f32>,
    pointed: bool,
    energy: f64,
    inside: f64,
}

fn fixture() -> Result<Fixture> {
    let text = include_str!("reference/metrics.json");
    serde_json::from_str(text).context("the fixture")
}

fn close(found: f64, expected: f64) -> Result<()> {
    ensure!((found - expected).abs() < 1e-12, "{found} for {expected}");
    Ok(())
}

fn close_f1(found: Option<F1>, [precision, recall, f1]: [f64; 3]) -> Result<()> {
    let found = found.context("an F1")?;
    close(found.precision, precision)?;
    close(found.recall, recall)?;
    close(found.f1, f1)
}

fn compare(found: &Measures, expected: &Expected) -> Result<()> {
    assert_eq!(found.photos, expected.photos);
    let map = found.map.context("a mean")?;
    close(map.mean, expected.mean)?;
    close(map.empty_as_zero, expected.empty_as_zero)?;
    let with_positives = expected.precisions.iter().flatten().count();
    assert_eq!(map.labels_with_positives, with_positives);
    assert_eq!(found.top.len(), expected.top.len());
    for (found, expected) in found.top.iter().zip(&expected.top) {
        assert_eq!(found.k, expected.k);
        close_f1(found.overall, expected.overall)?;
        close_f1(found.per_class, expected.per_class)?;
    }
    Ok(())
}

#[test]
fn rankings_are_measured_as_scikit_learn_does() -> Result<()> {
    let fixture = fixture()?;
    let labels = fixture.scores[0].len();
    let (scores, truth) = (fixture.scores.concat(), fixture.truth.concat());
    let judged = Judged::new(labels, &scores, &truth).context("of one size")?;
    for task in &fixture.tasks {
        let ks: Vec<usize> = task.all_photos.top.iter().map(|top| top.k).collect();
        let found = TaskMeasures::new(judged, &task.labels, &ks);
        compare(&found.all_photos, &task.all_photos)?;
        compare(&found.photos_with_a_positive, &task.photos_with_a_positive)?;
        for (&label, expected) in task.labels.iter().zip(&task.all_photos.precisions) {
            let column = fixture.scores.iter().zip(&fixture.truth);
            let found = average_precision(column.map(|(s, t)| (s[label], t[label])));
            match (found, expected) {
                (Some(found), Some(expected)) => close(found, *expected)?,
                (found, expected) => assert_eq!(found, *expected),
            }
        }
    }
    Ok(())
}

#[test]
fn maps_meet_boxes_as_defined() -> Result<()> {
    for map in fixture()?.maps {
        let [x0, y0, x1, y1] = map.covered;
        let covered = Covered { x0, y0, x1, y1 };
        let found = locate(&map.responses, map.grid, covered, &map.boxes).context("a map")?;
        assert_eq!(found.pointed, map.pointed);
        ensure!((found.energy - map.energy).abs() < 1e-6, "{found:?}");
        close(found.inside, map.inside)?;
    }
    Ok(())
}
