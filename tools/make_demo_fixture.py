#!/usr/bin/env python3
"""Makes tests/data/parity/demo_unseen.npz: open_clip's vectors of the demo model in float64 (./dev oracle).

    .oracle/bin/python tools/make_demo_fixture.py [MODEL FOLDER]

Of the pictures of examples/emoji/unseen and of its class names in every template (classes outer). Also
prints the accuracy on both sets, for tests/parity/demo_model_test.cpp and the model's README.
"""
import io
import sys
import tarfile
from pathlib import Path

import numpy as np
import open_clip
import torch
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent


def lines(path):
    return path.read_text(encoding="utf-8").splitlines()


def read_set(folder):
    pictures, labels = [], []
    for shard in range(int((folder / "test/nshards.txt").read_text())):
        with tarfile.open(folder / f"test/{shard}.tar") as tar:
            for member in tar:
                data = tar.extractfile(member).read()
                if member.name.endswith(".cls"):
                    labels.append(int(data))
                else:
                    pictures.append(Image.open(io.BytesIO(data)).convert("RGB"))
    return pictures, labels


def unit(vectors):
    return vectors / vectors.norm(dim=-1, keepdim=True)


@torch.no_grad()
def run(model, transform, tokenizer, folder):
    pictures, labels = read_set(folder)
    classes, templates = lines(folder / "classnames.txt"), lines(folder / "zeroshot_classification_templates.txt")
    prompts = [template.replace("{c}", name) for name in classes for template in templates]
    images = unit(model.encode_image(torch.stack([transform(picture) for picture in pictures]).double()))
    texts = unit(model.encode_text(tokenizer(prompts)))
    scores = images @ unit(texts.view(len(classes), len(templates), -1).mean(1)).T
    order = scores.argsort(dim=1, descending=True, stable=True).numpy()
    hits = order == np.array(labels)[:, None]
    print(f"{folder.name}: {len(labels)} images, top-1 {hits[:, 0].sum()}, top-5 {hits[:, :5].sum()}")
    return {"images": images.float().numpy(), "texts": texts.float().numpy(),
            "top1": order[:, 0].astype(np.int32), "labels": np.array(labels, np.int32)}


def main():
    source = f"local-dir:{sys.argv[1] if len(sys.argv) > 1 else ROOT / 'models/emoji-convnext-atto'}"
    model, _, transform = open_clip.create_model_and_transforms(source)
    model = model.eval().double()
    tokenizer = open_clip.get_tokenizer(source)
    results = {name: run(model, transform, tokenizer, ROOT / "examples/emoji" / name) for name in ("seen", "unseen")}
    np.savez(ROOT / "tests/data/parity/demo_unseen.npz", **results["unseen"])


main()
