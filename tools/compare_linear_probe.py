#!/usr/bin/env python3
"""clipnext's linear probe against CLIP_benchmark's procedure, run by PyTorch on the CPU.

FOLDER holds features_{train,val,test}.npy [n, d] float32 and targets_{train,val,test}.npy [n] int64;
val may be missing. The reference's own functions do the work (clip_benchmark.metrics.linear_probe);
only that they insist on a CUDA device is undone. Both run with each seed. Exit status 1 if the means
of acc1 differ by more than --tolerance.

    python3 tools/compare_linear_probe.py FOLDER [--seeds 0 1 2]

--emoji-train DATA makes such a FOLDER first, with `clipnext embed`: pictures of the folder of shards
DATA, split by the style they are drawn in (four to train, one each for val and test).
"""
import argparse
import contextlib
import io
import json
import math
import pathlib
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
import warnings

import numpy

STYLES = {"train": ("noto", "notov1", "twemoji", "fluent3d"), "val": ("fluentflat",), "test": ("fluenthc",)}
RUN = {"model": "probe", "pretrained": "given", "dataset": "features"}  # names of the feature folder


def make_features(data, folder, clipnext, model):
    """Embeds the pictures of DATA and writes FOLDER."""
    pictures = {split: [] for split in STYLES}
    split_of = {style: split for split, styles in STYLES.items() for style in styles}
    for shard in sorted(data.glob("*.tar")):
        with tarfile.open(shard) as tar:
            parts = {member.name: tar.extractfile(member).read() for member in tar}
        for name, text in parts.items():
            if not name.endswith(".json"):
                continue
            about = json.loads(text)
            if about["style"] in split_of:
                pictures[split_of[about["style"]]].append((about["label"], parts[name[: -len("json")] + "png"]))
    classes = {label: i for i, label in enumerate(sorted({label for label, _ in pictures["train"]}))}
    folder.mkdir(parents=True, exist_ok=True)
    for split, samples in pictures.items():
        samples = [(label, png) for label, png in samples if label in classes]
        with tempfile.TemporaryDirectory() as files:
            for i, (_, png) in enumerate(samples):
                (pathlib.Path(files) / f"{i:06}.png").write_bytes(png)
            subprocess.run([clipnext, "embed", "--images", files, "--convert", "first", "--model", model,
                            "--out", folder / f"features_{split}.npy"], check=True, stdout=subprocess.DEVNULL)
        targets = numpy.array([classes[label] for label, _ in samples], dtype=numpy.int64)
        numpy.save(folder / f"targets_{split}.npy", targets)


def read_features(folder):
    return {split: (numpy.load(folder / f"features_{split}.npy"), numpy.load(folder / f"targets_{split}.npy"))
            for split in STYLES if (folder / f"features_{split}.npy").exists()}


def run_reference(root, options, seed, has_val):
    import torch
    from clip_benchmark.metrics import linear_probe

    torch.Tensor.cuda = lambda self: self
    torch.nn.Module.cuda = lambda self: self
    linear_probe.tqdm = lambda items: items
    if not hasattr(run_reference, "infer"):
        run_reference.infer = linear_probe.infer
    linear_probe.infer = lambda model, loader, amp, device: run_reference.infer(model, loader, amp, "cpu")
    torch.manual_seed(seed)  # as its command line does before
    began = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        metrics = linear_probe.evaluate(
            torch.nn.Identity(), None, None, options.fewshot_k, options.batch_size, 0, options.lr, options.epochs,
            "-".join(RUN.values()), seed, str(root), "cuda", val_dataloader=object() if has_val else None, amp=False)
    return metrics, time.perf_counter() - began


def run_ours(root, options, seed, has_val):
    out = root / "ours.json"
    command = [options.clipnext, "eval", "--task", "linear_probe", "--skip_load", "--no_amp", "--feature_root", root,
               "--output", out, "--seed", seed, "--batch_size", options.batch_size, "--fewshot_lr", options.lr,
               "--fewshot_epochs", options.epochs, "--fewshot_k", options.fewshot_k]
    for name, value in RUN.items():
        command += [f"--{name}", value]
    if has_val:
        command += ["--val_split", "val"]
    began = time.perf_counter()
    subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - began
    metrics = json.loads(out.read_text())["metrics"]
    out.unlink()
    return metrics, seconds


def write_cache(root, sets):
    """The features as both programs keep them."""
    import torch

    folder = root / "-".join(RUN.values())
    folder.mkdir()
    for split, (features, targets) in sets.items():
        for name, values in (("features", features), ("targets", targets)):
            numpy.save(folder / f"{name}_{split}.npy", values)
            torch.save(torch.from_numpy(values), folder / f"{name}_{split}.pt")


def same_metrics(reference, ours):
    """Whether the keys are equal, and what the options say is too."""
    given = ("epochs", "seed", "fewshot_k", "normalized")
    return reference.keys() == ours.keys() and all(reference[key] == ours[key] for key in given) and \
        math.isnan(reference["lp_acc5"]) == math.isnan(ours["lp_acc5"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--emoji-train", type=pathlib.Path, metavar="DATA")
    parser.add_argument("--model", default="models/emoji-convnext-atto", help="that --emoji-train is embedded with")
    parser.add_argument("--clipnext", default="build/clipnext")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--lr", type=float, default=0.1)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--fewshot-k", type=int, default=-1)
    parser.add_argument("--tolerance", type=float, default=0.3, help="points of acc1")
    options = parser.parse_args()
    if options.emoji_train:
        make_features(options.emoji_train, options.folder, options.clipnext, options.model)
    sets = read_features(options.folder)
    sizes = ", ".join(f"{split} {len(targets)}" for split, (_, targets) in sets.items())
    print(f"{sizes}; {sets['train'][0].shape[1]} features, {sets['train'][1].max() + 1} classes")
    found = {"reference": [], "clipnext": []}
    equal = True
    with tempfile.TemporaryDirectory() as temporary:
        root = pathlib.Path(temporary)
        write_cache(root, sets)
        print("seed            acc1     acc5     recall   weight decay  seconds")
        for seed in options.seeds:
            results = {"reference": run_reference(root, options, seed, "val" in sets),
                       "clipnext": run_ours(root, options, seed, "val" in sets)}
            equal = equal and same_metrics(results["reference"][0], results["clipnext"][0])
            for name, (metrics, seconds) in results.items():
                found[name].append(100 * metrics["lp_acc1"])
                print(f"{seed:<4} {name:<10} {100 * metrics['lp_acc1']:7.2f}  {100 * metrics['lp_acc5']:7.2f}  "
                      f"{100 * metrics['lp_mean_per_class_recall']:7.2f}  {metrics['weight_decay']:12.6g}  "
                      f"{seconds:8.2f}", flush=True)
    means = {name: statistics.mean(values) for name, values in found.items()}
    difference = means["clipnext"] - means["reference"]
    print(f"mean acc1: reference {means['reference']:.2f}, clipnext {means['clipnext']:.2f}, "
          f"difference {difference:+.2f} points (at most {options.tolerance})")
    if not equal:
        print("the metrics' keys, or what they say of the options, differ")
    sys.exit(0 if equal and abs(difference) <= options.tolerance else 1)


if __name__ == "__main__":
    main()
