use super::super::testing::{Fixture, row, rows};
use super::MOST_POSITIVES;

const HEADER: &str = "ImageID,Source,LabelName,Confidence\n";

fn fixture() -> Fixture {
    let fixture = Fixture::new();
    fixture.write(
        "class-descriptions.csv",
        "/m/a,Dog\n/m/b,\"Ducks, geese\"\n/m/c,Crane\n/m/d,Crane\n/m/e,Yak\n",
    );
    fixture.write("classes-trainable.txt", "/m/c\r\n/m/a\r\n/m/d\r\n");
    fixture.write("unseen_labels.txt", "/m/x\n/m/b\n/m/e\n");
    fixture.write("top_400_unseen.csv", "\u{feff}2\r\n1\r\n");
    fixture.photos(&["test/00000000000000aa.jpg", "test/00000000000000bb.jpg"]);
    fixture
}

#[test]
fn labels_are_confirmed_denied_or_unknown() {
    let fixture = fixture();
    fixture.write(
        "test-annotations-human-imagelabels.csv",
        format!(
            "{HEADER}00000000000000bb,verification,/m/a,1\n00000000000000aa,v,/m/e,0\n\
             00000000000000bb,v,/m/b,0.0\n00000000000000bb,v,/m/z,1\n00000000000000cc,v,/m/a,1\n"
        ),
    );
    let set = fixture.open("test").unwrap();
    assert_eq!(set.labels, ["Crane", "Dog", "Crane", "Yak", "Ducks, geese"]);
    assert_eq!(set.unseen, [3, 4]);
    assert_eq!(
        rows(&set),
        [
            row("00000000000000bb.jpg", &[0, 1, 0, 0, -1]),
            row("00000000000000aa.jpg", &[0, 0, 0, -1, 0])
        ]
    );
    assert_eq!(set.report.missing_photos, 1);
    assert_eq!(set.report.unknown_labels[0].name, "/m/z");
}

#[test]
fn training_keeps_photos_with_few_positive_labels() {
    let fixture = fixture();
    let classes: Vec<String> = (0..=MOST_POSITIVES).map(|i| format!("/m/{i}")).collect();
    fixture.write("classes-trainable.txt", classes.join("\n"));
    let label = |photo: u8, class: &String| format!("00000000000000{photo:02x},v,{class},1\n");
    let photo = |photo: u8, count: usize| -> String {
        classes[..count]
            .iter()
            .map(|class| label(photo, class))
            .collect()
    };
    let text = HEADER.to_owned()
        + &photo(1, MOST_POSITIVES)
        + &photo(2, MOST_POSITIVES + 1)
        + &label(3, &"/m/e".to_owned());
    fixture.write("train-annotations-human-imagelabels.csv", text);
    fixture.photos(&[
        "images/train/0000000000000001.jpg",
        "images/train/0000000000000002.jpg",
    ]);
    let set = fixture.open("train").unwrap();
    assert_eq!(set.photos.len(), 1);
    assert_eq!(set.photos[0].labels.positives.len(), MOST_POSITIVES);
    let notes = set.report.notes.join("\n");
    assert!(
        notes.contains("2 photos without 1 to 40 positive"),
        "{notes}"
    );
    assert!(notes.contains("/m/0 has no description"), "{notes}");
}

#[test]
fn a_list_of_unseen_classes_of_ones_own_comes_first() {
    let fixture = fixture();
    fixture.write("unseen.txt", "/m/e\n");
    fixture.write(
        "test-annotations-human-imagelabels.csv",
        format!("{HEADER}00000000000000aa,v,/m/e,1\n"),
    );
    assert_eq!(fixture.open("test").unwrap().labels.len(), 4);
}

