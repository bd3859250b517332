#!/usr/bin/env bash
# clang-format over every C++ source: rewrites, or with --check fails naming what differs.
set -euo pipefail
cd "$(dirname "$0")/.."
mode=(-i)
[ "${1:-}" = --check ] && mode=(--dry-run --Werror)
git ls-files -co --exclude-standard '*.cpp' '*.h' '*.hpp' | xargs -r -n 32 -P "$(nproc)" clang-format-14 "${mode[@]}"
