use super::super::testing::{Fixture, row, rows};
use crate::dataset::{Dataset, Part, open};

const IMAGES: &str = r#""images": [
    {"id": 7, "file_name": "a.jpg", "width": 200, "height": 100, "license": 3},
    {"id": 9, "file_name": "b.jpg", "width": 50, "height": 50}]"#;
const CATEGORIES: &str =
    r#""categories": [{"id": 1, "name": "person"}, {"id": 90, "name": "dining table"}]"#;
const FILE: &str = "annotations/instances_val2017.json";

fn instances(annotations: &str) -> String {
    format!("{{\"info\": {{}}, {IMAGES},\n{CATEGORIES},\n\"annotations\": [{annotations}]}}")
}

fn fixture(annotations: &str) -> Fixture {
    let fixture = Fixture::new();
    fixture.photos(&["val2017/a.jpg", "val2017/b.jpg"]);
    fixture.write(FILE, instances(annotations));
    fixture
}

fn corners(set: &Dataset, photo: usize) -> Vec<[f32; 4]> {
    let boxes = set.photos[photo].boxes.iter();
    boxes.map(|b| [b.x0, b.y0, b.x1, b.y1]).collect()
}

#[test]
fn instances_become_labels_and_boxes() {
    let fixture = fixture(
        r#"{"image_id": 7, "category_id": 90, "bbox": [20, 10, 100, 50], "iscrowd": 0,
            "segmentation": [[1, 2, 3]], "area": 5},
           {"image_id": 9, "category_id": 1, "bbox": [0, 0, 50, 50], "iscrowd": 1},
           {"image_id": 7, "category_id": 90, "bbox": [20, 10, 0, 50]},
           {"image_id": 8, "category_id": 1, "bbox": [0, 0, 50, 50]},
           {"image_id": 9, "category_id": 2, "bbox": [0, 0, 50, 50]}"#,
    );
    let set = fixture.open("val").unwrap();
    assert_eq!(set.labels, ["person", "dining table"]);
    assert_eq!(rows(&set), [row("a.jpg", &[-1, 1]), row("b.jpg", &[1, -1])]);
    let [labelled] = set.photos[0].boxes[..] else {
        panic!("{:?}", set.photos[0].boxes);
    };
    let corners = [labelled.x0, labelled.y0, labelled.x1, labelled.y1];
    assert_eq!((labelled.label, corners), (1, [0.1, 0.1, 0.6, 0.6]));
    assert!(set.photos[1].boxes.is_empty());
    assert_eq!(set.report.notes.len(), 3, "{}", set.report);
    assert_eq!(set.report.unknown_labels[0].name, "category 2");
}

