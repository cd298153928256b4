"""A small JPEG encoder for layouts that common encoders do not write: any sampling factors, any order
of scans, restart intervals. Plain and slow: `photos.py` makes small pictures with it.
"""

import struct

import numpy

ZIGZAG = [0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21,
          28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61,
          54, 47, 55, 62, 63]  # fmt: skip
# Every symbol of DC and AC, all of a table with codes of one length.
SYMBOLS = [list(range(12)), [0, 0xF0] + [run << 4 | size for run in range(16) for size in range(1, 11)]]


def codes(symbols):
    """Lengths by count, and each symbol's code: no code is ones alone."""
    length = max(1, (len(symbols)).bit_length())
    counts = [0] * 16
    counts[length - 1] = len(symbols)
    return counts, {symbol: (index, length) for index, symbol in enumerate(symbols)}


class Bits:
    def __init__(self):
        self.bytes, self.held, self.count = bytearray(), 0, 0

    def put(self, value, length):
        self.held = self.held << length | value & (1 << length) - 1
        self.count += length
        while self.count >= 8:
            self.count -= 8
            byte = self.held >> self.count & 255
            self.bytes += bytes([byte]) if byte != 255 else b"\xff\0"
        self.held &= (1 << self.count) - 1

    def flush(self):
        if self.count:
            self.put((1 << 8 - self.count) - 1, 8 - self.count)


def segment(marker, content):
    return bytes([255, marker]) + struct.pack(">H", len(content) + 2) + content


def cosines():
    frequency, place = numpy.mgrid[:8, :8]
    basis = 0.5 * numpy.cos((2 * place + 1) * frequency * numpy.pi / 16)
    basis[0] *= 0.5**0.5
    return basis


def blocks_of(plane, wide, high, step):
    """Quantised coefficients in zigzag order, [high, wide, 64]; edges are repeated."""
    height, width = plane.shape
    padded = numpy.pad(plane, ((0, high * 8 - height), (0, wide * 8 - width)), "edge") - 128.0
    blocks = padded.reshape(high, 8, wide, 8).transpose(0, 2, 1, 3)
    basis = cosines()
    frequencies = basis @ blocks @ basis.T
    return numpy.rint(frequencies / step).astype(int).reshape(high, wide, 64)[..., ZIGZAG]


def size_of(value):
    return int(abs(value)).bit_length()


def put_number(bits, value):
    size = size_of(value)
    if size:
        bits.put(value if value > 0 else value + (1 << size) - 1, size)


def encode(planes, factors, scans=None, restart=0, process=0, ids=(1, 2, 3, 4), segments=b"", step=1, end=True, lines=True):
    """A JPEG of `planes`, components of full size with values 0 to 255, each brought to its sampling factors
    (across, down) by means of rows and columns.

    `scans` are lists of components; restart intervals count units of a scan; process 0 is baseline,
    1 extended. `lines=False` writes the height behind the first scan.
    """
    height, width = planes[0].shape
    across, down = (max(factor[axis] for factor in factors) for axis in (0, 1))
    wide, high = -(-width // (8 * across)), -(-height // (8 * down))
    data = []
    for plane, (h, v) in zip(planes, factors):
        # To a size that both samplings divide, then means of what falls together.
        full = numpy.pad(plane.astype(float), ((0, high * 8 * down - height), (0, wide * 8 * across - width)), "edge")
        fine = full.repeat(h, 1).repeat(v, 0)
        small = fine.reshape(high * 8 * v, down, wide * 8 * h, across).mean((1, 3))
        data.append(blocks_of(small, wide * h, high * v, step))
    out = b"\xff\xd8" + segments + segment(0xDB, b"\0" + bytes([step] * 64))
    listed = b"".join(bytes([ids[i], h << 4 | v, 0]) for i, (h, v) in enumerate(factors))
    rows = height if lines else 0
    out += segment(0xC0 + process, struct.pack(">BHHB", 8, rows, width, len(planes)) + listed)
    tables = [codes(SYMBOLS[0]), codes(SYMBOLS[1])]
    for index, (counts, _) in enumerate(tables):
        out += segment(0xC4, bytes([index << 4]) + bytes(counts) + bytes(SYMBOLS[index]))
    if restart:
        out += segment(0xDD, struct.pack(">H", restart))
    for number, scan in enumerate(scans or [list(range(len(planes)))]):
        header = bytes([len(scan)]) + b"".join(bytes([ids[i], 0]) for i in scan) + bytes([0, 63, 0])
        out += segment(0xDA, header)
        out += scan_of(scan, data, factors, (width, height), (across, down), (wide, high), tables, restart)
        if number == 0 and not lines:
            out += segment(0xDC, struct.pack(">H", height))
    return out + (b"\xff\xd9" if end else b"")


def scan_of(scan, data, factors, size, finest, units, tables, restart):
    if len(scan) == 1:
        h, v = factors[scan[0]]
        columns = -(-(-(-size[0] * h // finest[0])) // 8)
        rows = -(-(-(-size[1] * v // finest[1])) // 8)
        order = [[(scan[0], y, x)] for y in range(rows) for x in range(columns)]
    else:
        order = [
            [(i, y * factors[i][1] + dy, x * factors[i][0] + dx) for i in scan for dy in range(factors[i][1]) for dx in range(factors[i][0])]
            for y in range(units[1])
            for x in range(units[0])
        ]
    out, bits, last = bytearray(), Bits(), dict.fromkeys(scan, 0)
    for number, unit in enumerate(order):
        if restart and number and number % restart == 0:
            bits.flush()
            out += bits.bytes + bytes([255, 0xD0 + (number // restart - 1) % 8])
            bits, last = Bits(), dict.fromkeys(scan, 0)
        for component, y, x in unit:
            put_block(bits, data[component][y, x], last[component], tables)
            last[component] = data[component][y, x][0]
    bits.flush()
    return bytes(out + bits.bytes)


def put_block(bits, block, last, tables):
    (_, dc), (_, ac) = tables
    difference = int(block[0] - last)
    bits.put(*dc[size_of(difference)])
    put_number(bits, difference)
    run = 0
    for value in map(int, block[1:]):
        if value == 0:
            run += 1
            continue
        while run > 15:
            bits.put(*ac[0xF0])
            run -= 16
        bits.put(*ac[run << 4 | size_of(value)])
        put_number(bits, value)
        run = 0
    if run:
        bits.put(*ac[0])
