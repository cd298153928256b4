//! Sample photos inside the program, so that it has something to show from the first second.

/// A sample's name and its JPEG file.
type Sample = (&'static str, &'static [u8]);

const SAMPLES: [Sample; 9] = [
    ("room.jpg", include_bytes!("../../assets/photos/room.jpg")),
    (
        "musicians.jpg",
        include_bytes!("../../assets/photos/musicians.jpg"),
    ),
    (
        "horses.jpg",
        include_bytes!("../../assets/photos/horses.jpg"),
    ),
    ("rome.jpg", include_bytes!("../../assets/photos/rome.jpg")),
    (
        "kitten.jpg",
        include_bytes!("../../assets/photos/kitten.jpg"),
    ),
    ("dogs.jpg", include_bytes!("../../assets/photos/dogs.jpg")),
    (
        "mountains.jpg",
        include_bytes!("../../assets/photos/mountains.jpg"),
    ),
    ("lunch.jpg", include_bytes!("../../assets/photos/lunch.jpg")),
    (
        "coffee.jpg",
        include_bytes!("../../assets/photos/coffee.jpg"),
    ),
];

/// The samples' names; the first is the one to open with.
pub fn names() -> impl Iterator<Item = &'static str> {
    SAMPLES.iter().map(|(name, _)| *name)
}

/// The JPEG file of a sample.
pub fn bytes(name: &str) -> Option<&'static [u8]> {
    SAMPLES
        .iter()
        .find(|(sample, _)| *sample == name)
        .map(|(_, bytes)| *bytes)
}

/// Labels that show on the first sample what the program does: one that was taught by name, one
/// that was never trained, one that was seen, one that is not there.
pub fn first_labels() -> Vec<String> {
    ["drum", "bottle", "window", "giraffe"]
        .map(str::to_owned)
        .into()
}
