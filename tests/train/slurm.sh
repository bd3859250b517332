#!/usr/bin/env bash
# Trains with a real `srun -n 2` on this machine, and expects the weights that `--nproc 2` gives, bit
# for bit; then that a job which is told to leave (SIGUSR1, as `#SBATCH --signal` sends it) saves, and
# goes on to the same weights. Usage: slurm.sh PROGRAM. Exit status 77: this machine lets no cluster
# start (a container without the rights, for one), so nothing was tested. Needs root, and Debian's slurmctld, slurmd,
# slurm-client and munge; makes a cluster of its own in a temporary folder, and takes it down again.
set -euo pipefail
program=$(realpath "$1")
D=$(mktemp -d)
chmod 755 "$D"  # munge asks for it
mkdir -p "$D"/{state,spool,log,data}
host=$(hostname -s)

stop_cluster() {
  for daemon in slurmd slurmctld munged; do
    [ -f "$D/$daemon.pid" ] || continue
    local pid
    pid=$(cat "$D/$daemon.pid")
    kill "$pid" 2>/dev/null || continue
    for _ in $(seq 100); do
      kill -0 "$pid" 2>/dev/null || break
      sleep 0.1
    done
  done
  rm -rf "$D"
}
trap stop_cluster EXIT

start_cluster() {
  cat >"$D/slurm.conf" <<END_CONF
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=16817
SlurmdPort=16818
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket=$D/munge.sock
StateSaveLocation=$D/state
SlurmdSpoolDir=$D/spool
SlurmctldPidFile=$D/slurmctld.pid
SlurmdPidFile=$D/slurmd.pid
SlurmctldLogFile=$D/log/slurmctld.log
SlurmdLogFile=$D/log/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SwitchType=switch/none
SchedulerType=sched/builtin
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
NodeName=$host NodeAddr=127.0.0.1 CPUs=2 RealMemory=2000 State=UNKNOWN
PartitionName=debug Nodes=ALL Default=YES MaxTime=INFINITE State=UP
END_CONF
  export SLURM_CONF=$D/slurm.conf
  head -c128 /dev/urandom >"$D/munge.key"
  chmod 400 "$D/munge.key"
  local daemon
  munged --key-file="$D/munge.key" --socket="$D/munge.sock" --pid-file="$D/munged.pid" \
    --log-file="$D/log/munged.log" --seed-file="$D/munge.seed" ||
    { echo "slurm.sh: munged does not start" >&2; exit 77; }
  for daemon in "slurmctld -c" slurmd; do
    # shellcheck disable=SC2086
    $daemon || { echo "slurm.sh: $daemon does not start" >&2; exit 77; }
  done
  for _ in $(seq 60); do
    if sinfo -h -o %T 2>/dev/null | grep -q idle; then return; fi
    sleep 0.5
  done
  cat "$D"/log/*.log >&2
  echo "slurm.sh: the cluster did not come up" >&2
  exit 77
}

# 48 pictures of one colour each, and what they are called.
make_data() {
  printf 'filepath\ttitle\n' >"$D/data/pairs.tsv"
  for i in $(seq 0 47); do
    printf 'P6\n40 40\n255\n' >"$D/data/$i.ppm"
    head -c 4800 < <(yes "$(printf '%s' "$i colour $((i * 37 % 251))")") >>"$D/data/$i.ppm"
    printf '%s\ta picture of colour %d\n' "$D/data/$i.ppm" "$i" >>"$D/data/pairs.tsv"
  done
}

# train NAME OPTIONS... behind whatever starts it.
options() {
  echo train --model "$D/model.json" --train-data "$D/data/pairs.tsv" --dataset-type csv --device cpu \
    --precision fp32 --batch-size 6 --workers 1 --epochs 60 --save-frequency 0 --lr 1e-3 --warmup 2 --local-loss \
    --gather-with-grad --threads 1 --checkpoint-format safetensors --logs "$D/logs" --name "$@"
}

expect_equal() {
  if [ "$(python3 - "$D/logs/$1/checkpoints/epoch_60.safetensors" "$D/logs/$2/checkpoints/epoch_60.safetensors" <<'PY'
import json, struct, sys
def tensors(path):
    data = open(path, "rb").read()
    size, = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + size])
    return {n: data[8 + size + t["data_offsets"][0]:8 + size + t["data_offsets"][1]]
            for n, t in header.items() if n != "__metadata__"}
a, b = map(tensors, sys.argv[1:])
print("equal" if a == b and a else "different")
PY
  )" != equal ]; then
    echo "slurm.sh: the weights of $1 and $2 differ" >&2
    exit 1
  fi
}

make_data
cat >"$D/model.json" <<'END_MODEL'
{"embed_dim": 16,
 "vision_cfg": {"timm_model_name": "convnext_atto", "timm_model_pretrained": false, "timm_pool": "", "timm_proj": "mlp", "image_size": 32},
 "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1}}
END_MODEL
start_cluster

# shellcheck disable=SC2046
"$program" $(options alone) --nproc 2 2>"$D/log/alone.txt" || { cat "$D/log/alone.txt" >&2; exit 1; }
# shellcheck disable=SC2046
srun -n 2 "$program" $(options slurm) 2>"$D/log/srun.txt" || { cat "$D/log/srun.txt" >&2; exit 1; }
expect_equal alone slurm
echo "srun -n 2: the weights of --nproc 2"

cat >"$D/job.sh" <<END_JOB
#!/bin/bash
srun -n 2 "$program" $(options left) --resume latest
END_JOB
sbatch -W -n 2 -o "$D/log/left1.txt" --signal=USR1@1 "$D/job.sh" &
batch=$!
for _ in $(seq 200); do
  if grep -q 'Train Epoch: 0' "$D/log/left1.txt" 2>/dev/null; then break; fi
  sleep 0.1
done
job=$(squeue -h -o %i | head -n 1)
[ -z "$job" ] || scancel -s USR1 "$job" || true
wait $batch || true
if [ ! -f "$D/logs/left/snapshot/latest.safetensors" ]; then
  cat "$D/log/left1.txt" >&2
  echo "slurm.sh: a job that was told to leave left no snapshot" >&2
  exit 1
fi
sbatch -W -n 2 -o "$D/log/left2.txt" "$D/job.sh" >/dev/null || { cat "$D"/log/left?.txt >&2; exit 1; }
expect_equal alone left
echo "a job told to leave goes on to the same weights"
