"""Writes the small files in tests/photos/kinds that tests/photo_kinds.rs opens: members of every kind of
JPEG layout, TIFF, BMP, PNG, PNM and WebP that people have, with orientation and colour profiles wherever
they can stand.

    python tests/reference/real_photos.py      # needs Pillow, NumPy, tifffile and imagecodecs

A file's name is WHAT.REFERENCE.ENDING: it must look like tests/photos/kinds/REFERENCE.png, which comes
from the picture itself or from Pillow.
"""

import io
import pathlib
import struct
import zlib

import numpy
import tifffile
from jpeg_encoder import encode, segment
from PIL import Image, ImageCms
from tiff_writer import packed_bits, shared_chroma, write

FOLDER = pathlib.Path(__file__).parent.parent / "photos" / "kinds"
WIDTH, HEIGHT = 37, 29
DOWN, ACROSS = numpy.mgrid[:HEIGHT, :WIDTH]
# Smooth, so that coarse chroma does not show, and nowhere alike.
COLOUR = numpy.stack([ACROSS * 6 + 20, DOWN * 8 + 15, 250 - ACROSS * 3 - DOWN * 4], -1).astype(numpy.uint8)
ALPHA = (ACROSS * 5 + DOWN * 2).clip(0, 255).astype(numpy.uint8)
PICTURE = Image.fromarray(COLOUR)
GREY = numpy.asarray(PICTURE.convert("L"))
BITS = GREY > 128
UPRIGHT = PICTURE.transpose(Image.Transpose.ROTATE_270)


def over_white(colours):
    share = ALPHA[..., None] / 255
    return (colours.reshape(HEIGHT, WIDTH, -1) * share + 255 * (1 - share)).round().astype(numpy.uint8)


def save(name, data):
    (FOLDER / name).write_bytes(data)


def picture(name, pixels):
    if isinstance(pixels, numpy.ndarray):
        pixels = Image.fromarray(pixels.squeeze())
    pixels.convert("RGB").save(FOLDER / f"{name}.png")


def references():
    picture("colour", COLOUR)
    picture("grey", GREY)
    picture("black_white", (BITS * 255).astype(numpy.uint8))
    picture("colour_over_white", over_white(COLOUR))
    picture("grey_over_white", over_white(GREY))
    picture("upright", UPRIGHT)
    picture("five_bits", (COLOUR >> 3 << 3) | (COLOUR >> 5))
    picture("two_bits", (GREY >> 6) * 85)


# JPEG

JFIF = segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0")
LUMA_CHROMA = list(numpy.moveaxis(numpy.asarray(PICTURE.convert("YCbCr")), -1, 0))
CHANNELS = list(numpy.moveaxis(COLOUR, -1, 0))


def adobe(transform):
    return segment(0xEE, b"Adobe\0\x64\0\0\0\0" + bytes([transform]))


def jpeg_layouts():
    one = (1, 1)
    layouts = [(luma, one, one) for luma in ((1, 1), (2, 1), (1, 2), (2, 2), (3, 1), (1, 3), (4, 1), (1, 4), (3, 2), (2, 3), (4, 2))]
    layouts += [(one, (2, 2), (2, 2)), (one, (2, 1), (2, 1)), (one, (1, 2), (1, 2)), ((2, 2), (2, 1), (1, 2)), ((1, 2), (2, 1), one)]
    layouts += [((2, 2), (2, 2), one), ((2, 1), (2, 1), (2, 1)), ((3, 1), (2, 1), (2, 1)), ((3, 2), (2, 1), one), (one, (3, 1), (1, 3))]
    orders = {"one": None, "each": [[0], [1], [2]], "luma_first": [[0], [1, 2]], "turned": [[2], [0, 1]]}
    for layout in layouts:
        factors = "_".join(f"{across}{down}" for across, down in layout)
        for order, scans in orders.items():
            for restart in (0, 3) if order in ("one", "each") else (0,):
                name = f"{factors}_{order}" + ("_restart" if restart else "")
                save(f"{name}.colour.jpg", encode(LUMA_CHROMA, layout, scans, restart, segments=JFIF))
    usual = [(2, 2), one, one]
    save("extended.colour.jpg", encode(LUMA_CHROMA, usual, process=1, segments=JFIF))
    save("late_height.colour.jpg", encode(LUMA_CHROMA, usual, segments=JFIF, lines=False))
    for factor in (one, (2, 2), (4, 1)):
        name = f"grey_{factor[0]}{factor[1]}"
        save(f"{name}.grey.jpg", encode([GREY], [factor], segments=JFIF))
        save(f"{name}_restart.grey.jpg", encode([GREY], [factor], restart=3, segments=JFIF))
    three = [one] * 3
    save("rgb_by_adobe.colour.jpg", encode(CHANNELS, three, segments=adobe(0)))
    save("rgb_by_names.colour.jpg", encode(CHANNELS, three, ids=b"RGB"))
    save("names_from_0.colour.jpg", encode(LUMA_CHROMA, three, ids=(0, 1, 2)))
    save("adobe_1.colour.jpg", encode(LUMA_CHROMA, three, segments=adobe(1)))
    full = numpy.full((HEIGHT, WIDTH), 255)
    save("cmyk.colour.jpg", encode([*CHANNELS, full], [one] * 4, segments=adobe(0)))
    save("cmyk_no_adobe.colour.jpg", encode([*CHANNELS, full], [one] * 4))
    # Luma and chroma of the inks, of which 255 is none.
    inks = numpy.asarray(Image.fromarray(255 - COLOUR).convert("YCbCr"))
    ycck = [*numpy.moveaxis(inks, -1, 0), full]
    save("ycck.colour.jpg", encode(ycck, [one] * 4, segments=adobe(2)))
    save("ycck_each.colour.jpg", encode(ycck, [(2, 2), one, one, (2, 2)], [[0], [1], [2], [3]], segments=adobe(2)))


