#!/usr/bin/env python3
"""Makes tests/data/data/: what the reference packages make of patterns of shards and of their members.

    .oracle/bin/python tools/make_data_fixtures.py

Run from the repository root in the environment of `./dev oracle`; the files are committed. Made:
  braces.json      pattern: list of strings, or null where the braces do not match (braceexpand)
  webdataset.json  tars, as lists of member names, and the samples that open_clip_train's pipelines for
                   training and validation take from them: [key, image member, caption member].
                   Member i (from 0, through all shards of a corpus) has the content "m<i>".
"""

import io
import json
import logging
import random
import sys
import tarfile
import tempfile
import types
from importlib.metadata import version
from pathlib import Path

import braceexpand
import torchvision  # noqa: F401 (looks for pandas, so it must come before the next line)
import webdataset

sys.modules.setdefault("pandas", types.ModuleType("pandas"))  # open_clip_train reads CSV with it, nothing else
from open_clip_train import data

OUT = Path("tests/data/data")
VERSIONS = {name: version(name) for name in ("braceexpand", "webdataset", "open_clip_torch")}

PATTERNS = [
    "", "plain.tar", "{a,b}", "x{a,b}y", "{a,b}{1,2,3}", "{a,{b,c}d}e", "{{a,b},{c,d}}", "{a,}", "{,}", "{,a,}",
    "{0..3}", "{00..10}", "{08..11}", "{1..010}", "{-2..2}", "{-02..1}", "{-1..-3}", "{10..8}", "{0..10..2}",
    "{0..10..3}", "{10..0..3}", "{0..10..-2}", "{5..5}", "{0..5..0}", "{00..5..02}", "{0..-0}", "{-0..2}",
    "{a..e}", "{e..a}", "{a..i..3}", "{X..c}", "{c..X}", "{C..A}", "{a..a}", "{A..A}", "{A..C..0}", "{z..w..-2}",
    "{1..a}", "{a..1}", "{a..bc}", "{1...3}", "{1..}", "{..3}", "{1..3..}", "{1..3..a}", "{1.5..3}", "{+1..3}", "{ 1..3}",
    "{x}", "{}", "{{a,b}}", "{x{a,b}y}", "{{0..2}}", "{a{b}c}", "{{}}", "{}{a,b}", "{},{a,b}", "a,b", "{a b,c d}",
    "{2.{5..7},3.{2,3}}", "{a,b{1..3},c}", "{{1..2},{a..b}}{,x}", "{a,b}{x}{c,d}",
    r"\{a,b\}", r"{a\,b}", r"{a\,b,c}", r"{a,b\}}", r"\\{a,b}", r"a\b", r"a\\b", "a\\", "{a,b}\\", r"{\a,\{}", r"{1\{2,3}",
    r"{1..3}\{1..3\}", r"{\1..3}", r"{a,b\\}", r"a\}b", r"a\{b",
    "{", "}", "{a", "a}", "{a,b", "a,b}", "{{a,b}", "{a,b}}", "}{", "}a{", "}{a,b}{", "}{{a,b}", "}}{{", "{a}}b{", "{laion{00000..xxxxx}.tar",
    "{1{2,3}", "{a}{", "}{}", r"{a,b\}", r"\{a}",
    "{0..2}.tar", "s3/{a,b}/{000..002}.tar", "pipe:aws s3 cp s3://b/{a,b}/{000..002}.tar -", "${NAME}", "a${x,y}", "d{é,ü}\\ñ",
    "{000..3}{x,{y,z}{1..2}}-{b..a}",
]


def expand(pattern):
    try:
        return list(braceexpand.braceexpand(pattern))
    except braceexpand.UnbalancedBracesError:
        return None


def random_patterns(count):
    rng = random.Random(1)
    pieces = ["{", "}", ",", "..", "a", "b", "1", "03", "-2", "\\", "x", "{", "}", "{0..3}", "{a,b}"]
    made = []
    while len(made) < count:
        pattern = "".join(rng.choice(pieces) for _ in range(rng.randint(3, 12)))
        strings = expand(pattern)
        if strings is None and rng.random() < 0.7:
            continue
        if strings is None or len(strings) <= 40:
            made.append(pattern)
    return made


def write_tar(path, names, first):
    with tarfile.open(path, "w") as tar:
        for i, name in enumerate(names):
            info = tarfile.TarInfo(name)
            content = f"m{first + i}".encode()
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


def samples(stages):
    pipeline = webdataset.DataPipeline(
        *stages,
        webdataset.select(data.filter_no_caption_or_no_image),
        webdataset.rename(image="jpg;png;jpeg;webp", text="txt"),
    )
    return [[s["__key__"], s["image"].decode(), s["text"].decode()] for s in pipeline]


def corpus(shards):
    with tempfile.TemporaryDirectory() as folder:
        urls, first = [], 0
        for i, names in enumerate(shards):
            urls.append(f"{folder}/{i}.tar")
            write_tar(urls[-1], names, first)
            first += len(names)
        return {
            "shards": shards,
            "train": samples([webdataset.SimpleShardList(urls), data.tarfile_to_samples_nothrow]),
            "validate": samples(
                [webdataset.SimpleShardList(urls), webdataset.tarfile_to_samples(handler=data.log_and_continue)]
            ),
        }


def corpora():
    yield [
        ["a.jpg", "a.txt", "b.JPG", "b.Txt", "d/a.png", "d/a.txt", "d.x/c.seg.png", "d.x/c.jpeg", "d.x/c.txt"],
        ["a.jpg", "a.txt", "./e.webp", "./e.txt", "f.txt", "f.webp", "f.jpeg", "f.png", "g.jpg.txt", "g.jpg"],
    ]
    yield [["a.jpg", "b.txt", "a.txt", "b.jpg", "c.jpg", "c.txt", "c.jpg", "c.txt", "c.json"]]
    yield [["__meta__.jpg", "__meta__/a.jpg", "__meta__", "a.jpg", "__x__", "a.txt", "x/__y__/b.jpg", "x/__y__/b.txt"]]
    yield [["a.jpg", "README", "a.txt", ".hidden.jpg", "b.jpg", "dir.d/plain", "b.txt", "__a.jpg", "__a.txt"]]
    rng = random.Random(2)
    keys = ["a", "b", "d/a", "d.x/b", "./a", "__c__", "__d__/a", "e/__f__/a"]
    parts = ["jpg", "JPG", "png", "jpeg", "webp", "txt", "TXT", "json", "seg.png", "cls", ""]
    for _ in range(60):
        names, key = [], rng.choice(keys)
        for _ in range(rng.randint(4, 30)):
            if rng.random() < 0.35:
                key = rng.choice(keys)
            part = rng.choice(parts)
            names.append(f"{key}.{part}" if rng.random() < 0.95 else key)
        yield [names]


def write(name, content):
    lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in content.items())
    (OUT / name).write_text("{" + lines + "}\n")


def main():
    logging.disable(logging.WARNING)
    OUT.mkdir(parents=True, exist_ok=True)
    patterns = PATTERNS + random_patterns(300)
    write("braces.json", {"made_with": VERSIONS, "patterns": {p: expand(p) for p in patterns}})
    write("webdataset.json", {"made_with": VERSIONS, "corpora": [corpus(c) for c in corpora()]})


if __name__ == "__main__":
    main()
