#!/usr/bin/env python3
"""Makes configs/ and the fixtures of tests/data/model from the reference packages.

    python3 tools/make_fixtures.py            write everything
    python3 tools/make_fixtures.py --check    compare what is there, write nothing; exit 1 if it differs

Needs open_clip_torch, timm and torch (`./dev oracle` makes that environment). Files made:
  configs/NAME.json             every ConvNeXt, ViT and RN configuration of open_clip whose text tower
                                is CLIP's own, field for field
  configs/pretrained.json       the published weights of those configurations
  tests/data/model/params.json  tensors of each model (and of timm variants): count, parameters and
                                FNV-1a-64 over the sorted lines "NAME [SHAPE]\\n"
  tests/data/model/NAME.params  those lines whole, for two models
"""

import argparse
import json
import sys
from importlib.metadata import version
from pathlib import Path

import open_clip
import open_clip.pretrained
import timm
import torch

ROOT = Path(__file__).resolve().parent.parent
PLAIN_TEXT = {"context_length", "vocab_size", "width", "heads", "layers", "mlp_ratio"}
WHOLE_LISTINGS = ("convnext_large_d_320", "convnext_atto mlp")


def plain_configs():
    """open_clip's configurations with one of the three towers and CLIP's own text tower."""
    folder = Path(open_clip.__file__).parent / "model_configs"
    configs = {}
    for path in sorted(folder.glob("*.json")):
        config = json.loads(path.read_text())
        timm_name = config["vision_cfg"].get("timm_model_name", "convnext")
        text = config["text_cfg"]
        if not path.stem.startswith(("convnext", "ViT-", "RN")) or not timm_name.startswith("convnext"):
            continue
        if set(text) <= PLAIN_TEXT and text["vocab_size"] == 49408 and "multimodal_cfg" not in config:
            configs[path.stem] = config
    return configs


def pretrained_table(configs):
    """{config: {tag: {hf_hub, quick_gelu?, preprocess_cfg?}}}, without what equals the defaults."""
    defaults = {
        "mean": list(open_clip.OPENAI_DATASET_MEAN),
        "std": list(open_clip.OPENAI_DATASET_STD),
        "interpolation": "bicubic",
        "resize_mode": "shortest",
    }
    table = {}
    for name in configs:
        for tag in open_clip.list_pretrained_tags_by_model(name):
            found = open_clip.get_pretrained_cfg(name, tag)
            entry = {"hf_hub": found["hf_hub"].split("/")[0] + "/" + found["hf_hub"].split("/")[1]}
            if found.get("quick_gelu"):
                entry["quick_gelu"] = True
            differs = {}
            for key, default in defaults.items():
                value = found.get(key, default)
                value = list(value) if isinstance(value, tuple) else value
                if value != default:
                    differs[key] = value
            if differs:
                entry["preprocess_cfg"] = differs
            table.setdefault(name, {})[tag] = entry
    return table


def timm_variants():
    """Every ConvNeXt v1 name of timm behind each kind of head, with a small text tower."""
    for name in timm.list_models("convnext*"):
        if name.startswith("convnextv2") or "_rms" in name:
            continue
        features = timm.create_model(name, num_classes=0, device="meta").head_hidden_size
        for head, pool, proj, bias in (
            ("linear", "", "linear", False),
            ("mlp", "", "mlp", False),
            ("mlp bias", "avg", "mlp", True),
            ("trunk", "avg", "", False),
            ("none", "avg", "none", False),
        ):
            yield f"{name} {head}", {
                "embed_dim": features if proj == "none" else 48,
                "vision_cfg": {
                    "timm_model_name": name,
                    "timm_pool": pool,
                    "timm_proj": proj,
                    "timm_proj_bias": bias,
                    "image_size": 64,
                },
                "text_cfg": {"context_length": 16, "vocab_size": 1000, "width": 64, "heads": 2, "layers": 1},
            }


def other_models():
    """Options that no configuration of open_clip uses together with these towers."""
    text = {"context_length": 16, "vocab_size": 1000, "width": 64, "heads": 2, "layers": 1}
    vit = {"layers": 2, "width": 64, "head_width": 16, "patch_size": 16, "image_size": [64, 96]}
    yield "ViT not square, layer scale, text bias, logit bias", {
        "embed_dim": 24,
        "init_logit_bias": -10,
        "vision_cfg": {**vit, "ls_init_value": 1e-4, "mlp_ratio": 3.3},
        "text_cfg": {**text, "proj_bias": True, "mlp_ratio": 2.7},
    }
    yield "RN tiny", {
        "embed_dim": 24,
        "vision_cfg": {"layers": [1, 2, 1, 1], "width": 16, "image_size": 64, "patch_size": None},
        "text_cfg": text,
    }


def lines_of(config):
    """Sorted "NAME [SHAPE]\\n" of a model's state dict, and its number of parameters."""
    cfg = json.loads(json.dumps(config))
    cfg.pop("custom_text", None)
    with torch.device("meta"):
        model = open_clip.CLIP(**cfg)
    shapes = {k: list(v.shape) for k, v in model.state_dict().items()}
    lines = [f"{k} {s}\n" for k, s in sorted(shapes.items()) if not k.endswith("num_batches_tracked")]
    return lines, sum(p.numel() for p in model.parameters())


def fnv1a(text):
    value = 14695981039346656037
    for byte in text.encode():
        value = (value ^ byte) * 1099511628211 % 2**64
    return value


def summary(name, config, builtin, whole):
    lines, parameters = lines_of(config)
    entry = {"name": name, "tensors": len(lines), "parameters": parameters,
             "hash": f"{fnv1a(''.join(lines)):016x}"}
    if not builtin:
        entry["model_cfg"] = config
    if name in WHOLE_LISTINGS:
        whole[name] = "".join(lines)
    return entry


def render(value, indent=0):
    """JSON with one member a line, lists and the innermost objects of tables on one."""
    if not isinstance(value, dict):
        return json.dumps(value)
    if indent >= 4 or not value:
        return json.dumps(value)
    pad = " " * (indent + 2)
    members = [f"{pad}{json.dumps(k)}: {render(v, indent + 2)}" for k, v in value.items()]
    return "{\n" + ",\n".join(members) + "\n" + " " * indent + "}"


def all_files():
    configs = plain_configs()
    files = {f"configs/{name}.json": render(config) + "\n" for name, config in configs.items()}
    files["configs/pretrained.json"] = render(pretrained_table(configs)) + "\n"
    whole = {}
    models = [summary(name, config, True, whole) for name, config in configs.items()]
    for name, config in [*timm_variants(), *other_models()]:
        models.append(summary(name, config, False, whole))
    versions = {p: version(p) for p in ("open_clip_torch", "timm", "torch")}
    head = {"made_by": "tools/make_fixtures.py", **versions}
    rows = ",\n    ".join(json.dumps(m) for m in models)
    files["tests/data/model/params.json"] = (
        json.dumps(head)[:-1] + ',\n  "models": [\n    ' + rows + "\n  ]\n}\n")
    for name, text in whole.items():
        files[f"tests/data/model/{name.replace(' ', '_')}.params"] = text
    return files


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    check = parser.parse_args().check
    different = 0
    for name, text in all_files().items():
        path = ROOT / name
        if path.exists() and path.read_text() == text:
            continue
        different += 1
        print(("differs: " if check else "wrote ") + name)
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    print(f"{different} files differ" if check else f"{different} files written")
    sys.exit(1 if check and different else 0)


if __name__ == "__main__":
    main()