#[test]
fn one_odd_annotation_costs_its_box_alone() {
    let good = r#"{"image_id": 7, "category_id": 1, "bbox": [20, 10, 100, 50]}"#;
    for (odd, note) in [
        ("", "without a bbox"),
        (r#", "bbox": null"#, "without a bbox"),
        (r#", "bbox": []"#, "without a bbox"),
        (
            r#", "segmentation": [[1, 2, 3, 4, 5, 6]]"#,
            "without a bbox",
        ),
        (r#", "bbox": [1, 2, 3]"#, "not four numbers"),
        (r#", "bbox": [1, 2, 3, 4, 5]"#, "not four numbers"),
        (r#", "bbox": [1, 2, -1, 4]"#, "without an area"),
        (r#", "bbox": [1, 2, 0, 4]"#, "without an area"),
        (r#", "bbox": [1, 2, 3, null]"#, "no finite number"),
        (r#", "bbox": [1, 2, NaN, 4]"#, "no finite number"),
        (
            r#", "bbox": [-Infinity, 2, Infinity, 4]"#,
            "no finite number",
        ),
        (r#", "bbox": [1, 2, 1e999, 4]"#, "no finite number"),
        (r#", "bbox": [1, 2, -1E+400, 4]"#, "no finite number"),
        (r#", "bbox": [1e100, 2, 3, 4]"#, "no finite number"),
        (r#", "bbox": "1 2 3 4""#, "no finite number"),
        (r#", "bbox": {"x": 1}"#, "no finite number"),
        (r#", "bbox": [300, 2, 10, 10]"#, "lies outside its photo"),
        (r#", "bbox": [-40, 2, 10, 10]"#, "lies outside its photo"),
        (r#", "bbox": [1, 2, 3, 4], "iscrowd": true"#, "a crowd"),
        (r#", "bbox": [1, 2, 3, 4], "iscrowd": "1""#, "a crowd"),
    ] {
        let odd = format!(r#"{good}, {{"image_id": 7, "category_id": 90{odd}}}"#);
        let set = fixture(&odd).open("val").unwrap();
        assert_eq!(rows(&set)[0], row("a.jpg", &[1, 1]), "{odd}");
        assert_eq!(corners(&set, 0), [[0.1, 0.1, 0.6, 0.6]], "{odd}");
        let [told] = &set.report.notes[..] else {
            panic!("{}", set.report);
        };
        assert!(
            told.contains(note) && told.contains("instances_val2017.json, annotation 2"),
            "{told}"
        );
    }
}

#[test]
fn numbers_and_ids_of_any_type_are_read() {
    for (image, category, bbox, crowd) in [
        ("7", "90", "[20, 10, 100, 50]", "0"),
        ("7.0", "90.0", "[20.0, 10.0, 100.0, 50.0]", "false"),
        (
            "\"7\"",
            "\"90\"",
            "[\"20\", \"10\", \"100\", \"50.0\"]",
            "null",
        ),
        ("\"0007\"", "\"090\"", "[20, 10, 100, 50]", "\"0\""),
    ] {
        let annotation = format!(
            r#"{{"id": "x", "image_id": {image}, "category_id": {category}, "bbox": {bbox}, "iscrowd": {crowd}}}"#
        );
        let set = fixture(&annotation).open("val").unwrap();
        assert_eq!(rows(&set)[0], row("a.jpg", &[-1, 1]), "{annotation}");
        assert_eq!(corners(&set, 0), [[0.1, 0.1, 0.6, 0.6]], "{annotation}");
        assert!(set.report.notes.is_empty(), "{}", set.report);
    }
    // Ids that are texts everywhere.
    let fixture = fixture("");
    let text = instances(r#"{"image_id": "0007", "category_id": "t", "bbox": [20, 10, 100, 50]}"#)
        .replace("\"id\": 7,", "\"id\": \"0007\",")
        .replace("\"id\": 90", "\"id\": \"t\"")
        .replace("\"width\": 200", "\"width\": \"200\"");
    for bytes in [
        text.clone().into_bytes(),
        format!("\u{feff}{text}").into_bytes(),
        format!("\u{feff}{text}")
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect(),
        text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
    ] {
        fixture.write(FILE, bytes);
        let set = fixture.open("val").unwrap();
        assert_eq!(rows(&set)[0], row("a.jpg", &[-1, 1]));
        assert_eq!(corners(&set, 0), [[0.1, 0.1, 0.6, 0.6]]);
    }
}

#[test]
fn a_photo_whose_thing_nobody_knows_lacks_nothing_for_certain() {
    let odd = r#"{"image_id": 7, "category_id": null, "bbox": [1, 2, 3, 4]},
        {"image_id": 7, "category_id": 1, "bbox": [1, 2, 3, 4]}, null"#;
    let set = fixture(odd).open("val").unwrap();
    assert_eq!(rows(&set), [row("a.jpg", &[1, 0]), row("b.jpg", &[-1, -1])]);
    assert_eq!(set.report.notes.len(), 2, "{}", set.report);
}

#[test]
fn images_and_categories_that_cannot_be_told_apart_are_left_out() {
    let annotation = r#"{"image_id": 7, "category_id": 90, "bbox": [20, 10, 100, 50]}"#;
    let fixture = fixture("");
    let opened = |from: &str, to: &str| {
        fixture.write(FILE, instances(annotation).replace(from, to));
        fixture.open("val").unwrap()
    };
    let more = |more: &str| format!("\"height\": 50}}, {more}]");
    let last = "\"height\": 50}]";
    // The same image again is no harm, another of its id is.
    let set = opened(
        last,
        &more(r#"{"id": 7, "file_name": "a.jpg", "width": 200, "height": 100}"#),
    );
    assert_eq!(rows(&set).len(), 2);
    assert!(set.report.notes.is_empty());
    let set = opened(
        last,
        &more(r#"{"id": 9, "file_name": "c.jpg", "width": 200, "height": 100}"#),
    );
    assert_eq!(rows(&set), [row("a.jpg", &[-1, 1])]);
    assert!(set.report.notes[0].contains("image 3"), "{}", set.report);
    // Two names that mean one photo.
    let set = opened(
        last,
        &more(r#"{"id": 8, "file_name": "./b.jpg", "width": 50, "height": 50}"#),
    );
    assert_eq!(rows(&set), [row("a.jpg", &[-1, 1])]);
    assert!(
        set.report.notes[0].contains("photo of another"),
        "{}",
        set.report
    );
    for odd in ["{\"id\": 3}", "{\"file_name\": \"c.jpg\"}", "null"] {
        let set = opened(last, &more(odd));
        assert_eq!((rows(&set).len(), set.report.notes.len()), (2, 1), "{odd}");
    }
    let last = "\"dining table\"}]";
    let more = |more: &str| format!("\"dining table\"}}, {more}]");
    let set = opened(last, &more(r#"{"id": 1, "name": "chair"}"#));
    assert_eq!(set.labels, ["dining table"]);
    assert!(set.report.notes[0].contains("category 3"), "{}", set.report);
    for odd in [
        "{\"id\": 3}",
        "{\"name\": \"chair\"}",
        "null",
        "{\"id\": 3, \"name\": \" \"}",
    ] {
        let set = opened(last, &more(odd));
        assert_eq!((set.labels.len(), set.report.notes.len()), (2, 1), "{odd}");
    }
    let set = opened(
        last,
        &more(r#"{"id": 3, "name": "Person"}, {"id": 4, "name": 5}"#),
    );
    assert_eq!(set.labels, ["person", "dining table", "5"]);
}

#[test]
fn a_category_that_only_groups_others_is_no_label() {
    let fixture = fixture("");
    let text = |annotated: u8| {
        instances(&format!(
            r#"{{"image_id": 7, "category_id": {annotated}, "bbox": [1, 1, 9, 9]}}"#
        ))
        .replace(
            CATEGORIES,
            r#""categories": [{"id": 0, "name": "animals", "supercategory": "none"},
            {"id": 1, "name": "cat", "supercategory": "animals"},
            {"id": 2, "name": "dog", "supercategory": "animals"},
            {"id": 3, "name": "person", "supercategory": "person"},
            {"id": 4, "name": "tree", "supercategory": "none"}]"#,
        )
    };
    fixture.write(FILE, text(1));
    let set = fixture.open("val").unwrap();
    assert_eq!(set.labels, ["cat", "dog", "person", "tree"]);
    assert_eq!(rows(&set)[0], row("a.jpg", &[1, -1, -1, -1]));
    assert!(
        set.report.notes[0].contains("only groups others"),
        "{}",
        set.report
    );
    // One that something is called by is a label.
    fixture.write(FILE, text(0));
    assert_eq!(fixture.open("val").unwrap().labels[0], "animals");
}

#[test]
fn exports_of_annotation_tools_are_known() {
    let annotations = r#"{"image_id": 7, "category_id": 90, "bbox": [20, 10, 100, 50]}"#;
    for (file, photos, part) in [
        ("train/_annotations.coco.json", "train/", "train"),
        ("valid/_annotations.coco.json", "valid/", "val"),
        ("_annotations.coco.json", "", "photos"),
        ("annotations/instances_default.json", "images/", "default"),
        (
            "annotations/instances_default.json",
            "images/default/",
            "default",
        ),
        ("result.json", "images/", "result"),
        ("labels.json", "data/", "labels"),
        ("annotations/train.json", "train/", "train"),
        ("dogs.JSON", "", "dogs"),
    ] {
        let fixture = Fixture::new();
        let folder = fixture.path().join("photos");
        fixture.photos(&[
            &format!("photos/{photos}a.jpg"),
            &format!("photos/{photos}b.jpg"),
        ]);
        let path = fixture.write(&format!("photos/{file}"), instances(annotations));
        let set = open(&folder, None, Part::Named(part)).unwrap();
        assert_eq!(
            rows(&set),
            [row("a.jpg", &[-1, 1]), row("b.jpg", &[-1, -1])],
            "{file}"
        );
        let set = open(&path, None, Part::Usual("test")).unwrap();
        assert_eq!(set.photos.len(), 2, "{file}");
    }
    // A file of another kind is none.
    let fixture = Fixture::new();
    fixture.write("package.json", "{\"name\": \"images\"}");
    assert!(
        fixture
            .refused("train")
            .contains("no data set of a known kind")
    );
    fixture.write("captions_val2017.json", instances(""));
    assert!(
        fixture
            .refused("train")
            .contains("here are captions_val2017.json, package.json")
    );
}

#[test]
fn names_of_other_computers_find_their_photos() {
    let annotations = r#"{"image_id": 7, "category_id": 90, "bbox": [20, 10, 100, 50]}"#;
    for (a, b) in [
        ("images\\\\a.jpg", "images\\\\b.jpg"),
        ("images/a.jpg", "images/b.jpg"),
        ("../images/a.jpg", "../images/b.jpg"),
        ("/data/upload/1/a.jpg", "/data/upload/1/b.jpg"),
        ("C:\\\\set\\\\a.jpg", "C:\\\\set\\\\b.jpg"),
        ("%61.jpg", "%62.jpg"),
    ] {
        let fixture = Fixture::new();
        fixture.photos(&["images/a.jpg", "images/b.jpg"]);
        let text = instances(annotations)
            .replace("a.jpg", a)
            .replace("b.jpg", b);
        fixture.write("result.json", text);
        let set = fixture.open("result").unwrap();
        assert_eq!(
            rows(&set),
            [row("a.jpg", &[-1, 1]), row("b.jpg", &[-1, -1])],
            "{a}"
        );
    }
}

#[test]
fn one_file_may_be_named_and_photos_lie_beside() {
    let fixture = fixture("");
    let path = fixture.path().join(FILE);
    let set = open(&path, None, Part::Usual("train")).unwrap();
    assert_eq!((set.photos.len(), set.report.missing_photos), (2, 0));
}

#[test]
fn files_without_anything_to_use_are_named() {
    let fixture = fixture("");
    let refused = |text: &str| {
        fixture.write(FILE, text);
        fixture.refused("val2017")
    };
    let cut = refused(&instances("")[..200]);
    assert!(cut.starts_with(&format!("{FILE} line ")), "{cut}");
    let label = r#"{"image_id": 7, "category_id": 1}"#;
    for (text, expected) in [
        ("[]".to_owned(), "not COCO instances ("),
        ("{}".to_owned(), "it has no list “images”"),
        (
            format!("{{{IMAGES}, {CATEGORIES}}}"),
            "it has no list “annotations”",
        ),
        (
            format!("{{{IMAGES}, \"annotations\": []}}"),
            "it has no list “categories”",
        ),
        (
            instances(r#"{"image_id": 6, "category_id": 1}"#),
            "an annotation of no listed image (left out): once, in instances_val2017.json, annotation 1",
        ),
        (
            instances(r#"{"image_id": 7}"#),
            "an annotation without a category_id",
        ),
        (
            instances(label).replace("\"id\": 9,", "\"id\": 7,"),
            "an image with the id of another",
        ),
        (
            instances(label).replace("\"id\": 90", "\"id\": 1"),
            "a category with the id of another",
        ),
    ] {
        let refused = refused(&text);
        assert!(
            refused.starts_with(FILE) && refused.contains(expected),
            "{refused}"
        );
    }
}

/// A photo of 32 x 20 stored pixels that EXIF turns.
fn turned(orientation: u8) -> Vec<u8> {
    let mut jpeg = Vec::new();
    let stored = image::RgbImage::new(32, 20);
    stored
        .write_to(
            &mut std::io::Cursor::new(&mut jpeg),
            image::ImageFormat::Jpeg,
        )
        .unwrap();
    let mut exif = b"\xff\xe1\0\x22Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    exif.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
    [&jpeg[..2], &exif, &jpeg[2..]].concat()
}

#[test]
fn boxes_in_stored_pixels_are_turned_with_their_photo() {
    // The upper left eighth of the stored photo: x to 8 of 32, y to 10 of 20.
    let annotations = r#"{"image_id": 7, "category_id": 90, "bbox": [0, 0, 8, 10]}"#;
    let fixture = Fixture::new();
    let opened = |orientation: u8, size: &str| {
        fixture.write("val2017/a.jpg", turned(orientation));
        let size = format!("\"a.jpg\"{size}");
        let text =
            instances(annotations).replace("\"a.jpg\", \"width\": 200, \"height\": 100", &size);
        fixture.write(FILE, text);
        let set = fixture.open("val").unwrap();
        (corners(&set, 0), set.report.notes.join("\n"))
    };
    let stored = ", \"width\": 32, \"height\": 20";
    let upright = ", \"width\": 20, \"height\": 32";
    for (orientation, expected) in [
        (1, [0.0, 0.0, 0.25, 0.5]),
        (5, [0.0, 0.0, 0.5, 0.25]),
        (6, [0.5, 0.0, 1.0, 0.25]),
        (7, [0.5, 0.75, 1.0, 1.0]),
        (8, [0.0, 0.75, 0.5, 1.0]),
    ] {
        let (corners, notes) = opened(orientation, stored);
        assert_eq!(corners, [expected], "{orientation}");
        assert_eq!(
            notes.contains("boxes in stored pixels"),
            orientation > 1,
            "{notes}"
        );
        // A copy of half the size says the same.
        let halved = opened(orientation, ", \"width\": 16, \"height\": 10").0;
        assert_eq!(halved.len(), 1);
        if orientation > 1 {
            let (corners, notes) = opened(orientation, upright);
            assert_eq!(corners, [[0.0, 0.0, 0.4, 0.3125]], "{orientation}");
            assert!(notes.is_empty(), "{notes}");
            let (corners, notes) = opened(orientation, "");
            assert!(
                corners.is_empty() && notes.contains("nothing says whether"),
                "{notes}"
            );
        }
        let (corners, notes) = opened(orientation, ", \"width\": 30, \"height\": 30");
        assert!(
            corners.is_empty() && notes.contains("fit neither"),
            "{notes}"
        );
    }
    for orientation in 2..=4 {
        let (corners, notes) = opened(orientation, stored);
        assert!(
            corners.is_empty() && notes.contains("nothing says whether"),
            "{notes}"
        );
    }
    for size in [
        "",
        ", \"width\": 0, \"height\": null",
        ", \"width\": NaN, \"height\": -1",
    ] {
        let (corners, notes) = opened(1, size);
        assert_eq!(corners, [[0.0, 0.0, 0.25, 0.5]], "{size}");
        assert!(notes.contains("its own were taken"), "{notes}");
    }
}

#[test]
fn turned_photos_that_do_not_say_it_follow_those_that_do() {
    let fixture = Fixture::new();
    fixture.write("val2017/a.jpg", turned(6));
    fixture.write("val2017/b.jpg", turned(3));
    let text = instances(
        r#"{"image_id": 7, "category_id": 90, "bbox": [0, 0, 8, 10]},
           {"image_id": 9, "category_id": 90, "bbox": [0, 0, 8, 10]}"#,
    );
    let text = text.replace(
        "\"width\": 200, \"height\": 100",
        "\"width\": 32, \"height\": 20",
    );
    let text = text.replace(
        "\"width\": 50, \"height\": 50",
        "\"width\": 32, \"height\": 20",
    );
    fixture.write(FILE, text);
    let set = fixture.open("val").unwrap();
    assert_eq!(corners(&set, 0), [[0.5, 0.0, 1.0, 0.25]]);
    assert_eq!(corners(&set, 1), [[0.75, 0.5, 1.0, 1.0]]);
    let notes = set.report.notes.join("\n");
    assert!(notes.contains("taken as in the others"), "{notes}");
}
