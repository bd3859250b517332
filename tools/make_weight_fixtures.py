#!/usr/bin/env python3
"""Makes tests/data/weights/: tiny checkpoints of every kind, with values known by formula.

Element i (row-major) of a tensor made with k is  k + i / 8  (its whole part, for integers) in every
format, so the tests need no second copy. Run from the repository root in the environment of `./dev oracle`
(torch 2.15.0, numpy 2.3, safetensors 0.8.0); the files are committed.
"""

import io
import pickle
import struct
import warnings
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import safetensors.torch
import torch

OUT = Path("tests/data/weights")
warnings.simplefilter("ignore")


def tensor(k, *shape, dtype=torch.float32):
    count = int(np.prod(shape)) if shape else 1
    return (k + torch.arange(count, dtype=torch.float64) / 8).reshape(shape).to(dtype)


def plain():
    """One dense tensor of each element type, a scalar and an empty one among them."""
    return OrderedDict(
        f32=tensor(1, 2, 3),
        f16=tensor(2, 3, dtype=torch.float16),
        bf16=tensor(3, 3, dtype=torch.bfloat16),
        f64=tensor(4, 2, 2, dtype=torch.float64),
        i64=tensor(5, 2, dtype=torch.int64),
        i32=tensor(6, 2, dtype=torch.int32),
        i16=tensor(7, 2, dtype=torch.int16),
        i8=tensor(8, 2, dtype=torch.int8),
        u8=tensor(9, 2, dtype=torch.uint8),
        flag=torch.tensor([True, False]),
        scalar=tensor(11),
        empty=torch.zeros(0, 4),
    )


def strided():
    """Views that are not dense: each reads as k + i / 8 in its own row-major order."""
    base = torch.zeros(4, 6)
    base[:, 1:4] = tensor(4, 4, 3)
    shared = tensor(6, 8)
    return OrderedDict(
        transposed=tensor(1, 3, 2).t().contiguous().t(),
        permuted=tensor(2, 2, 3, 4).permute(2, 0, 1).contiguous().permute(1, 2, 0),
        channels_last=tensor(3, 1, 3, 2, 2).contiguous(memory_format=torch.channels_last),
        sliced=base[:, 1:4],
        expanded=torch.full((1,), 5.0).expand(3, 2),  # all 5
        shared=shared,
        shared_tail=shared[4:],  # 6.5 + i / 8
        tied=shared,
    )


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.proj = torch.nn.Linear(3, 2)
        self.proj.weight.data = tensor(1, 2, 3)
        self.proj.bias.data = tensor(2, 2)

    def forward(self, x):
        return self.proj(x)


def training_checkpoint():
    """What open_clip writes, from data-parallel training of a compiled model."""
    model = Model()
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    model.proj.weight.data = tensor(1, 2, 3)
    model.proj.bias.data = tensor(2, 2)
    state = OrderedDict((f"module._orig_mod.{k}", v) for k, v in model.state_dict().items())
    state._metadata = OrderedDict({"": {"version": 1}})
    return {
        "epoch": 3,
        "name": "tiny-run",
        "global_step": 1234567890123,
        "samples_seen": 4096,
        "lr": 0.0005,
        "state_dict": state,
        "optimizer": optimizer.state_dict(),
        "scaler": {},
    }


class Stem(torch.nn.Module):
    input_resolution: int

    def __init__(self):
        super().__init__()
        self.input_resolution = 8
        self.class_embedding = torch.nn.Parameter(tensor(1, 4))
        self.conv1 = torch.nn.Conv2d(3, 2, 2, bias=False)
        self.conv1.weight.data = tensor(2, 2, 3, 2, 2)

    def forward(self, x):
        return self.conv1(x).mean()


