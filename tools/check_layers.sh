#!/usr/bin/env bash
# Holds each folder of src/ to the DEPS of its CMakeLists.txt: an #include "x/..." of another folder
# must be listed there. Kernel sources (all of kernels/ but dispatch) may include nothing of ours, and
# ask only kernels/intrinsics.h which instructions there are, which knows of emulated ones.
set -euo pipefail
cd "$(dirname "$0")/.."
status=0

complain() { echo "$1" >&2; status=1; }

for list in src/*/CMakeLists.txt; do
  dir=$(dirname "$list") folder=$(basename "$(dirname "$list")")
  # The words between DEPS and the next keyword (or the closing bracket).
  deps=$(tr '\n' ' ' <"$list" | sed -nE 's/.*clipnext_library\(DEPS ([^)]*)\).*/\1/p' |
    sed -E 's/ (LINK|TEST_LINK|OWN_HEADERS)( .*)?$//')
  while IFS=: read -r file line include; do
    used=$(sed -E 's/.*"([a-z_]+)\/.*/\1/' <<<"$include")
    [ -d "src/$used" ] || continue
    [ "$used" = "$folder" ] && continue
    if [ "$folder" = kernels ]; then
      case $file in */dispatch*.cpp | *_test.cpp) ;; *) complain "$file:$line: kernels include nothing of ours"; continue ;; esac
    fi
    case " $deps " in *" $used "*) ;; *)
      complain "$file:$line: $folder may not include $used (DEPS ${deps:-none})" ;;
    esac
  done < <(grep -rnE '^#include "[a-z_]+/' "$dir" --include='*.h' --include='*.cpp' || true)
done
while IFS=: read -r file line macro; do
  complain "$file:$line: $macro is the compiler's; ask kernels/intrinsics.h"
done < <(grep -rnoE '__(AVX|AMX)[A-Z0-9_]*__' src/kernels --exclude=intrinsics.h || true)
[ $status = 0 ] && echo "layers: every include is covered by its folder's DEPS"
exit $status
