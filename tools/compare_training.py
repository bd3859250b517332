#!/usr/bin/env python3
"""Trains a small model by open_clip's own trainer and by ours, and compares every step.

    .oracle/bin/python tools/compare_training.py --clipnext build/clipnext

The same initial weights (PyTorch's), the same batches in the same order, the evaluation transform,
float32 on the CPU or, with --device cuda, on a GPU: open_clip_train's train_one_epoch against
`clipnext train --in-order --no-augment`. Compared are the gradients of step 1 (by the norm of each
tensor's difference; ours from the first moment, (1 - beta1) times the gradient), the losses of all
steps, and how far each tensor moved. Key biases, whose gradient is zero but for rounding, are left
out of the first and last. With --world 2 both run as two processes, with --teacher both distil from
a second model of random weights. `--models headline` is convnext_large_d_320 itself under bfloat16
autocast with gradient checkpointing, 3 steps of 4 pictures at the learning rate of its recipe, whose
losses and memory count. Exit status 1 if a bound is missed. Needs torch, open_clip and
webdataset==0.2.86, as `./dev oracle` installs them.
"""

import argparse
import json
import math
import os
import random
import resource
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

TEXT = {"context_length": 16, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 2}
MODELS = {
    "convnext": {"embed_dim": 32, "vision_cfg": {
        "timm_model_name": "convnext_atto", "timm_model_pretrained": False, "timm_pool": "",
        "timm_proj": "mlp", "image_size": 64}, "text_cfg": TEXT},
    "vit": {"embed_dim": 32, "vision_cfg": {"image_size": 64, "layers": 2, "width": 64, "head_width": 32,
                                            "patch_size": 16}, "text_cfg": TEXT},
    "resnet": {"embed_dim": 32, "vision_cfg": {"image_size": 64, "layers": [1, 1, 1, 1], "width": 8},
               "text_cfg": TEXT},
}
HEADLINE = "convnext_large_d_320"
LR, WARMUP, BETA1 = 1e-3, 5, 0.9
BOUNDS = {"gradient": 1e-5, "loss": 1e-4, "moved": 1e-2}
HEADLINE_LR, HEADLINE_LOSS, HEADLINE_GIB = 5e-5, 1e-3, 20


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--clipnext", required=True)
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=[*MODELS, "headline"])
    parser.add_argument("--world", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--batch", type=int, default=16, help="for each process")
    parser.add_argument("--teacher", choices=MODELS, help="distil from a model of this kind")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--seed", type=int, default=3, help="of the initial weights")
    return parser.parse_args()


def make_pictures(folder, count):
    """Noise of several scales in random colours, with captions that say which. No two pixels are
    alike: where a ReLU's input is zero but for rounding, gradients cannot be compared."""
    import numpy as np
    from PIL import Image

    words = "red green blue large small round square bright dark old new cat dog house tree".split()
    draw, noise = random.Random(1), np.random.default_rng(1)
    rows = ["filepath\ttitle"]
    for i in range(count):
        side = draw.choice([2, 4, 8, 16])
        pixels = bytes(draw.randrange(256) for _ in range(side * side * 3))
        path = folder / f"{i}.png"
        smooth = Image.frombytes("RGB", (side, side), pixels).resize((80, 64), Image.BICUBIC)
        rough = np.asarray(smooth) * 0.6 + noise.uniform(0, 100, (64, 80, 3))
        Image.fromarray(rough.astype(np.uint8)).save(path)
        rows.append(f"{path}\ta {' '.join(draw.sample(words, draw.randrange(1, 6)))} number {i}")
    table = folder / "pairs.tsv"
    table.write_text("\n".join(rows) + "\n")
    return table


class Batches:
    """What train_one_epoch takes from a data set: every world * batch rows are one step."""

    def __init__(self, table, preprocess, tokenizer, rank, world, batch):
        from PIL import Image

        self.rows = [line.split("\t") for line in Path(table).read_text().splitlines()[1:]]
        self.load = lambda path: preprocess(Image.open(path).convert("RGB"))
        self.tokenizer, self.rank, self.world, self.batch = tokenizer, rank, world, batch
        self.num_samples = len(self.rows)
        self.num_batches = len(self.rows) // (world * batch)
        self.dataloader = self

    def set_epoch(self, epoch):
        pass

    def __iter__(self):
        import torch

        mine = self.rows[self.rank::self.world]
        for i in range(self.num_batches):
            rows = mine[i * self.batch:(i + 1) * self.batch]
            yield torch.stack([self.load(path) for path, _ in rows]), self.tokenizer([t for _, t in rows])


def options_of(headline):
    if headline:
        return ["--precision", "amp_bf16", "--grad-checkpointing", "--lr", str(HEADLINE_LR)]
    return ["--precision", "fp32", "--lr", str(LR)]


def reference_model(model_file, weights):
    """Model and preprocessing."""
    import open_clip
    import torch

    open_clip.add_model_config(Path(model_file))
    model, _, preprocess = open_clip.create_model_and_transforms(Path(model_file).stem, output_dict=True)
    model.load_state_dict(torch.load(weights, weights_only=True))
    return model, preprocess


def reference_rank(rank, world, model_file, initial, teacher, table, steps, batch, headline, device, out):
    """One process of open_clip's trainer; writes gradients of step 1, losses and final weights (of
    the headline model the losses alone)."""
    import open_clip
    import torch
    from open_clip_train.params import parse_args
    from open_clip_train.scheduler import cosine_lr
    from open_clip_train.train import train_one_epoch

    warnings.filterwarnings("ignore")
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // world))
    name = Path(model_file).stem
    args = parse_args(["--model", name, "--batch-size", str(batch), "--warmup", str(WARMUP),
                       "--epochs", "1", "--local-loss", "--gather-with-grad", *options_of(headline)])
    args.device, args.rank, args.world_size, args.distill, args.horovod = device, rank, world, bool(teacher), False
    args.distributed, args.wandb, args.tensorboard, args.save_logs = world > 1, False, False, False
    if world > 1:
        torch.distributed.init_process_group("gloo", init_method=f"file://{out}.store", rank=rank, world_size=world)
    model, preprocess = reference_model(model_file, initial)
    model = model.to(device)
    taught_by = reference_model(*teacher)[0].to(device) if teacher else None
    if args.grad_checkpointing:
        model.set_grad_checkpointing()
    bare, names = model, [n for n, _ in model.named_parameters()]
    if world > 1:
        model = torch.nn.parallel.DistributedDataParallel(model)
    decays = lambda n, p: not (p.ndim < 2 or "bn" in n or "ln" in n or "bias" in n or "logit_scale" in n)
    pairs = list(bare.named_parameters())
    optimizer = torch.optim.AdamW(
        [{"params": [p for n, p in pairs if not decays(n, p)], "weight_decay": 0.0},
         {"params": [p for n, p in pairs if decays(n, p)], "weight_decay": args.wd}],
        lr=args.lr, betas=(args.beta1, args.beta2), eps=args.eps)

    first, losses = {}, []
    update = optimizer.step

    def step(*a, **k):
        if not first and not headline:
            first.update({n: p.grad.to("cpu", copy=True) for n, p in pairs})
        return update(*a, **k)

    optimizer.step = step
    loss = open_clip.create_loss(args)

    def recorded(*a, **k):
        result = loss(*a, **k)
        mean = sum(result.values()).detach().clone()
        if world > 1:
            torch.distributed.all_reduce(mean)
        losses.append(mean.item() / world)
        return result

    data = {"train": Batches(table, preprocess, open_clip.get_tokenizer(name), rank, world, batch)}
    train_one_epoch(model, data, recorded, 0, optimizer, None, cosine_lr(optimizer, args.lr, args.warmup, steps),
                    taught_by, args)
    if rank == 0:
        weights = {} if headline else {name: value.cpu() for name, value in bare.state_dict().items()}
        torch.save({"gradients": first, "losses": losses, "names": names, "weights": weights}, out)


def run_reference(world, *arguments):
    import torch.multiprocessing as mp

    if world == 1:
        reference_rank(0, 1, *arguments)
    else:
        mp.spawn(reference_rank, args=(world, *arguments), nprocs=world)


def run_ours(args, batch, world, model_file, initial, teacher, table, folder, stop=None, headline=False):
    """Our trainer on the same; returns (moments and weights, losses)."""
    from safetensors.torch import load_file

    name = "first" if stop else "all"
    command = [args.clipnext, "train", "--model", str(model_file), "--pretrained", str(initial),
               "--train-data", str(table), "--dataset-type", "csv", "--in-order", "--no-augment",
               "--batch-size", str(batch), "--warmup", str(WARMUP), "--epochs", "1",
               *options_of(headline), "--local-loss", "--gather-with-grad", "--device", args.device,
               "--workers", "1", "--logs", str(folder), "--name", name, "--log-every-n-steps", "1",
               "--nproc", str(world), "--checkpoint-format", "safetensors"]
    if teacher:
        command += ["--distill-model", teacher[0], "--distill-pretrained", teacher[1]]
    if stop:
        command += ["--stop-after-steps", str(stop)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}\n{done.stderr}")
    run = folder / name
    state = load_file(run / "snapshot/latest.safetensors" if stop else run / "checkpoints/epoch_1.safetensors")
    losses = [json.loads(line)["train/loss"] for line in (run / "scalars.jsonl").read_text().splitlines()
              if "train/loss" in line]
    return state, losses


def is_key_bias(name):
    return name.endswith(("attn.in_proj_bias", "attnpool.k_proj.bias"))


def without_key(name, tensor):
    """Of a packed query, key and value bias the parts that have a gradient."""
    if name.endswith("attn.in_proj_bias"):
        width = tensor.numel() // 3
        return tensor[[i for i in range(3 * width) if not width <= i < 2 * width]]
    return tensor


def make_model(kind, role, seed, folder):
    """Files of a configuration and of initial weights."""
    import open_clip
    import torch

    model_file, weights = folder / f"{role}_{kind}.json", folder / f"{role}.pt"
    model_file.write_text(json.dumps(MODELS[kind]))
    open_clip.add_model_config(model_file)
    torch.manual_seed(seed)
    torch.save(open_clip.create_model(model_file.stem).state_dict(), weights)
    return str(model_file), str(weights)


def compare(args, kind, world, folder):
    import torch

    folder.mkdir()
    model_file, initial = make_model(kind, "compare", args.seed, folder)
    teacher = make_model(args.teacher, "teacher", args.seed + 1, folder) if args.teacher else None
    table = make_pictures(folder, args.steps * args.batch * world)
    out = folder / "reference.pt"
    run_reference(world, model_file, initial, teacher, str(table), args.steps, args.batch, False, args.device, str(out))
    reference = torch.load(out, weights_only=True)
    before = torch.load(initial, weights_only=True)

    first, _ = run_ours(args, args.batch, world, model_file, initial, teacher, table, folder / "logs", stop=1)
    final, losses = run_ours(args, args.batch, world, model_file, initial, teacher, table, folder / "logs")
    worst = {"gradient": (0, ""), "loss": (0, ""), "moved": (0, "")}

    def note(what, value, where):
        worst[what] = max(worst[what], (value if math.isfinite(value) else math.inf, where))

    for name in reference["names"]:
        if name.endswith("attnpool.k_proj.bias"):
            continue
        want = without_key(name, reference["gradients"][name])
        got = without_key(name, first[f"exp_avg.{name}"].reshape(reference["gradients"][name].shape)) / (1 - BETA1)
        note("gradient", ((got - want).norm() / want.norm().clamp_min(1e-12)).item(), name)
        moved = without_key(name, reference["weights"][name] - before[name])
        ours = without_key(name, final[f"model.{name}"].reshape(before[name].shape) - before[name])
        note("moved", ((ours - moved).norm() / moved.norm().clamp_min(1e-12)).item(), name)
    if len(losses) != args.steps or len(reference["losses"]) != args.steps:
        sys.exit(f"{len(losses)} of our losses and {len(reference['losses'])} of open_clip's, not {args.steps}")
    for i, (a, b) in enumerate(zip(losses, reference["losses"])):
        note("loss", abs(a - b) / abs(b), f"step {i + 1}")
    good = all(worst[what][0] <= bound for what, bound in BOUNDS.items())
    print(f"{kind:<9} world {world}: " + ", ".join(
        f"{what} {value:.1e} ({where})" for what, (value, where) in worst.items())
        + f"; loss {losses[0]:.4f} to {losses[-1]:.4f}" + ("" if good else "   MISSED"), flush=True)
    return good


def compare_headline(args, folder):
    """Ours first: the memory of the largest child is then ours."""
    import open_clip
    import torch

    steps, batch = 3, 4
    folder.mkdir()
    config = open_clip.get_model_config(HEADLINE)
    config["vision_cfg"].update(timm_drop=0.0, timm_drop_path=0.0)
    model_file = folder / "compare_headline.json"
    model_file.write_text(json.dumps(config))
    open_clip.add_model_config(model_file)
    torch.manual_seed(args.seed)
    initial, out = folder / "initial.pt", folder / "reference.pt"
    torch.save(open_clip.create_model(model_file.stem).state_dict(), initial)
    table = make_pictures(folder, steps * batch)
    _, losses = run_ours(args, batch, 1, model_file, initial, None, table, folder / "logs", headline=True)
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    run_reference(1, str(model_file), str(initial), None, str(table), steps, batch, True, args.device, str(out))
    reference = torch.load(out, weights_only=True)["losses"]
    worst = max(abs(a - b) / abs(b) for a, b in zip(losses, reference, strict=True))
    good = worst <= HEADLINE_LOSS and memory < HEADLINE_GIB
    print(f"headline: losses {losses}, open_clip's {reference}: {worst:.1e} (bound {HEADLINE_LOSS:g}); "
          f"at most {memory:.1f} GiB of memory (bound {HEADLINE_GIB})" + ("" if good else "   MISSED"), flush=True)
    return good


def main():
    args = parse()
    args.clipnext = str(Path(args.clipnext).resolve())
    os.environ["NVIDIA_TF32_OVERRIDE"] = "0"  # both trainers allow TF32 on a GPU
    print("largest relative differences; bounds " + ", ".join(f"{k} {v:g}" for k, v in BOUNDS.items()))
    with tempfile.TemporaryDirectory(dir=Path(args.clipnext).parent) as folder:
        good = [compare(args, kind, world, Path(folder) / f"{kind}-{world}")
                for kind in args.models if kind != "headline" for world in args.world]
        if "headline" in args.models:
            good.append(compare_headline(args, Path(folder) / "headline"))
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
