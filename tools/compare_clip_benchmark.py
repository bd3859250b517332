#!/usr/bin/env python3
"""Runs CLIP_benchmark (PyTorch, fp32, CPU) and clipnext eval on the same sets and compares the result files.

Sets: webdataset folders given with --data (each NAME in ROOT/wds_NAME), and generated ones:
- pictures in many forms (large, not square, grey, palette, transparent, CMYK, turned by EXIF, 16 bit);
- a miniature of every VTAB+ name and of the retrieval sets, with the names and templates that both programs have;
- a synthetic ImageNet (--only imagenet): its 1,000 names and 80 templates, five generated photographs of each class. The
  seconds at the end are whole commands; clipnext keeps nothing between runs here (CLIPNEXT_CACHE is empty).
Keys, their order and every metric must be equal. Where a metric differs, the pictures named differently are looked up,
and each must be a tie within 1e-6 in the reference's own cosines.

    .oracle/bin/python tools/compare_clip_benchmark.py --clipnext build/clipnext --data /path/to/sets
"""
import argparse
import io
import json
import math
import os
import random
import subprocess
import sys
import tarfile
import time

import numpy as np
from PIL import Image

TIE = 1e-6


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clipnext", default="build/clipnext")
    parser.add_argument("--model", default="models/emoji-convnext-atto", help="model folder")
    parser.add_argument("--pictures", default="examples/emoji/pictures", help="what generated sets are made of")
    parser.add_argument("--data", nargs="*", default=[], help="folders that hold wds_NAME folders")
    parser.add_argument("--work", default="build/compare_clip_benchmark", help="where sets and results are written")
    parser.add_argument("--only", nargs="*", default=["data", "forms", "vtab"], choices=["data", "forms", "vtab", "imagenet"])
    parser.add_argument("--names", nargs="*", help="miniatures of these names only")
    parser.add_argument("--images", type=int, default=24, help="pictures of a miniature")
    return parser.parse_args()


