#!/usr/bin/env python3
"""Times `clipnext soup uniform` on three large checkpoints that no cache holds.

    python3 tools/time_soup.py --clipnext build/clipnext [--folder DIR]

Writes --count files of 1.4 GB, float32 values under the names of convnext_large_d_320, drops them
from the page cache, and times reading them one after another in large pieces; drops them again, and
times the soup, whose largest anonymous memory is read from /proc while it runs. Prints both, and
the share. Needs room for --count + 1 files; removes all.
"""

import argparse
import json
import os
import random
import struct
import subprocess
import tempfile
import time
from pathlib import Path

PIECE = 8 << 20


def shapes():
    """Names and shapes of every tensor, as open_clip lists them."""
    listing = Path(__file__).resolve().parent.parent / "tests/data/model/convnext_large_d_320.params"
    lines = (line.split(" ", 1) for line in listing.read_text().splitlines())
    return [(name, json.loads(shape)) for name, shape in lines]


def write_checkpoint(path, tensors, seed):
    header, offset = {}, 0
    for name, shape in sorted(tensors):
        size = 4
        for side in shape:
            size *= side
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    # Every float's exponent is kept small: bytes of a fixed pattern, moved by the seed.
    values = random.Random(seed)
    block = struct.pack("<262144f", *(values.gauss(0, 0.02) for _ in range(262144)))
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        left = offset
        while left:
            part = block[:min(left, len(block))]
            file.write(part)
            left -= len(part)
        file.flush()
        os.fsync(file.fileno())
    return offset


def drop(path):
    fd = os.open(path, os.O_RDONLY)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(fd)


def read_all(paths):
    begin = time.monotonic()
    buffer = bytearray(PIECE)
    for path in paths:
        with open(path, "rb", buffering=0) as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_SEQUENTIAL)
            while file.readinto(buffer):
                pass
    return time.monotonic() - begin


def anonymous_kb(pid):
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("RssAnon"):
                return int(line.split()[1])
    except (FileNotFoundError, ProcessLookupError):
        pass
    return 0


def run_soup(program, paths, out):
    begin = time.monotonic()
    process = subprocess.Popen([program, "soup", "uniform", "--model", "convnext_large_d_320", "-o", out,
                                *map(str, paths)], stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    peak = 0
    while process.poll() is None:
        peak = max(peak, anonymous_kb(process.pid))
        time.sleep(0.005)
    if process.returncode:
        raise SystemExit(process.returncode)
    return time.monotonic() - begin, peak


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clipnext", default="build/clipnext")
    parser.add_argument("--folder", help="where to write; default: the system's temporary folder")
    parser.add_argument("--count", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as temporary:
        folder = Path(temporary)
        tensors = shapes()
        paths = [folder / f"m{i}.safetensors" for i in range(options.count)]
        size = sum(write_checkpoint(path, tensors, i) for i, path in enumerate(paths))
        for path in paths:
            drop(path)
        reading = read_all(paths)
        for path in paths:
            drop(path)
        cooking, peak = run_soup(options.clipnext, paths, folder / "cold")
        warm, _ = run_soup(options.clipnext, paths, folder / "warm")
        print(f"{size / 1e9:.2f} GB in {options.count} files")
        print(f"read in sequence, cold  {reading:6.2f} s  {size / reading / 1e9:.2f} GB/s")
        print(f"soup, cold              {cooking:6.2f} s  {size / cooking / 1e9:.2f} GB/s read, "
              f"{100 * reading / cooking:.0f} % of the sequential rate; anonymous memory {peak / 1000:.0f} MB")
        print(f"soup, warm              {warm:6.2f} s")


if __name__ == "__main__":
    main()
