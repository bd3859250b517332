#!/usr/bin/env python3
"""Times the training loader against open_clip's data path (webdataset, Pillow, its training transform
and tokenizer, no worker processes), one thread each, taking turns.

    ./dev oracle && ./dev build --train && cmake --preset release -DCLIPNEXT_BENCH=ON
    cmake --build --preset release --target train_loader_bench
    .oracle/bin/python tools/time_train_loader.py [--bench build/release/bin/train_loader_bench]
        [--emoji shared/data/emoji-train] [--size 224] [--batch 64] [--rounds 3] [--seconds 3]

Without --emoji the shard is made here: 512 JPEGs of 256x256 to 512x384 with captions. Prints a JSON
object for each transform, open_clip's default and the recipe of its large models (timm's path): samples
a second and a second of processor time of either side, the medians of the rounds, and the ratio of the
latter, which other load on the machine does not change much. Needs open_clip_torch 3.3.0,
webdataset 0.2.86 and Pillow 13.0.0 (./dev oracle).
"""
import argparse
import io
import json
import statistics
import subprocess
import tarfile
import tempfile
import time
from pathlib import Path

import numpy as np
import open_clip
import torch
import webdataset as wds
from open_clip.transform import AugmentationCfg, PreprocessCfg, image_transform_v2

from time_preprocess import photograph

AUGMENTATIONS = {"default": ({}, None),
                 "timm": ({"use_timm": True, "scale": (0.33, 1.0), "re_prob": 0.35}, "random")}
SIZES = [(256, 256), (384, 256), (320, 320), (512, 384)]
WORDS = "a photo of the small red quiet river under old bridge with two dogs and evening light".split()


def make_shard(path):
    random = np.random.default_rng(5)
    pictures = [photograph(*SIZES[i % 4], seed=i) for i in range(64)]
    with tarfile.open(path, "w") as tar:
        for i in range(512):
            buffer = io.BytesIO()
            pictures[i % 64].save(buffer, "JPEG", quality=int(random.integers(80, 96)))
            caption = " ".join(random.choice(WORDS, random.integers(4, 16)))
            for suffix, content in (("jpg", buffer.getvalue()), ("txt", caption.encode())):
                member = tarfile.TarInfo(f"{i:06d}.{suffix}")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))


def reference(shards, size, batch, augmentation):
    cfg, interpolation = AUGMENTATIONS[augmentation]
    transform = image_transform_v2(
        PreprocessCfg(size=size, interpolation=interpolation or "bicubic"), is_train=True,
        aug_cfg=AugmentationCfg(**cfg))
    tokenizer = open_clip.get_tokenizer("ViT-B-32")
    return iter(wds.DataPipeline(
        wds.ResampledShards(shards), wds.tarfile_to_samples(), wds.decode("pilrgb"),
        wds.rename(image="jpg;png;jpeg;webp", text="txt"),
        wds.map_dict(image=transform, text=lambda text: tokenizer(text)[0]),
        wds.to_tuple("image", "text"), wds.batched(batch, partial=False)))


def reference_turn(batches, seconds):
    next(batches)
    samples, start, cpu = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - start < seconds:
        samples += len(next(batches)[0])
    return {"samples": samples, "seconds": time.perf_counter() - start,
            "cpu_seconds": time.process_time() - cpu}


def rate(turns, clock):
    return round(statistics.median(turn["samples"] / turn[clock] for turn in turns), 1)


def compare(options, shards, augmentation):
    bench = subprocess.Popen([options.bench, str(options.size), str(options.batch), "1",
                              str(options.seconds), augmentation, *shards],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    batches = reference(shards, options.size, options.batch, augmentation)
    ours, theirs = [], []
    for _ in range(options.rounds):
        bench.stdin.write("\n")
        bench.stdin.flush()
        ours.append(json.loads(bench.stdout.readline()))
        theirs.append(reference_turn(batches, options.seconds))
    bench.stdin.close()
    bench.wait()
    return {"transform": augmentation, "size": options.size, "isa": ours[0]["isa"],
            "clipnext_per_second": rate(ours, "seconds"),
            "open_clip_per_second": rate(theirs, "seconds"),
            "clipnext_per_cpu_second": rate(ours, "cpu_seconds"),
            "open_clip_per_cpu_second": rate(theirs, "cpu_seconds"),
            "ratio": round(rate(ours, "cpu_seconds") / rate(theirs, "cpu_seconds"), 2)}


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", default="build/release/bin/train_loader_bench")
    parser.add_argument("--emoji", type=Path)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        if options.emoji:
            shards = sorted(str(path) for path in options.emoji.glob("*.tar"))
        else:
            shards = [str(Path(name) / "photographs.tar")]
            make_shard(shards[0])
        for augmentation in AUGMENTATIONS:
            print(json.dumps(compare(options, shards, augmentation)), flush=True)


if __name__ == "__main__":
    main()
