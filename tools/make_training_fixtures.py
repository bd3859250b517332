#!/usr/bin/env python3
"""Makes the fixtures of a trainer's bookkeeping from the reference packages.

    python3 tools/make_training_fixtures.py            write everything
    python3 tools/make_training_fixtures.py --check    compare, write nothing; exit 1 if it differs

Needs open_clip_torch, timm and torch (`./dev oracle` makes that environment). Files made:
  tests/data/model/training.json   for each model of params.json FNV-1a-64 hashes over lines of names:
      order         named_parameters()
      custom_order  the same of the model as CustomTextCLIP
      by_name       open_clip_train's two groups, an empty line between them
      by_model      timm's, with the model's own no_weight_decay()
      lock_image    what is trained with lock_image_tower(n) for each n of `unlocked`, an empty line
                    after each; of ModifiedResNets for n = 0
      lock_text     the same of lock_text_tower(n)
  tests/data/model/training_tiny.json  a model configuration, and of that model after two steps as
  tests/data/model/training_tiny.pt    open_clip_train writes a checkpoint
  tests/data/model/training_tiny_by_model.pt  the same from data-parallel training with the groups
                                       of timm's optimizers, GradScaler and counters
  tests/data/model/training_tiny_nadam.pt, ..._lamb.pt, ..._lion.pt, ..._muon.pt, ..._nadamuon.pt
                                       as training_tiny.pt, trained by torch.optim.NAdam (decoupled
                                       decay) and by timm's optimizers
"""

import argparse
import io
import json
import sys
from collections import OrderedDict
from importlib.metadata import version
from pathlib import Path

import open_clip
import torch
from timm.optim import create_optimizer_v2, param_groups_weight_decay

from make_fixtures import ROOT, fnv1a, other_models, plain_configs, timm_variants

FOLDER = ROOT / "tests/data/model"
OTHERS = ["nadam", "lamb", "lion", "muon", "nadamuon"]
UNLOCKED = [0, 1, 2, 3, 7, 1000]
TINY = {
    "embed_dim": 8,
    "vision_cfg": {"layers": 1, "width": 8, "head_width": 4, "patch_size": 4, "image_size": 8},
    "text_cfg": {"context_length": 5, "vocab_size": 12, "width": 8, "heads": 2, "layers": 1},
}


def build(config, custom):
    config = {k: v for k, v in config.items() if k != "custom_text"}
    config = json.loads(json.dumps(config))
    with torch.device("meta"):
        return (open_clip.CustomTextCLIP if custom else open_clip.CLIP)(**config)


def hash_of(lines):
    return f"{fnv1a(''.join(line + chr(10) for line in lines)):016x}"


def trained(model):
    return [n for n, p in model.named_parameters() if p.requires_grad]


def escapes_decay(name, parameter):
    """open_clip_train.main's rule, in other words."""
    return parameter.dim() <= 1 or any(part in name for part in ("bn", "ln", "bias", "logit_scale"))


def by_name(model):
    named = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    return [[p for n, p in named if escapes_decay(n, p)], [p for n, p in named if not escapes_decay(n, p)]]


def by_model(model):
    groups = param_groups_weight_decay(model, 0.2, no_weight_decay_list=model.no_weight_decay())
    assert [g["weight_decay"] for g in groups] == [0.0, 0.2]
    return [g["params"] for g in groups]


def group_lines(model, groups):
    names = {id(p): n for n, p in model.named_parameters()}
    return [names[id(p)] for p in groups[0]] + [""] + [names[id(p)] for p in groups[1]]


def lock_lines(model, lock, numbers):
    lines = []
    for n in numbers:
        model.requires_grad_(True)
        lock(n)
        lines += trained(model) + [""]
    model.requires_grad_(True)
    return lines


def summary(name, config):
    model = build(config, custom=False)
    resnet = isinstance(model.visual, open_clip.modified_resnet.ModifiedResNet)
    return {
        "name": name,
        "order": hash_of(trained(model)),
        "custom_order": hash_of(trained(build(config, custom=True))),
        "by_name": hash_of(group_lines(model, by_name(model))),
        "by_model": hash_of(group_lines(model, by_model(model))),
        "lock_image": hash_of(lock_lines(model, model.lock_image_tower, [0] if resnet else UNLOCKED)),
        "lock_text": hash_of(lock_lines(model, model.lock_text_tower, UNLOCKED)),
    }


