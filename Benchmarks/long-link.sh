#!/bin/bash
# Our scp over an imitated link of 100 ms round trip and 1 Gbit/s to a private, unmodified sshd, up and down: one file of a
# byte, 1,000 files of 4 KiB, and a file of 256 MiB. The installed scp takes minutes for the second: COMPARE=1 runs it too.
#
#   Benchmarks/long-link.sh [RUNS]     without it 3 runs
#   SCP_BINARY                         our scp; without it .build/release/scp
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
runs=${1:-3}
ours=${SCP_BINARY:-$here/../.build/release/scp}
theirs=${COMPARE:+$(command -v scp)}
emulator=$here/../.build/release/LinkEmulator
for binary in "$ours" "$emulator"; do
    if [ ! -x "$binary" ]; then
        echo "bench: no $binary: make build" >&2
        exit 1
    fi
done
# shellcheck source=Scripts/private-sshd.sh
. "$here/../Scripts/private-sshd.sh"

base=${TMPDIR:-/tmp}
if [ -d /dev/shm ] && [ -w /dev/shm ]; then base=/dev/shm; fi
work=$(mktemp -d "$base/scp-bench.XXXXXX")
clean_up() {
    exec {emulator_input}>&- || true
    stop_sshd
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

start_sshd "$work"
mkfifo "$work/input"
"$emulator" "$sshd_port" 100 1000 <"$work/input" >"$work/emulator" &
exec {emulator_input}>"$work/input"
for _ in $(seq 100); do
    [ -s "$work/emulator" ] && break
    sleep 0.05
done
port=$(head -1 "$work/emulator")
echo "100 ms, 1 Gbit/s, $(nproc) processors, $(ssh -V 2>&1)"

# The host key is known under the port that is connected to.
sed -i "s/]:$sshd_port /]:$port /" "$work/known_hosts"
options=("${ssh_options[@]/Port=$sshd_port/Port=$port}")
measure() {
    "$here/pairs.py" --pairs "$runs" --ours "$(printf %q "$ours")" ${theirs:+--theirs "$(printf %q "$theirs")"} \
        --data "$1" --scratch "$work/copy" --host "$ssh_user@127.0.0.1" -- "${options[@]}" -q
}

printf x >"$work/byte"
printf '\none byte\n'
measure "$work/byte"

mkdir "$work/small"
head -c $((1000 * 4096)) /dev/urandom | split -b 4096 -a 3 - "$work/small/f"
printf '\n1000 files of 4 KiB\n'
measure "$work/small"

head -c 256M /dev/urandom >"$work/data"
printf '\n256 MiB\n'
measure "$work/data"
