#!/usr/bin/env python3
"""Runs a CLIP model in open_clip and writes what its layers give, for `clipnext verify`.

    python3 tools/dump_reference.py --model ViT-B-32 --pretrained FILE --out dump.npz
    python3 tools/dump_reference.py --model FOLDER --images cat.jpg --texts "a cat" --out dump.npz

The file holds `pixels` (uint8 [n, h, w, 3], after resizing and cropping), `tokens` (int64 [n, L])
and one float32 array per layer under its module path, maps as [n, h, w, c]; the text tower's paths
have no `text.` prefix. Without --images a fixed pattern is used. Layers run in float64 unless
--precision float32, so that differences are those of the program under test.

Needs torch, open_clip_torch and timm (./dev oracle).
"""
import argparse
import os
import re

import numpy as np
import open_clip
import torch

BLOCK = r"transformer\.resblocks\.\d+(\.ln_[12])?"
LAYERS = re.compile(
    r"visual|"
    r"visual\.trunk\.(stem(\.[01])?|norm_pre|head)|"
    r"visual\.trunk\.stages\.\d+(\.downsample(\.0)?|\.blocks\.\d+(\.conv_dw|\.norm)?)?|"
    r"visual\.(act[123]|avgpool|layer[1-4](\.\d+(\.act[12])?)?)|"
    r"visual\.ln_pre|visual\." + BLOCK + r"|" + BLOCK)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--model", required=True, help="config name, or folder with open_clip_config.json")
    parser.add_argument("--pretrained", default=None, help="checkpoint of a config name")
    parser.add_argument("--images", nargs="*", default=[])
    parser.add_argument("--texts", nargs="*", default=["a photo of a cat", "hello world!"])
    parser.add_argument("--precision", choices=["float64", "float32"], default="float64")
    parser.add_argument("--out", required=True)
    return parser.parse_args()


def pattern(height, width):
    """A picture that needs no file."""
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(3), indexing="ij")
    return ((37 * c + 17 * y + 29 * x + x * y % 251) % 256).astype(np.uint8)


def to_pixels(path, transform):
    """The picture as uint8, by the part of the transform that comes before the tensor."""
    from PIL import Image

    image = Image.open(path).convert("RGB")
    for step in transform.transforms:
        if type(step).__name__ in ("ToTensor", "MaybeToTensor", "Normalize"):
            break
        image = step(image)
    return np.asarray(image)


def to_input(pixels, mean, std):
    """ToTensor and Normalize, in float32 as the reference does them."""
    x = torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div(255)
    return (x - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)


def plain_name(name):
    return name[len("text."):] if name.startswith("text.") else name


def channels_last(module, x):
    """Maps as [n, h, w, c]. timm's plain LayerNorm inside a block has them so already."""
    return x.permute(0, 2, 3, 1) if x.ndim == 4 and type(module).__name__ != "LayerNorm" else x


def watch(model, kept):
    def hook_for(name):
        def hook(module, inputs, output):
            if isinstance(output, torch.Tensor):
                kept[name] = channels_last(module, output.detach()).float().contiguous().numpy().copy()
        return hook

    for name, module in model.named_modules():
        if LAYERS.fullmatch(plain_name(name)):
            module.register_forward_hook(hook_for(plain_name(name)))


def run(model, pixels, tokens, mean, std, dtype):
    """Every layer's result by name, pixels and tokens among them."""
    kept = {"pixels": pixels, "tokens": tokens}
    model = model.to(dtype).eval()
    watch(model, kept)
    with torch.no_grad():
        model.encode_image(to_input(pixels, mean, std).to(dtype))
        kept["text"] = model.encode_text(torch.from_numpy(tokens)).float().numpy()
    return kept


def main():
    args = arguments()
    name = "local-dir:" + args.model if os.path.isdir(args.model) else args.model
    model, _, transform = open_clip.create_model_and_transforms(name, pretrained=args.pretrained)
    tokens = open_clip.get_tokenizer(name)(args.texts).numpy()
    size = model.visual.image_size
    height, width = size if isinstance(size, (tuple, list)) else (size, size)
    pictures = [to_pixels(path, transform) for path in args.images] or [pattern(height, width)]
    kept = run(model, np.stack(pictures), tokens, model.visual.image_mean, model.visual.image_std,
               getattr(torch, args.precision))
    np.savez(args.out, **kept)
    print(f"{args.out}: {len(kept) - 2} layers, {len(pictures)} pictures, {len(args.texts)} texts")


if __name__ == "__main__":
    main()
