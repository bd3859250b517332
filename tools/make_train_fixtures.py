#!/usr/bin/env python3
"""Makes tests/data/train/gradients.npz: features and gradients of small models in open_clip.

Weights and pictures follow from names as in make_parity_fixtures.py; what is differentiated is the
sum of features times synthetic("image_cotangent" or "text_cotangent"). Everything in float64 and in
training mode, so that batch norms use the batch. Keys are CASE/image and CASE/text (features),
CASE/grad/NAME, and CASE/statistic/NAME (running statistics afterwards). Of a tensor with more than
160 elements every k-th is kept, k the smallest that leaves at most 160, and its norm under
CASE/norm/NAME.

Needs open_clip_torch, timm and torch (./dev oracle).
"""
from pathlib import Path

import numpy as np
import timm
import torch
from timm.models import convnext

import dump_reference
from make_parity_fixtures import MEAN, STD, TEXT, build, synthetic

OUT = Path(__file__).resolve().parent.parent / "tests" / "data" / "train" / "gradients.npz"
MOST = 160
TOKENS = [[62, 5, 17, 33, 63, 0, 0, 0], [62, 9, 63, 0, 0, 0, 0, 0], [62, 1, 2, 3, 4, 5, 6, 63]]
TRUNKS = {
    "patch": {},
    "tiered": {"stem_type": "overlap_tiered", "conv_mlp": True, "dims": (16, 16, 24, 32)},
    "overlap": {"stem_type": "overlap", "conv_mlp": True, "head_norm_first": True},
    "pre_logits": {"head_hidden_size": 32},
}


def register(kind):
    def trunk(num_classes=1000, **_):
        sizes = {"depths": (1, 1, 2, 1), "dims": (8, 16, 24, 32)}
        model = convnext.ConvNeXt(num_classes=num_classes, **{**sizes, **TRUNKS[kind]})
        model.default_cfg = {}
        return model

    trunk.__name__ = trunk.__qualname__ = "small_" + kind
    timm.models.register_model(trunk)


def timm_vision(kind, proj, bias=False):
    register(kind)
    return {"timm_model_name": "small_" + kind, "timm_pool": "avg" if proj == "none" else "",
            "timm_proj": proj, "timm_proj_bias": bias, "image_size": 64}


def cases():
    """Name, embed_dim, vision_cfg, quick_gelu."""
    yield "patch_mlp", 24, timm_vision("patch", "mlp")
    yield "tiered_linear", 24, timm_vision("tiered", "linear", True)
    yield "overlap_none", 32, timm_vision("overlap", "none")
    yield "pre_logits_linear", 24, timm_vision("pre_logits", "linear")
    yield "vit", 24, {"layers": 2, "width": 32, "head_width": 16, "patch_size": 16, "image_size": 64,
                      "ls_init_value": 1e-4}
    yield "resnet", 24, {"layers": [1, 2, 1, 1], "width": 8, "head_width": 64, "image_size": 64}


def keep(kept, case, kind, name, value):
    flat = value.detach().double().flatten()
    step = -(-flat.numel() // MOST)
    kept[f"{case}/{kind}/{name}"] = flat[::step].float().numpy()
    if step > 1:
        kept[f"{case}/norm/{name}"] = np.float32(flat.norm().item())


def pictures(count):
    base = dump_reference.pattern(64, 64).astype(np.int64)
    return np.stack([((base + 41 * i) % 256).astype(np.uint8) for i in range(count)])


def main():
    kept = {}
    for case, embed_dim, vision in cases():
        model = build(embed_dim, vision, TEXT).double().train()
        image = model.encode_image(dump_reference.to_input(pictures(3), MEAN, STD).double())
        text = model.encode_text(torch.tensor(TOKENS))
        loss = (image * synthetic("image_cotangent", tuple(image.shape)).double()).sum()
        loss = loss + (text * synthetic("text_cotangent", tuple(text.shape)).double()).sum()
        loss.backward()
        kept[f"{case}/image"] = image.detach().float().numpy()
        kept[f"{case}/text"] = text.detach().float().numpy()
        for name, parameter in model.named_parameters():
            if parameter.grad is not None and (name.startswith("visual.") or case == "patch_mlp"):
                keep(kept, case, "grad", name, parameter.grad)
        for name, buffer in model.named_buffers():
            if "running" in name:
                keep(kept, case, "statistic", name, buffer)
    OUT.parent.mkdir(exist_ok=True)
    np.savez_compressed(OUT, **kept)


if __name__ == "__main__":
    main()
