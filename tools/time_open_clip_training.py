#!/usr/bin/env python3
"""Time of a training step's forward and backward pass in open_clip on the CPU, float32.

    python3 tools/time_open_clip_training.py TIMM_NAME SIDE BATCH [STEPS [eager|compile [THREADS]]]

The counterpart of bench/train_bench.cpp: same sizes, drop path 0.1, same captions padded to 77.
Prints one JSON object, of the fastest step. Needs open_clip_torch, timm and torch (./dev oracle).
"""
import json
import math
import sys
import time

import open_clip
import torch


def model_of(name, side):
    vision = {"timm_model_name": name, "timm_pool": "", "timm_proj": "linear", "timm_drop": 0.0,
              "timm_drop_path": 0.1, "image_size": side}
    text = {"context_length": 77, "vocab_size": 49408, "width": 512, "heads": 8, "layers": 12}
    return open_clip.model.CLIP(512, vision, text).train()


def captions(batch):
    ids = torch.zeros(batch, 77, dtype=torch.long)
    for i in range(batch):
        words = 6 + i * 5 % 13
        row = [49406] + [(i * 977 + j * 131) % 49000 for j in range(words)] + [49407]
        ids[i, :len(row)] = torch.tensor(row)
    return ids


def main():
    name, side, batch = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    steps = int(sys.argv[4]) if len(sys.argv) > 4 else 5
    how = sys.argv[5] if len(sys.argv) > 5 else "eager"
    if len(sys.argv) > 6:
        torch.set_num_threads(int(sys.argv[6]))
    torch.manual_seed(0)
    model = model_of(name, side)
    run = torch.compile(model) if how == "compile" else model
    pixels = torch.sin(torch.arange(batch * side * side * 3) * 0.37).view(batch, 3, side, side)
    tokens = captions(batch)
    labels = torch.arange(batch)
    forward, backward = [], []
    for step in range(steps + 1):
        model.zero_grad(set_to_none=True)
        start = time.perf_counter()
        image, text, scale = run(pixels, tokens)
        middle = time.perf_counter()
        logits = scale * image @ text.T
        loss = (torch.nn.functional.cross_entropy(logits, labels)
                + torch.nn.functional.cross_entropy(logits.T, labels)) / 2
        loss.backward()
        end = time.perf_counter()
        assert math.isfinite(loss.item())
        if step > 0:  # the first warms up
            forward.append(middle - start)
            backward.append(end - middle)
    ms = [round(1e3 * min(v), 1)
          for v in (forward, backward, [a + b for a, b in zip(forward, backward)])]
    print(json.dumps({"model": name, "side": side, "batch": batch, "how": how,
                      "threads": torch.get_num_threads(), "forward_ms": ms[0], "backward_ms": ms[1],
                      "step_ms": ms[2]}))


if __name__ == "__main__":
    main()
