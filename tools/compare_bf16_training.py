#!/usr/bin/env python3
"""How far bfloat16 alone takes training apart: open_clip's trainer beside itself, and ours beside it.

    .oracle/bin/python tools/compare_bf16_training.py --clipnext build/clipnext [--seeds 3 4 5 6 7]

A small ConvNeXt CLIP trained under bfloat16 autocast with gradient checkpointing: by open_clip, by open_clip
in another order of the same sums (texts cut to the positions in use, the image tower in channels_last), and
by ours; and by open_clip in float32. Prints, for each seed, the root mean square of the relative differences
of the losses, and their means over the seeds. Needs what tools/compare_training.py needs.
"""

import argparse
import statistics
import tempfile
from pathlib import Path

import compare_training as base

KIND, BATCH = "convnext", 4
PAIRS = [("open_clip", "float32"), ("reordered", "float32"), ("ours", "float32"), ("reordered", "open_clip"),
         ("ours", "open_clip"), ("ours", "reordered")]


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--clipnext", required=True)
    parser.add_argument("--seeds", nargs="+", type=int, default=[3, 4, 5, 6, 7])
    parser.add_argument("--steps", type=int, default=8)
    args = parser.parse_args()
    args.clipnext, args.device = str(Path(args.clipnext).resolve()), "cpu"
    return args


def options_with(precision):
    return lambda headline: ["--precision", precision, "--grad-checkpointing", "--lr", str(base.HEADLINE_LR)]


def reorder(model):
    """The same function, its sums in another order."""
    import torch

    encode_image, encode_text = model.encode_image, model.encode_text
    model.visual = model.visual.to(memory_format=torch.channels_last)
    positions, mask = model.positional_embedding, model.attn_mask

    def image(pixels, normalize=False):
        return encode_image(pixels.to(memory_format=torch.channels_last), normalize)

    def text(tokens, normalize=False):
        used = int((tokens != 0).sum(1).max())
        del model._parameters["positional_embedding"]  # for an assignment that is no parameter
        model.positional_embedding, model.attn_mask = positions[:used], mask[:used, :used].clone()
        features = encode_text(tokens[:, :used], normalize)
        del model.positional_embedding
        model.positional_embedding, model.attn_mask = positions, mask
        return features

    model.encode_image, model.encode_text = image, text


def losses_of(args, seed, folder):
    import torch

    model_file, initial = base.make_model(KIND, "compare", seed, folder)
    table = base.make_pictures(folder, args.steps * BATCH)
    plain = base.reference_model

    def reordered(*files):
        model, preprocess = plain(*files)
        reorder(model)
        return model, preprocess

    def reference(precision, make_model):
        base.options_of, base.reference_model = options_with(precision), make_model
        out = folder / "reference.pt"
        base.run_reference(1, model_file, initial, None, str(table), args.steps, BATCH, True, args.device, str(out))
        base.reference_model = plain
        return torch.load(out, weights_only=True)["losses"]

    losses = {"float32": reference("fp32", plain), "open_clip": reference("amp_bf16", plain),
              "reordered": reference("amp_bf16", reordered)}
    base.options_of = options_with("amp_bf16")
    _, losses["ours"] = base.run_ours(args, BATCH, 1, model_file, initial, None, table, folder / "logs")
    return losses


def apart(losses, wanted):
    return statistics.mean(((a - b) / b) ** 2 for a, b in zip(losses, wanted, strict=True)) ** 0.5


def main():
    args = parse()
    rows = []
    for seed in args.seeds:
        with tempfile.TemporaryDirectory(dir=Path(args.clipnext).parent) as folder:
            losses = losses_of(args, seed, Path(folder))
        rows.append([apart(losses[a], losses[b]) for a, b in PAIRS])
        print(f"seed {seed}: " + ", ".join(f"{a} - {b} {value:.1e}" for (a, b), value in zip(PAIRS, rows[-1])),
              flush=True)
    print("mean: " + ", ".join(f"{a} - {b} {statistics.mean(values):.1e}"
                               for (a, b), values in zip(PAIRS, zip(*rows))))


if __name__ == "__main__":
    main()
