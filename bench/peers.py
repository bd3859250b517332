#!/usr/bin/env python3
"""The same model on the same machine: clipnext and PyTorch, ONNX Runtime, OpenVINO take turns.

    ./dev oracle && ./dev build
    .oracle/bin/python bench/peers.py --clipnext build/clipnext --out bench/results/peers.json

Every program stays warm in a process of its own and times the same case in each round: ours, peer,
ours, peer, ... A case's time is the median over rounds; the ratio is the peer's over ours. Weights
are random (speed does not depend on them), so cosines of int8 say what the scheme loses on such
weights, not on trained ones. Versions used: torch 2.15.0, open_clip_torch 3.3.0, onnxruntime 1.32.0,
openvino 2026.4.0, nncf 3.4.0.
"""
import argparse
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path

# What runs in which type. `torch-cl`: channels_last weights and pictures, so for images only;
# `torch-compile` has them too.
PEERS = {
    "fp32": ["torch", "torch-cl", "torch-compile", "onnxruntime", "openvino"],
    "bf16": ["torch", "torch-cl", "torch-compile", "openvino"],
    "int8": ["onnxruntime", "openvino"],
}
CALIBRATION_ITEMS = 16
WARM_RUNS = 3
REST = 0.25  # seconds between turns, for threads that spin a while after their work


# ---- workers: one peer, one type, one tower ----


def open_model(name):
    import open_clip
    import torch

    torch.manual_seed(0)
    return open_clip.create_model(name).eval()


def tower_of(model, tower):
    """The tower as a module whose forward is the features, not normalised."""
    import torch

    class Image(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, x):
            return self.model.encode_image(x)

    class Text(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, x):
            return self.model.encode_text(x)

    return (Image() if tower == "image" else Text()).eval()


def make_input(config, tower, batch, seed=0):
    """Smooth pictures with noise, or texts of full length; numpy."""
    import numpy as np

    rng = np.random.default_rng(seed)
    if tower == "image":
        h, w = config["size"]
        coarse = rng.normal(size=(batch, 3, 8, 8)).astype(np.float32)
        smooth = coarse.repeat(-(-h // 8), axis=2).repeat(-(-w // 8), axis=3)[:, :, :h, :w]
        return smooth + 0.3 * rng.normal(size=(batch, 3, h, w)).astype(np.float32)
    ids = rng.integers(1, config["vocab"] - 2, size=(batch, config["context"]))
    ids[:, -1] = config["vocab"] - 1
    return ids.astype(np.int64)


def config_of(model):
    size = model.visual.image_size
    return {
        "size": list(size) if isinstance(size, (tuple, list)) else [size, size],
        "context": model.context_length,
        "vocab": model.vocab_size,
    }


class Torch:
    def __init__(self, options):
        import torch

        self.torch = torch
        torch.set_num_threads(options.threads)
        model = open_model(options.model)
        self.config = config_of(model)
        self.dtype = torch.bfloat16 if options.dtype == "bf16" else torch.float32
        self.tower = options.tower
        self.channels_last = options.worker in ("torch-cl", "torch-compile") and self.tower == "image"
        module = tower_of(model, options.tower).to(self.dtype)
        if self.channels_last:
            module = module.to(memory_format=torch.channels_last)
        self.module = torch.compile(module, dynamic=False) if options.worker == "torch-compile" else module

    def prepare(self, batch):
        x = self.torch.from_numpy(make_input(self.config, self.tower, batch))
        if self.tower == "image":
            x = x.to(self.dtype)
        if self.channels_last:
            x = x.to(memory_format=self.torch.channels_last)
        self.input = x

    def run(self):
        with self.torch.inference_mode():
            return self.module(self.input).float().numpy()


def export(options, onnx_path):
    """The tower as ONNX with a free batch, made once; its sizes beside it."""
    if onnx_path.with_suffix(".json").exists():
        return json.loads(onnx_path.with_suffix(".json").read_text())
    import torch

    model = open_model(options.model)
    config = config_of(model)
    example = torch.from_numpy(make_input(config, options.tower, 2))
    batch = torch.export.Dim("batch", min=1, max=4096)
    program = torch.onnx.export(
        tower_of(model, options.tower), (example,), dynamo=True, dynamic_shapes=({0: batch},),
        input_names=["x"], output_names=["features"], verbose=False,
    )
    program.save(str(onnx_path), external_data=True)
    onnx_path.with_suffix(".json").write_text(json.dumps(config))
    return config


class OnnxRuntime:
    def __init__(self, options):
        import onnxruntime

        path = options.cache / f"{options.tower}.onnx"
        self.config = export(options, path)
        self.full = path
        if options.dtype == "int8":
            from onnxruntime.quantization import QuantType, quantize_dynamic

            path = options.cache / f"{options.tower}.int8.onnx"
            if not path.exists():
                quantize_dynamic(
                    str(self.full), str(path), op_types_to_quantize=["MatMul", "Gemm"],
                    per_channel=True, weight_type=QuantType.QInt8, use_external_data_format=True,
                )
        self.ort, self.threads, self.tower = onnxruntime, options.threads, options.tower
        self.session = self.open(path)

    def open(self, path):
        settings = self.ort.SessionOptions()
        settings.intra_op_num_threads = self.threads
        return self.ort.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])

    def prepare(self, batch):
        self.input = make_input(self.config, self.tower, batch)

    def run(self):
        return self.session.run(None, {self.session.get_inputs()[0].name: self.input})[0]

    def run_fp32(self):
        session = self.open(self.full)
        return session.run(None, {session.get_inputs()[0].name: self.input})[0]


