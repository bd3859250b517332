#!/usr/bin/env python3
"""Trains the emoji model by open_clip's trainer and by ours, each with its own data path and its own
randomness, over several seeds: do the loss curves and the accuracies overlap?

    .oracle/bin/python tools/compare_training_curves.py --clipnext build/clipnext --data emoji-train

--data is the folder of shards 00000.tar to 00011.tar. Both take the options of the recipe
emoji-atto, but for --epochs and the seed. Per epoch the mean of all steps' losses, and at the end
the accuracy on examples/emoji by `clipnext eval`, of either side's checkpoints. Of each figure the
ranges over the seeds, widened by half their width for what three seeds do not show, must have a
common point. What is there already in --work is not trained again. Exit status 1 if not.
Needs open_clip_torch, webdataset==0.2.86 and torch (./dev oracle).
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from statistics import mean

MODEL = "convnext_atto_emoji"
OURS, THEIRS = "clipnext", "open_clip"
SETS = ["seen", "unseen"]
LOSS = re.compile(r"Train Epoch: (\d+) .*?Contrastive_loss: ([0-9.eE+-]+) \(")
REFERENCE = ("import sys, open_clip; open_clip.add_model_config(sys.argv[1]); "
             "from open_clip_train.main import main; main(sys.argv[2:])")


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--clipnext", required=True, type=Path)
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--work", default=Path("build/compare_training_curves"), type=Path)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=10)
    return parser.parse_args()


def value_text(value):
    return str(tuple(value) if isinstance(value, list) else value).replace(" ", "")


def recipe_options(root):
    """The recipe as open_clip's options."""
    options = json.loads((root / "configs/recipes/emoji-atto.json").read_text())["options"]
    for name, value in options.items():
        if name in ("seed", "epochs", "save-frequency", "log-every-n-steps"):
            continue
        yield f"--{name}"
        if isinstance(value, dict):
            yield from (f"{key}={value_text(entry)}" for key, entry in value.items())
        else:
            yield from map(str, value if isinstance(value, list) else [value])


def train(args, root, who, seed):
    """The run's folder."""
    folder = args.work / f"{who}-{seed}"
    if (folder / f"checkpoints/epoch_{args.epochs}.pt").exists():
        return folder
    start = ([sys.executable, "-c", REFERENCE, str(root / f"configs/recipes/models/{MODEL}.json")]
             if who == THEIRS else [str(args.clipnext), "train"])
    command = [*start, *recipe_options(root), "--train-data", str(args.data / "{00000..00011}.tar"),
               "--epochs", str(args.epochs), "--seed", str(seed), "--save-frequency", "0", "--zeroshot-frequency",
               "0", "--log-every-n-steps", "1", "--logs", str(args.work), "--name", folder.name]
    print(f"training: {who}, seed {seed}", flush=True)
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}\n{done.stderr[-3000:]}")
    return folder


def epoch_losses(folder, epochs):
    losses = {}
    for epoch, loss in LOSS.findall((folder / "out.log").read_text()):
        losses.setdefault(int(epoch), []).append(float(loss))
    if sorted(losses) != list(range(epochs)):
        sys.exit(f"{folder}/out.log: losses of epochs {sorted(losses)}, not of all {epochs}")
    return [mean(losses[epoch]) for epoch in range(epochs)]


def accuracies(args, root, folder):
    out = folder / "accuracy-{dataset}.json"
    checkpoint = folder / f"checkpoints/epoch_{args.epochs}.pt"
    config = "open_clip_config.json"  # open_clip's trainer leaves none
    shutil.copy(root / "models/emoji-convnext-atto" / config, checkpoint.with_name(config))
    subprocess.run([str(args.clipnext), "eval", "--model", str(checkpoint), "--dataset",
                    *(f"wds/{name}" for name in SETS), "--dataset_root", str(root / "examples/emoji/{dataset}"),
                    "--output", str(out)], check=True, capture_output=True)
    results = [json.loads(path.read_text()) for path in sorted(folder.glob("accuracy-*.json"))]
    return {result["dataset"].removeprefix("wds/"): result["metrics"]["acc1"] for result in results}


def common(a, b):
    reach = lambda values: (max(values) - min(values)) / 2
    return max(min(a) - reach(a), min(b) - reach(b)) <= min(max(a) + reach(a), max(b) + reach(b))


def row(what, ours, theirs):
    show = lambda values: " ".join(f"{value:.4f}" for value in values)
    good = common(ours, theirs)
    print(f"{what:<16} {OURS} {show(ours)}   {THEIRS} {show(theirs)}" + ("" if good else "   APART"), flush=True)
    return good


def main():
    args = parse()
    args.clipnext, args.data, args.work = args.clipnext.resolve(), args.data.resolve(), args.work.resolve()
    root = Path(__file__).resolve().parent.parent
    runs = {who: [] for who in (OURS, THEIRS)}
    for seed in args.seeds:
        for who, folders in runs.items():
            folders.append(train(args, root, who, seed))
    losses = {who: [epoch_losses(folder, args.epochs) for folder in folders] for who, folders in runs.items()}
    scores = {who: [accuracies(args, root, folder) for folder in folders] for who, folders in runs.items()}
    good = [row(f"loss, epoch {epoch + 1}", [run[epoch] for run in losses[OURS]], [run[epoch] for run in losses[THEIRS]])
            for epoch in range(args.epochs)]
    good += [row(f"acc1, {name}", [run[name] for run in scores[OURS]], [run[name] for run in scores[THEIRS]])
             for name in SETS]
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
