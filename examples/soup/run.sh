#!/usr/bin/env bash
# A soup from beginning to end: a parent, three fine-tunes of it at a higher resolution, their averages,
# what each is worth, and the best of it as a package for the hub. README.md tells the story.
#   examples/soup/run.sh DATA [WORK]    DATA: the folder of shards 00000.tar ... (or $SOUP_DATA)
# What is done is not done again, and a run that was killed goes on. FAST=1: all steps, next to no training.
set -euo pipefail

data=${1:-${SOUP_DATA:-}}
work=${2:-soup-example}
root=$(cd "$(dirname "$0")/../.." && pwd)
clipnext=${CLIPNEXT:-$root/build/clipnext}
[ -n "$data" ] || { sed -n '2,5s/^# *//p' "$0" >&2; exit 2; }
[ -f "$data/00000.tar" ] || { echo "$data: no shards (00000.tar, ...) in this folder" >&2; exit 1; }

parent_size=48 size=64          # 256 and 320 px in the published one
parent_epochs=20
names=(a b c)
rates=(3e-4 1.8e-4 1.5e-4)      # as 1e-4 : 6e-5 : 5e-5
epochs=(5 3 4)                  # as 3.26 : 2.04 : 2.44 billion samples
few=()
if [ "${FAST:-0}" != 0 ]; then
  parent_epochs=1 epochs=(1 1 1)
  few=(--train-num-samples 256 --warmup 1 --batch-size 64)
fi

say() { printf '\033[1m== %s\033[0m\n' "$*"; }

# The held-out part of the training data: the first shard, as a labelled set. Its labels lie in it as JSON.
hold_out() {
  local set=$work/data/held-out raw=$work/data/raw
  [ ! -f "$set/test/nshards.txt" ] || return 0
  say "holding out $data/00000.tar, to choose by"
  rm -rf "$set" "$raw"
  mkdir -p "$set/test" "$raw"
  tar xf "$data/00000.tar" -C "$raw"
  (
    cd "$raw"
    export LC_ALL=C
    awk 'match($0, /"label": "[^"]*"/) {
           key = FILENAME; sub(/\.json$/, "", key)
           print key "\t" substr($0, RSTART + 10, RLENGTH - 11)
         }' ./*.json > labels.tsv
    cut -f 2 labels.tsv | sort -u > classnames.txt
    awk -F '\t' 'NR == FNR { id[$0] = FNR - 1; next }
                 { file = $1 ".cls"; printf "%d", id[$2] > file; close(file) }' classnames.txt labels.tsv
    find . \( -name '*.png' -o -name '*.cls' \) -printf '%P\n' | sort > members.txt
    tar cf 0.tar --files-from members.txt
  )
  mv "$raw/classnames.txt" "$set/"
  mv "$raw/0.tar" "$set/test/"
  cp "$root/examples/emoji/seen/zeroshot_classification_templates.txt" "$set/"
  echo 1 > "$set/test/nshards.txt"
  rm -r "$raw"
}

# train NAME EPOCHS OPTIONS...: leaves logs/NAME/checkpoints/epoch_EPOCHS.pt
train() {
  local name=$1 last=$2
  shift 2
  [ ! -f "$(checkpoint "$name" "$last")" ] || return 0
  say "training $name"
  "$clipnext" train --recipe emoji-atto --train-data "$data/{00001..00011}.tar" \
    --train-num-samples 10122 --epochs "$last" --save-frequency 0 --snapshot-minutes 2 --resume latest \
    --logs "$work/logs" --name "$name" "$@" "${few[@]}"
}

checkpoint() { echo "$work/logs/$1/checkpoints/epoch_$2.pt"; }

# evaluate NAME MODEL: results/NAME-SET.json
evaluate() {
  "$clipnext" eval --model "$2" --dataset wds/held-out --dataset_root "$work/data/{dataset}" \
    --output "$work/results/$1-{dataset}.json" --skip_existing
  "$clipnext" eval --model "$2" --dataset wds/seen wds/unseen --dataset_root "$root/examples/emoji/{dataset}" \
    --output "$work/results/$1-{dataset}.json" --skip_existing
}

accuracy() { awk 'match($0, /"acc1": [0-9.eE+-]+/) { print substr($0, RSTART + 8, RLENGTH - 8) }' "$work/results/$1-$2.json"; }

row() {
  printf '%-34s' "$2"
  for set in held-out seen unseen; do accuracy "$1" "$set"; done |
    awk '{ printf "%10.2f", 100 * $1 } END { print "" }'
}

hold_out
train parent "$parent_epochs" --force-image-size "$parent_size" --seed 0
models=()
for i in 0 1 2; do
  train "${names[i]}" "${epochs[i]}" --pretrained "$(checkpoint parent "$parent_epochs")" \
    --force-image-size "$size" --lr "${rates[i]}" --warmup 40 --seed $((i + 1))
  models+=("$(checkpoint "${names[i]}" "${epochs[i]}")")
done

[ -d "$work/uniform" ] || { say "the mean of all three"; "$clipnext" soup uniform -o "$work/uniform" "${models[@]}"; }
[ -d "$work/greedy" ] || {
  say "the mean of those that help, by the held-out pictures"
  "$clipnext" soup greedy -o "$work/greedy" --eval wds/held-out --dataset_root "$work/data/{dataset}" \
    --metric acc1 "${models[@]}"
}

say "evaluating; no picture of 'seen' and 'unseen' was trained on or chosen by"
mkdir -p "$work/results"
evaluate parent "$(checkpoint parent "$parent_epochs")"
for i in 0 1 2; do evaluate "${names[i]}" "${models[i]}"; done
for soup in uniform greedy; do evaluate "$soup" "$work/$soup"; done

say "packaging"
"$clipnext" package "$work/greedy" -o "$work/package" --name emoji-soup --license other \
  --data-description "@$root/examples/soup/data.md" \
  --logs "$work/logs/a" "$work/logs/b" "$work/logs/c" \
  --eval "$work"/results/greedy-{seen,unseen}.json "$work"/results/{a,b,c,uniform}-{seen,unseen}.json

say "top-1 in per cent"
printf '%-34s%10s%10s%10s\n' '' held-out seen unseen
row parent "parent, $parent_size px"
for i in 0 1 2; do row "${names[i]}" "fine-tune ${names[i]}, $size px, lr ${rates[i]}"; done
row uniform "uniform soup"
row greedy "greedy soup"
