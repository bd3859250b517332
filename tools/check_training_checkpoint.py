#!/usr/bin/env python3
"""Checks that open_clip and torch.optim take up the training checkpoints that clipnext writes.

    python3 tools/check_training_checkpoint.py build/release/bin/model_test

Runs the program's tests of training checkpoints, keeps what they write, and loads it as
open_clip_train 3.3.0 does with --resume: torch.load(weights_only=True), load_state_dict of the model
(strict) and of torch.optim.AdamW. Of files that were read from the reference first, every tensor
must come back bit for bit, and a further training step give the same weights; of the others, whose
moments are the weights themselves, each moment must arrive at its parameter. Needs open_clip_torch,
timm and torch, as `./dev oracle` installs them.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import open_clip
import torch

import make_training_fixtures as fixtures

SYNTHETIC = {
    "convnext_atto mlp bias": dict(fixtures.timm_variants()),
    "RN tiny": dict(fixtures.other_models()),
    "ViT not square, layer scale, text bias, logit bias": dict(fixtures.other_models()),
}


def load(path):
    return torch.load(path, map_location="cpu", weights_only=True)


def same(a, b, where):
    """Whether two trees of values are equal, tensors bit for bit."""
    if isinstance(a, torch.Tensor):
        assert a.dtype == b.dtype and a.shape == b.shape and torch.equal(a, b), where
    elif isinstance(a, dict):
        assert list(a) == list(b), f"{where}: {list(a)} is not {list(b)}"
        for key in a:
            same(a[key], b[key], f"{where}.{key}")
    elif isinstance(a, (list, tuple)):
        assert type(a) is type(b) and len(a) == len(b), where
        for i, (x, y) in enumerate(zip(a, b)):
            same(x, y, f"{where}.{i}")
    else:
        assert type(a) is type(b) and a == b, f"{where}: {a!r} is not {b!r}"


def without_prefix(state):
    return type(state)((k.removeprefix("module."), v) for k, v in state.items())


def step_from(checkpoint, make):
    """The weights one step after a checkpoint."""
    model = fixtures.tiny_model()
    model.load_state_dict(without_prefix(checkpoint["state_dict"]))
    optimizer = make(model)
    optimizer.load_state_dict(checkpoint["optimizer"])
    if "scaler" in checkpoint:
        torch.amp.GradScaler("cpu").load_state_dict(checkpoint["scaler"])
    fixtures.train(model, optimizer, 1)
    return model.state_dict()


def check_exchanged(ours, theirs, make):
    ours, theirs = load(ours), load(theirs)
    theirs["state_dict"] = without_prefix(theirs["state_dict"])
    same(ours, theirs, "checkpoint")
    same(dict(step_from(ours, make)), dict(step_from(theirs, make)), "next step")


def check_synthetic(path, config, custom):
    model = (open_clip.CustomTextCLIP if custom else open_clip.CLIP)(**json.loads(json.dumps(config)))
    checkpoint = load(path)
    model.load_state_dict(checkpoint["state_dict"])
    optimizer = fixtures.adamw((fixtures.by_model if custom else fixtures.by_name)(model))
    optimizer.load_state_dict(checkpoint["optimizer"])
    assert [g["weight_decay"] for g in optimizer.param_groups] == [0.0, 0.2]
    for name, parameter in model.named_parameters():
        state = optimizer.state[parameter]
        assert state["step"] == 7, name
        assert torch.equal(state["exp_avg"], parameter), name
        assert torch.equal(state["exp_avg_sq"], parameter), name
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()


def main():
    program = Path(sys.argv[1]).resolve()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([program, "--gtest_brief=1", "--gtest_filter=TrainingCheckpoint.*"], check=True,
                       env={**os.environ, "CLIPNEXT_KEEP_CHECKPOINTS": folder})
        folder = Path(folder)
        for file, rule in (("training_tiny.pt", fixtures.by_name),
                           ("training_tiny_by_model.pt", fixtures.by_model)):
            check_exchanged(folder / file, fixtures.FOLDER / file, lambda model: fixtures.adamw(rule(model)))
            print("ok:", file, "and a step from it")
        for name in fixtures.OTHERS:
            file = f"training_tiny_{name}.pt"
            check_exchanged(folder / file, fixtures.FOLDER / file,
                            lambda model: fixtures.other_optimizer(name, model))
            print("ok:", file, "and a step from it")
        for name, configs in SYNTHETIC.items():
            for custom, ending in ((False, ".pt"), (True, ".custom.pt")):
                check_synthetic(folder / (name + ending), configs[name], custom)
                print("ok:", name + ending)


if __name__ == "__main__":
    main()
