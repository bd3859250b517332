#!/usr/bin/env python3
"""Compares the class names, templates and collections inside the program with those of the
clip_benchmark package: every data set of its collections, and ImageNet in each language.

    .oracle/bin/python tools/compare_eval_names.py [--clipnext build/clipnext]

Needs clip_benchmark 1.6.2 (./dev oracle). Names that the reference reads from a data set's own files
are not inside the program and are counted apart.
"""

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path

from clip_benchmark.datasets import builder, voc2007

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(builder.__file__).parent
PICTURE = next((ROOT / "examples/emoji/pictures").glob("*.png"))


def reference_lists(language):
    return [json.loads((DATA / f"{language}_{kind}.json").read_text())
            for kind in ("classnames", "zeroshot_classification_templates")]


def subset(name):
    """The names that build_dataset keeps: its code holds the list of WordNet ids."""
    source = (DATA / "builder.py").read_text()
    ids = re.search(rf"{name.replace('-', '_')}_wnids = [\[{{](.*?)[\]}}]", source, re.S).group(1)
    ids = set(re.findall(r"n\d{8}", ids))
    return lambda names: [n for n, wnid in zip(names, builder.all_imagenet_wordnet_ids) if wnid in ids]


def reference_names(name, lists):
    """What build_dataset makes of the lists it ships; None where it asks the data set."""
    if name.startswith("voc2007"):
        return voc2007.object_categories
    if name == "renderedsst2":
        return ["negative", "positive"]  # torchvision.datasets.RenderedSST2.classes
    if name in ("imagenet-a", "imagenet-r", "imagenet-o"):
        return subset(name)(lists["imagenet1k"])
    key = {"imagenetv2": "imagenet1k", "imagenet_sketch": "imagenet1k",
           "vtab/caltech101": "caltech101_vtab"}.get(name, name.removeprefix("vtab/"))
    key = None if name == "vtab/flowers" else key  # VTAB's are TensorFlow Datasets'
    return lists.get(key)


def ours(clipnext, option, known):
    other = ["--template", "{}"] if option == "--labels" else ["--labels", "x"]
    run = subprocess.run([clipnext, "classify", PICTURE, option, known, *other, "--json", "--no-cache"],
                         capture_output=True, text=True, check=False)
    if run.returncode != 0:
        return None
    return json.loads(run.stdout)["labels" if option == "--labels" else "templates"]


def our_collections():
    source = (ROOT / "src/datasets/catalogue.cpp").read_text()
    arrays = {name: re.findall(r'"([^"]+)"', body) for name, body in
              re.findall(r"string_view (k\w+)\[\] = \{(.*?)\};", source, re.S)}
    return {name: arrays[array] for name, array in
            re.findall(r'if \(name == "([^"]+)"\) return (k\w+);', source)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--clipnext", default=ROOT / "build/clipnext")
    options = parser.parse_args()
    wrong, from_files, same = [], [], 0

    def compare(what, mine, reference):
        nonlocal same
        if mine == reference:
            same += 1
        else:
            wrong.append(what)

    collections = our_collections()
    for name, members in builder.dataset_collection.items():
        compare(f"collection {name}", collections.get(name), members)
    names, templates = reference_lists("en")
    extra = ["imagenet-o", "food101", "cifar10", "cifar100", "dtd", "pets", "eurosat"]
    for dataset in builder.dataset_collection["vtab+"] + extra:
        keys = [dataset, dataset.removeprefix("vtab/"), "imagenet1k"]
        compare(f"templates of {dataset}", ours(options.clipnext, "--template", "@" + dataset),
                builder.value_from_first_key_found(templates, keys))
        reference = reference_names(dataset, names)
        if reference is None:
            from_files.append(dataset)
        else:
            compare(f"names of {dataset}", ours(options.clipnext, "--labels", "@" + dataset), reference)
    for language in ("ar", "cn", "it", "jp"):
        names, templates = reference_lists(language)
        for dataset in ("imagenet1k", "imagenet-a", "imagenet-r", "imagenet-o", "imagenet_sketch"):
            known = f"@{dataset}:{language}"
            compare(f"names of {known}", ours(options.clipnext, "--labels", known),
                    reference_names(dataset, names))
        compare(f"templates in {language}", ours(options.clipnext, "--template", f"@imagenet:{language}"),
                templates["imagenet1k"])
    print(f"{same} lists equal; names from the data set's own files: {', '.join(from_files)}")
    for what in wrong:
        print(f"differs: {what}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
