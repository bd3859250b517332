#!/usr/bin/env python3
"""Times a 1 Mpixel JPEG from the file to what convnext_large_d_320 takes, in clipnext and in Pillow
with open_clip's transform, one thread each, taking turns; checks that the bytes are the same.

    python3 tools/time_preprocess.py [--clipnext build/clipnext] [--rounds 5]

The picture is made here: noise with the spectrum of photographs and shapes with edges, 1152x896,
quality 90. Prints one JSON object: the smallest seconds of either side and their ratio; exits with 1
if a byte differs. Needs Pillow 13.0.0 and open_clip_torch 3.3.0 (./dev oracle).
"""
import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image, features

MODEL = "convnext_large_d_320"
SIZE = 320
SECONDS = 0.3  # of a turn


def photograph(width, height, seed=0):
    random = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :])
    frequency[0, 0] = 1
    amplitude = frequency**-1.1 * np.exp(-((frequency / 0.35) ** 2))
    amplitude[0, 0] = 0

    def plane(deviation):
        phase = np.exp(2j * np.pi * random.random(amplitude.shape))
        noise = np.fft.irfft2(amplitude * phase, s=(height, width))
        return noise / noise.std() * deviation

    y, cb, cr = plane(45) + 118, plane(14), plane(14)
    rows, columns = np.mgrid[0:height, 0:width]
    for _ in range(25):
        radius = random.integers(20, 160)
        disc = (columns - random.integers(width)) ** 2 + (rows - random.integers(height)) ** 2 < radius**2
        y[disc] = 0.5 * y[disc] + random.integers(128)
        cb[disc] += 25 * random.normal()
        cr[disc] += 25 * random.normal()
    rgb = np.stack([y + 1.402 * cr, y - 0.344 * cb - 0.714 * cr, y + 1.772 * cb], -1)
    return Image.fromarray(np.clip(rgb, 0, 255).astype(np.uint8))


def reference_bytes(path, transform):
    """The pixels before they become floats."""
    picture = Image.open(path)
    for step in transform.transforms:
        if type(step).__name__ == "MaybeToTensor":
            return np.asarray(picture)
        picture = step(picture)
    raise ValueError("open_clip's transform has no MaybeToTensor")


def our_bytes(program, path, folder):
    out = folder / "pixels.npy"
    subprocess.run([program, "preprocess", path, "--size", str(SIZE), "--uint8", "--out", out],
                   check=True, stdout=subprocess.DEVNULL)
    return np.load(out)


def reference_seconds(path, transform):
    best, end = float("inf"), time.perf_counter() + SECONDS
    while time.perf_counter() < end:
        start = time.perf_counter()
        transform(Image.open(path).convert("RGB"))
        best = min(best, time.perf_counter() - start)
    return best


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clipnext", default="build/clipnext")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    transform = image_transform_v2(PreprocessCfg(size=SIZE), is_train=False)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "photograph.jpg"
        photograph(1152, 896).save(path, quality=90)
        if not np.array_equal(our_bytes(options.clipnext, path, folder),
                              reference_bytes(path, transform)):
            sys.exit("the pixels differ")
        bench = subprocess.Popen([options.clipnext, "bench", "--model", MODEL, "--preprocess", path,
                                  "--each-line", "--min-time", str(SECONDS)],
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        ours, theirs = [], []
        for _ in range(options.rounds):
            bench.stdin.write("\n")
            bench.stdin.flush()
            ours.append(json.loads(bench.stdout.readline())["seconds"])
            theirs.append(reference_seconds(path, transform))
        bench.stdin.close()
        bench.wait()
        print(json.dumps({"bytes": path.stat().st_size, "clipnext_seconds": min(ours),
                          "pillow_seconds": min(theirs), "ratio": round(min(theirs) / min(ours), 2),
                          "pillow": Image.__version__,
                          "pillow_libjpeg_turbo": features.version("libjpeg_turbo")}))


if __name__ == "__main__":
    main()
