#!/usr/bin/env python3
"""Makes tests/data/model/packed_vN.safetensors, a packed file of this version of the format.

    python3 tools/make_packed_fixture.py build/clipnext

The model is tiny, its weights follow from their names (tools/make_parity_fixtures.py). Files of past
versions stay as they are: src/infer/packed_file_test.cpp reads each of them. Needs the packages of
`./dev oracle`.
"""
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import safetensors.torch

from make_parity_fixtures import build

DATA = Path(__file__).resolve().parent.parent / "tests" / "data" / "model"
VISION = {"layers": 1, "width": 64, "head_width": 64, "patch_size": 8, "image_size": 16}
TEXT = {"context_length": 8, "vocab_size": 64, "width": 64, "heads": 1, "layers": 1}
EMBED_DIM = 24


def main(program):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "tiny"
        folder.mkdir()
        config = {"embed_dim": EMBED_DIM, "vision_cfg": VISION, "text_cfg": TEXT}
        (folder / "open_clip_config.json").write_text(json.dumps(config))
        state = build(EMBED_DIM, VISION, TEXT).state_dict()
        safetensors.torch.save_file({k: v.contiguous() for k, v in state.items()},
                                    folder / "open_clip_model.safetensors")
        packed = Path(name) / "packed.safetensors"
        output = subprocess.run([program, "convert", folder, packed, "--dtype", "int8", "--json"],
                                check=True, capture_output=True, text=True).stdout
        target = DATA / f"packed_v{json.loads(output)['version']}.safetensors"
        target.write_bytes(packed.read_bytes())
        print(target)


if __name__ == "__main__":
    main(sys.argv[1])