def bookkeeping():
    models = [*plain_configs().items(), *timm_variants(), *other_models()]
    rows = ",\n    ".join(json.dumps(summary(name, config)) for name, config in models)
    versions = {p: version(p) for p in ("open_clip_torch", "timm", "torch")}
    head = {"made_by": "tools/make_training_fixtures.py", **versions, "unlocked": UNLOCKED}
    return json.dumps(head)[:-1] + ',\n  "models": [\n    ' + rows + "\n  ]\n}\n"


def train(model, optimizer, steps):
    """Steps on fixed data; the loss is open_clip's."""
    random = torch.Generator().manual_seed(1)
    size = TINY["vision_cfg"]["image_size"]
    for _ in range(steps):
        images = torch.randn(4, 3, size, size, generator=random)
        texts = torch.randint(1, 12, (4, 5), generator=random)
        optimizer.zero_grad()
        image, text, scale = model(images, texts)
        open_clip.ClipLoss()(image, text, scale).backward()
        optimizer.step()


def tiny_model():
    torch.manual_seed(0)
    return open_clip.CLIP(**json.loads(json.dumps(TINY)))


def adamw(groups):
    return torch.optim.AdamW(
        [{"params": groups[0], "weight_decay": 0.0}, {"params": groups[1], "weight_decay": 0.2}],
        lr=1e-3, betas=(0.9, 0.98), eps=1e-6)


def other_optimizer(name, model):
    """As open_clip_train makes timm's; nadamw as its successors do."""
    if name != "nadam":
        return create_optimizer_v2(model, name, lr=1e-3, weight_decay=0.2)
    groups = by_name(model)
    return torch.optim.NAdam(
        [{"params": groups[0], "weight_decay": 0.0}, {"params": groups[1], "weight_decay": 0.2}],
        lr=1e-3, betas=(0.9, 0.98), eps=1e-6, decoupled_weight_decay=True)


def checkpoint(parallel, other=None):
    model = tiny_model()
    if other:
        optimizer = other_optimizer(other, model)
    else:
        optimizer = adamw(by_model(model) if parallel else by_name(model))
    train(model, optimizer, 2)
    state = {"epoch": 2, "name": "tiny", "state_dict": model.state_dict(), "optimizer": optimizer.state_dict()}
    if parallel:
        state["state_dict"] = OrderedDict((f"module.{k}", v) for k, v in model.state_dict().items())
        state["scaler"] = {"scale": 65536.0, "growth_factor": 2.0, "backoff_factor": 0.5,
                           "growth_interval": 2000, "_growth_tracker": 2}
        state["global_step"] = 2
        state["samples_seen"] = 8
        state["state_dict_ema"] = OrderedDict((k, v.clone()) for k, v in model.state_dict().items())
    out = io.BytesIO()
    torch.save(state, out)
    return out.getvalue()


def all_files():
    return {
        FOLDER / "training.json": bookkeeping().encode(),
        FOLDER / "training_tiny.json": (json.dumps(TINY, indent=2) + "\n").encode(),
        FOLDER / "training_tiny.pt": checkpoint(parallel=False),
        FOLDER / "training_tiny_by_model.pt": checkpoint(parallel=True),
        **{FOLDER / f"training_tiny_{name}.pt": checkpoint(parallel=False, other=name) for name in OTHERS},
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    check = parser.parse_args().check
    torch.set_num_threads(1)
    different = 0
    for path, content in all_files().items():
        if path.exists() and path.read_bytes() == content:
            continue
        different += 1
        print(("differs: " if check else "wrote ") + str(path.relative_to(ROOT)), len(content), "bytes")
        if not check:
            path.write_bytes(content)
    print(f"{different} files differ" if check else f"{different} files written")
    sys.exit(1 if check and different else 0)


if __name__ == "__main__":
    main()
