#!/usr/bin/env python3
"""Makes tests/data/train/optimizers.json from the reference packages: what each optimizer of --opt does.

    python3 tools/make_optimizer_fixtures.py            write it
    python3 tools/make_optimizer_fixtures.py --check    compare, write nothing; exit 1 if it differs

Needs timm and torch (`./dev oracle` makes that environment). Of each case: the options of a group as
its state_dict() has them, the names of a parameter's state, and two parameters (6 values with decay 0.2,
3 without) after each of 6 steps at lr 1e-2 / step. Values and gradients are sines, the test has the
same. Of each case of Muon: the options of a group left to its AdamW, the names of the state of each
parameter of MUON_SHAPES, and their values after 4 steps; they and their gradients are sines of squares,
for those of equal steps make matrices of rank 2.
"""

import argparse
import json
import sys
from importlib.metadata import version
from pathlib import Path

import numpy
import torch
from timm.optim import create_optimizer_v2

PATH = Path(__file__).resolve().parents[1] / "tests/data/train/optimizers.json"
STEPS = 6
CASES = [
    ("adamw", {}), ("nadamw", {}), ("nadamw", {"betas": (0.8, 0.95), "momentum_decay": 0.01}),
    ("timm/adam", {}), ("timm/adamw", {"eps": 1e-3}), ("timm/nadam", {}), ("timm/nadamw", {}),
    ("timm/nadamw", {"clipping_threshold": 0.5}), ("timm/cnadamw", {}), ("timm/nadamc", {}),
    ("timm/lamb", {}), ("timm/lamb", {"max_grad_norm": None, "always_adapt": True}),
    ("timm/lamb", {"grad_averaging": False, "bias_correction": False}),
    ("timm/lambc", {}), ("timm/lambw", {}), ("timm/lambcw", {}), ("timm/clamb", {}),
    ("timm/lion", {}), ("timm/lion", {"betas": (0.95, 0.98)}), ("timm/clion", {}), ("timm/lionc", {}),
    ("timm/sgd", {}), ("timm/sgd", {"momentum": 0.0, "nesterov": False}), ("timm/momentum", {"dampening": 0.1}),
    ("timm/sgdw", {}), ("timm/csgdw", {}), ("timm/adopt", {}), ("timm/adoptw", {}),
    ("timm/adopt", {"clip_exp": None}), ("timm/cadopt", {}), ("timm/cadoptw", {}),
]
MUON_STEPS = 4
MUON_SHAPES = {"bias": (5,), "matrix": (5, 7), "tall": (9, 4), "conv": (6, 4, 3, 2), "left": (4, 6)}
MUON_CASES = [
    ("timm/muon", {}), ("timm/nmuon", {}), ("timm/adamuon", {}), ("timm/nadamuon", {}),
    ("timm/muon", {"momentum": 0.8, "betas": (0.8, 0.9), "eps": 1e-3, "fallback_lr_scale": 0.5}),
    ("timm/nadamuon", {"momentum": 0.8, "betas": (0.8, 0.9), "eps": 1e-3, "fallback_lr_scale": 0.5}),
    ("timm/muon", {"conv_mode": "batched"}), ("timm/muon", {"conv_mode": "batched", "normalize_spatial": False}),
    ("timm/muon", {"adjust_lr_fn": "original"}), ("timm/muon", {"adjust_lr_fn": None, "ns_steps": 3}),
    ("timm/muon", {"adjust_lr_fn": "rms_to_rms", "scale_eps": True, "eps": 0.1}),
    ("timm/muon", {"ns_coefficients": "original"}),
    ("timm/muon", {"ns_coefficients": "polar_express", "ns_steps": 9, "safety_factor": 1.02}),
    ("timm/muon", {"ns_coefficients": "polar_express_safer"}),
    ("timm/muon", {"ns_coefficients": [(3.5, -4.8, 2.0), (2.0, -1.5, 0.5)], "ns_steps": 4}),
    ("timm/adamuon", {"conv_mode": "batched"}), ("timm/adamuon", {"adjust_lr_fn": "rms_to_rms"}),
    ("timm/adamuon", {"adjust_lr_fn": "rsqrt_in", "conv_mode": "batched"}),
    ("timm/adamuon", {"adjust_lr_fn": None}),
]


