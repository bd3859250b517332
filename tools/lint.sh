#!/usr/bin/env bash
# clang-tidy (.clang-tidy, warnings as errors) over the sources that BUILD_DIR compiles.
#   tools/lint.sh [BUILD_DIR] [FILE...]      default: build/lint, every .cpp under src/ that it compiles
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:-build/lint}
shift || true
files=("$@")
[ ${#files[@]} -gt 0 ] || mapfile -t files < <(git ls-files -co --exclude-standard 'src/*.cpp' | grep -v '_test\.cpp$' |
  while read -r file; do ! grep -q "\"file\": \"$PWD/$file\"" "$build/compile_commands.json" || echo "$file"; done)
status=0
output=$(printf '%s\n' "${files[@]}" | xargs -n 4 -P "$(nproc)" clang-tidy-14 --quiet -p "$build" 2>&1) || status=1
grep -vE '^[0-9]+ warnings? generated|^Suppressed|^Use -header-filter|^$' <<<"$output" || true
exit $status
