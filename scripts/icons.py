#!/usr/bin/env python3
"""Draws Baton's mark and writes icons/: PNGs, an .ico and an .icns.

Run it after changing the drawing: `scripts/icons.py`. It needs Python's standard library only, and writes the same
bytes each time, so that a change of the drawing is the only thing that shows in a diff.

The mark: a relay baton, held at a slant, half of it one runner's and half the next one's.
"""

import math
import struct
import zlib
from pathlib import Path

ICONS = Path(__file__).resolve().parent.parent / "icons"

TILE_TOP = (20, 126, 117)
TILE_BOTTOM = (12, 78, 86)
SPENT_HALF = (255, 255, 255)
NEXT_HALF = (255, 184, 77)

# All measures are fractions of the edge.
TILE_INSET = 0.04
TILE_CORNER = 0.22
BATON_HALF_LENGTH = 0.33
BATON_RADIUS = 0.072
HALF_GAP = 0.02
SLANT = math.radians(-45)


def rounded_square(x, y):
    """Signed distance to the tile; negative inside. The origin is the middle of the picture."""
    half = 0.5 - TILE_INSET - TILE_CORNER
    dx, dy = max(abs(x) - half, 0.0), max(abs(y) - half, 0.0)
    return math.hypot(dx, dy) - TILE_CORNER


def capsule(along, across):
    return math.hypot(max(abs(along) - BATON_HALF_LENGTH, 0.0), across) - BATON_RADIUS


def coverage(distance, pixel):
    """How much of a pixel lies inside an edge at this distance from its middle."""
    return min(1.0, max(0.0, 0.5 - distance / pixel))


def mix(under, over, share):
    return tuple(u + (o - u) * share for u, o in zip(under, over))


def draw(size):
    """RGBA rows of the mark."""
    pixel = 1.0 / size
    cos, sin = math.cos(SLANT), math.sin(SLANT)
    rows = []
    for row in range(size):
        y = (row + 0.5) * pixel - 0.5
        line = bytearray()
        for column in range(size):
            x = (column + 0.5) * pixel - 0.5
            tile = coverage(rounded_square(x, y), pixel)
            colour = mix(TILE_TOP, TILE_BOTTOM, y + 0.5)
            along, across = x * cos + y * sin, y * cos - x * sin
            baton = capsule(along, across)
            colour = mix(colour, SPENT_HALF, coverage(max(baton, along + HALF_GAP), pixel))
            colour = mix(colour, NEXT_HALF, coverage(max(baton, HALF_GAP - along), pixel))
            line += bytes(round(c) for c in colour) + bytes([round(255 * tile)])
        rows.append(bytes(line))
    return rows


def png(rows):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    size = len(rows)
    header = struct.pack(">IIBBBBB", size, size, 8, 6, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def ico(pictures):
    head = struct.pack("<HHH", 0, 1, len(pictures))
    offset = len(head) + 16 * len(pictures)
    entries, body = b"", b""
    for size, data in pictures:
        edge = size % 256  # the format writes 256 as 0
        entries += struct.pack("<BBBBHHII", edge, edge, 0, 0, 1, 32, len(data), offset + len(body))
        body += data
    return head + entries + body


def icns(pictures):
    body = b"".join(kind + struct.pack(">I", 8 + len(data)) + data for kind, data in pictures)
    return b"icns" + struct.pack(">I", 8 + len(body)) + body


def main():
    ICONS.mkdir(exist_ok=True)
    drawn = {size: png(draw(size)) for size in (16, 24, 32, 48, 64, 128, 256, 512)}
    for name, size in [
        ("32x32.png", 32),
        ("64x64.png", 64),
        ("128x128.png", 128),
        ("128x128@2x.png", 256),
        ("icon.png", 512),
    ]:
        (ICONS / name).write_bytes(drawn[size])
    (ICONS / "icon.ico").write_bytes(ico([(size, drawn[size]) for size in (16, 24, 32, 48, 64, 256)]))
    retina = [(b"ic11", 32), (b"ic12", 64), (b"ic07", 128), (b"ic13", 256), (b"ic08", 256), (b"ic14", 512), (b"ic09", 512)]
    (ICONS / "icon.icns").write_bytes(icns([(kind, drawn[size]) for kind, size in retina]))


if __name__ == "__main__":
    main()
