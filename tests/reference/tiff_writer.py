"""A TIFF put together by hand, for what libraries do not write."""

import struct

TYPES = {"B": (1, 1), "H": (3, 2), "I": (4, 4), "R": (5, 8)}


def write(chunks, tags, order="<"):
    """`chunks` are strips, or tiles where the tags name a tile's width; `tags` maps a tag to a type's
    letter and its values, fractions as pairs."""
    tile = 322 in tags
    places, body = [], b""
    for chunk in chunks:
        places.append(8 + len(body))
        body += chunk + bytes(len(chunk) % 2)
    tags = dict(tags)
    tags[324 if tile else 273] = ("I", places)
    tags[325 if tile else 279] = ("I", [len(chunk) for chunk in chunks])
    start = 8 + len(body)
    behind = start + 2 + 12 * len(tags) + 4
    entries, values = b"", b""
    for tag in sorted(tags):
        letter, numbers = tags[tag]
        kind, size = TYPES[letter]
        if letter == "R":
            packed = b"".join(struct.pack(order + "II", *pair) for pair in numbers)
        else:
            packed = struct.pack(f"{order}{len(numbers)}{letter}", *numbers)
        if len(packed) > 4:
            place = struct.pack(order + "I", behind + len(values))
            values += packed + bytes(len(packed) % 2)
            packed = place
        entries += struct.pack(order + "HHI", tag, kind, len(numbers)) + packed.ljust(4, b"\0")
    mark = b"II*\0" if order == "<" else b"MM\0*"
    head = mark + struct.pack(order + "I", start)
    return head + body + struct.pack(order + "H", len(tags)) + entries + bytes(4) + values


def packed_bits(samples, bits):
    """Rows of samples `[rows, samples]` without gaps, each row ended by whole bytes."""
    rows = []
    for row in samples:
        text = "".join(f"{int(value):0{bits}b}" for value in row)
        text += "0" * (-len(text) % 8)
        rows.append(bytes(int(text[i : i + 8], 2) for i in range(0, len(text), 8)))
    return rows


def shared_chroma(pixels, across, down):
    """Rows of blocks: the luma of `across` x `down` pixels `[height, width, 3]`, then their mean chroma."""
    height, width = -(-pixels.shape[0] // down) * down, -(-pixels.shape[1] // across) * across
    ys = [min(y, pixels.shape[0] - 1) for y in range(height)]
    xs = [min(x, pixels.shape[1] - 1) for x in range(width)]
    whole = pixels[ys][:, xs]
    rows = []
    for y in range(0, height, down):
        row = b""
        for x in range(0, width, across):
            block = whole[y : y + down, x : x + across]
            row += block[..., 0].tobytes() + bytes(block[..., c].mean().round().astype("u1") for c in (1, 2))
        rows.append(row)
    return rows