class Clip(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.context_length = 77
        self.visual = Stem()
        self.blocks = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
        for i, block in enumerate(self.blocks):
            block.weight.data = tensor(3 + i, 2, 2)
            block.bias.data = tensor(5 + i, 2)
        self.logit_scale = torch.nn.Parameter(tensor(7))
        self.register_buffer("steps", tensor(8, dtype=torch.int64))
        self.sides = [1, 2]

    def forward(self, x):
        return self.visual(x) * self.logit_scale


class Evil:
    def __reduce__(self):
        import os

        return os.system, ("echo owned",)


def torch_bytes(value, **options):
    out = io.BytesIO()
    torch.save(value, out, **options)
    return out.getvalue()


def rezip(data, method=zipfile.ZIP_STORED, zip64=False, **replaced):
    """The same records in another archive."""
    out = io.BytesIO()
    limits = zipfile.ZIP64_LIMIT, zipfile.ZIP_FILECOUNT_LIMIT
    if zip64:
        zipfile.ZIP64_LIMIT = zipfile.ZIP_FILECOUNT_LIMIT = 0
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", method) as new:
        for name in old.namelist():
            content = replaced.get(name.split("/", 1)[-1].replace(".", "_"), old.read(name))
            new.writestr(zipfile.ZipInfo(name), content, compress_type=method)
    zipfile.ZIP64_LIMIT, zipfile.ZIP_FILECOUNT_LIMIT = limits
    return out.getvalue()


def npy_bytes(array, version=None):
    out = io.BytesIO()
    np.lib.format.write_array(out, array, version=version)
    return out.getvalue()


def main():
    OUT.mkdir(parents=True, exist_ok=True)

    def put(name, data):
        (OUT / name).write_bytes(data)

    put("plain.safetensors", safetensors.torch.save(dict(plain()), metadata={"format": "pt"}))
    put("plain.pt", torch_bytes(plain()))
    put("plain.legacy.pt", torch_bytes(plain(), _use_new_zipfile_serialization=False))
    put("strided.pt", torch_bytes(strided()))
    put("strided.legacy.pt", torch_bytes(strided(), _use_new_zipfile_serialization=False))
    put("training.pt", torch_bytes(training_checkpoint()))
    put("parameters.pt", torch_bytes(OrderedDict(w=torch.nn.Parameter(tensor(1, 2, 3)))))
    put("protocol4.pt", torch_bytes(training_checkpoint(), pickle_protocol=4))
    put("zip64.pt", rezip(torch_bytes({"w": tensor(1, 2, 3)}), zip64=True))
    put("big_endian.pt", rezip(torch_bytes({"w": tensor(1, 2, 3)}), byteorder=b"big"))
    put("os_system.pt", torch_bytes({"w": tensor(1, 2), "x": Evil()}))
    put("os_system.legacy.pt",
        torch_bytes({"w": tensor(1, 2), "x": Evil()}, _use_new_zipfile_serialization=False))

    # _rebuild_tensor_v3 is written for types without a storage class; patched to a type we read.
    v3 = torch_bytes({"w": tensor(3, 3, dtype=torch.uint16)})
    with zipfile.ZipFile(io.BytesIO(v3)) as archive:
        pickled = archive.read("archive/data.pkl").replace(b"ctorch\nuint16\n", b"ctorch\nint16\n")
    put("v3.pt", rezip(v3, data_pkl=pickled))
    put("uint16.pt", v3)

    script = io.BytesIO()
    torch.jit.save(torch.jit.script(Clip().eval()), script)
    kept = io.BytesIO()
    with zipfile.ZipFile(script) as old, zipfile.ZipFile(kept, "w") as new:
        for name in old.namelist():
            if "debug_pkl" not in name and "/torch/" not in name:  # code is never read
                new.writestr(zipfile.ZipInfo(name), old.read(name))
    put("script.pt", kept.getvalue())

    arrays = {k: v.numpy() for k, v in plain().items() if v.dtype != torch.bfloat16}
    out = io.BytesIO()
    np.savez(out, **arrays)
    put("plain.npz", out.getvalue())
    out = io.BytesIO()
    np.savez_compressed(out, **arrays, zeros=np.zeros(5000, np.float32))
    put("compressed.npz", out.getvalue())
    matrix = tensor(1, 2, 3).numpy()
    put("c_order.npy", npy_bytes(matrix))
    put("fortran.npy", npy_bytes(np.asfortranarray(tensor(1, 2, 3, 2).numpy())))
    put("version2.npy", npy_bytes(matrix, (2, 0)))
    put("version3.npy", npy_bytes(matrix, (3, 0)))
    put("big_endian.npy", npy_bytes(matrix.astype(">f4")))

    # A header as the reference's own reader refuses it: a gap before the tensor.
    header = b'{"w":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}'
    put("gap.safetensors", struct.pack("<Q", len(header)) + header + bytes(8))
    put("bare.pkl", pickle.dumps({"w": 1}, protocol=4))
    total = sum(f.stat().st_size for f in OUT.iterdir())
    print(f"{len(list(OUT.iterdir()))} files, {total} bytes")


if __name__ == "__main__":
    main()
