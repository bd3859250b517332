#!/usr/bin/env bash
# clang-tidy (.clang-tidy, warnings as errors) over the sources that BUILD_DIR compiles.
#   tools/lint.sh [BUILD_DIR] [FILE...]      default: build/clang, every .cpp under src/
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:-build/clang}
shift || true
files=("$@")
[ ${#files[@]} -gt 0 ] || mapfile -t files < <(git ls-files -co --exclude-standard 'src/*.cpp' | grep -v '_test\.cpp$')
printf '%s\n' "${files[@]}" | xargs -n 4 -P "$(nproc)" clang-tidy-14 --quiet -p "$build" 2>&1 |
  grep -vE '^[0-9]+ warnings? generated|^Suppressed|^Use -header-filter|^$' || true
# grep's exit status hides xargs': PIPESTATUS belongs to the pipeline above.
exit "${PIPESTATUS[1]}"
