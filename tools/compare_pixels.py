#!/usr/bin/env python3
"""Compares `clipnext preprocess --uint8` byte by byte with Pillow and open_clip's evaluation
transform, over given files and folders at four sizes.

    python3 tools/compare_pixels.py --clipnext build/clipnext FILES-OR-FOLDERS...

Differences that are known, all in files hardly anyone has (the rest are byte for byte equal):
- Read here, not by Pillow: uncompressed TIFFs of separate planes with extra or 16-bit samples, or
  of reversed bit order in palette and white-is-zero forms; pictures so long that Pillow runs out
  of memory; PNGs whose text chunks inflate to more than a megabyte.
- Read by Pillow only: TIFFs in LAB and uncompressed YCbCr, lossless JPEG, and, by the newer libtiff
  in its wheel, fax data with errors in it and tags of a wrong type.
- Read rightly here, wrongly by Pillow 13.0.0: compressed big-endian TIFFs of signed or float
  samples (it swaps them twice), uncompressed separate 16-bit planes (it reads bytes), big-endian
  16-bit grey (it resizes low bytes as high ones), compressed separate grey and alpha planes.
- HEIC and AVIF come from another library than Pillow's and are not compared.

Prints each file that differs, or that only one side reads, and the totals; exits with 1 if a byte
differs or clipnext refuses what Pillow reads. Needs Pillow 13.0.0 and open_clip_torch 3.3.0
(./dev oracle).
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import warnings
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image


class Case(NamedTuple):
    size: int
    mode: str
    interpolation: str


CASES = (Case(320, "shortest", "bicubic"), Case(224, "squash", "bilinear"),
         Case(256, "longest", "bicubic"), Case(64, "shortest", "bilinear"))


def pixel_transform(case):
    """The steps of open_clip's transform before the pixels become floats."""
    config = PreprocessCfg(size=case.size, resize_mode=case.mode,
                           interpolation=case.interpolation)
    steps = image_transform_v2(config, is_train=False).transforms
    return [s for s in steps if "ToTensor" not in type(s).__name__
            and "Normalize" not in type(s).__name__]


TRANSFORMS = {case: pixel_transform(case) for case in CASES}


def expected_pixels(image, case):
    """RGB bytes [size, size, 3] of the reference."""
    for step in TRANSFORMS[case]:
        image = step(image)
    return image.tobytes()


def our_pixels(program, path, case):
    """The same of clipnext, or the message with which it refuses the file."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "x.npy"
        done = subprocess.run(
            [program, "preprocess", str(path), "--size", str(case.size), "--mode", case.mode,
             "--interpolation", case.interpolation, "--uint8", "--out", str(out)],
            capture_output=True, text=True)
        if done.returncode != 0:
            return done.stderr.strip() or f"exit code {done.returncode}"
        return np.load(out).tobytes()


def compare(program, path):
    """Compares one file in all cases; returns what to count and the lines to print."""
    ours = [our_pixels(program, path, case) for case in CASES]
    try:
        with Image.open(path) as image:
            image.load()
            reference = [expected_pixels(image, case) for case in CASES]
    except Exception as error:  # whatever Pillow raises, it does not read the file
        if not any(isinstance(mine, bytes) for mine in ours):
            return Counter({"neither reads": 1}), []
        return (Counter({"only clipnext reads": 1}),
                [f"only clipnext reads {path}: Pillow: {error!r}"])
    count, lines = Counter({"files compared": 1}), []
    for case, mine, right in zip(CASES, ours, reference):
        if not isinstance(mine, bytes):
            return Counter({"only Pillow reads": 1}), [f"only Pillow reads {path}: {mine}"]
        different = len(right) if len(mine) != len(right) else int(np.count_nonzero(
            np.frombuffer(mine, np.uint8) != np.frombuffer(right, np.uint8)))
        count["bytes"] += len(right)
        count["differing bytes"] += different
        if different:
            lines.append(f"{path} at {case.size} {case.mode} {case.interpolation}: {different} of "
                         f"{len(right)} bytes differ")
    return count, lines


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clipnext", required=True, help="the program, e.g. build/clipnext")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("paths", nargs="+", type=Path)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    # Pillow holds a 65535x1 picture resized to a height of 320 whole: 27 GB, refused from here on.
    resource.setrlimit(resource.RLIMIT_AS, (9 << 30, resource.RLIM_INFINITY))

    files = []
    for path in options.paths:
        files += sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    total = Counter({"differing bytes": 0, "only Pillow reads": 0})
    with ThreadPoolExecutor(options.jobs) as pool:
        for count, lines in pool.map(lambda path: compare(options.clipnext, path), files):
            for name, value in count.items():
                total[name] += value
            for line in lines:
                print(line, flush=True)
    print(f"{len(files)} files, {len(CASES)} sizes: " +
          ", ".join(f"{name} {value}" for name, value in total.items()))
    sys.exit(1 if total["differing bytes"] or total["only Pillow reads"] else 0)


if __name__ == "__main__":
    main()
