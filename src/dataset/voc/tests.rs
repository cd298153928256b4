use super::super::testing::{Fixture, row, rows};
use crate::dataset::Dataset;

const DOG_AND_HARD_CAT: &str = "<annotation>
    <size><width>200</width><height>100</height><depth>3</depth></size>
    <object><name>dog</name><difficult>0</difficult>
        <bndbox><xmin>1</xmin><ymin>11</ymin><xmax>100.5</xmax><ymax>50</ymax></bndbox>
        <part><name>head</name>
            <bndbox><xmin>5</xmin><ymin>5</ymin><xmax>6</xmax><ymax>6</ymax></bndbox></part>
    </object>
    <object><name>cat</name><difficult>1</difficult>
        <bndbox><ymin>1</ymin><xmin>1</xmin><ymax>5</ymax><xmax>5</xmax></bndbox></object>
    </annotation>";
const PLANE: &str = "<annotation>
    <size><width>10</width><height>10</height></size>
    <object><name>aeroplane</name>
        <bndbox><xmin>1</xmin><ymin>1</ymin><xmax>10</xmax><ymax>10</ymax></bndbox></object>
    </annotation>";

fn fixture() -> Fixture {
    let fixture = Fixture::new();
    fixture.write(
        "ImageSets/Main/val.txt",
        "2008_1\r\n2008_2\r\n2008_3\r\n2008_4\r\n",
    );
    fixture.write("ImageSets/Main/sheep_val.txt", "2008_1 -1\n");
    fixture.write("Annotations/2008_1.xml", DOG_AND_HARD_CAT);
    fixture.write("Annotations/2008_2.xml", PLANE);
    fixture.write("Annotations/2008_3.xml", PLANE);
    fixture.photos(&["JPEGImages/2008_1.jpg", "JPEGImages/2008_2.jpg"]);
    fixture
}

#[test]
fn difficult_things_are_unknown_and_classes_complete() {
    let set = fixture().open("val").unwrap();
    assert_eq!(set.labels, ["aeroplane", "cat", "dog", "sheep"]);
    assert_eq!(
        rows(&set),
        [
            row("2008_1.jpg", &[-1, 0, 1, -1]),
            row("2008_2.jpg", &[1, -1, -1, -1])
        ]
    );
    let [labelled] = set.photos[0].boxes[..] else {
        panic!("{:?}", set.photos[0].boxes);
    };
    let corners = [labelled.x0, labelled.y0, labelled.x1, labelled.y1];
    assert_eq!((labelled.label, corners), (2, [0.0, 0.1, 0.5025, 0.5]));
    assert_eq!(set.report.missing_photos, 1);
    assert_eq!(
        set.report.notes,
        ["1 photos have no annotation and were left out"]
    );
}

#[test]
fn classes_can_have_other_names() {
    let fixture = fixture();
    fixture.write("names.tsv", "aeroplane\tairplane\n");
    let set = fixture.open("val").unwrap();
    assert_eq!(set.labels[0], "airplane");
    assert_eq!(set.photos[1].labels.positives, [0]);
}

#[test]
fn lists_of_one_class_are_no_parts() {
    let error = fixture().refused("train");
    assert!(
        error.ends_with("no part “train”: it has val; choose one with --part"),
        "{error}"
    );
}

fn opened(xml: &str) -> Dataset {
    let fixture = fixture();
    fixture.write("Annotations/2008_2.xml", xml);
    fixture.open("val").unwrap()
}

