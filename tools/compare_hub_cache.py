#!/usr/bin/env python3
"""Compares the cache that `clipnext pull` writes with huggingface_hub's, over a hub on this machine.

    .oracle/bin/python tools/compare_hub_cache.py [--clipnext build/release/bin/clipnext]

Both pull the same repository from the same server; then every name, link and content must be equal
(less locks and the wording of CACHEDIR.TAG). Then each must find offline what the other pulled.
"""
import argparse
import hashlib
import http.server
import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"
MODEL = Path(__file__).resolve().parent.parent / "models/emoji-convnext-atto"
FILES = {
    "open_clip_config.json": ((MODEL / "open_clip_config.json").read_bytes(), False),
    "open_clip_model.safetensors": ((MODEL / "open_clip_model.safetensors").read_bytes(), True),
    "README.md": (b"read", False),
    "figures/a b.png": (b"picture", True),
}
BINARY_ONLY = {"open_clip_config.json": FILES["open_clip_config.json"],
               "open_clip_pytorch_model.bin": (b"weights", True)}


def etag(content, lfs):
    if lfs:
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class Hub(http.server.BaseHTTPRequestHandler):
    repositories = {"org/model": FILES, "org/binary": BINARY_ONLY}

    def do_HEAD(self):
        self.answer(head=True)

    def do_GET(self):
        self.answer(head=False)

    def reply(self, status, headers, body, head):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if not head:
            self.wfile.write(body)

    def send(self, content, tag, head):
        asked = self.headers.get("Range")
        headers = {"ETag": f'"{tag}"', "X-Repo-Commit": COMMIT}
        if not asked:
            return self.reply(200, headers, content, head)
        first, last = asked.removeprefix("bytes=").split("-")
        end = min(int(last) + 1 if last else len(content), len(content))
        headers["Content-Range"] = f"bytes {first}-{end - 1}/{len(content)}"
        self.reply(206, headers, content[int(first):end], head)

    def answer(self, head):
        from urllib.parse import unquote, urlsplit
        path = unquote(urlsplit(self.path).path)
        for repository, files in self.repositories.items():
            if path.startswith(f"/api/models/{repository}/revision/"):
                siblings = [{"rfilename": name, "size": len(c)} for name, (c, _) in files.items()]
                body = json.dumps({"id": repository, "sha": COMMIT, "siblings": siblings}).encode()
                return self.reply(200, {}, body, head)
            for revision in ("main", COMMIT):
                prefix = f"/{repository}/resolve/{revision}/"
                if not path.startswith(prefix):
                    continue
                name = path.removeprefix(prefix)
                if name not in files:
                    return self.reply(404, {"X-Error-Code": "EntryNotFound",
                                            "X-Repo-Commit": COMMIT}, b"", head)
                content, lfs = files[name]
                return self.send(content, etag(content, lfs), head)
        self.reply(404, {"X-Error-Code": "RepoNotFound"}, b"", head)

    def log_message(self, *arguments):
        pass


def tree(cache):
    """Every name below the cache with what it is."""
    found = {}
    for path in sorted(cache.rglob("*")):
        name = str(path.relative_to(cache))
        if name.startswith(".locks") or name == "CACHEDIR.TAG":
            continue
        if path.is_symlink():
            found[name] = "link " + os.readlink(path)
        elif path.is_file():
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
        else:
            found[name] = "folder"
    return found


PULL = """
import sys
from open_clip.pretrained import download_pretrained_from_hf
from huggingface_hub import hf_hub_download
repository, *names = sys.argv[1:]
print(download_pretrained_from_hf(repository, filename="open_clip_config.json"))
print(download_pretrained_from_hf(repository))
for name in names:
    print(hf_hub_download(repository, name))
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clipnext", default="build/release/bin/clipnext")
    clipnext = parser.parse_args().clipnext
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    endpoint = f"http://127.0.0.1:{server.server_port}"
    failures = 0

    def run(command, home, offline=False):
        environment = dict(os.environ, HF_ENDPOINT=endpoint, HF_HOME=home, no_proxy="127.0.0.1",
                           HF_HUB_OFFLINE="1" if offline else "0", HF_HUB_DISABLE_XET="1",
                           HF_HUB_DISABLE_TELEMETRY="1")
        for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_TOKEN"):
            environment.pop(name, None)
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    def expect(what, ok, detail=""):
        nonlocal failures
        print(("ok    " if ok else "WRONG ") + what + ("" if ok else f"\n{detail}"))
        failures += not ok

    for repository, more in (("org/model", ["README.md", "figures/a b.png"]), ("org/binary", [])):
        with tempfile.TemporaryDirectory() as ours, tempfile.TemporaryDirectory() as theirs:
            # open_clip_config.json is asked for as .json, not as an alternative of weights.
            there = run([sys.executable, "-c", PULL, repository, *more], theirs)
            pulled = run([clipnext, "pull", repository], ours)
            for name in more:
                run([clipnext, "pull", repository, "--include", name], ours)
            expect(f"{repository}: both pull", there.returncode == 0 and pulled.returncode == 0,
                   there.stderr + pulled.stderr)
            a, b = tree(Path(ours, "hub")), tree(Path(theirs, "hub"))
            differences = "\n".join(f"  {n}: ours {a.get(n)}, theirs {b.get(n)}"
                                    for n in sorted(a.keys() | b.keys()) if a.get(n) != b.get(n))
            expect(f"{repository}: {len(b)} names, links and contents are equal", a == b, differences)
            found = run([sys.executable, "-c", PULL, repository, *more], ours, offline=True)
            expect(f"{repository}: open_clip finds offline what clipnext pulled",
                   found.returncode == 0, found.stderr[-2000:])
            found = run([clipnext, "pull", repository], theirs, offline=True)
            expect(f"{repository}: clipnext finds offline what open_clip pulled",
                   found.returncode == 0, found.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
