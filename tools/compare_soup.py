#!/usr/bin/env python3
"""Compares `clipnext soup` with PyTorch, on every tensor of a ConvNeXt CLIP.

    .oracle/bin/python tools/compare_soup.py --clipnext build/clipnext

Three models of open_clip's own initialisation, slightly moved apart, are written as a folder, as a
training checkpoint with `module.` names, and as a bare .pt. Then, bit for bit: uniform and weighted
soups against float64 averages rounded once, and --accumulate f32seq against the usual loop over
state dicts; copies against themselves; both ends of `interp`. The soup is loaded by open_clip from
its folder with strict names. Exit status 1 if anything differs. Needs torch, open_clip and safetensors,
as `./dev oracle` installs them.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import warnings
from collections import OrderedDict
from pathlib import Path

warnings.filterwarnings("ignore")
import open_clip  # noqa: E402
import torch  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402


def make_models(name, folder):
    """Paths of three models in three formats, and their state dicts."""
    torch.manual_seed(0)
    parent = open_clip.create_model(name).state_dict()
    states = []
    for seed in range(3):
        torch.manual_seed(seed + 1)
        states.append(OrderedDict((k, v + 0.01 * v.abs().mean() * torch.randn_like(v))
                                  if k != "logit_scale" else (k, v.clone()) for k, v in parent.items()))
    config = {"model_cfg": open_clip.get_model_config(name),
              "preprocess_cfg": {"mean": list(open_clip.OPENAI_DATASET_MEAN),
                                 "std": list(open_clip.OPENAI_DATASET_STD)}}
    first = folder / "first"
    first.mkdir()
    (first / "open_clip_config.json").write_text(json.dumps(config))
    save_file({k: v.contiguous() for k, v in states[0].items()}, first / "open_clip_model.safetensors")
    second = folder / "epoch_2.pt"
    torch.save({"epoch": 2, "name": "second", "optimizer": {"state": {0: torch.randn(1000)}},
                "state_dict": OrderedDict(("module." + k, v) for k, v in states[1].items())}, second)
    third = folder / "third.pt"
    torch.save(states[2], third)
    return [first, second, third], states


def f64_mean(values):
    total = values[0].double()
    for value in values[1:]:
        total = total + value.double()
    return (total / len(values)).float()


def f64_weighted(values, weights):
    total = weights[0] * values[0].double()
    for value, weight in zip(values[1:], weights[1:]):
        total = total + weight * value.double()
    return total.float()


def python_habit(values):
    soup = values[0] * (1.0 / len(values))
    for value in values[1:]:
        soup = value * (1.0 / len(values)) + soup
    return soup


class Comparison:
    def __init__(self, program, folder):
        self.program, self.folder, self.failed = program, folder, 0

    def soup(self, name, *args):
        out = self.folder / name
        subprocess.run([self.program, "soup", args[0], "-o", out, *map(str, args[1:])], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return out

    def check(self, what, out, expected):
        found = load_file(out / "open_clip_model.safetensors")
        wrong = [k for k in expected if k not in found or not torch.equal(found[k], expected[k])]
        extra = set(found) - set(expected)
        print(f"{'ok ' if not wrong and not extra else 'BAD'} {what}: {len(expected)} tensors, "
              f"{len(wrong)} differ {wrong[:3]} {sorted(extra)[:3]}")
        self.failed += bool(wrong or extra)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clipnext", default="build/clipnext")
    parser.add_argument("--model", default="convnext_base")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        paths, states = make_models(options.model, folder)
        by_name = {k: [state[k] for state in states] for k in states[0]}
        c = Comparison(options.clipnext, folder)

        uniform = c.soup("uniform", "uniform", *paths)
        c.check("uniform, float64", uniform, {k: f64_mean(v) for k, v in by_name.items()})
        weights = [0.5, 0.3, 0.2]
        total = sum(weights)
        out = c.soup("weighted", "weighted", *(f"{p}:{w}" for p, w in zip(paths, weights)))
        c.check("weighted, float64", out,
                {k: f64_weighted(v, [w / total for w in weights]) for k, v in by_name.items()})
        out = c.soup("sequence", "uniform", *paths, "--accumulate", "f32seq")
        c.check("uniform, as a loop in float32", out, {k: python_habit(v) for k, v in by_name.items()})
        out = c.soup("copies", "uniform", *(3 * [paths[1]]), "--model", options.model)
        c.check("copies of one", out, states[1])
        for alpha, state in ((0, states[0]), (1, states[2])):
            out = c.soup(f"alpha{alpha}", "interp", "--alpha", alpha, paths[0], paths[2])
            c.check(f"interp {alpha}", out, state)

        model = open_clip.create_model(f"local-dir:{uniform}")
        loaded = model.state_dict()
        same = all(torch.equal(loaded[k], f64_mean(v)) for k, v in by_name.items())
        print(f"{'ok ' if same and len(loaded) == len(by_name) else 'BAD'} open_clip loads the folder")
        c.failed += not same or len(loaded) != len(by_name)
    sys.exit(1 if c.failed else 0)


if __name__ == "__main__":
    main()
