#!/usr/bin/env python3
"""Times `clipnext classify` of one photo from the start of the program, warm page cache.

    python3 tools/time_cold_start.py build/clipnext [--model convnext_large_d_320] [--json]

A checkpoint of the model with random weights is made in --folder, packed in each type, and one
photo classified from it and from each packed file. `over` is the wall time less what the image
tower alone takes (`clipnext bench`): start, reading, packing, decoding, texts and printing.
`memory` is the peak of resident memory, mapped files included; `beyond` is that less the file.
Runs take turns, and the fastest of each counts. Then two processes that hold the same packed file
at once show what they share. Needs torch, open_clip, Pillow and safetensors, as `./dev oracle`
installs them.
"""

import argparse
import json
import multiprocessing
import os
import re
import subprocess
import sys
import time
from pathlib import Path

LABELS = "a cat,a dog,a horse,a harbour at night"
PACKED = ["fp32", "bf16", "int8"]


def make_checkpoint(path, model):
    import open_clip
    import safetensors.torch
    import torch

    torch.manual_seed(0)
    state = open_clip.create_model(model).state_dict()
    safetensors.torch.save_file({k: v.contiguous() for k, v in state.items()}, path,
                                {"config": model})


def make_photo(path):
    from PIL import Image

    gradient = Image.linear_gradient("L").resize((1600, 1200))
    noise = Image.effect_noise((1600, 1200), 60)
    Image.merge("RGB", (gradient, noise, gradient.rotate(180))).save(path, quality=90)


def prepare(args):
    """What is classified from: (name, model arguments, file)."""
    args.folder.mkdir(parents=True, exist_ok=True)
    checkpoint = args.folder / f"{args.model}.safetensors"
    photo = args.folder / "photo.jpg"
    if not checkpoint.exists():
        # In a process of its own: a child begins with its parent's peak of memory.
        maker = multiprocessing.get_context("spawn").Process(
            target=make_checkpoint, args=(checkpoint, args.model))
        maker.start()
        maker.join()
        if maker.exitcode != 0:
            sys.exit("the checkpoint could not be made")
    if not photo.exists():
        make_photo(photo)
    model = ["--model", args.model, "--pretrained", str(checkpoint)]
    cases = [(f"safetensors, {dtype}", [*model, "--dtype", dtype], checkpoint) for dtype in PACKED]
    for dtype in PACKED:
        packed = args.folder / f"{args.model}-{dtype}.packed.safetensors"
        subprocess.run([args.program, "convert", args.model, "--pretrained", checkpoint, "-o",
                        packed, "--packed", "--dtype", dtype], check=True, capture_output=True)
        cases.append((f"packed, {dtype}", ["--model", str(packed)], packed))
    return cases, photo


def classify(args, model, photo):
    """Seconds and peak resident bytes of one run."""
    command = [args.program, "classify", str(photo), "--labels", LABELS, "--no-cache", *model]
    begin = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - begin
    if status != 0:
        sys.exit(f"failed: {' '.join(command)}")
    return seconds, usage.ru_maxrss * 1024


def bare_seconds(args, model):
    """Of one picture through the image tower."""
    command = [args.program, "bench", "--tower", "image", "--batch", "1", "--json", *model]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return json.loads(output)["seconds_per_item"]


def shared_memory(args, packed):
    """Resident and proportional bytes of each of two processes with the same packed file."""
    command = [args.program, "bench", "--tower", "image", "--batch", "1", "--each-line", "--model",
               str(packed)]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                  stderr=subprocess.DEVNULL) for _ in range(2)]
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
        process.stdout.readline()
    sizes = []
    for process in processes:
        rollup = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
        sizes.append({key.lower(): int(re.search(rf"^{key}:\s+(\d+) kB", rollup, re.M)[1]) * 1024
                      for key in ("Rss", "Pss")})
    for process in processes:
        process.stdin.close()
        process.wait()
    return sizes


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("program")
    parser.add_argument("--model", default="convnext_large_d_320", help="config name")
    parser.add_argument("--folder", type=Path, default=Path("build/cold_start"),
                        help="where checkpoint and packed files are made and kept")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()

    cases, photo = prepare(args)
    runs = {name: [] for name, _, _ in cases}
    bare = {name: [] for name, _, _ in cases}
    for _ in range(args.runs):
        for name, model, _ in cases:
            runs[name].append(classify(args, model, photo))
            bare[name].append(bare_seconds(args, model))
    rows = []
    for name, _, file in cases:
        wall = min(seconds for seconds, _ in runs[name])
        memory = max(size for _, size in runs[name])
        rows.append({"from": name, "seconds": wall, "bare_seconds": min(bare[name]),
                     "over_seconds": wall - min(bare[name]), "memory_bytes": memory,
                     "file_bytes": file.stat().st_size,
                     "beyond_file_bytes": memory - file.stat().st_size})
    shared = {name: shared_memory(args, file) for name, _, file in cases if "packed" in name}
    if args.json:
        print(json.dumps({"model": args.model, "runs": rows, "two_processes": shared}))
        return
    print(f"{'from':<18} {'wall s':>7} {'tower s':>8} {'over s':>7} {'memory MB':>10} {'beyond':>7}")
    for row in rows:
        print(f"{row['from']:<18} {row['seconds']:7.3f} {row['bare_seconds']:8.3f} "
              f"{row['over_seconds']:7.3f} {row['memory_bytes'] / 1e6:10.0f} "
              f"{row['beyond_file_bytes'] / 1e6:7.0f}")
    for name, sizes in shared.items():
        each = " and ".join(f"{s['pss'] / 1e6:.0f} of {s['rss'] / 1e6:.0f} MB" for s in sizes)
        print(f"two processes, {name}: {each} are each one's own share")


if __name__ == "__main__":
    main()
