#!/usr/bin/env python3
"""Makes tests/data/image: small files of every kind that src/image reads, with what Pillow and
open_clip's evaluation transform make of them in expected.json.

    python3 tools/make_image_fixtures.py [tests/data/image]

Needs Pillow 13.0.0, open_clip_torch 3.3.0 and numpy (./dev oracle). The committed files were made
with these versions; the pictures are drawn by a formula, so they carry no licence of others.
"""

import json
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, __version__ as pillow_version
from PIL.ExifTags import Base

from compare_pixels import CASES, expected_pixels

ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
         (0, 1, 1, 2)]


def picture(width, height):
    """A smooth picture with some noise, so that every decoder path has something to do."""
    y, x = np.mgrid[0:height, 0:width]
    waves = np.stack([128 + 90 * np.sin(x / 7 + y / 13), 128 + 90 * np.cos(x / 11 - y / 5),
                      (3 * x + 2 * y) % 256], -1)
    noise = np.random.default_rng(7).normal(0, 9, waves.shape)
    return Image.fromarray(np.clip(waves + noise, 0, 255).astype(np.uint8))


def with_alpha(image):
    height, width = image.height, image.width
    alpha = (np.add.outer(7 * np.arange(height), 5 * np.arange(width)) % 256).astype(np.uint8)
    alpha[: height // 3] = 0
    alpha[height // 3: height // 2] = 255
    return np.dstack([np.asarray(image), alpha])


def save_by_pillow(folder):
    rgb = picture(45, 31)
    grey = rgb.convert("L")
    rgba = Image.fromarray(with_alpha(rgb))
    grey_alpha = Image.fromarray(with_alpha(grey))
    palette, few = rgb.quantize(32), rgb.quantize(4)
    black = rgb.convert("1")
    wide = Image.fromarray(np.asarray(rgb)[..., 0].astype(np.uint16) * 5)
    exif = Image.Exif()
    exif[Base.Orientation] = 6
    strip = picture(11, 140)  # Pillow's vertical pass comes first

    def save(image, name, **options):
        image.save(folder / name, **options)

    for subsampling, label in ((0, "444"), (1, "422"), (2, "420"), ("4:1:1", "411")):
        save(rgb, f"rgb{label}.jpg", quality=85, subsampling=subsampling)
    save(rgb, "progressive.jpg", quality=70, progressive=True)
    save(rgb, "restart.jpg", restart_marker_blocks=2)
    save(rgb, "exif6.jpg", exif=exif)
    save(rgb, "stored_rgb.jpg", keep_rgb=True)
    save(grey, "grey.jpg")
    save(rgb.convert("CMYK"), "cmyk.jpg")
    save(strip, "strip.jpg")
    for image, name in ((rgba, "rgba"), (grey_alpha, "la"), (palette, "p8"), (few, "p2"),
                        (black, "1"), (wide, "i16")):
        save(image, f"{name}.png")
    save(palette, "p_transparent.png", transparency=3)
    for image, name in ((rgb, "rgb"), (rgba, "rgba")):
        save(image, f"{name}_lossy.webp", quality=70)
        save(image, f"{name}_lossless.webp", lossless=True)
    save(rgba, "animation.webp", save_all=True, append_images=[rgba.transpose(0)])
    save(palette, "palette.gif")
    save(palette, "not_interlaced.gif", interlace=0)
    save(palette, "transparent.gif", transparency=5)
    save(grey, "grey.gif")
    save(palette, "animation.gif", save_all=True, append_images=[palette.transpose(0)])
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        save(rgb, f"rgb_{compression}.tif", compression=compression)
    for compression in ("group3", "group4"):
        save(black, f"1_{compression}.tif", compression=compression)
    for image, name in ((rgba, "rgba"), (grey_alpha, "la"), (palette, "p"), (wide, "i16"),
                        (rgb.convert("CMYK"), "cmyk"), (wide.convert("I"), "i"),
                        (grey.convert("F"), "f")):
        save(image, f"{name}.tif", compression="tiff_lzw")
    save(rgb, "uncompressed.tif")
    save(rgb, "exif6.tif", exif=exif)
    save(rgb, "strips.tif", compression="tiff_lzw", tiffinfo={278: 5})
    for image, name in ((rgb, "rgb"), (grey, "grey"), (palette, "p"), (few, "p2"), (black, "1")):
        save(image, f"{name}.bmp")


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def filtered(row, above, step, kind):
    """One row of bytes behind its PNG filter."""
    left = np.concatenate([np.zeros(step, int), row])[: len(row)]
    corner = np.concatenate([np.zeros(step, int), above])[: len(row)]
    estimate = left + above - corner
    to_left, to_above, to_corner = (abs(estimate - v) for v in (left, above, corner))
    paeth = np.where((to_left <= to_above) & (to_left <= to_corner), left,
                     np.where(to_above <= to_corner, above, corner))
    guess = (0, left, above, (left + above) // 2, paeth)[kind]
    return bytes([kind]) + ((row - guess) % 256).astype(np.uint8).tobytes()


def save_png(folder, bits, colour, samples, interlaced):
    """Kinds of PNG that Pillow does not write, with every row filter."""
    width, height = 19, 13
    value = np.add.outer(np.arange(height), np.arange(width))[..., None] * 701
    value = (value + 53 * np.arange(samples)) % 2**bits
    raw = b""
    for x, y, dx, dy in ADAM7 if interlaced else [(0, 0, 1, 1)]:
        part = value[y::dy, x::dx]
        above = None
        for i, row in enumerate(part if part.size else []):
            text = "".join(format(int(v), f"0{bits}b") for v in row.reshape(-1))
            text += "0" * (-len(text) % 8)
            row = np.array([int(text[j:j + 8], 2) for j in range(0, len(text), 8)])
            above = np.zeros_like(row) if above is None else above
            raw += filtered(row, above, max(1, samples * bits // 8), i % 5)
            above = row
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlaced)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    if colour == 3:
        data += chunk(b"PLTE", bytes((37 * i) % 256 for i in range(3 * min(2**bits, 200))))
    packed = zlib.compress(raw)
    data += chunk(b"IDAT", packed[:20]) + chunk(b"IDAT", packed[20:]) + chunk(b"IEND", b"")
    name = f"{bits}bit_colour{colour}{'_adam7' if interlaced else ''}.png"
    (folder / name).write_bytes(data)


def save_bmp(folder):
    """Run-length coding, masks, a top-down and an OS/2 file."""
    width, height = 13, 9
    noise = np.random.default_rng(3).integers(0, 256, 4096, dtype=np.uint8).tobytes()

    def write(name, bits, data, compression=0, masks=b"", palette=b"", rows=height):
        header = struct.pack("<IIIHHIIIIII", 40, width, rows % 2**32, 1, bits, compression,
                             len(data), 0, 0, 0, 0) + masks
        offset = 14 + len(header) + len(palette)
        content = b"BM" + struct.pack("<IHHI", offset + len(data), 0, 0, offset)
        (folder / name).write_bytes(content + header + palette + data)

    runs = b""
    for y in range(height):
        runs += bytes([5, 10 * y, 0, 5]) + noise[:5] + b"\0" + bytes([3, 77, 0, 0])
    write("rle8.bmp", 8, runs + b"\0\1", 1, palette=noise[:1024])
    runs = b"".join(bytes([7, 16 * y + 3, 6, 0x5a, 0, 0]) for y in range(height))
    write("rle4.bmp", 4, runs + b"\0\1", 2, palette=noise[:64])
    write("565.bmp", 16, noise[:28 * height], 3, struct.pack("<III", 0xF800, 0x7E0, 0x1F))
    write("top_down.bmp", 24, noise[:40 * height], rows=-height)
    os2 = struct.pack("<IHHHH", 12, width, height, 1, 8)
    (folder / "os2.bmp").write_bytes(b"BM" + struct.pack("<IHHI", 0, 0, 0, 26 + 768) + os2 +
                                     noise[:768] + noise[:16 * height])


def save_pnm(folder):
    """Plain and binary, odd largest samples, comments inside numbers."""
    width, height = 13, 9
    noise = np.random.default_rng(5).integers(0, 65536, (height, width, 3))

    def write(name, kind, largest, values, head=""):
        limit = 1 if largest is None else largest
        values = values % (limit + 1)
        header = f"P{kind}{head}\n{width} {height}\n" + ("" if largest is None else f"{largest}\n")
        if kind == 4:
            data = np.packbits(values.astype(np.uint8), axis=1).tobytes()
        elif kind > 4:
            data = values.astype(np.uint8 if limit < 256 else ">u2").tobytes()
        else:
            between = "" if kind == 1 else " "
            rows = [between.join(str(v) for v in row.reshape(-1)) for row in values]
            data = "\n".join(rows).encode() + b"\n"
        (folder / name).write_bytes(header.encode() + data)

    grey = noise[..., 0]
    write("plain.pbm", 1, None, grey)
    write("binary.pbm", 4, None, grey)
    for kind, values, ending in ((2, grey, "pgm"), (3, noise, "ppm"), (5, grey, "pgm"), (6, noise, "ppm")):
        for largest in (255, 65535, 100, 1000):
            write(f"p{kind}_{largest}.{ending}", kind, largest, values, "\n# a comment 1 2 3\r")
    (folder / "comments.pgm").write_bytes(b"P2 2#\n0 1#x\n0\t2#5\n0# \n 1#\n2 3 4 5\v6 7 8 9\f10 1"
                                          b"#\r1 12 13#\n" + b" 19 0" * 120)


def stored_bytes(image):
    """Pillow's pixels as src/image holds them: bilevel ones as a byte each."""
    return (image.convert("L") if image.mode == "1" else image).tobytes()


def main():
    root = Path(__file__).resolve().parent.parent
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else root / "tests/data/image"
    folder.mkdir(parents=True, exist_ok=True)
    save_by_pillow(folder)
    for bits, colour, samples in ((2, 0, 1), (4, 0, 1), (16, 0, 1), (16, 2, 3), (4, 3, 1),
                                  (8, 3, 1), (16, 4, 2), (16, 6, 4)):
        for interlaced in (0, 1):
            save_png(folder, bits, colour, samples, interlaced)
    save_bmp(folder)
    save_pnm(folder)

    files = []
    for path in sorted(p for p in folder.iterdir() if p.suffix not in (".json", ".md")):
        with Image.open(path) as image:
            image.load()
            files.append({
                "file": path.name, "mode": image.mode, "width": image.width,
                "height": image.height, "crc": zlib.crc32(stored_bytes(image)),
                "preprocessed": [zlib.crc32(expected_pixels(image, case)) for case in CASES]})
    cases = [case._asdict() for case in CASES]
    lines = ",\n  ".join(json.dumps(f) for f in files)
    (folder / "expected.json").write_text(
        f'{{"made_by": "tools/make_image_fixtures.py, Pillow {pillow_version}",\n'
        f' "cases": {json.dumps(cases)},\n "files": [\n  {lines}\n]}}\n')
    print(f"{len(files)} files, {sum(p.stat().st_size for p in folder.iterdir())} bytes")


if __name__ == "__main__":
    main()