def encoded(image, form, **options):
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def turned_by_exif(image, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(image, "JPEG", quality=92, exif=exif)


def picture_in_form(base, i, rng):
    """One picture as (extension, bytes): the i-th of a round of forms."""
    sizes = [(1500, 900), (333, 1201), (64, 64), (700, 41), (97, 98), (2100, 1500)]
    size = sizes[i % len(sizes)]
    canvas = Image.new("RGB", size, tuple(rng.randrange(256) for _ in range(3)))
    side = min(size)
    canvas.paste(base.resize((side, side), Image.BILINEAR), ((size[0] - side) // 2, (size[1] - side) // 2))
    # No two pictures alike: which of two equal scores comes first is not defined in the reference.
    corner = tuple(rng.randrange(256) for _ in range(3))
    canvas.paste(corner, (0, 0, rng.randrange(size[0] // 4, size[0] // 2), rng.randrange(size[1] // 4, size[1] // 2)))
    makers = [
        lambda: ("jpg", encoded(canvas, "JPEG", quality=90)),
        lambda: ("png", encoded(canvas.convert("L"), "PNG")),
        lambda: ("png", encoded(canvas.quantize(64), "PNG")),
        lambda: ("png", encoded(canvas.quantize(16), "PNG", transparency=3)),
        lambda: ("png", encoded(canvas.convert("RGBA"), "PNG")),
        lambda: ("jpeg", encoded(canvas.convert("CMYK"), "JPEG", quality=90)),
        lambda: ("jpg", turned_by_exif(canvas, 2 + i % 7)),
        lambda: ("webp", encoded(canvas, "WEBP", quality=80)),
        lambda: ("webp", encoded(canvas.convert("RGBA"), "WEBP", lossless=True)),
        lambda: ("jpg", encoded(canvas, "JPEG", quality=60, progressive=True, subsampling=2)),
        lambda: ("png", encoded(canvas.convert("1"), "PNG")),
        lambda: ("jpg", encoded(canvas.convert("L"), "JPEG", quality=75)),
        lambda: ("png", encoded(canvas.convert("LA"), "PNG")),
    ]
    return makers[i % len(makers)]()


def add(tar, name, content):
    info = tarfile.TarInfo(name)
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))


def write_set(folder, samples, classnames=None, templates=None, kind=None):
    """samples: lists of (extension, bytes), the members of each."""
    os.makedirs(os.path.join(folder, "test"), exist_ok=True)
    with tarfile.open(os.path.join(folder, "test", "0.tar"), "w") as tar:
        for i, members in enumerate(samples):
            for extension, content in members:
                add(tar, f"s{i:07d}.{extension}", content)
    files = {"test/nshards.txt": "1\n"}
    if classnames is not None:
        files["classnames.txt"] = "".join(name + "\n" for name in classnames)
        files["zeroshot_classification_templates.txt"] = "".join(text + "\n" for text in templates)
    if kind is not None:
        files["dataset_type.txt"] = kind + "\n"
    for name, text in files.items():
        with open(os.path.join(folder, name), "w") as file:
            file.write(text)


def npy(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


class Comparison:
    def __init__(self, args):
        self.args = args
        self.failures = 0
        self.compared = 0
        self.seconds = {"clip_benchmark": 0.0, "clipnext": 0.0}
        os.makedirs(args.work, exist_ok=True)

    def common(self, who, names, root, extra):
        output = os.path.join(self.args.work, who, "{dataset}.json")
        os.makedirs(os.path.dirname(output), exist_ok=True)
        return ["eval", "--model", "local-dir:" + os.path.abspath(self.args.model), "--pretrained", "compared",
                "--dataset", *names, "--dataset_root", root, "--no_amp", "--output", output, *extra]

    def run(self, who, command):
        begin = time.time()
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "CLIPNEXT_CACHE": ""})
        self.seconds[who] += time.time() - begin
        if done.returncode != 0:
            sys.exit(f"{who} failed ({done.returncode}): {' '.join(command)}\n{done.stderr[-3000:]}")

    def both(self, names, root, extra=()):
        """Runs both programs on wds/ names; compares what they wrote."""
        reference = [sys.executable, "-c", "from clip_benchmark.cli import main; main()"]
        self.run("clip_benchmark", reference + self.common("clip_benchmark", names, root, list(extra)))
        self.run("clipnext", [self.args.clipnext] + self.common("clipnext", names, root, list(extra)))
        for name in names:
            self.compare(name, root)

    def read(self, who, name):
        slug = name.removeprefix("wds/").replace("/", "_")
        with open(os.path.join(self.args.work, who, slug + ".json")) as file:
            return json.loads(file.read())

    def compare(self, name, root):
        ours, theirs = self.read("clipnext", name), self.read("clip_benchmark", name)
        self.compared += 1
        problems = []
        if list(ours) != list(theirs) or list(ours["metrics"]) != list(theirs["metrics"]):
            problems.append(f"keys {list(ours)} {list(ours['metrics'])} against {list(theirs)} {list(theirs['metrics'])}")
        for key in ("dataset", "model", "pretrained", "task", "language"):
            if ours.get(key) != theirs.get(key):
                problems.append(f"{key}: {ours.get(key)!r} against {theirs.get(key)!r}")
        differing = [key for key, value in theirs["metrics"].items() if not equal(ours["metrics"].get(key), value)]
        if differing and not problems:
            explained = self.ties(name, root)
            text = ", ".join(f"{key} {ours['metrics'].get(key)} against {theirs['metrics'][key]}" for key in differing)
            if explained is None:
                problems.append(text)
            else:
                print(f"{name}: {text}: {explained} differing pictures, all ties within {TIE}")
        for problem in problems:
            print(f"{name}: DIFFERS: {problem}")
        self.failures += len(problems)
        if not problems and not differing:
            shown = ", ".join(f"{key} {value:.4f}" for key, value in theirs["metrics"].items())
            print(f"{name}: equal: {shown}")

    def ties(self, name, root):
        """How many predictions differ, if each is a tie in the reference's cosines; None if one is not."""
        theirs = self.read("clip_benchmark", name)
        if theirs["task"] != "zeroshot_classification" or "acc1" not in theirs["metrics"]:
            return None
        path = os.path.join(self.args.work, "predictions.jsonl")
        self.run("clipnext", [self.args.clipnext] + self.common("clipnext", [name], root, ["--logits_out", path]))
        with open(path) as file:
            lines = [json.loads(line) for line in file][1:]
        cosines = reference_cosines(self.args.model, name, root)
        count = 0
        for line, row in zip(lines, cosines):
            best = int(row.argmax())
            if best == line["top"][0]:
                continue
            count += 1
            if row[best] - row[line["top"][0]] > TIE:
                print(f"{name}: {line['image']}: {best} against {line['top'][0]}: {row[best] - row[line['top'][0]]:.3g} apart")
                return None
        return count


def equal(a, b):
    if isinstance(a, float) and isinstance(b, float) and math.isnan(a) and math.isnan(b):
        return True
    return a == b or (isinstance(b, float) and isinstance(a, float) and abs(a - b) <= 1e-7 * max(1.0, abs(b)))


def reference_cosines(model_folder, name, root):
    import torch
    from clip_benchmark.datasets.builder import build_dataset
    from clip_benchmark.metrics.zeroshot_classification import run_classification, zero_shot_classifier
    from clip_benchmark.models import load_clip

    model, transform, tokenizer = load_clip(model_type="open_clip", model_name="local-dir:" + os.path.abspath(model_folder),
                                            pretrained="compared", cache_dir=None, device="cpu")
    model.eval()
    short = name.removeprefix("wds/")
    folder = root.format(dataset=short, dataset_cleaned=short.replace("/", "-"))
    dataset = build_dataset(dataset_name=name, root=folder, transform=transform, split="test", download=False)
    loader = torch.utils.data.DataLoader(dataset.batched(64), batch_size=None, shuffle=False, num_workers=2)
    classifier = zero_shot_classifier(model, tokenizer, dataset.classes, dataset.templates, "cpu", amp=False)
    logits, _ = run_classification(model, classifier, loader, "cpu", amp=False)
    return logits.numpy() / 100


def given_sets(comparison, folder):
    root = os.path.join(folder, "wds_{dataset_cleaned}")
    names, captions = [], []
    for entry in sorted(os.listdir(folder)):
        if not entry.startswith("wds_"):
            continue
        kind = os.path.join(folder, entry, "dataset_type.txt")
        retrieval = os.path.exists(kind) and open(kind).read().strip().lower() == "retrieval"
        (captions if retrieval else names).append("wds/" + entry[4:])
    if names:
        comparison.both(names, root)
    if captions:
        comparison.both(captions, root, ["--task", "zeroshot_retrieval", "--recall_k", "1", "5", "10"])


def bases(args):
    paths = sorted(os.path.join(args.pictures, name) for name in os.listdir(args.pictures))
    names = [os.path.splitext(os.path.basename(path))[0].replace("-", " ") for path in paths]
    return [Image.open(path).convert("RGB") for path in paths], names


def picture_forms(comparison):
    args, rng = comparison.args, random.Random(1)
    images, names = bases(args)
    root = os.path.join(args.work, "sets", "wds_{dataset_cleaned}")
    samples = []
    for i in range(13 * len(images)):
        which = rng.randrange(len(images))
        samples.append([picture_in_form(images[which], i, rng), ("cls", str(which).encode())])
    folder = root.format(dataset_cleaned="forms")
    write_set(folder, samples, names, ["an emoji of {c}", "a drawing of {c}"])
    captioned = [[members[0], ("txt", f"an emoji of {names[int(members[1][1])]}, {i}\nnumber {i}".encode())]
                 for i, members in enumerate(samples)]
    write_set(root.format(dataset_cleaned="forms-captions"), captioned, kind="retrieval")
    comparison.both(["wds/forms"], root)
    comparison.both(["wds/forms-captions"], root, ["--task", "zeroshot_retrieval", "--recall_k", "1", "5"])


def wheel_names(name):
    """Class names and templates of a set as the wheel has them, or made up where they come with the data."""
    import clip_benchmark.datasets.builder as builder

    here = os.path.dirname(builder.__file__)
    classnames = json.load(open(os.path.join(here, "en_classnames.json")))
    templates = json.load(open(os.path.join(here, "en_zeroshot_classification_templates.json")))
    short = name.removeprefix("vtab/")
    counts = {"imagenet-a": 200, "imagenet-r": 200, "imagenetv2": 1000, "imagenet_sketch": 1000, "objectnet": 113,
              "voc2007": 20, "voc2007_multilabel": 20, "sun397": 397, "cars": 196, "fgvc_aircraft": 100, "stl10": 10,
              "renderedsst2": 2, "cifar10": 10, "cifar100": 100, "dsprites_label_orientation": 40,
              "dsprites_label_x_position": 32, "dtd": 47, "flowers": 102, "resisc45": 45, "smallnorb_label_azimuth": 18,
              "smallnorb_label_elevation": 9}
    key = "caltech101_vtab" if short == "caltech101" else short
    names = classnames.get(key) or classnames["imagenet1k"][:counts[short]]
    texts = templates.get(name) or templates.get(short) or templates["imagenet1k"]
    return names, texts


def miniatures(comparison):
    from clip_benchmark.datasets.builder import dataset_collection

    args, rng = comparison.args, random.Random(2)
    images, _ = bases(args)
    root = os.path.join(args.work, "sets", "wds_{dataset_cleaned}")
    names = [name for name in dict.fromkeys(dataset_collection["vtab+"]) if not args.names or name in args.names]
    captioned = [name for name in dataset_collection["retrieval"] if not args.names or name in args.names]
    contents = {}
    for name in names:
        classnames, templates = wheel_names(name)
        contents[name] = [picture_in_form(rng.choice(images), rng.randrange(13), rng) for _ in range(args.images)]
        labels = [0] * args.images
        write_miniature(root, name, contents[name], labels, classnames, templates)
        # Labels among the first six guesses, so that the metrics lie between 0 and 1.
        path = os.path.join(args.work, "guesses.jsonl")
        comparison.run("clipnext", [args.clipnext] + comparison.common("clipnext", ["wds/" + name], root,
                                                                       ["--logits_out", path]))
        with open(path) as file:
            tops = [json.loads(line)["top"] for line in file.read().splitlines()[1:]]
        labels = [(top + [rng.randrange(len(classnames))])[i % min(6, len(top) + 1)] for i, top in enumerate(tops)]
        write_miniature(root, name, contents[name], labels, classnames, templates)
    comparison.seconds["clipnext"] = 0.0
    if names:
        comparison.both(["wds/" + name for name in names], root)
    for name in captioned:
        samples = [[picture_in_form(images[i % len(images)], i, rng),
                    ("txt", "\n".join(f"picture {i} of {rng.random():.4f}" for _ in range(5 + (i == 0))).encode())]
                   for i in range(args.images)]
        write_set(root.format(dataset_cleaned=name), samples, kind="retrieval")
    if captioned:
        comparison.both(["wds/" + name for name in captioned], root, ["--recall_k", "1", "5", "10"])


def synthetic_imagenet(comparison):
    args, rng = comparison.args, random.Random(3)
    images, _ = bases(args)
    root = os.path.join(args.work, "sets", "wds_{dataset_cleaned}")
    classnames, templates = wheel_names("imagenetv2")
    samples = []
    for label in range(len(classnames)):
        for _ in range(5):
            # The size of ImageNet's photographs, and noise, so that the JPEG is as large as theirs.
            noise = np.frombuffer(rng.randbytes(94 * 125 * 3), np.uint8).reshape(94, 125, 3)
            canvas = Image.fromarray(noise).resize((500, 375), Image.BILINEAR)
            side = rng.randrange(150, 350)
            canvas.paste(rng.choice(images).resize((side, side), Image.BILINEAR), (rng.randrange(150), rng.randrange(25)))
            samples.append([("jpg", encoded(canvas, "JPEG", quality=85)), ("cls", str(label).encode())])
    write_set(root.format(dataset_cleaned="synthetic-imagenet"), samples, classnames, templates)
    comparison.seconds = dict.fromkeys(comparison.seconds, 0.0)
    comparison.both(["wds/synthetic-imagenet"], root)


def write_miniature(root, name, pictures, labels, classnames, templates):
    folder = root.format(dataset_cleaned=name.replace("/", "-"))
    if name != "voc2007_multilabel":
        samples = [[picture, ("cls", str(label).encode())] for picture, label in zip(pictures, labels)]
        write_set(folder, samples, classnames, templates)
        return
    samples = []
    for i, (picture, label) in enumerate(zip(pictures, labels)):
        hot = np.zeros(len(classnames), dtype=np.int64)
        hot[[label, (label + i) % len(classnames)]] = 1
        samples.append([picture, ("npy", npy(hot))])
    write_set(folder, samples, classnames, templates, kind="multilabel")


def main():
    args = parse_args()
    comparison = Comparison(args)
    if "data" in args.only:
        for folder in args.data:
            given_sets(comparison, folder)
    if "forms" in args.only:
        picture_forms(comparison)
    if "vtab" in args.only:
        miniatures(comparison)
    if "imagenet" in args.only:
        synthetic_imagenet(comparison)
    theirs, ours = comparison.seconds["clip_benchmark"], comparison.seconds["clipnext"]
    print(f"{comparison.compared} sets, {comparison.failures} differences; "
          f"clip_benchmark {theirs:.1f} s, clipnext {ours:.1f} s")
    sys.exit(1 if comparison.failures or not comparison.compared else 0)


if __name__ == "__main__":
    main()
