#!/usr/bin/env python3
"""Times a training step (forward, loss, backward, AdamW) in turns: ours, open_clip eager, and compiled.

    .oracle/bin/python bench/train_step.py --clipnext build/clipnext [--models convnext_atto-64 convnext_tiny-224]
    python3 bench/train_step.py --clipnext build/clipnext --device cuda --precision amp_bf16 --batch 256

Ours is `clipnext train` on synthetic data, its own batch times less those of waiting for data; the
peers train open_clip's model on black pictures with captions as long. Precision, batch, threads and
machine are the same. Prints medians and the peer's time over ours. Needs torch and open_clip.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TEXT_SMALL = {"context_length": 32, "vocab_size": 49408, "width": 128, "heads": 4, "layers": 3}
CASES = {
    "convnext_atto-64": {"embed_dim": 128, "vision_cfg": {
        "timm_model_name": "convnext_atto", "timm_model_pretrained": False, "timm_pool": "",
        "timm_proj": "mlp", "image_size": 64}, "text_cfg": TEXT_SMALL},
    "convnext_tiny-224": "convnext_tiny",
    "convnext_large_d_320": "convnext_large_d_320",
}


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--clipnext", required=True)
    parser.add_argument("--models", nargs="+", default=list(CASES)[:2], choices=list(CASES))
    parser.add_argument("--peers", nargs="+", default=["eager", "compiled"], choices=["eager", "compiled"])
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--precision", default="fp32", choices=["fp32", "amp_bf16"])
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--steps", type=int, default=8, help="of each turn, the first two not counted")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def ours(args, model, folder, turn):
    name = f"turn{turn}"
    command = [args.clipnext, "train", "--model", model, "--dataset-type", "synthetic", "--train-num-samples",
               str(args.batch * args.steps), "--batch-size", str(args.batch), "--epochs", "1", "--precision",
               args.precision, "--device", args.device, "--threads", str(args.threads), "--workers", "1",
               "--log-every-n-steps", "1",
               "--lr", "1e-4", "--warmup", "1", "--no-augment", "--save-frequency", "0", "--logs", str(folder),
               "--name", name, "--snapshot-minutes", "0"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}\n{done.stderr}")
    lines = [json.loads(line) for line in (folder / name / "scalars.jsonl").read_text().splitlines()]
    return [line["train/batch_time"] - line["train/data_time"] for line in lines][2:]


class Peer:
    def __init__(self, args, model, compiled):
        import open_clip
        import torch

        torch.set_num_threads(args.threads)
        torch.manual_seed(0)
        if args.device == "cuda":  # as open_clip's trainer
            torch.backends.cuda.matmul.allow_tf32 = True
            torch.backends.cudnn.benchmark = True
        self.device, self.precision = args.device, args.precision
        self.model = open_clip.create_model(model, force_custom_text=False, device=args.device)
        self.model.train()
        size = self.model.visual.image_size
        size = size if isinstance(size, tuple) else (size, size)
        self.images = torch.zeros(args.batch, 3, *size, device=args.device)
        self.texts = open_clip.get_tokenizer(model)(["Dummy caption"] * args.batch).to(args.device)
        self.loss = open_clip.ClipLoss(cache_labels=True)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-4)
        self.forward = torch.compile(self.model) if compiled else self.model
        self.step()  # compiles

    def step(self):
        import torch

        self.optimizer.zero_grad()
        with torch.autocast(self.device, torch.bfloat16, enabled=self.precision != "fp32"):
            image, text, scale = self.forward(self.images, self.texts)[:3]
            loss = self.loss(image, text, scale)
        loss.backward()
        self.optimizer.step()
        if self.device == "cuda":
            torch.cuda.synchronize()

    def turn(self, steps):
        seconds = []
        for _ in range(steps):
            begin = time.perf_counter()
            self.step()
            seconds.append(time.perf_counter() - begin)
        return seconds[2:]


def measure(args, case, folder):
    import open_clip

    model = name = CASES[case]
    if isinstance(model, dict):
        file = folder / f"{case}.json"
        file.write_text(json.dumps(model))
        open_clip.add_model_config(file)
        model, name = str(file), case
    peers = {peer: Peer(args, name, peer == "compiled") for peer in args.peers}
    seconds = {who: [] for who in ["ours", *peers]}
    for turn in range(args.rounds):
        seconds["ours"] += ours(args, model, folder / case, turn)
        for peer, runner in peers.items():
            seconds[peer] += runner.turn(args.steps)
    medians = {who: statistics.median(values) for who, values in seconds.items()}
    return {"model": case, "device": args.device, "precision": args.precision, "batch": args.batch,
            "threads": args.threads, "seconds": medians,
            "ratios": {peer: medians[peer] / medians["ours"] for peer in peers}}


def main():
    args = parse()
    args.clipnext = str(Path(args.clipnext).resolve())
    with tempfile.TemporaryDirectory() as folder:
        rows = [measure(args, case, Path(folder)) for case in args.models]
    if args.json:
        print(json.dumps(rows))
        return
    for row in rows:
        print(f"{row['model']}, {row['device']}, {row['precision']}, batch {row['batch']}, {row['threads']} threads: "
              + ", ".join(
            f"{who} {seconds * 1e3:.0f} ms" + (f" ({row['ratios'][who]:.2f} times ours)" if who in row["ratios"] else "")
            for who, seconds in row["seconds"].items()))


if __name__ == "__main__":
    main()