#[test]
fn one_odd_object_costs_its_box_alone() {
    let bounds = "<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>10</xmax><ymax>10</ymax></bndbox>";
    assert!(PLANE.contains(bounds));
    for (from, to, note) in [
        (bounds, "", "without a <bndbox>"),
        (
            bounds,
            "<polygon><x1>1</x1><y1>1</y1></polygon>",
            "without a <bndbox>",
        ),
        (
            bounds,
            "<robndbox><cx>1</cx></robndbox>",
            "without a <bndbox>",
        ),
        ("<xmin>1</xmin>", "<xmin>one</xmin>", "without four numbers"),
        ("<xmin>1</xmin>", "<xmin>nan</xmin>", "without four numbers"),
        ("<xmin>1</xmin>", "<xmin/>", "without four numbers"),
        ("<ymax>10</ymax>", "", "without four numbers"),
        ("<xmin>1</xmin>", "<xmin>11</xmin>", "exchanged corners"),
        ("<ymin>1</ymin>", "<ymin>11</ymin>", "exchanged corners"),
        (
            "<xmin>1</xmin><ymin>1</ymin><xmax>10</xmax>",
            "<xmin>20</xmin><ymin>1</ymin><xmax>30</xmax>",
            "lies outside",
        ),
    ] {
        let set = opened(&PLANE.replace(from, to));
        assert_eq!(set.photos[1].labels.positives, [0], "{to}");
        assert!(set.photos[1].boxes.is_empty(), "{to}");
        let told = set
            .report
            .notes
            .iter()
            .any(|told| told.contains(note) && told.ends_with("2008_2.xml line 3"));
        assert!(told, "{note}: {}", set.report);
    }
}

#[test]
fn a_size_that_is_missing_is_told() {
    for size in [
        "",
        "<size><width>0</width><height>0</height></size>",
        "<size><width>10</width></size>",
        "<size><width>x</width><height>-1</height></size>",
    ] {
        let set = opened(&PLANE.replace("<size><width>10</width><height>10</height></size>", size));
        assert_eq!(set.photos[1].labels.positives, [0], "{size}");
        // The photo of this test cannot be read.
        assert!(set.photos[1].boxes.is_empty(), "{size}");
        assert!(
            set.report.notes[1].contains("without a listed width"),
            "{}",
            set.report
        );
    }
    let fixture = fixture();
    let xml = PLANE.replace("<size><width>10</width><height>10</height></size>", "");
    fixture.write("Annotations/2008_2.xml", xml);
    let path = fixture.path().join("JPEGImages/2008_2.jpg");
    image::RgbImage::new(20, 40).save(path).unwrap();
    let set = fixture.open("val").unwrap();
    let corner = set.photos[1].boxes[0];
    assert_eq!((corner.x1, corner.y1), (0.5, 0.25));
    assert!(
        set.report.notes[1].contains("its own were taken"),
        "{}",
        set.report
    );
}

#[test]
fn an_object_without_a_name_makes_the_rest_uncertain() {
    for name in ["<name> </name>", "", "<name/>"] {
        let object = "<object><name>aeroplane</name>";
        let odd = format!("<object>{name}</object>{object}");
        let set = opened(&PLANE.replace(object, &odd));
        assert_eq!(rows(&set)[1], row("2008_2.jpg", &[1, 0, 0, 0]), "{name}");
        assert!(
            set.report.notes[1].contains("without a <name>"),
            "{}",
            set.report
        );
    }
}

#[test]
fn annotations_that_cannot_be_read_cost_their_photo() {
    for (xml, expected) in [
        (
            PLANE.replace("</object>", ""),
            "2008_2.xml line 5: not a VOC annotation (",
        ),
        (
            PLANE.replace("annotation>", "html>"),
            "2008_2.xml line 1: not a VOC annotation (its root is <html>)",
        ),
        (
            "<!DOCTYPE a [<!ENTITY x \"xx\">]><annotation>&x;</annotation>".to_owned(),
            "2008_2.xml line 1: not a VOC annotation (it declares entities)",
        ),
        (
            "<?xml version='1.0' encoding='klingon'?><annotation/>".to_owned(),
            "2008_2.xml: it declares the encoding “klingon”",
        ),
        (String::new(), "the file is empty"),
    ] {
        let set = opened(&xml);
        assert_eq!(rows(&set).len(), 1);
        let note = &set.report.notes[1];
        assert!(
            note.starts_with("an annotation that cannot be read") && note.contains(expected),
            "{note}"
        );
    }
    // Where nothing else is there, the set is refused.
    let fixture = fixture();
    fixture.write("ImageSets/Main/val.txt", "2008_2\n");
    fixture.write("Annotations/2008_2.xml", "<annotation>");
    let refused = fixture.refused("val");
    assert!(
        refused
            .contains("nothing of the part “val” can be used; an annotation that cannot be read"),
        "{refused}"
    );
    fixture.write("ImageSets/Main/val.txt", "2008_9\n");
    let refused = fixture.refused("val");
    assert!(
        refused.contains("none of its 1 photos has an annotation"),
        "{refused}"
    );
    fixture.write("ImageSets/Main/val.txt", "../secret\n");
    let outside = fixture.refused("val");
    assert!(
        outside.contains("val.txt line 1: “../secret” is not the name"),
        "{outside}"
    );
}

