//! The engine as the window uses it: real networks, requests in, replies out.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use biam_lens::engine::{
    Comparison, DeviceChoice, Failure, PhotoSource, Reply, Request, Worker, WorkerOptions, samples,
};
use biam_lens::model::VariantId;
use biam_lens::semantics::LabelStatus;

/// Far more than any answer takes, so that a hang fails instead of hanging the tests.
const PATIENCE: Duration = Duration::from_secs(120);

fn start() -> Worker {
    let options = WorkerOptions {
        bundle: Some(PathBuf::from("weights/default")),
        device: DeviceChoice::Cpu,
    };
    Worker::start(options, Arc::new(|| {}))
}

fn sample() -> PhotoSource {
    PhotoSource::Sample(samples::names().next().expect("a sample"))
}

fn compare(photo: PhotoSource, labels: &[&str]) -> Request {
    Request::Compare {
        photo,
        labels: labels.iter().map(|label| (*label).to_owned()).collect(),
        variants: VariantId::PAPER.to_vec(),
        ranking: true,
    }
}

/// Waits for the first reply that `pick` takes.
fn wait<T>(worker: &Worker, mut pick: impl FnMut(Reply) -> Option<T>) -> T {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if let Some(found) = worker.replies().find_map(&mut pick) {
            return found;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("no answer came");
}

fn comparison(worker: &Worker) -> Arc<Comparison> {
    wait(worker, |reply| match reply {
        Reply::Comparison(comparison) => Some(comparison),
        Reply::Failure(failure) => panic!("{}", failure.message),
        _ => None,
    })
}

fn failure(worker: &Worker) -> Failure {
    wait(worker, |reply| match reply {
        Reply::Failure(failure) => Some(failure),
        _ => None,
    })
}

/// Where the strongest response lies, as fractions of the photo.
fn hottest(comparison: &Comparison, variant: VariantId, label: usize) -> (f32, f32) {
    let row = comparison
        .variants
        .iter()
        .position(|&found| found == variant)
        .expect("the variant");
    let region = comparison.maps[row][label].pooled_regions(1)[0];
    let grid = comparison.grid;
    (
        ((region % grid.columns) as f32 + 0.5) / grid.columns as f32,
        ((region / grid.columns) as f32 + 0.5) / grid.rows as f32,
    )
}

#[test]
fn every_label_of_the_first_sample_is_found_where_it_is() {
    let worker = start();
    worker.ask(compare(sample(), &["drum", "bottle", "window", "giraffe"]));
    let found = comparison(&worker);
    let statuses: Vec<LabelStatus> = found.labels.iter().map(|label| label.status).collect();
    use LabelStatus::{Seen, Taught, Unseen};
    assert_eq!(statuses, [Taught, Unseen, Seen, Unseen]);
    for variant in VariantId::PAPER {
        let (_, drum) = hottest(&found, variant, 0);
        let (right, window) = hottest(&found, variant, 2);
        assert!(drum > 0.55, "{variant}: the drum stands below");
        assert!(
            window < 0.3 && right > 0.5,
            "{variant}: the window is above right"
        );
    }
    for maps in &found.maps {
        let best = |label: usize| {
            let sigmas = maps[label].sigmas().expect("ordinary regions");
            sigmas.into_iter().fold(f32::NEG_INFINITY, f32::max)
        };
        assert!(best(2) > 3.0, "a window is there: {}", best(2));
        assert!(best(3) < 2.0, "no giraffe is there: {}", best(3));
    }
}

#[test]
fn a_typed_label_costs_no_new_look_at_the_photo() {
    let worker = start();
    worker.ask(compare(sample(), &["drum"]));
    let first = comparison(&worker);
    worker.ask(compare(sample(), &["drum", "a bean bag"]));
    let second = comparison(&worker);
    assert!(first.times.iter().any(|time| time.stage == "backbone"));
    assert!(second.times.iter().all(|time| time.stage != "backbone"));
    let encodings = second
        .times
        .iter()
        .filter(|time| time.stage.starts_with("encode."));
    assert!(encodings.clone().count() == 4 && encodings.clone().all(|time| time.cached));
    assert_eq!(second.labels[1].status, LabelStatus::Unseen);
    assert!(!second.labels[1].nearest.is_empty());
    for (before, after) in first.maps.iter().zip(&second.maps) {
        let pairs = before[0].responses.iter().zip(after[0].responses.iter());
        let difference = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(
            difference < 1e-4,
            "the first label's map moved by {difference}"
        );
    }
    // The typed label is ranked behind the bundle's own.
    let ranking = second.ranking.as_ref().expect("a ranking");
    assert_eq!(ranking.labels.last().expect("labels").0, "a bean bag");
    assert!(
        ranking
            .scores
            .iter()
            .all(|scores| scores.len() == ranking.labels.len())
    );
}

#[test]
fn scores_of_the_ranking_are_the_pooled_maps() {
    let worker = start();
    worker.ask(compare(sample(), &["window"]));
    let found = comparison(&worker);
    let ranking = found.ranking.as_ref().expect("a ranking");
    let row = ranking
        .labels
        .iter()
        .position(|(label, _)| label == "window")
        .expect("a bundle's label");
    for (scores, maps) in ranking.scores.iter().zip(&found.maps) {
        let expected = maps[0].score(found.trained_k);
        assert!((scores[row] - expected).abs() < 1e-3 * expected.abs().max(1.0));
    }
}

#[test]
fn the_newest_request_wins() {
    let worker = start();
    for label in ["first", "second", "third"] {
        worker.ask(compare(sample(), &[label]));
    }
    worker.ask(compare(sample(), &["last"]));
    let mut answered = 0;
    let text = loop {
        let found = comparison(&worker);
        answered += 1;
        if found.labels[0].text == "last" {
            break found.labels[0].text.clone();
        }
    };
    assert_eq!(text, "last");
    // The model was still loading when they came, so those before were never worked on.
    assert_eq!(answered, 1);
}

#[test]
fn a_bad_photo_is_named_and_the_next_one_is_answered() {
    let worker = start();
    let missing = PhotoSource::File(PathBuf::from("no/such/photo.jpg"));
    worker.ask(compare(missing.clone(), &["dog"]));
    let failure = failure(&worker);
    assert!(failure.message.contains("photo.jpg"), "{}", failure.message);
    assert_eq!(failure.photo, Some(missing));
    assert!(!failure.fatal);
    worker.ask(compare(sample(), &["dog"]));
    assert_eq!(comparison(&worker).labels[0].text, "dog");
}

#[test]
fn without_a_model_the_engine_says_so_and_what_to_do() {
    let options = WorkerOptions {
        bundle: Some(PathBuf::from("no/such/bundle")),
        device: DeviceChoice::Cpu,
    };
    let worker = Worker::start(options, Arc::new(|| {}));
    let failure = failure(&worker);
    assert!(failure.fatal);
    assert!(
        failure.message.contains("bundle.toml"),
        "{}",
        failure.message
    );
}

#[test]
fn thumbnails_come_small() {
    let worker = start();
    worker.ask(Request::Thumbnail {
        photo: sample(),
        side: 64,
    });
    let picture = wait(&worker, |reply| match reply {
        Reply::Thumbnail { picture, .. } => Some(picture),
        _ => None,
    });
    assert_eq!(picture.width().max(picture.height()), 64);
}

#[test]
fn a_cancelled_request_is_dropped_and_work_goes_on_after() {
    let worker = start();
    worker.ask(compare(sample(), &["never"]));
    worker.ask(Request::Cancel);
    worker.ask(compare(sample(), &["after"]));
    assert_eq!(comparison(&worker).labels[0].text, "after");
}

#[test]
fn maps_are_the_same_whatever_else_is_asked() {
    let worker = start();
    worker.ask(compare(sample(), &["window"]));
    let alone = comparison(&worker);
    let other = start();
    other.ask(compare(sample(), &["cat", "window", "two words"]));
    let together = comparison(&other);
    for (alone, together) in alone.maps.iter().zip(&together.maps) {
        let pairs = alone[0].responses.iter().zip(together[1].responses.iter());
        let difference = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(difference < 1e-4, "{difference}");
    }
}
