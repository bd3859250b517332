#!/usr/bin/env python3
"""Times the training loader against open_clip's data path (webdataset, Pillow, its training transform
and tokenizer, no worker processes), one thread each, taking turns.

    python3 tools/time_train_loader.py [--bench build/release/bin/train_loader_bench]
        [--emoji shared/data/emoji-train] [--size 224] [--batch 64] [--rounds 3] [--seconds 3]

Without --emoji the shard is made here: 512 JPEGs of 256x256 to 512x384 with captions. Prints a JSON
object for each transform, open_clip's default and the recipe of its large models (timm's path): samples
a second of either side, the medians of the rounds, and their ratio. Needs open_clip_torch 3.3.0,
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


def reference_rate(batches, seconds):
    next(batches)
    samples, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        samples += len(next(batches)[0])
    return samples / (time.perf_counter() - start)


def compare(options, shards, augmentation):
    bench = subprocess.Popen([options.bench, str(options.size), str(options.batch), "1",
                              str(options.seconds), augmentation, *shards],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    batches = reference(shards, options.size, options.batch, augmentation)
    ours, per_cpu, theirs = [], [], []
    for _ in range(options.rounds):
        bench.stdin.write("\n")
        bench.stdin.flush()
        result = json.loads(bench.stdout.readline())
        ours.append(result["samples"] / result["seconds"])
        per_cpu.append(result["samples"] / result["cpu_seconds"])
        theirs.append(reference_rate(batches, options.seconds))
    bench.stdin.close()
    bench.wait()
    rate, other = statistics.median(ours), statistics.median(theirs)
    return {"transform": augmentation, "size": options.size, "isa": result["isa"],
            "clipnext_samples_per_second": round(rate, 1),
            "clipnext_samples_per_cpu_second": round(statistics.median(per_cpu), 1),
            "open_clip_samples_per_second": round(other, 1), "ratio": round(rate / other, 2)}


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
