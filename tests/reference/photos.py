"""Writes the small pictures in tests/photos that tests/bad_photos.rs opens.

    python tests/reference/photos.py

All but the damaged ones show the same 24 x 16 scene: red above left, green above right, blue below
left, white below right, so that a wrong turn or a wrong colour shows.
"""

import pathlib

import numpy
from PIL import Image

FOLDER = pathlib.Path(__file__).parent.parent / "photos"
WIDTH, HEIGHT = 24, 16


def scene():
    pixels = numpy.zeros((HEIGHT, WIDTH, 3), numpy.uint8)
    pixels[:8, :12] = 255, 0, 0
    pixels[:8, 12:] = 0, 255, 0
    pixels[8:, :12] = 0, 0, 255
    pixels[8:, 12:] = 255, 255, 255
    return Image.fromarray(pixels)


# What a camera held that way stores so that turning it as the tag asks gives the scene again.
STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def main():
    FOLDER.mkdir(exist_ok=True)
    upright = scene()
    for tag, transpose in STORED.items():
        stored = upright if transpose is None else upright.transpose(transpose)
        exif = Image.Exif()
        exif[0x0112] = tag
        stored.save(FOLDER / f"orientation{tag}.jpg", quality=95, subsampling=0, exif=exif)
    upright.convert("CMYK").save(FOLDER / "cmyk.jpg", quality=95)
    upright.save(FOLDER / "progressive.jpg", quality=95, subsampling=0, progressive=True)
    upright.convert("L").save(FOLDER / "grey.jpg", quality=95)
    upright.convert("LA").save(FOLDER / "grey_alpha.png")
    clear = upright.convert("RGBA")
    clear.putalpha(Image.fromarray(numpy.where(numpy.arange(WIDTH) < 12, 255, 0).astype(numpy.uint8)[None].repeat(HEIGHT, 0)))
    clear.save(FOLDER / "right_half_clear.png")
    clear.save(FOLDER / "right_half_clear.webp", lossless=True)
    upright.convert("P", palette=Image.Palette.ADAPTIVE).save(FOLDER / "palette.png")
    ramp = (numpy.arange(WIDTH * HEIGHT).reshape(HEIGHT, WIDTH) * 65535 // (WIDTH * HEIGHT - 1)).astype(numpy.uint16)
    Image.fromarray(ramp).save(FOLDER / "grey16.png")
    black = Image.new("RGB", upright.size)
    for name, options in (("two_frames.gif", {}), ("two_frames.webp", {"lossless": True}), ("two_frames.png", {})):
        upright.save(FOLDER / name, save_all=True, append_images=[black], duration=200, **options)
    upright.save(FOLDER / "scene.bmp")
    upright.save(FOLDER / "scene.tiff", compression="tiff_lzw")
    upright.save(FOLDER / "scene.ppm")
    upright.save(FOLDER / "png_named.jpg", format="PNG")
    Image.new("RGB", (1, 1), (10, 200, 30)).save(FOLDER / "one_pixel.png")


if __name__ == "__main__":
    main()