def progressive_jpegs():
    for name, options in {"444": {"subsampling": 0}, "422": {"subsampling": 1}, "420": {"subsampling": 2}}.items():
        for restart in (0, 2):
            ending = "_restart" if restart else ""
            data = saved(PICTURE, "JPEG", quality=98, progressive=True, restart_marker_blocks=restart, **options)
            save(f"progressive_{name}{ending}.colour.jpg", data)
    # Steep enough that a decoder's rounding shows.
    noise = numpy.random.default_rng(1).integers(-40, 40, COLOUR.shape)
    rough = Image.fromarray((COLOUR + noise).clip(0, 255).astype(numpy.uint8))
    for subsampling in (0, 1, 2):
        for quality in (30, 90):
            data = saved(rough, "JPEG", quality=quality, progressive=True, subsampling=subsampling)
            name = f"rough_{subsampling}_{quality}"
            picture(name, Image.open(io.BytesIO(data)))
            save(f"{name}.{name}.jpg", data)
    save("progressive.grey.jpg", saved(Image.fromarray(GREY), "JPEG", quality=98, progressive=True))


def saved(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


# TIFF


def tiff(name, data, **options):
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, data, metadata=None, **options)
    save(f"{name}.tif", buffer.getvalue())


def tiffs():
    colour_alpha, grey_alpha = numpy.dstack([COLOUR, ALPHA]), numpy.dstack([GREY, ALPHA])
    multiplied = numpy.dstack([(COLOUR * (ALPHA[..., None] / 255)).round().astype(numpy.uint8), ALPHA])
    for kind, factor in (("u1", 1), ("u2", 257), ("u4", 16843009), ("f2", 1 / 255), ("f4", 1 / 255), ("f8", 1 / 255)):
        def to(values, kind=kind, factor=factor):
            return (values.astype(float) * factor).astype(kind)

        tiff(f"{kind}.colour", to(COLOUR), photometric="rgb")
        tiff(f"{kind}_big_endian.colour", to(COLOUR), photometric="rgb", byteorder=">")
        tiff(f"{kind}_planes.colour", to(COLOUR).transpose(2, 0, 1), photometric="rgb", planarconfig="separate")
        tiff(f"{kind}.grey", to(GREY), photometric="minisblack")
        tiff(f"{kind}_white_is_zero.grey", to(255 - GREY), photometric="miniswhite")
        tiff(f"{kind}_straight.colour_over_white", to(colour_alpha), photometric="rgb", extrasamples=["unassalpha"])
        tiff(f"{kind}_multiplied.colour_over_white", to(multiplied), photometric="rgb", extrasamples=["assocalpha"])
        tiff(f"{kind}_straight.grey_over_white", to(grey_alpha), photometric="minisblack", extrasamples=["unassalpha"])
        predictor = 3 if kind[0] == "f" else 2
        for method in ("lzw", "deflate"):
            options = {"photometric": "rgb", "compression": method, "predictor": predictor}
            tiff(f"{kind}_{method}.colour", to(COLOUR), **options)
        tiff(f"{kind}_tiles.colour", to(COLOUR), photometric="rgb", tile=(16, 16))
    for kind in ("i1", "i2", "i4"):
        tiff(f"{kind}.colour", (COLOUR // 2).astype(kind), photometric="rgb")
    for kind in ("f2", "f4", "f8"):
        tiff(f"{kind}_to_255.colour", COLOUR.astype(kind), photometric="rgb")
    tiff("packed.colour", COLOUR, photometric="rgb", compression="packbits")
    tiff("unknown_fourth.colour", colour_alpha, photometric="rgb", extrasamples=["unspecified"])
    tiff("bits.black_white", BITS, photometric="minisblack")
    tiff("bits_white_is_zero.black_white", ~BITS, photometric="miniswhite")
    tiff("two_bits.two_bits", GREY >> 6, photometric="minisblack", bitspersample=2)
    inks = numpy.dstack([255 - COLOUR, numpy.zeros_like(ALPHA)])
    tiff("inks.colour", inks, photometric="separated")
    tiff("inks_16.colour", inks.astype("u2") * 257, photometric="separated")
    tiff("other_inks.colour", inks, photometric="separated", extratags=[(332, "H", 1, 2, True)])
    tiff("preview.colour", COLOUR, photometric="rgb", subfiletype=1)
    tiff("lab.colour", COLOUR, photometric="cielab")
    tiff("big.colour", COLOUR, photometric="rgb", bigtiff=True)
    tiff("turned.upright", COLOUR, photometric="rgb", extratags=[(274, "H", 1, 6, True)])
    tiff("palette.grey", GREY, photometric="palette", colormap=numpy.tile(numpy.arange(256, dtype="u2") * 257, (3, 1)))


def by_hand(name, chunks, photometric, bits, extra=(), order="<", **other):
    """A TIFF whose samples lie in `chunks`; `other` maps t273 and the like to type and values."""
    rows = -(-HEIGHT // len(chunks))
    tags = {256: ("H", [WIDTH]), 257: ("H", [HEIGHT]), 258: ("H", bits), 262: ("H", [photometric])}
    tags |= {259: ("H", [1]), 277: ("H", [len(bits)]), 278: ("H", [rows])}
    if extra:
        tags[338] = ("H", extra)
    tags |= {int(tag[1:]): value for tag, value in other.items()}
    data = write(chunks, tags, order)
    save(f"{name}.tif", data)
    return data


def as_pillow(name, data, reference):
    """The reference is what Pillow reads."""
    save(f"{name}.{reference}.tif", data)
    picture(reference, Image.open(io.BytesIO(data)).convert("RGB"))


def palettes():
    for bits in (1, 2, 4, 8):
        index = GREY >> (8 - bits)
        level = numpy.arange(1 << bits) * 255 // ((1 << bits) - 1)
        colours = numpy.stack([255 - level, level, level // 2])
        picture(f"painted_{bits}", colours.T[index].astype(numpy.uint8))
        rows = b"".join(packed_bits(index, bits))
        wide = {"t320": ("H", (colours * 257).ravel().tolist())}
        by_hand(f"palette_{bits}.painted_{bits}", [rows], 3, [bits], **wide)
        by_hand(f"palette_{bits}_big_endian.painted_{bits}", [rows], 3, [bits], order=">", **wide)
        by_hand(f"palette_{bits}_deflate.painted_{bits}", [zlib.compress(rows)], 3, [bits], **wide, t259=("H", [8]))
        turned = bytes(int(f"{byte:08b}"[::-1], 2) for byte in rows)
        by_hand(f"palette_{bits}_turned_bits.painted_{bits}", [turned], 3, [bits], **wide, t266=("H", [2]))
        by_hand(f"told_palette_{bits}_narrow.painted_{bits}", [rows], 3, [bits], t320=("H", colours.ravel().tolist()))
    tiff("palette_tiles.painted_8", GREY, photometric="palette", colormap=(colours * 257).astype("u2"), tile=(16, 16))
    tiff("palette_lzw.painted_8", GREY, photometric="palette", colormap=(colours * 257).astype("u2"), compression="lzw", predictor=2)
    pairs = numpy.dstack([GREY, ALPHA])
    picture("painted_over_white", over_white(colours.T[GREY]))
    by_hand("palette_alpha.painted_over_white", [pairs.tobytes()], 3, [8, 8], [2], **wide)
    by_hand("palette_unknown.painted_8", [pairs.tobytes()], 3, [8, 8], [0], **wide)
    by_hand("palette_cut.painted_8", [GREY.tobytes()], 3, [8], t320=("H", [0] * 300))


def odd_bits():
    picture("four_bits", (GREY >> 4) * 17)
    for bits in (2, 4):
        name = {2: "two_bits", 4: "four_bits"}[bits]
        for photometric, values in ((0, 255 - GREY), (1, GREY)):
            rows = packed_bits(values >> (8 - bits), bits)
            by_hand(f"grey_{bits}_{photometric}.{name}", [b"".join(rows[:15]), b"".join(rows[15:])], photometric, [bits])
    for bits in (10, 12, 14):
        most = (1 << bits) - 1
        grey, colour = [(values.astype(int) * most // 255).reshape(HEIGHT, -1) for values in (GREY, COLOUR)]
        by_hand(f"grey_{bits}.grey", [b"".join(packed_bits(grey, bits))], 1, [bits])
        by_hand(f"rgb_{bits}.colour", [b"".join(packed_bits(colour, bits))], 2, [bits] * 3, order=">")
    rows = [bytes(int(f"{byte:08b}"[::-1], 2) for byte in row.tobytes()) for row in COLOUR]
    by_hand("turned_bits.colour", [b"".join(rows)], 2, [8] * 3, t266=("H", [2]))


def samples_beside():
    colour_alpha = numpy.dstack([COLOUR, ALPHA])
    by_hand("no_word_of_alpha.colour_over_white", [colour_alpha.tobytes()], 2, [8] * 4)
    by_hand("corel.colour_over_white", [colour_alpha.tobytes()], 2, [8] * 4, [999])
    by_hand("alpha_and_more.colour_over_white", [numpy.dstack([colour_alpha, ALPHA]).tobytes()], 2, [8] * 5, [2, 0])
    by_hand("two_unknown.colour", [numpy.dstack([colour_alpha, ALPHA]).tobytes()], 2, [8] * 5, [0, 0])
    by_hand("unknown_second.grey", [numpy.dstack([GREY, ALPHA]).tobytes()], 1, [8] * 2, [0])
    by_hand("unexplained_second.grey", [numpy.dstack([GREY, ALPHA]).tobytes()], 1, [8] * 2)
    multiplied = (GREY * (ALPHA / 255)).round().astype(numpy.uint8)
    by_hand("multiplied_grey.grey_over_white", [numpy.dstack([multiplied, ALPHA]).tobytes()], 1, [8] * 2, [1])
    inks = numpy.dstack([255 - COLOUR, numpy.zeros_like(ALPHA)])
    by_hand("inks_and_unknown.colour", [numpy.dstack([inks, ALPHA]).tobytes()], 5, [8] * 5, [0])
    by_hand("inks_and_alpha.colour", [numpy.dstack([inks, ALPHA]).tobytes()], 5, [8] * 5, [2])
    tiff("inks_planes.colour", inks.transpose(2, 0, 1), photometric="separated", planarconfig="separate")
    tiff("inks_tiles.colour", inks, photometric="separated", tile=(16, 16))
    for kind in ("u1", "u2", "f4"):
        factor = {"u1": 1, "u2": 257, "f4": 1 / 255}[kind]
        planes = (COLOUR.astype(float) * factor).astype(kind).transpose(2, 0, 1)
        tiff(f"{kind}_planes_of_tiles.colour", planes, photometric="rgb", planarconfig="separate", tile=(16, 16))


def luma_and_chroma():
    pixels = numpy.dstack(LUMA_CHROMA)
    # Eight bits of luma and chroma are up to three levels from the picture.
    data = by_hand("luma_chroma.luma_chroma", [pixels.tobytes()], 6, [8] * 3, t530=("H", [1, 1]))
    as_pillow("luma_chroma", data, "luma_chroma")
    by_hand("luma_alone.grey", [GREY.tobytes()], 6, [8])
    for across, down in ((2, 1), (1, 2), (2, 2), (4, 1), (4, 2), (4, 4)):
        rows = shared_chroma(pixels, across, down)
        factors = ("H", [across, down])
        by_hand(f"shared_{across}{down}.shared_{across}{down}", [b"".join(rows)], 6, [8] * 3, t530=factors)
        # Pillow does not read it without compression.
        name = f"shared_{across}{down}_packed"
        data = by_hand(f"{name}.shared_{across}{down}", [zlib.compress(b"".join(rows))], 6, [8] * 3, t530=factors, t259=("H", [8]))
        as_pillow(name, data, f"shared_{across}{down}")
        cut = 16 // down
        strips = [b"".join(rows[:cut]), b"".join(rows[cut:])]
        by_hand(f"shared_{across}{down}_strips.shared_{across}{down}", strips, 6, [8] * 3, t530=factors, t278=("H", [16]))
        packed = [zlib.compress(strip) for strip in strips]
        options = {"t278": ("I", [16]), "t259": ("H", [8]), "order": ">"}
        by_hand(f"shared_{across}{down}_deflate.shared_{across}{down}", packed, 6, [8] * 3, t530=factors, **options)
        whole = pixels[[min(y, HEIGHT - 1) for y in range(32)]][:, [min(x, WIDTH - 1) for x in range(48)]]
        tiles = [b"".join(shared_chroma(whole[y : y + 16, x : x + 16], across, down)) for y in (0, 16) for x in (0, 16, 32)]
        side = {"t322": ("H", [16]), "t323": ("H", [16])}
        by_hand(f"shared_{across}{down}_tiles.shared_{across}{down}", tiles, 6, [8] * 3, t530=factors, **side)
    rows = shared_chroma(pixels, 2, 2)
    by_hand("shared_cut.colour", [b"".join(rows[:8]), b"".join(rows[8:])], 6, [8] * 3, t278=("H", [15]))
    video = (pixels * numpy.array([219, 224, 224]) / 255 + numpy.array([16, 16, 16])).round().astype(numpy.uint8)
    levels = [(level, 1) for level in (16, 235, 128, 240, 128, 240)]
    luma, blue, red = [(video[..., c].astype(float) - none) / width for c, none, width in ((0, 16, 219), (1, 128, 112), (2, 128, 112))]
    red, blue = 1.402 * 127 * red, 1.772 * 127 * blue
    luma = 255 * luma
    channels = [luma + red, luma - (0.299 * red + 0.114 * blue) / 0.587, luma + blue]
    picture("video_range", numpy.dstack(channels).round().clip(0, 255).astype(numpy.uint8))
    by_hand("video_range.video_range", [video.tobytes()], 6, [8] * 3, t530=("H", [1, 1]), t532=("R", levels))
    shares = numpy.array([0.2126, 0.7152, 0.0722])
    luma = COLOUR @ shares
    chroma = [(COLOUR[..., c] - luma) / (2 - 2 * shares[c]) + 128 for c in (2, 0)]
    other = numpy.dstack([luma, *chroma]).round().clip(0, 255).astype(numpy.uint8)
    fractions = [(round(share * 10000), 10000) for share in shares]
    by_hand("other_shares.colour", [other.tobytes()], 6, [8] * 3, t530=("H", [1, 1]), t529=("R", fractions))


def jpegs_in_tiff():
    options = {"compression": "jpeg", "compressionargs": {"level": 95}}
    for name, data, kind in (("jpeg_grey", GREY, "minisblack"), ("jpeg_rgb", COLOUR, "rgb")):
        for arrangement, how in (("strips", {"rowsperstrip": 16}), ("tiles", {"tile": (16, 16)})):
            buffer = io.BytesIO()
            args = {**options["compressionargs"], "outcolorspace": "rgb"} if kind == "rgb" else options["compressionargs"]
            tifffile.imwrite(buffer, data, photometric=kind, metadata=None, compression="jpeg", compressionargs=args, **how)
            as_pillow(f"{name}_{arrangement}", buffer.getvalue(), f"{name}_{arrangement}")
    for across, down in ((1, 1), (2, 1), (2, 2)):
        for arrangement, how in (("strips", {"rowsperstrip": 16}), ("tiles", {"tile": (16, 16)})):
            buffer = io.BytesIO()
            tifffile.imwrite(buffer, COLOUR, photometric="ycbcr", metadata=None, subsampling=(across, down), **options, **how)
            as_pillow(f"jpeg_{across}{down}_{arrangement}", buffer.getvalue(), f"jpeg_{across}{down}_{arrangement}")
    as_pillow("jpeg_by_pillow", saved(PICTURE, "TIFF", compression="jpeg", quality=90), "jpeg_by_pillow")
    inks = Image.merge("CMYK", [Image.fromarray(255 - COLOUR[..., c]) for c in range(3)] + [Image.new("L", (WIDTH, HEIGHT))])
    as_pillow("jpeg_inks", saved(inks, "TIFF", compression="jpeg", quality=95), "jpeg_inks")
    for photometric in (0, 1):
        data = saved(Image.fromarray(BITS), "TIFF", compression="group4", tiffinfo={262: photometric})
        save(f"group4_{photometric}.black_white.tif", data)
    for method in ("group3", "tiff_ccitt", "lzma", "zstd"):
        of_bits = method in ("group3", "tiff_ccitt")
        image, reference = (Image.fromarray(BITS), "black_white") if of_bits else (PICTURE, "colour")
        save(f"{method}.{reference}.tif", saved(image, "TIFF", compression=method))


# BMP


def bmp(name, bits, rows, masks=(0, 0, 0), method=0, header=40, down=False, alpha=0, palette=b""):
    fields = struct.pack("<IiiHHIIiiII", header, WIDTH, -HEIGHT if down else HEIGHT, 1, bits, method, 0, 2835, 2835, len(palette) // 4, 0)
    fields += struct.pack("<IIII", *masks, alpha)[: max(0, min(header - 40, 16))]
    fields += bytes(max(0, header - 56))
    extra = struct.pack("<III", *masks) if header == 40 and method == 3 else b""
    rows = [row + bytes(-len(row) % 4) for row in (rows if down else rows[::-1])]
    start = 14 + len(fields) + len(extra) + len(palette)
    body = b"".join(rows) if method != 1 else rows_packed()
    head = struct.pack("<IHHI", start + len(body), 0, 0, start)
    save(f"{name}.bmp", b"BM" + head + fields + extra + palette + body)


def rows_packed():
    return b"".join(b"".join(bytes([1, value]) for value in row) + b"\0\0" for row in GREY[::-1]) + b"\0\1"


def run_lengths_with_gaps():
    """The palette's first colour is no black; half of the pixels are passed over."""
    level = numpy.arange(256)
    colours = numpy.stack([255 - level, level // 2, level], -1).astype(numpy.uint8)
    for bits, method in ((8, 1), (4, 2)):
        index = GREY >> (8 - bits)
        kept = numpy.where((ACROSS // 8 + DOWN // 4) % 2, index, 0)
        picture(f"gaps_{bits}", colours[kept])
        data, gap = b"", 0
        for row, visible in zip(kept[::-1], ((ACROSS // 8 + DOWN // 4) % 2)[::-1]):
            for value, is_there in zip(row, visible):
                if not is_there:
                    gap += 1
                    continue
                if gap:
                    data += bytes([0, 2, gap, 0])
                data, gap = data + bytes([1, value if bits == 8 else value << 4]), 0
            data, gap = data + b"\0\0", 0
        head = struct.pack("<IiiHHIIiiII", 40, WIDTH, HEIGHT, 1, bits, method, 0, 2835, 2835, 1 << bits, 0)
        palette = b"".join(bytes([*colour[::-1], 0]) for colour in colours[: 1 << bits])
        start = 14 + len(head) + len(palette)
        for name, end in (("gaps", b"\0\1"), ("gaps_no_end", b"")):
            body = head + palette + data + end
            save(f"{name}_{bits}.gaps_{bits}.bmp", b"BM" + struct.pack("<IHHI", 14 + len(body), 0, 0, start) + body)


def packed(masks, bits, alpha=0):
    total = numpy.zeros((HEIGHT, WIDTH), numpy.uint64)
    for values, mask in zip([*CHANNELS, ALPHA], [*masks, alpha]):
        if mask:
            shift, most = (mask & -mask).bit_length() - 1, mask // (mask & -mask)
            level = values.astype(numpy.uint64) >> (8 - most.bit_length()) if most < 255 else values.astype(numpy.uint64) * most // 255
            total |= level << numpy.uint64(shift)
    return [row.astype(f"<u{bits // 8}").tobytes() for row in total]


def bmps():
    usual, turned, last = (0xFF0000, 0xFF00, 0xFF), (0xFF, 0xFF00, 0xFF0000), (0xFF000000, 0xFF0000, 0xFF00)
    for down in (False, True):
        name = "_down" if down else ""
        bmp(f"24{name}.colour", 24, [row.tobytes() for row in COLOUR[..., ::-1]], down=down)
        bmp(f"32_unused{name}.colour", 32, packed(usual, 32), down=down)
        bmp(f"32_masks{name}.colour", 32, packed(usual, 32), usual, 3, down=down)
        bmp(f"32_masks_turned{name}.colour", 32, packed(turned, 32), turned, 3, down=down)
        bmp(f"555{name}.five_bits", 16, packed((0x7C00, 0x3E0, 0x1F), 16), down=down)
    bmp("32_unused_not_zero.colour", 32, packed(usual, 32, 0xFF000000))
    bmp("32_masks_not_zero.colour", 32, packed(usual, 32, 0xFF000000), usual, 3)
    bmp("32_masks_last.colour", 32, packed(last, 32), last, 3)
    bmp("32_ten_bits.colour", 32, packed((0x3FF00000, 0xFFC00, 0x3FF), 32), (0x3FF00000, 0xFFC00, 0x3FF), 3)
    for header in (56, 108, 124):
        bmp(f"32_alpha_{header}.colour_over_white", 32, packed(usual, 32, 0xFF000000), usual, 3, header, alpha=0xFF000000)
        bmp(f"32_alpha_first_{header}.colour_over_white", 32, packed(last, 32, 0xFF), last, 3, header, alpha=0xFF)
        bmp(f"32_no_alpha_{header}.colour", 32, packed(usual, 32, 0xFF000000), usual, 3, header)
    greys = b"".join(bytes([value] * 3 + [0]) for value in range(256))
    bmp("palette.grey", 8, [row.tobytes() for row in GREY], palette=greys)
    bmp("run_lengths.grey", 8, [], method=1, palette=greys)
    run_lengths_with_gaps()


# PNG and PNM


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(pixels, bits, kind, before=b"", behind=b""):
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", WIDTH, HEIGHT, bits, kind, 0, 0, 0))
    data = zlib.compress(b"".join(b"\0" + row.tobytes() for row in pixels))
    return b"\x89PNG\r\n\x1a\n" + header + before + chunk(b"IDAT", data) + behind + chunk(b"IEND", b"")


def pngs():
    wide = numpy.dtype(">u2")
    save("16.colour.png", png(COLOUR.astype(wide) * 257, 16, 2))
    save("16.grey.png", png(GREY.astype(wide) * 257, 16, 0))
    save("16.colour_over_white.png", png(numpy.dstack([COLOUR, ALPHA]).astype(wide) * 257, 16, 6))
    save("8.grey_over_white.png", png(numpy.dstack([GREY, ALPHA]), 8, 4))
    save("no_end.colour.png", png(COLOUR, 8, 2)[:-12])
    save("bytes_behind.colour.png", png(COLOUR, 8, 2) + b"some more")


def pnms():
    def head(kind, most=b"255"):
        return kind + b"\n%d %d\n" % (WIDTH, HEIGHT) + (most + b"\n" if most else b"")

    wide = numpy.dtype(">u2")
    save("p6.colour.ppm", head(b"P6") + COLOUR.tobytes())
    save("p6_16.colour.ppm", head(b"P6", b"65535") + (COLOUR.astype(wide) * 257).tobytes())
    save("p5.grey.pgm", head(b"P5") + GREY.tobytes())
    save("p5_to_1023.grey.pgm", head(b"P5", b"1023") + (GREY.astype(numpy.int32) * 1023 // 255).astype(wide).tobytes())
    save("p5_to_3.two_bits.pgm", head(b"P5", b"3") + (GREY >> 6).tobytes())
    save("p3.colour.ppm", head(b"P3") + b" ".join(b"%d" % value for value in COLOUR.ravel()))
    save("p2.grey.pgm", head(b"P2") + b" ".join(b"%d" % value for value in GREY.ravel()))
    save("p4.black_white.pbm", head(b"P4", b"") + numpy.packbits(~BITS, axis=1).tobytes())
    save("p1.black_white.pbm", head(b"P1", b"") + b"\n".join(b" ".join(b"01"[v : v + 1] for v in row) for row in (~BITS).astype(int)))


# Orientation


def orientations():
    little = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
    big = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    jpeg = saved(PICTURE, "JPEG", quality=98, subsampling=0)
    header = jpeg.index(b"\xff\xc0")
    comment, description = segment(0xFE, b"held in the hand"), segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0")
    for order, block in (("little", little), ("big", big)):
        exif = segment(0xE1, b"Exif\0\0" + block)
        save(f"exif_first_{order}.upright.jpg", jpeg[:2] + exif + jpeg[2:])
        save(f"exif_late_{order}.upright.jpg", jpeg[:20] + comment + description + exif + jpeg[20:])
        save(f"exif_before_frame_{order}.upright.jpg", jpeg[:header] + exif + jpeg[header:])
        save(f"exif_before_{order}.upright.png", png(COLOUR, 8, 2, before=chunk(b"eXIf", block)))
        save(f"exif_behind_{order}.upright.png", png(COLOUR, 8, 2, behind=chunk(b"eXIf", block)))
        digits = b"\nexif\n%8d\n" % (len(block) + 6) + (b"Exif\0\0" + block).hex().encode()
        text = b"Raw profile type exif\0\0" + zlib.compress(digits)
        save(f"exif_text_{order}.upright.png", png(COLOUR, 8, 2, before=chunk(b"zTXt", text)))
        for name, start in (("bare", b""), ("named", b"Exif\0\0")):
            save(f"exif_{name}_{order}.upright.webp", webp_with(start + block))
    exif = Image.Exif()
    exif[0x0112] = 6
    pair = {"save_all": True, "append_images": [PICTURE.rotate(180)], "quality": 98, "subsampling": 0}
    save("two_pictures.upright.jpg", saved(PICTURE, "MPO", exif=exif, **pair))


def descriptions():
    """An orientation that stands in XMP alone, which Pillow turns photos by too."""
    start = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    start += b'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/"'
    for form, text in (("attribute", b' tiff:Orientation="6"/>'), ("element", b"><tiff:Orientation>6</tiff:Orientation></rdf:Description>")):
        packet = start + text + b"</rdf:RDF></x:xmpmeta>"
        jpeg = saved(PICTURE, "JPEG", quality=98, subsampling=0)
        save(f"xmp_{form}.upright.jpg", jpeg[:20] + segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet) + jpeg[20:])
        save(f"xmp_{form}.upright.webp", saved(PICTURE, "WEBP", lossless=True, xmp=packet))
        save(f"xmp_{form}.upright.png", png(COLOUR, 8, 2, before=chunk(b"iTXt", b"XML:com.adobe.xmp" + bytes(5) + packet)))
        packed = b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(packet)
        save(f"xmp_packed_{form}.upright.png", png(COLOUR, 8, 2, behind=chunk(b"iTXt", packed)))
        by_hand(f"xmp_{form}.upright", [COLOUR.tobytes()], 2, [8] * 3, t700=("B", list(packet)))


def webp_with(exif):
    """Put together here: Pillow decides for itself how the block begins."""
    plain = saved(PICTURE, "WEBP", lossless=True)[12:]
    flags = b"VP8X" + struct.pack("<II", 10, 8) + (WIDTH - 1).to_bytes(3, "little") + (HEIGHT - 1).to_bytes(3, "little")
    chunks = b"WEBP" + flags + plain + b"EXIF" + struct.pack("<I", len(exif)) + exif + bytes(len(exif) % 2)
    return b"RIFF" + struct.pack("<I", len(chunks)) + chunks


# Colour profiles


def s15(value):
    return struct.pack(">i", round(value * 65536))


def profile(name, primaries, gamma, space=b"RGB "):
    """A matrix profile of version 2 with one gamma; `primaries` are XYZ, adapted to D50."""
    curve = b"curv" + struct.pack(">IIH", 0, 1, round(gamma * 256)) + b"\0\0"
    text = b"desc" + struct.pack(">II", 0, len(name) + 1) + name + bytes(80)
    tags = [(b"desc", text), (b"wtpt", b"XYZ \0\0\0\0" + b"".join(map(s15, (0.9642, 1.0, 0.8249))))]
    if space == b"RGB ":
        tags += [(key + b"XYZ", b"XYZ \0\0\0\0" + b"".join(map(s15, xyz))) for key, xyz in zip((b"r", b"g", b"b"), primaries)]
        tags += [(key + b"TRC", curve) for key in (b"r", b"g", b"b")]
    else:
        tags.append((b"kTRC", curve))
    start, table, body = 128 + 4 + 12 * len(tags), b"", b""
    for key, data in tags:
        data += bytes(-len(data) % 4)
        table += key + struct.pack(">II", start + len(body), len(data))
        body += data
    head = struct.pack(">I4sI4s4s4s", start + len(body), b"none", 0x02100000, b"mntr", space, b"XYZ ")
    head += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + b"".join(map(s15, (0.9642, 1.0, 0.8249))) + bytes(48)
    return head + struct.pack(">I", len(tags)) + table + body


WIDE = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))


def profiles():
    # Its name says sRGB, its primaries say Adobe RGB.
    wide, linear = profile(b"sRGB IEC61966-2.1", WIDE, 2.2), profile(b"Linear grey", None, 1.0, b"GRAY")
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    for name, image, data in (("wide", PICTURE, wide), ("linear_grey", Image.fromarray(GREY), linear)):
        source = ImageCms.ImageCmsProfile(io.BytesIO(data))
        picture(name, ImageCms.profileToProfile(image, source, srgb, outputMode="RGB"))
        save(f"profile.{name}.png", saved(image, "PNG", icc_profile=data))
        save(f"profile.{name}.tif", saved(image, "TIFF", icc_profile=data))
        jpeg = saved(image, "JPEG", quality=100, subsampling=0)
        parts = [data[:200], data[200:]]
        segments = b"".join(segment(0xE2, b"ICC_PROFILE\0" + bytes([i + 1, 2]) + part) for i, part in enumerate(parts))
        save(f"profile_in_parts.{name}.jpg", jpeg[:20] + segments + jpeg[20:])
    save("profile.wide.webp", saved(PICTURE, "WEBP", lossless=True, icc_profile=wide))
    save("srgb_profile.colour.png", saved(PICTURE, "PNG", icc_profile=srgb.tobytes()))
    # What cannot be applied is told.
    save("told_grey_profile.colour.png", saved(PICTURE, "PNG", icc_profile=linear))
    save("told_colour_profile.grey.png", saved(Image.fromarray(GREY), "PNG", icc_profile=wide))
    save("told_cut_profile.colour.png", saved(PICTURE, "PNG", icc_profile=wide[:150]))
    save("told_gamma.colour.png", png(COLOUR, 8, 2, before=chunk(b"gAMA", struct.pack(">I", 100000))))
    save("told_coded.colour.png", png(COLOUR, 8, 2, before=chunk(b"cICP", bytes([12, 13, 0, 1]))))
    jpeg = saved(PICTURE, "JPEG", quality=98, subsampling=0)
    save("told_missing_part.colour.jpg", jpeg[:20] + segment(0xE2, b"ICC_PROFILE\0\1\2" + wide[:200]) + jpeg[20:])


def main():
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.iterdir():
        old.unlink()
    for write in (references, jpeg_layouts, progressive_jpegs, tiffs, palettes, odd_bits, samples_beside, luma_and_chroma, jpegs_in_tiff, bmps, pngs, pnms, orientations, descriptions, profiles):
        write()


if __name__ == "__main__":
    main()