def sines(count, a, b):
    return torch.tensor(numpy.array([numpy.sin(a * k + b) for k in range(count)], dtype=numpy.float32))


def make(opt, kwargs, groups):
    if opt == "adamw":
        return torch.optim.AdamW(groups, lr=1e-2, **kwargs)
    if opt == "nadamw":
        return torch.optim.NAdam(groups, lr=1e-2, decoupled_weight_decay=True, **kwargs)
    return create_optimizer_v2(groups, opt.removeprefix("timm/"), lr=1e-2, **kwargs)


def plain(value):
    return float(value) if isinstance(value, torch.Tensor) else value


def case(opt, kwargs):
    plain_p = torch.nn.Parameter(sines(3, 1.1, 0.4))
    decayed = torch.nn.Parameter(sines(6, 0.7, 0.2).reshape(2, 3))
    groups = [{"params": [plain_p], "weight_decay": 0.0}, {"params": [decayed], "weight_decay": 0.2}]
    optimizer = make(opt, kwargs, groups)
    values = []
    for step in range(1, STEPS + 1):
        for group in optimizer.param_groups:
            group["lr"] = 1e-2 / step
        plain_p.grad = sines(3, 0.9, 1.3 * step)
        decayed.grad = sines(6, 1.7, 0.6 * step).reshape(2, 3)
        optimizer.step()
        values.append(plain_p.detach().tolist() + decayed.detach().flatten().tolist())
    state = optimizer.state_dict()
    group = {k: plain(v) for k, v in state["param_groups"][1].items() if k != "params"}
    return {"opt": opt, "kwargs": kwargs, "group": group, "state": list(state["state"].get(1, {})), "values": values}


def chirp(shape, a, b):
    count = int(numpy.prod(shape))
    return torch.tensor(numpy.sin(a * numpy.arange(count) ** 2 + b).astype(numpy.float32)).reshape(shape)


def muon_case(opt, kwargs):
    held = {name: torch.nn.Parameter(chirp(shape, 0.3, 0.2)) for name, shape in MUON_SHAPES.items()}
    groups = [
        {"params": [held["bias"]], "weight_decay": 0.0},
        {"params": [held["matrix"], held["tall"], held["conv"]], "weight_decay": 0.2},
        {"params": [held["left"]], "weight_decay": 0.2, "use_fallback": True},
    ]
    optimizer = make(opt, kwargs, groups)
    for step in range(1, MUON_STEPS + 1):
        for group in optimizer.param_groups:
            group["lr"] = 1e-2 / step
        for i, parameter in enumerate(held.values()):
            parameter.grad = chirp(parameter.shape, 0.7 + 0.1 * i, 0.6 * step)
        optimizer.step()
    state = optimizer.state_dict()
    group = {k: v for k, v in state["param_groups"][2].items() if k != "params"}
    names = {name: list(state["state"][i]) for i, name in enumerate(held)}
    values = {n: [round(x, 8) for x in p.detach().flatten().tolist()] for n, p in held.items()}
    return {"opt": opt, "kwargs": kwargs, "group": group, "state": names, "values": values}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    check = parser.parse_args().check
    torch.set_num_threads(1)
    head = {"made_by": "tools/make_optimizer_fixtures.py", **{p: version(p) for p in ("timm", "torch")}}
    rows = ",\n    ".join(json.dumps(case(*c)) for c in CASES)
    muon_rows = ",\n    ".join(json.dumps(muon_case(*c)) for c in MUON_CASES)
    content = (json.dumps(head)[:-1] + ',\n  "cases": [\n    ' + rows + '\n  ],\n  "muon": [\n    ' +
               muon_rows + "\n  ]\n}\n")
    if check:
        same = PATH.read_text() == content
        print("the same" if same else "differs")
        sys.exit(0 if same else 1)
    PATH.write_text(content)


if __name__ == "__main__":
    main()
