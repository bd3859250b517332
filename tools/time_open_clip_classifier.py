#!/usr/bin/env python3
"""Time open_clip takes to build the first classes of ImageNet's 1,000 x 80 zero-shot classifier with
convnext_large_d_320 (random weights: time does not depend on them), as its
build_zero_shot_classifier does: ten classes, 800 prompts, a batch. One JSON object a batch and one
for the whole classifier, reckoned from them. Counterpart of bench/classifier_bench.cpp.

    python3 tools/time_open_clip_classifier.py [--threads 2] [--prompts 2000]
"""
import argparse
import json
import os
import time

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # or waiting threads count as used CPU time

import open_clip
import torch
from open_clip.zero_shot_metadata import IMAGENET_CLASSNAMES, OPENAI_IMAGENET_TEMPLATES

MODEL = "convnext_large_d_320"
CLASSES_PER_BATCH = 10


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--prompts", type=int, default=2000)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    model = open_clip.create_model(MODEL).eval()
    tokenizer = open_clip.get_tokenizer(MODEL)
    templates = OPENAI_IMAGENET_TEMPLATES
    classes = IMAGENET_CLASSNAMES[: options.prompts // len(templates)]
    open_clip.build_zero_shot_classifier(model, tokenizer, classes[:1], templates[:8])  # warm
    seconds = cpu_seconds = prompts = 0
    for first in range(0, len(classes), CLASSES_PER_BATCH):
        batch = classes[first : first + CLASSES_PER_BATCH]
        start, cpu_start = time.perf_counter(), time.process_time()
        open_clip.build_zero_shot_classifier(model, tokenizer, batch, templates, CLASSES_PER_BATCH)
        wall, cpu = time.perf_counter() - start, time.process_time() - cpu_start
        n = len(batch) * len(templates)
        print(json.dumps({"prompts": n, "seconds": round(wall, 3), "cpu_seconds": round(cpu, 3)}), flush=True)
        seconds, cpu_seconds, prompts = seconds + wall, cpu_seconds + cpu, prompts + n
    whole = len(IMAGENET_CLASSNAMES) * len(templates) / prompts
    print(json.dumps({"seconds": round(seconds * whole, 1), "cpu_seconds": round(cpu_seconds * whole, 1),
                      "from_prompts": prompts, "threads": options.threads}))


if __name__ == "__main__":
    main()
