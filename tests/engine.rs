//! The engine as the window uses it: real networks, requests in, replies out.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use biam_lens::engine::{
    Comparison, Cover, Covering, DeviceChoice, Failure, Occluded, PhotoSource, Reply, Request,
    Worker, WorkerOptions, samples,
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

#[test]
fn parts_of_a_response_add_up_to_the_map_and_a_region_s_look_to_one() {
    let worker = start();
    let labels = ["drum", "window", "giraffe"];
    worker.ask(compare(sample(), &labels));
    let found = comparison(&worker);
    worker.ask(Request::LookInside {
        photo: sample(),
        labels: labels.map(str::to_owned).to_vec(),
        variants: VariantId::PAPER.to_vec(),
    });
    let inside = wait(&worker, |reply| match reply {
        Reply::Inside(inside) => Some(inside),
        Reply::Failure(failure) => panic!("{}", failure.message),
        _ => None,
    });
    worker.ask(Request::Attend {
        photo: sample(),
        region: 77,
        variants: VariantId::PAPER.to_vec(),
    });
    let looks = wait(&worker, |reply| match reply {
        Reply::Looks(looks) => Some(looks),
        Reply::Failure(failure) => panic!("{}", failure.message),
        _ => None,
    });
    for (place, &variant) in found.variants.iter().enumerate() {
        for (label, map) in labels.iter().zip(&found.maps[place]) {
            let parts = inside.parts(label, variant).expect("blocks");
            for (region, &response) in map.responses.iter().enumerate() {
                let sum: f32 = parts.iter().map(|(_, map)| map[region]).sum();
                let off = (sum - response).abs();
                assert!(
                    off < 1e-4 * response.abs().max(1.0),
                    "{variant} {label}: {off}"
                );
            }
        }
    }
    for variant in VariantId::PAPER {
        let inside = inside.network(variant).expect("asked for");
        let has_rcb = [VariantId::RCB, VariantId::BIAM].contains(&variant);
        assert_eq!(
            (inside.attends, looks.network(variant).is_some()),
            (has_rcb, has_rcb)
        );
        let has_scb = [VariantId::SCB, VariantId::BIAM].contains(&variant);
        assert_eq!(inside.gate.is_some(), has_scb);
        for head in looks.network(variant).map_or(&[][..], |looks| &looks.from) {
            assert!((head.iter().sum::<f32>() - 1.0).abs() < 1e-4);
        }
    }
}

fn occluded(worker: &Worker, labels: &[&str], cover: Cover) -> Arc<Occluded> {
    worker.ask(Request::Occlude(Covering {
        photo: sample(),
        labels: labels.iter().map(|label| (*label).to_owned()).collect(),
        variants: vec![VariantId::STANDARD, VariantId::BIAM],
        k: 10,
        cover,
    }));
    wait(worker, |reply| match reply {
        Reply::Occluded(occluded) => Some(occluded),
        Reply::Failure(failure) => panic!("{}", failure.message),
        _ => None,
    })
}

#[test]
fn covering_a_thing_costs_its_score_and_covering_nothing_none() {
    let worker = start();
    worker.ask(compare(sample(), &["drum", "window"]));
    let found = comparison(&worker);
    let nothing = occluded(
        &worker,
        &["drum", "window"],
        Cover::Area([0.5, 0.5, 0.5, 0.9]),
    );
    // The drum stands below the middle of the first sample.
    let below = occluded(
        &worker,
        &["drum", "window"],
        Cover::Area([0.0, 0.5, 1.0, 1.0]),
    );
    for (place, variant) in [(0, VariantId::STANDARD), (3, VariantId::BIAM)] {
        let [whole, same] = nothing.scores("drum", variant).expect("scores");
        let score = found.maps[place][0].score(10);
        assert!((whole - score).abs() < 1e-3, "{variant}: {whole} {score}");
        assert!((whole - same).abs() < 1e-3, "{variant}: {whole} {same}");
        let drum = below.drops("drum", variant).expect("drops")[0];
        assert!(drum > 0.5 * whole, "{variant}: {drum} of {whole}");
    }
}

#[test]
fn a_slid_square_counts_its_places_and_can_be_cancelled() {
    let worker = start();
    worker.ask(compare(sample(), &["drum"]));
    comparison(&worker);
    let slide = || {
        Request::Occlude(Covering {
            photo: sample(),
            labels: vec!["drum".to_owned()],
            variants: vec![VariantId::BIAM],
            k: 10,
            cover: Cover::Slide { places: 3 },
        })
    };
    worker.ask(slide());
    let told = wait(&worker, |reply| match reply {
        Reply::Progress(Some(progress)) if progress.fraction.is_some() => Some(progress),
        _ => None,
    });
    assert!(told.doing.contains("of 10 places"), "{}", told.doing);
    worker.ask(Request::Cancel);
    // A region is looked into at once although the square is still slid.
    worker.ask(compare(sample(), &["window"]));
    comparison(&worker);
    let occluded = occluded(&worker, &["drum"], Cover::Slide { places: 3 });
    assert_eq!(occluded.asked.cover, Cover::Slide { places: 3 });
    let drops = occluded.drops("drum", VariantId::BIAM).expect("drops");
    assert_eq!(drops.len(), 9);
    let most = (0..9).max_by(|&a, &b| drops[a].total_cmp(&drops[b]));
    assert!(most.expect("places") / 3 >= 1, "the drum stands below");
}

#[test]
fn another_scene_changes_only_networks_with_a_scene_block() {
    let worker = start();
    worker.ask(compare(sample(), &["drum"]));
    let found = comparison(&worker);
    let scene = PhotoSource::Sample(samples::names().nth(1).expect("two samples"));
    let ask = |scene: &PhotoSource| {
        worker.ask(Request::OtherScene {
            photo: sample(),
            scene: scene.clone(),
            labels: vec!["drum".to_owned()],
            variants: VariantId::PAPER.to_vec(),
        });
        wait(&worker, |reply| match reply {
            Reply::Scene(scene) => Some(scene),
            Reply::Failure(failure) => panic!("{}", failure.message),
            _ => None,
        })
    };
    let (own, other) = (ask(&sample()), ask(&scene));
    let variants: Vec<VariantId> = other.networks.iter().map(|of| of.variant).collect();
    assert_eq!(variants, [VariantId::SCB, VariantId::BIAM]);
    let map = &found.maps[3][0].responses;
    let same = own.map("drum", VariantId::BIAM).expect("a map");
    let different = other.map("drum", VariantId::BIAM).expect("a map");
    let distance = |other: &[f32]| {
        let pairs = map.iter().zip(other);
        pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
    };
    assert!(distance(&same.responses) < 1e-4);
    assert!(distance(&different.responses) > 1e-3);
}
