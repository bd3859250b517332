#!/usr/bin/env python3
"""Makes tests/data/run/ from the reference trainer (open_clip_train 3.3.0): ./dev oracle installs it.

  options.json   command lines and what the reference's parser makes of each, as params.txt shows it
  schedule.json  learning rates of its three schedulers, to the last bit
  format.json    numbers in the formats of its console line, and literals as --aug-cfg reads them
"""
import ast
import json
from pathlib import Path

from open_clip_train.params import parse_args
from open_clip_train.scheduler import const_lr, const_lr_cooldown, cosine_lr

OUT = Path(__file__).resolve().parent.parent / "tests/data/run"

CARD = [  # the model card's command with its defects repaired, then as it stands but for the path
    "--save-frequency", "1", "--name", "convnext_large_320", "--pretrained", "/runs/epoch_128.pt",
    "--resume", "latest", "--train-data", "pipe:aws s3 cp s3://bucket/laion{00000..41455}.tar -",
    "--train-num-samples", "203666042", "--dataset-type", "webdataset", "--dataset-resampled",
    "--precision", "amp_bfloat16", "--beta2", "0.98", "--warmup", "2000", "--batch-size", "256",
    "--epochs", "12", "--aug-cfg", "use_timm=True", "scale=(0.5, 1.0)", "re_prob=0.4",
    "--image-interpolation", "random", "--grad-clip-norm", "5.0", "--lr", "5e-5", "--workers", "6",
    "--model", "convnext_large_d_320", "--seed", "0", "--ddp-static-graph", "--local-loss",
    "--gather-with-grad", "--grad-checkpointing"]
COMMAND_LINES = [
    [],
    CARD,
    ["--model", "ViT-B-32", "--train-data=a.csv", "--csv-sep", ",", "--lr", "1e-3", "--wd", ".5"],
    ["--model", "ViT-B-32", "--opt", "timm/lamb", "--momentum", "0.9"],
    ["--force-image-size", "320", "--image-mean", "0.5", "0.5", "0.5", "--image-std", "1", "2", "3"],
    ["--force-image-size", "224", "336", "--grad-checkp", "--acc", "4", "--save-m", "--precision=fp32"],
    ["--aug-cfg", "scale=(.6,1)", "color_jitter=[0.3, 0.3, 0.3, 8e-2]", "use_timm=False",
     "interpolation=random", "--aug-cfg", "re_count=2", "ratio=None", "--lr", "0.00005"],
    ["--aug-cfg", "--train-num-samples", " 1_000 ", "--seed", "-3", "--lr", "1_0e-5", "--wd", "1e16"],
    ["--epochs", "3", "--epochs", "5", "--lr-scheduler", "const-cooldown", "--epochs-cooldown", "2",
     "--wandb-notes", "it's", "--csv-separator", ";", "--pretrained="],
]
REFUSED_LINES = [  # by both
    ["--epochs", "3.0"], ["--lr", "x"], ["--precision", "int8"], ["--lr"], ["--lr", "--wd", "1"],
    ["--sav"], ["--nothing"], ["value"], ["--debug", "yes"], ["--debug=1"], ["--aug-cfg", "scale"],
    ["--aug-cfg", "scale=(0.5,"], ["--aug-cfg", "a=b=c"], ["--image-mean"], ["--seed", "0x10"],
]
LITERALS = ["1", "-2", "+3", "0x1f", "0b101", "0o17", "1_000", "0.5", ".5", "5.", "-1e-3", "1e999", "True",
            "None", "bilinear", "(0.5, 1.0)", "(1,)", "()", "[1, 'a', (2, 3)]", "0.5, 1.0", "'a b'", '"x"',
            r"'a\'b\n'", "((1))", "00", "a.b", "True1", "( 1 , 2 )", "''", "1,"]
BAD_LITERALS = ["", "(1", "1)", "'a", "[1 2]", "007", "1__0", "(a b)", "1 2", ",", "a b"]


def params(args):
    return {name: f"{value}" for name, value in sorted(vars(parse_args(args)).items())}


def refuses(call):
    try:
        call()
    except (SystemExit, ValueError, SyntaxError):
        return True
    return False




class Optimizer:
    param_groups = [{}]


def literal(text):
    try:
        return repr(ast.literal_eval(text))
    except ValueError:
        return repr(text)


def schedules():
    rows = []
    for make, name, more in [(cosine_lr, "cosine", ()), (const_lr, "const", ()),
                             (const_lr_cooldown, "const-cooldown", (100, 2.0, 1e-6)),
                             (const_lr_cooldown, "const-cooldown", (300, 1.0, 0.0))]:
        for lr, warmup, total in [(5e-5, 2000, 18648), (1e-3, 5, 1000), (1.5e-3, 0, 700)]:
            at = make(Optimizer(), lr, warmup, total, *more)
            steps = sorted({0, 1, max(warmup - 1, 0), warmup, 999, total // 2, total - 100, total - 1} & set(range(total)))
            rows.append({"course": name, "lr": lr, "warmup": warmup, "total": total, "more": more,
                         "at": [[step, at(step).hex()] for step in steps]})
    return rows


def numbers():
    values = [0.0, 1.0, 12.3456789, 123456.7, 1234567.8, 0.00001234567, 5e-5, 99.99995, 1e-10, 7.0, 4.6051702, 2.5, 3.5,
              float("inf"), float("nan"), -1.25, 0.5, 31.4159265]
    return [{"value": value.hex(), "g": f"{value:#g}", "g5": f"{value:#.5g}", "lr": f"{value:5f}", "f3": f"{value:.3f}",
             "f0": f"{value:.0f}", "f4": f"{round(value, 4):.4f}", "f6": f"{value:.6f}", "repr": repr(value)} for value in values]


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    assert all(refuses(lambda: parse_args(line)) for line in REFUSED_LINES)
    assert all(refuses(lambda: ast.literal_eval(text) if text != "a b" else parse_args([f"--aug-cfg", f"k={text}"]))
               for text in BAD_LITERALS)
    write = lambda name, value: (OUT / name).write_text(json.dumps(value, indent=1) + "\n")
    write("options.json", {"made_by": "open_clip_train 3.3.0", "refused": REFUSED_LINES,
                           "accepted": [{"arguments": line, "params": params(line)} for line in COMMAND_LINES]})
    write("schedule.json", {"made_by": "open_clip_train 3.3.0", "schedules": schedules()})
    write("format.json", {"made_by": "Python 3.11", "numbers": numbers(), "bad_literals": BAD_LITERALS,
                          "literals": [[text, literal(text)] for text in LITERALS]})


if __name__ == "__main__":
    main()
