#!/usr/bin/env python3
"""Makes tests/data/parity/{variants.json,tiny_dump.npz} from open_clip and timm (./dev oracle).

Weights are not stored: they follow from each tensor's name (tests/parity/synthetic.h has the same
rule). variants.json: features of timm's ConvNeXt variants behind open_clip's adapters, and of a ViT
with layer scale, float64.
tiny_dump.npz: every layer of a small model with a vocabulary of 64, by tools/dump_reference.py.
tests/data/parity/golden.txt is not made here: it came with the model's specification.
"""
import json
import math
from importlib.metadata import version
from pathlib import Path

import numpy as np
import open_clip
import timm
import torch
from timm.models import convnext

import dump_reference

ROOT = Path(__file__).resolve().parent.parent / "tests" / "data" / "parity"
TEXT = {"context_length": 8, "vocab_size": 64, "width": 32, "heads": 4, "layers": 2}
MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)


def hash_name(name):
    value = 14695981039346656037
    for byte in name.encode():
        value = ((value ^ byte) * 1099511628211) % 2**64
    return value


def range_of(name, shape):
    if name == "logit_scale":
        return 4.5, 0.0
    for end, pair in {"num_batches_tracked": (0, 0), "running_var": (1, 0.25), "running_mean": (0, 0.1),
                      "gamma": (0.5, 0.25), "positional_embedding": (0, 0.1),
                      "class_embedding": (0, 0.1), "token_embedding.weight": (0, 0.5)}.items():
        if name.endswith(end):
            return pair
    if len(shape) == 1:
        return (0, 0.1) if name.endswith("bias") else (1, 0.25)
    if name.endswith(("text_projection", "visual.proj")):
        return 0, math.sqrt(3 / shape[0])
    return 0, math.sqrt(3 * shape[0] / math.prod(shape))


def synthetic(name, shape):
    with np.errstate(over="ignore"):
        i = np.arange(1, math.prod(shape) + 1, dtype=np.uint64)
        x = np.uint64(hash_name(name)) + i * np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        x ^= x >> np.uint64(31)
    centre, spread = range_of(name, shape)
    u = (x >> np.uint64(40)).astype(np.float64) / 2**24
    return torch.from_numpy((centre + spread * (2 * u - 1)).astype(np.float32).reshape(shape))


def build(embed_dim, vision, text):
    """open_clip's model with synthetic weights."""
    model = open_clip.model.CLIP(embed_dim, vision, text).eval()
    state = {name: synthetic(name, tuple(value.shape)) if value.is_floating_point() else value
             for name, value in model.state_dict().items()}
    model.load_state_dict(state)
    return model


def tiny_convnext(drop_path_rate=0.0, **_):
    """As a timm entry point; its registry passes more than the class takes."""
    model = convnext.ConvNeXt(depths=(1, 1, 2, 1), dims=(8, 16, 24, 32), drop_path_rate=drop_path_rate)
    model.default_cfg = {}
    return model


def variants():
    """Name, embed_dim and vision_cfg of each case."""
    for timm_name, proj, bias, size in (
            ("convnext_atto", "mlp", False, [64, 64]), ("convnext_femto_ols", "linear", True, [96, 72]),
            ("convnext_nano_ols", "linear", False, [65, 81]), ("convnext_tiny_hnf", "mlp", True, [64, 64]),
            ("convnext_tiny", "none", False, [64, 64]), ("convnext_large_mlp", "linear", False, [64, 64])):
        yield timm_name, 768 if proj == "none" else 24, {
            "timm_model_name": timm_name, "timm_pool": "avg" if proj == "none" else "",
            "timm_proj": proj, "timm_proj_bias": bias, "image_size": size}
    yield "vit_layer_scale", 24, {"layers": 2, "width": 32, "head_width": 16, "patch_size": 16,
                                  "image_size": [64, 48], "ls_init_value": 1e-4}


def make_variants():
    cases = []
    for name, embed_dim, vision in variants():
        model = build(embed_dim, vision, TEXT).double()
        pixels = dump_reference.pattern(*vision["image_size"])[None]
        with torch.no_grad():
            features = model.encode_image(dump_reference.to_input(pixels, MEAN, STD).double())[0]
        cases.append({"name": name,
                      "model_cfg": {"embed_dim": embed_dim, "vision_cfg": vision, "text_cfg": TEXT},
                      "tensors": len(model.state_dict()),
                      "features": [float(f"{v:.9g}") for v in features[:24].tolist()],
                      "norm": float(f"{features.norm().item():.9g}")})
    made_by = {name: version(name) for name in ("open_clip_torch", "timm", "torch")}
    text = json.dumps({"made_by": made_by, "cases": cases}, indent=1)
    (ROOT / "variants.json").write_text(text + "\n")


def make_dump():
    timm.models.register_model(tiny_convnext)
    vision = {"timm_model_name": "tiny_convnext", "timm_pool": "", "timm_proj": "mlp", "image_size": 64}
    model = build(24, vision, TEXT)
    tokens = np.array([[62, 5, 17, 33, 63, 0, 0, 0], [62, 9, 63, 0, 0, 0, 0, 0]], dtype=np.int64)
    kept = dump_reference.run(model, dump_reference.pattern(64, 64)[None], tokens, MEAN, STD, torch.float64)
    np.savez(ROOT / "tiny_dump.npz", **kept)


if __name__ == "__main__":
    make_variants()
    make_dump()