class OpenVino:
    def __init__(self, options):
        import openvino

        path = options.cache / f"{options.tower}.onnx"
        self.config = export(options, path)
        self.full = path
        self.openvino, self.options = openvino, options
        if options.dtype == "int8":
            path = self.quantise(path)
        self.path = path

    def quantise(self, path):
        quantised = self.options.cache / f"{self.options.tower}.int8.xml"
        if not quantised.exists():
            import nncf

            model = self.openvino.Core().read_model(str(path))
            items = range(CALIBRATION_ITEMS)
            data = nncf.Dataset(items, lambda i: make_input(self.config, self.options.tower, 1, i + 1))
            kind = nncf.ModelType.TRANSFORMER if self.options.tower == "text" else None
            model = nncf.quantize(model, data, subset_size=CALIBRATION_ITEMS, model_type=kind)
            self.openvino.save_model(model, str(quantised), compress_to_fp16=False)
        return quantised

    def compile(self, path, batch, precision):
        core = self.openvino.Core()
        model = core.read_model(str(path))
        shape = model.inputs[0].partial_shape
        shape[0] = batch
        model.reshape(shape)
        settings = {"INFERENCE_NUM_THREADS": self.options.threads, "PERFORMANCE_HINT": "LATENCY",
                    "INFERENCE_PRECISION_HINT": precision}
        return core.compile_model(model, "CPU", settings).create_infer_request()

    def prepare(self, batch):
        self.input = make_input(self.config, self.options.tower, batch)
        precision = "bf16" if self.options.dtype == "bf16" else "f32"
        self.request = self.compile(self.path, batch, precision)

    def run(self):
        return next(iter(self.request.infer([self.input]).values()))

    def run_fp32(self):
        request = self.compile(self.full, len(self.input), "f32")
        return next(iter(request.infer([self.input]).values()))


def cosine(a, b):
    import numpy as np

    a, b = a.astype(np.float64), b.astype(np.float64)
    dots = (a * b).sum(1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))
    return float(dots.min())