#[test]
fn encodings_and_document_types_are_honoured() {
    let gb2312 = b"<?xml version=\"1.0\" encoding=\"GB2312\"?><annotation><object><name>\xc3\xa8</name></object></annotation>";
    let fixture = fixture();
    fixture.write("Annotations/2008_2.xml", gb2312);
    let set = fixture.open("val").unwrap();
    assert!(set.labels.contains(&"猫".to_owned()), "{:?}", set.labels);
    let typed = format!("<!DOCTYPE annotation SYSTEM \"voc.dtd\">{PLANE}");
    assert_eq!(opened(&typed).photos[1].labels.positives, [0]);
    let escaped = PLANE.replace("aeroplane", "<![CDATA[rock]]> &amp; <!-- no -->roll");
    assert!(opened(&escaped).labels.contains(&"rock & roll".to_owned()));
}

#[test]
fn photos_have_any_ending_or_the_name_that_the_annotation_gives() {
    for (photo, filename) in [
        ("JPEGImages/2008_3.png", ""),
        ("JPEGImages/2008_3.JPG", ""),
        ("JPEGImages/2008_3.jpeg", "<filename>other.jpg</filename>"),
        ("JPEGImages/IMG 7.png", "<filename>IMG 7.png</filename>"),
        (
            "JPEGImages/IMG 7.png",
            "<filename>C:\\photos\\IMG 7.png</filename>",
        ),
        // Another annotation's photo is not taken.
        ("JPEGImages/2008_3.png", "<filename>2008_1.jpg</filename>"),
    ] {
        let fixture = fixture();
        fixture.photos(&[photo]);
        let xml = PLANE.replace("<size>", &format!("{filename}<size>"));
        fixture.write("Annotations/2008_3.xml", xml);
        let set = fixture.open("val").unwrap();
        assert!(
            set.photos[2].path.ends_with(photo),
            "{:?}",
            set.photos[2].path
        );
    }
    let fixture = fixture();
    fixture.write(
        "Annotations/2008_3.xml",
        PLANE.replace("<size>", "<filename>2008_1.jpg</filename><size>"),
    );
    assert_eq!(fixture.open("val").unwrap().photos.len(), 2);
    fixture.photos(&["JPEGImages/2008_3.png", "JPEGImages/2008_3.bmp"]);
    let set = fixture.open("val").unwrap();
    assert!(
        set.report.notes[1].contains("several photos of its name"),
        "{}",
        set.report
    );
}

#[test]
fn lists_may_have_endings_and_sets_no_lists() {
    let fixture = fixture();
    fixture.write("ImageSets/Main/val.txt", "2008_1.jpg\n2008_2.xml\n");
    assert_eq!(fixture.open("val").unwrap().photos.len(), 2);
    fixture.write("ImageSets/Main/val.txt", "2008_1.jpg\n2008_2.jpg -1\n");
    assert_eq!(fixture.open("val").unwrap().photos.len(), 2);
    let fixture = Fixture::new();
    fixture.write("annotations/a b.xml", PLANE);
    fixture.photos(&["images/a b.png"]);
    assert_eq!(fixture.open("all").unwrap().photos.len(), 1);
}
