#!/usr/bin/env python3
"""Checks that the reference packages open what `clipnext convert` writes, with equal values.

    python3 tools/check_weight_writers.py build/clipnext [CHECKPOINT ...]

Without checkpoints, those of tests/data/weights are used. Each is converted to safetensors, .pt and
.npz; safetensors.torch.load_file, torch.load(weights_only=True) and numpy.load must then give the
tensors that the reference package gives for the original. Needs torch, numpy and safetensors, as
`./dev oracle` installs them.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import safetensors.torch
import torch

FIXTURES = Path(__file__).parent.parent / "tests/data/weights"
DEFAULT = ["plain.safetensors", "plain.pt", "plain.legacy.pt", "strided.pt", "strided.legacy.pt",
           "training.pt", "plain.npz", "compressed.npz"]


def load(path):
    """Tensors by name, as the package of the format reads them, less training wrappers."""
    if path.suffix == ".safetensors":
        state = safetensors.torch.load_file(path)
    elif path.suffix == ".npz":
        with np.load(path) as arrays:
            state = {name: torch.from_numpy(np.asarray(arrays[name])) for name in arrays.files}
    else:
        state = torch.load(path, weights_only=True, map_location="cpu")
        state = state.get("state_dict", state)
    return {name.replace("_orig_mod.", "").removeprefix("module."): t for name, t in state.items()}


def as_bytes(tensor):
    tensor = tensor.contiguous()
    if tensor.dtype == torch.bfloat16:  # unknown to NumPy
        tensor = tensor.view(torch.int16)
    return tensor.numpy().tobytes()


def differences(expected, actual, widened):
    """What differs; with `widened`, bfloat16 may have become float32."""
    for name in sorted(expected.keys() | actual.keys()):
        if name not in expected or name not in actual:
            yield f"{name} is only in one"
            continue
        want, have = expected[name], actual[name]
        if widened and want.dtype == torch.bfloat16:
            want = want.float()
        if want.dtype != have.dtype or want.shape != have.shape:
            yield f"{name}: {want.dtype} {list(want.shape)} became {have.dtype} {list(have.shape)}"
        elif as_bytes(want) != as_bytes(have):
            yield f"{name}: values differ"


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    program = sys.argv[1]
    sources = [Path(p) for p in sys.argv[2:]] or [FIXTURES / name for name in DEFAULT]
    bad = checked = 0
    with tempfile.TemporaryDirectory() as folder:
        for source in sources:
            expected = load(source)
            for suffix in (".safetensors", ".pt", ".npz"):
                out = Path(folder) / f"{source.name}.out{suffix}"
                subprocess.run([program, "convert", source, out], check=True,
                               stdout=subprocess.DEVNULL)
                found = list(differences(expected, load(out), widened=suffix == ".npz"))
                checked += len(expected)
                bad += len(found)
                for line in found:
                    print(f"{source.name} to {suffix}: {line}")
    print(f"{checked} tensors compared, {bad} differ")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