#[test]
fn files_of_later_versions_are_known_by_their_names() {
    for (classes, trainable, labels, part) in [
        (
            "class-descriptions.csv",
            "classes-trainable.txt",
            "validation-annotations-human-imagelabels.csv",
            "validation",
        ),
        (
            "oidv6-class-descriptions.csv",
            "oidv6-classes-trainable.txt",
            "oidv6-train-annotations-human-imagelabels.csv",
            "train",
        ),
        (
            "oidv7-class-descriptions.csv",
            "oidv6-classes-trainable.txt",
            "oidv7-val-annotations-human-imagelabels.csv",
            "validation",
        ),
        (
            "oidv7-class-descriptions.csv",
            "oidv7-classes-trainable.txt",
            "oidv7-test-annotations-human-imagelabels.csv",
            "test",
        ),
        (
            "class-descriptions.csv",
            "classes-trainable.txt",
            "test-annotations-human-imagelabels-boxable.csv",
            "test",
        ),
    ] {
        let fixture = Fixture::new();
        fixture.write(classes, "LabelName,DisplayName\n/m/a,Dog\n/m/b,Cat\n");
        fixture.write(trainable, "/m/b\n/m/a\n");
        fixture.write(
            labels,
            format!("{HEADER}00000000000000aa,v,/m/a,1\n00000000000000aa,v,/m/b,0\n"),
        );
        fixture.photos(&["images/00000000000000aa.jpg"]);
        let set = fixture.open(part).unwrap();
        assert_eq!(set.labels, ["Cat", "Dog"], "{labels}");
        assert_eq!(
            rows(&set),
            [row("00000000000000aa.jpg", &[-1, 1])],
            "{labels}"
        );
        assert!(
            set.unseen.is_empty() && set.report.notes.len() == 1,
            "{}",
            set.report
        );
    }
}

#[test]
fn boxes_alone_are_a_set_too() {
    let fixture = Fixture::new();
    fixture.write("class-descriptions-boxable.csv", "/m/a,Dog\n/m/b,Cat\n");
    fixture.write(
        "validation-annotations-bbox.csv",
        "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf\n\
         00000000000000aa,xclick,/m/a,1,0.1,0.5,0.2,0.75,0,0,0\n\
         00000000000000aa,xclick,/m/b,1,0.1,0.5,0.2,0.75,0,0,1\n\
         00000000000000aa,xclick,/m/b,1,0.5,0.5,0.2,0.75,0,0,0\n",
    );
    fixture.photos(&["validation/00000000000000aa.jpg"]);
    let set = fixture.open("val").unwrap();
    assert_eq!(rows(&set), [row("00000000000000aa.jpg", &[1, 1])]);
    let [labelled] = set.photos[0].boxes[..] else {
        panic!("{:?}", set.photos[0].boxes);
    };
    assert_eq!(
        [labelled.x0, labelled.y0, labelled.x1, labelled.y1],
        [0.1, 0.2, 0.5, 0.75]
    );
    let notes = set.report.notes.join("\n");
    assert!(
        notes.contains("a group of things") && notes.contains("bbox.csv line 4"),
        "{notes}"
    );
}

#[test]
fn what_is_missing_is_told_with_what_is_there() {
    let fixture = Fixture::new();
    fixture.write("class-descriptions.csv", "/m/a,Dog\n");
    fixture.write("test-annotations-human-imagelabels.csv", HEADER);
    let refused = fixture.refused("test");
    assert!(
        refused.contains("no list of classes to train on: looked for classes-trainable.txt")
            && refused.contains("here are class-descriptions.csv"),
        "{refused}"
    );
}

#[test]
fn broken_rows_are_named() {
    let fixture = fixture();
    let file = "test-annotations-human-imagelabels.csv";
    for (text, expected) in [
        (
            "00000000000000aa,v,/m/a\n",
            "line 2: 3 columns where the header has 4",
        ),
        (
            "aa,v,/m/a,1\n",
            "line 2: “aa” is not the 16 hexadecimal digits",
        ),
        (
            "+0000000000000aa,v,/m/a,1\n",
            "line 2: “+0000000000000aa” is not the 16",
        ),
        (
            "00000000000000aa,v,/m/a,0.5\n",
            "line 2: the confidence “0.5” is not 0 or 1",
        ),
    ] {
        fixture.write(file, format!("{HEADER}{text}"));
        let refused = fixture.refused("test");
        assert!(
            refused.starts_with(&format!("{file} {expected}")),
            "{refused}"
        );
    }
    fixture.write(file, "ImageID,Source,Confidence\n");
    let refused = fixture.refused("test");
    assert!(
        refused.ends_with(
            "line 1: the header has no column “LabelName”; it has “ImageID”, “Source”, “Confidence”"
        ),
        "{refused}"
    );
    fixture.write(file, HEADER);
    fixture.write("top_400_unseen.csv", "1\n3\n");
    let refused = fixture.refused("test");
    assert_eq!(
        refused,
        "top_400_unseen.csv line 2: “3” is no place in a list of 3 classes"
    );
    fixture.write("classes-trainable.txt", "/m/a\n/m/a\n");
    let refused = fixture.refused("test");
    assert_eq!(
        refused,
        "classes-trainable.txt line 2: the class /m/a is there twice"
    );
}
