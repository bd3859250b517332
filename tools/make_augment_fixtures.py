#!/usr/bin/env python3
"""Makes tests/data/image/augment.json: checksums of what torchvision and Pillow make of pictures
drawn by a formula, for given parameters of the training transform's operations.

    python3 tools/make_augment_fixtures.py [tests/data/image/augment.json]

Needs torchvision 0.29.0 and Pillow 13.0.0 (./dev oracle).
"""
import json
import random
import sys
import zlib
from importlib.metadata import version

import numpy as np
import torch
import torchvision.transforms.functional as F
from open_clip.constants import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
from PIL import Image
from torchvision.transforms import InterpolationMode

OPERATIONS = {"brightness": F.adjust_brightness, "contrast": F.adjust_contrast,
              "saturation": F.adjust_saturation, "hue": F.adjust_hue}
FACTORS = [0.0, 0.25, 0.7310585786300049, 1.0, 1.0000001, 1.4, 1.9237, 4.0]
HUES = [-0.5, -0.3, -0.1, -0.003, 0.0, 0.004, 0.1, 0.25, 0.5]


def synthetic(width, height):
    """The formula of src/image/synthetic_test.h."""
    c, y, x = np.ix_(range(3), range(height), range(width))
    return Image.fromarray(((37 * c + 17 * y + 29 * x + x * y % 251) % 256).astype(np.uint8).transpose(1, 2, 0))


def cube():
    """Every fourth level of each channel, in order: 512 x 512."""
    i = np.arange(1 << 18)
    levels = np.stack([(i >> 12) * 4, (i >> 6) % 64 * 4, i % 64 * 4], -1) + np.array([3, 0, 1])
    return Image.fromarray(levels.astype(np.uint8).reshape(512, 512, 3))


def crc(image):
    return zlib.crc32(np.ascontiguousarray(image).tobytes())


def operations():
    rows = []
    for picture, image in (("synthetic", synthetic(40, 30)), ("cube", cube())):
        for name, operation in OPERATIONS.items():
            for factor in HUES if name == "hue" else FACTORS:
                rows.append({"picture": picture, "operation": name, "factor": factor,
                             "crc": crc(operation(image, factor))})
        rows.append({"picture": picture, "operation": "grey", "factor": 0,
                     "crc": crc(F.to_grayscale(image, 3))})
    return rows


def transform(draw):
    """Whole transforms with drawn parameters, values as [h, w, 3]."""
    width, height = draw.randint(20, 90), draw.randint(20, 90)
    rows, columns = draw.randint(1, height), draw.randint(1, width)
    case = {"width": width, "height": height, "top": draw.randint(0, height - rows),
            "left": draw.randint(0, width - columns), "rows": rows, "columns": columns,
            "filter": draw.choice(["bicubic", "bilinear"]), "out_height": draw.randint(8, 40),
            "out_width": draw.randint(8, 40), "order": draw.sample(range(4), 4),
            "factors": [draw.uniform(0.2, 1.8) for _ in range(3)] + [draw.uniform(-0.5, 0.5)],
            "grey": draw.random() < 0.3}
    image = F.resized_crop(synthetic(width, height), case["top"], case["left"], rows, columns,
                           [case["out_height"], case["out_width"]],
                           InterpolationMode(case["filter"]))
    for i in case["order"]:
        image = list(OPERATIONS.values())[i](image, case["factors"][i])
    if case["grey"]:
        image = F.to_grayscale(image, 3)
    values = F.normalize(F.to_tensor(image), OPENAI_DATASET_MEAN, OPENAI_DATASET_STD)
    return case | {"crc": crc(values.permute(1, 2, 0).numpy())}


def main():
    draw = random.Random(7)
    torch.set_num_threads(1)
    made_by = "tools/make_augment_fixtures.py, torchvision %s, Pillow %s" % (
        version("torchvision"), version("pillow"))
    parts = {"operations": operations(), "transforms": [transform(draw) for _ in range(40)]}
    lines = ['{"made_by": %s' % json.dumps(made_by)]
    for name, rows in parts.items():
        lines.append(' "%s": [\n  %s]' % (name, ",\n  ".join(json.dumps(row) for row in rows)))
    path = sys.argv[1] if len(sys.argv) > 1 else "tests/data/image/augment.json"
    with open(path, "w", encoding="utf-8") as file:
        file.write(",\n".join(lines) + "}\n")


if __name__ == "__main__":
    main()