def work(options):
    """Answers each line {"batch", "min_time"[, "cosine"]} with one line of JSON."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever the packages print is not an answer
    kinds = {"onnxruntime": OnnxRuntime, "openvino": OpenVino}
    peer = kinds.get(options.worker, Torch)(options)
    prepared = None
    for line in sys.stdin:
        request = json.loads(line)
        batch = request["batch"]
        if prepared != batch:
            peer.prepare(batch)
            for _ in range(WARM_RUNS):
                peer.run()
            prepared = batch
        if request.get("cosine"):
            answer = {"cosine": cosine(peer.run(), peer.run_fp32())}
        else:
            answer = measure(peer.run, batch, request["min_time"])
        print(json.dumps(answer), file=answers, flush=True)


def measure(run, batch, min_time):
    """What `clipnext bench` does (src/bench/timing.h)."""
    run()
    seconds = []
    while len(seconds) < 3 or sum(seconds) < min_time:
        begin = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - begin)
    return {"seconds_per_item": min(seconds) / batch,
            "seconds_per_item_median": statistics.median(seconds) / batch}


# ---- the comparison ----


class Process:
    """A program that answers a line with a line of JSON. Errors of its own are its last words."""

    def __init__(self, args, threads):
        environment = dict(os.environ, OMP_NUM_THREADS=str(threads))
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.log, text=True, env=environment)

    def ask(self, request):
        time.sleep(REST)
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            self.process.wait()
            self.log.seek(0)
            lines = self.log.read().strip().splitlines() or ["no message"]
            raise RuntimeError(lines[-1])
        return json.loads(answer)

    def close(self):
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass  # it is gone already
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


def start_ours(options, dtype, tower, batch):
    return Process([options.clipnext, "bench", "--model", options.model, "--dtype", dtype, "--tower", tower,
                    "--batch", str(batch), "--threads", str(options.threads), "--min-time",
                    str(options.min_time), "--each-line"], options.threads)


def start_peer(options, peer, dtype, tower):
    return Process([sys.executable, __file__, "--worker", peer, "--model", options.model, "--dtype", dtype,
                    "--tower", tower, "--threads", str(options.threads), "--cache", str(options.cache)],
                   options.threads)


def take_turns(options, ours, peer, batch):
    """Rounds of ours, then the peer; ours may be None (a type it does not have)."""
    request = {"batch": batch, "min_time": options.min_time}
    times = {"ours": [], "peer": []}
    for _ in range(options.rounds):
        if ours:
            times["ours"].append(ours.ask(request))
        times["peer"].append(peer.ask(request))

    def median(side):
        values = [answer["seconds_per_item_median"] for answer in times[side]]
        return statistics.median(values) if values else None

    result = {"ours_seconds": median("ours"), "peer_seconds": median("peer"), "rounds": options.rounds}
    result["ratio"] = result["peer_seconds"] / result["ours_seconds"] if ours else None
    if ours:
        result["ours_share_of_ceiling"] = max(a["share_of_ceiling"] or 0 for a in times["ours"])
        result["isa"] = times["ours"][0]["isa"]
    return result


def run_case(options, dtype, tower, batch, name, peer, refused):
    ours = None
    if dtype not in refused:
        ours = start_ours(options, dtype, tower, batch)
    try:
        if ours:
            try:
                ours.ask({})  # loads, and warms up
            except RuntimeError as error:
                print(f"ours {dtype}: {error}", file=sys.stderr)
                refused.add(dtype)
                ours.close()
                ours = None
        result = take_turns(options, ours, peer, batch)
        if dtype == "int8":
            result["peer_cosine"] = peer.ask({"batch": 4, "min_time": 0, "cosine": True})["cosine"]
    finally:
        if ours:
            ours.close()
    return {"dtype": dtype, "tower": tower, "batch": batch, "peer": name, **result}


def show(row):
    if "error" in row:
        return f"{row['dtype']:5} {row['tower']:6} {row['batch']:5} {row['peer']:14} {row['error']}"
    ours = f"{row['ours_seconds'] * 1e3:10.2f}" if row["ours_seconds"] else " " * 10
    ratio = f"{row['ratio']:7.2f}" if row["ratio"] else " " * 7
    cos = f"  cosine {row['peer_cosine']:.5f}" if "peer_cosine" in row else ""
    return (f"{row['dtype']:5} {row['tower']:6} {row['batch']:5} {row['peer']:14} {ours} "
            f"{row['peer_seconds'] * 1e3:10.2f} {ratio}{cos}")


def summary(rows):
    """For each case the fastest peer."""
    best = {}
    for row in rows:
        key = (row["dtype"], row["tower"], row["batch"])
        if "error" not in row and (key not in best or row["peer_seconds"] < best[key]["peer_seconds"]):
            best[key] = row
    return list(best.values())


def machine():
    info = Path("/proc/cpuinfo")
    names = [line.split(":", 1)[1].strip() for line in info.read_text().splitlines()
             if line.startswith("model name")] if info.exists() else []
    return {"cpu": names[0] if names else platform.processor(), "cpus": os.cpu_count(),
            "load": os.getloadavg()[0], "date": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")}


def versions():
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for name in ["torch", "open_clip_torch", "onnxruntime", "openvino", "nncf"]:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            pass
    return found


def compare(options):
    report = {"machine": machine(), "versions": versions(), "model": options.model, "threads": options.threads,
              "results": []}
    if report["machine"]["load"] > 0.5:
        print(f"note: the machine is busy (load {report['machine']['load']:.1f})", file=sys.stderr)
    print(f"{'dtype':5} {'tower':6} {'batch':>5} {'peer':14} {'ours ms':>10} {'peer ms':>10} {'ratio':>7}", flush=True)
    refused = set()
    try:
        for dtype in options.dtypes:
            for tower in options.towers:
                for name in PEERS[dtype]:
                    if options.peers and name not in options.peers:
                        continue
                    if name == "torch-cl" and tower == "text":
                        continue
                    peer = start_peer(options, name, dtype, tower)
                    for batch in options.batches:
                        try:
                            row = run_case(options, dtype, tower, batch, name, peer, refused)
                        except RuntimeError as error:
                            row = {"dtype": dtype, "tower": tower, "batch": batch, "peer": name,
                                   "error": str(error)}
                        report["results"].append(row)
                        print(show(row), flush=True)
                        if "error" in row:
                            break
                    peer.close()
    except KeyboardInterrupt:
        report["interrupted"] = True
        print("interrupted", file=sys.stderr)
    report["best"] = summary(report["results"])
    print("\nfastest peer of each case:")
    for row in report["best"]:
        print(show(row))
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(report, indent=1) + "\n")


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clipnext", default="build/clipnext", help="our program")
    parser.add_argument("--model", default="convnext_large_d_320", help="open_clip config name")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--min-time", type=float, default=0.5, help="seconds of one measurement, at least 3 runs")
    parser.add_argument("--dtypes", nargs="+", choices=PEERS, default=list(PEERS))
    parser.add_argument("--towers", nargs="+", choices=["image", "text"], default=["image", "text"])
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 8])
    parser.add_argument("--peers", nargs="+", default=[], help="only these")
    parser.add_argument("--cache", type=Path, help="exported models are kept here (default .cache/peers/MODEL)")
    parser.add_argument("--out", type=Path, help="the report as JSON")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--dtype", help=argparse.SUPPRESS)
    parser.add_argument("--tower", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.cache is None:
        options.cache = Path(__file__).resolve().parent.parent / ".cache" / "peers" / options.model
    options.cache.mkdir(parents=True, exist_ok=True)
    return options


if __name__ == "__main__":
    arguments = parse()
    if arguments.worker:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the comparison closes its workers
        work(arguments)
    else:
        compare(arguments)
