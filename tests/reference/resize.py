"""Writes the pictures in tests/reference/resize that the crate's resizes must reproduce.

    python tests/reference/resize.py [photos...]

Every NAME.in.png was made here; NAME.out.png is what Pillow 13 makes of it (earlier versions
always filter columns first, which shows in the case "tall"): NAME.out.png bicubic,
NAME.bilinear.png bilinear and squashed to a square, NAME.crop.png bilinear with torchvision's
Resize(side) and CenterCrop(side).
With photos as arguments it writes, for each, the decoded PHOTO.rgb.png and its PHOTO.448.png into
the working folder instead, for a comparison on whole photos.
"""

import pathlib
import sys

import numpy
from PIL import Image

# name: (width, height) of the input, (width, height) of the output
CASES = {
    "up_to_network": ((5, 3), (448, 448)),
    "down": ((151, 103), (28, 28)),
    "odd": ((97, 61), (33, 47)),
    "nearly_equal": ((64, 50), (63, 51)),
    "tall": ((41, 97), (28, 28)),
    "wider_and_flatter": ((31, 90), (70, 20)),
    "twice_exactly": ((40, 60), (30, 40)),
    "same_width": ((40, 90), (40, 17)),
    "same_height": ((90, 40), (17, 40)),
    "same": ((9, 7), (9, 7)),
    "one_pixel": ((1, 1), (9, 11)),
    "to_one_pixel": ((64, 40), (1, 1)),
    "flat_strip": ((700, 2), (24, 24)),
    "tall_strip": ((1, 500), (24, 24)),
}
# name: side of the squares
SQUARES = {"down": 28, "odd": 33, "tall": 28, "up_to_network": 40, "flat_strip": 24, "same_height": 40}


def centre_crop(picture, side):
    """torchvision's Resize(side) and CenterCrop(side)."""
    width, height = picture.size
    short, long = sorted((width, height))
    scaled = int(side * long / short)
    size = (side, scaled) if width <= height else (scaled, side)
    if size != picture.size:
        picture = picture.resize(size, Image.BILINEAR)
    left, top = (int(round((length - side) / 2.0)) for length in size)
    return picture.crop((left, top, left + side, top + side))


def picture(width, height, seed):
    """Hard edges, ramps and noise: overshoot on both sides and every rounding."""
    random = numpy.random.default_rng(seed)
    y, x = numpy.mgrid[0:height, 0:width]
    ramp = numpy.stack([x * 255 / max(width - 1, 1), y * 255 / max(height - 1, 1), (x + y) % 256], -1)
    edges = ((x // 7 + y // 5) % 2)[..., None] * 255
    noise = random.integers(0, 256, (height, width, 3))
    parts = numpy.stack([ramp, numpy.broadcast_to(edges, ramp.shape), noise])
    choice = random.integers(0, 3, (height, width))
    mixed = numpy.take_along_axis(parts, numpy.broadcast_to(choice[None, ..., None], (1, *ramp.shape)), 0)[0]
    return Image.fromarray(mixed.astype(numpy.uint8), "RGB")


def main():
    if len(sys.argv) > 1:
        for name in sys.argv[1:]:
            photo = Image.open(name).convert("RGB")
            stem = pathlib.Path(name).stem
            photo.save(f"{stem}.rgb.png", compress_level=1)
            photo.resize((448, 448), Image.BICUBIC).save(f"{stem}.448.png")
        return
    folder = pathlib.Path(__file__).parent / "resize"
    folder.mkdir(exist_ok=True)
    for seed, (name, (source, target)) in enumerate(CASES.items()):
        before = picture(*source, seed)
        before.save(folder / f"{name}.in.png", optimize=True)
        before.resize(target, Image.BICUBIC).save(folder / f"{name}.out.png", optimize=True)
        if name in SQUARES:
            side = SQUARES[name]
            squashed = before.resize((side, side), Image.BILINEAR)
            squashed.save(folder / f"{name}.bilinear.png", optimize=True)
            centre_crop(before, side).save(folder / f"{name}.crop.png", optimize=True)


if __name__ == "__main__":
    main()
