#!/usr/bin/env python3
"""Packages written by `clipnext package` and opened by open_clip, and the other way round: are the vectors equal?

    .oracle/bin/python tools/compare_package.py --clipnext build/clipnext

1. Models packaged by ours (the demo model; others with random weights: a ViT with sigmoid loss and custom text, a
   ResNet, a ConvNeXt) load in open_clip as local-dir:FOLDER, strictly. Vectors of pictures and texts from open_clip
   and from `clipnext embed` differ by at most 1e-5, from the safetensors and from the .bin.
2. The same models saved by open_clip as its push to the hub does before it uploads (save_for_hf) load in ours; same bound.
3. With transformers installed: its CLIP tokenizers load from the package, and give open_clip's tokens.

Exit status 1 if a vector differs by more. Needs open_clip_torch 3.3.0 (./dev oracle).
"""

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import open_clip
import torch
from open_clip.push_to_hf_hub import save_for_hf
from PIL import Image

BOUND = 1e-5
TEXTS = ["a taxi", "an emoji of a cactus in a pot", "Zwölf Boxkämpfer, 12!", "日本の  tower", "don't stop",
         "a very long text " * 12]
TEXT_TOWER = {"context_length": 32, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 2}
MODELS = {
    "vit": {"embed_dim": 48, "vision_cfg": {"layers": 2, "width": 64, "head_width": 32, "patch_size": 16, "image_size": 64},
            "text_cfg": TEXT_TOWER, "custom_text": True, "init_logit_bias": -10.0},
    "vit_quickgelu": {"embed_dim": 48, "quick_gelu": True, "text_cfg": TEXT_TOWER,
                      "vision_cfg": {"layers": 2, "width": 64, "head_width": 32, "patch_size": 16, "image_size": 64}},
    "resnet": {"embed_dim": 64, "vision_cfg": {"layers": [1, 1, 1, 1], "width": 16, "image_size": 64}, "text_cfg": TEXT_TOWER},
    "convnext": {"embed_dim": 64, "text_cfg": TEXT_TOWER,
                 "vision_cfg": {"timm_model_name": "convnext_femto", "timm_model_pretrained": False, "timm_pool": "",
                                "timm_proj": "mlp", "timm_drop": 0.0, "timm_drop_path": 0.1, "image_size": 96}},
}


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clipnext", default="build/clipnext")
    parser.add_argument("--demo", default="models/emoji-convnext-atto", help="model folder")
    parser.add_argument("--pictures", default="examples/emoji/pictures")
    parser.add_argument("--work", default="build/compare_package", help="where packages are written")
    return parser.parse_args()


class NoTokenizer:
    """What save_for_hf calls where the hub is not at hand: CLIP's own files are written by ours."""

    def save_pretrained(self, folder):
        del folder


def theirs(name, pictures):
    """Vectors of pictures and texts by open_clip."""
    model, preprocess = open_clip.create_model_from_pretrained(name)
    tokenizer = open_clip.get_tokenizer(name)
    model.eval()
    with torch.no_grad():
        images = model.encode_image(torch.stack([preprocess(Image.open(p)) for p in pictures]), normalize=True)
        texts = model.encode_text(tokenizer(TEXTS), normalize=True)
    return images.float().numpy(), texts.float().numpy()


def ours(args, folder, pictures, work):
    """The same by clipnext."""
    lines = work / "texts.json"
    lines.write_text(json.dumps(TEXTS))
    vectors = []
    for what in (["--images", *pictures], ["--texts-json", lines]):
        out = work / "vectors.npy"
        command = [args.clipnext, "embed", *what, "--model", folder, "--out", out]
        subprocess.run([str(part) for part in command], check=True, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        vectors.append(np.load(out))
    return vectors


def compare(title, ours_pair, theirs_pair):
    worst = [float(np.abs(a - b).max()) for a, b in zip(ours_pair, theirs_pair)]
    good = max(worst) <= BOUND
    print(f"{'ok  ' if good else 'FAIL'} {title}: pictures {worst[0]:.1e}, texts {worst[1]:.1e}")
    return good


def package(args, source, folder, *options):
    command = [args.clipnext, "package", source, "-o", folder, "--license", "mit", *options]
    subprocess.run([str(part) for part in command], check=True, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def random_model(name, config, work):
    """As open_clip makes it, with batch norm's statistics away from 0 and 1."""
    torch.manual_seed(0)
    file = work / "configs" / f"{name}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(config))
    open_clip.add_model_config(file)
    model = open_clip.create_model(name)
    for key, value in model.state_dict().items():
        if key.endswith("running_mean"):
            value.normal_(0, 0.1)
        elif key.endswith("running_var"):
            value.uniform_(0.5, 1.5)
    return model


def check_tokenizers(folder):
    """Nothing where transformers is not installed."""
    try:
        from transformers import AutoTokenizer, CLIPTokenizer
    except ImportError:
        print("--   transformers is not installed: its tokenizers were not tried")
        return True
    expected = open_clip.get_tokenizer(f"local-dir:{folder}")(TEXTS).tolist()
    good = True
    for kind in (AutoTokenizer, CLIPTokenizer):
        tokenizer = kind.from_pretrained(folder)
        found = tokenizer(TEXTS, max_length=32, truncation=True, padding="max_length")["input_ids"]
        # Behind the end of text the hub's tokenizer repeats it, open_clip has zeros; the tower looks at neither.
        same = all(f[:e.index(49407) + 1] == e[:e.index(49407) + 1] for f, e in zip(found, expected))
        print(f"{'ok  ' if same else 'FAIL'} {kind.__name__} of transformers: tokens of {len(TEXTS)} texts")
        good = good and same
    return good


def main():
    args = parse_args()
    work = Path(args.work)
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    pictures = sorted(Path(args.pictures).glob("*.png"))
    good = True

    folder = work / "demo"
    package(args, args.demo, folder, "--also-bin")
    good &= compare("ours in open_clip: demo model", ours(args, args.demo, pictures, work), theirs(f"local-dir:{folder}", pictures))
    (folder / "open_clip_model.safetensors").unlink()
    good &= compare("the same, .bin", ours(args, folder, pictures, work), theirs(f"local-dir:{folder}", pictures))
    good &= check_tokenizers(folder)

    for name, config in MODELS.items():
        saved = work / f"{name}-theirs"
        model = random_model(name, config, work)
        save_for_hf(model, NoTokenizer(), open_clip.get_model_config(name), saved)
        expected = theirs(f"local-dir:{saved}", pictures)
        good &= compare(f"open_clip's in ours: {name}", ours(args, saved, pictures, work), expected)
        packed = work / f"{name}-ours"
        package(args, saved, packed)
        good &= compare(f"ours in open_clip: {name}", ours(args, packed, pictures, work), theirs(f"local-dir:{packed}", pictures))
        # A training checkpoint of it.
        state = {"epoch": 1, "name": "run", "state_dict": {f"module.{k}": v for k, v in model.state_dict().items()}}
        torch.save(state, work / f"{name}.pt")
        package(args, work / f"{name}.pt", work / f"{name}-trained", "--model", saved / "open_clip_config.json")
        good &= compare(f"ours of a training checkpoint in open_clip: {name}", expected, theirs(f"local-dir:{work / f'{name}-trained'}", pictures))
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
