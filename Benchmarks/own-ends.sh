#!/bin/bash
# Our scp to our scpd against the installed scp to the installed sshd, one large file over loopback with AES-GCM, up and
# down, in pairs A B A B; and the same bytes from a process to another without any protocol or encryption, as the least that
# the system's own copies take.
#
#   Benchmarks/own-ends.sh [PAIRS [MEBIBYTES]]     without them 5 pairs of 1024 MiB
#   SCP_BINARY, SCPD_BINARY                        our programs; without them those of .build/release
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
pairs=${1:-5}
mebibytes=${2:-1024}
scp=${SCP_BINARY:-$here/../.build/release/scp}
scpd=${SCPD_BINARY:-$here/../.build/release/scpd}
# shellcheck source=Scripts/private-sshd.sh
. "$here/../Scripts/private-sshd.sh"
# shellcheck source=Scripts/private-scpd.sh
. "$here/../Scripts/private-scpd.sh"

# In memory where seven times the file fits, so that no disk is measured.
base=${TMPDIR:-/tmp}
if [ -w /dev/shm ] && [ "$(df -Pm /dev/shm | awk 'NR == 2 { print $4 }')" -gt $((mebibytes * 7)) ]; then base=/dev/shm; fi
work=$(mktemp -d "$base/scp-ends.XXXXXX")
trap 'stop_sshd; stop_scpd || true; rm -rf "$work"' EXIT
mkdir "$work/served"
head -c "${mebibytes}M" /dev/urandom >"$work/data"
start_sshd "$work" "Ciphers aes128-gcm@openssh.com"
start_scpd "$scpd" "$work" --root "$work/served"

seconds() {
    local begin
    begin=$(date +%s%N)
    "$@"
    awk -v ns=$(($(date +%s%N) - begin)) 'BEGIN { printf "%.2f", ns / 1e9 }'
}
up_ratios=() down_ratios=() plain_ratios=()
for _ in $(seq "$pairs"); do
    a=$(seconds "$scp" -q -c aes128-gcm@openssh.com "${scpd_options[@]}" "$work/data" "$scpd_user@127.0.0.1:ours")
    b=$(seconds scp -q "${ssh_options[@]}" "$work/data" "$ssh_user@127.0.0.1:$work/served/theirs")
    c=$(seconds "$scp" -q -c aes128-gcm@openssh.com "${scpd_options[@]}" "$scpd_user@127.0.0.1:ours" "$work/back")
    d=$(seconds scp -q "${ssh_options[@]}" "$ssh_user@127.0.0.1:$work/served/theirs" "$work/back2")
    e=$("$here/plain-copy.py" "$work/data" "$work/plain")
    cmp "$work/data" "$work/back"
    cmp "$work/data" "$work/plain"
    rm -f "$work/served"/* "$work"/back* "$work/plain"
    echo "up: ours $a s, theirs $b s; down: ours $c s, theirs $d s; plain $e s"
    up_ratios+=("$(awk -v a="$a" -v b="$b" 'BEGIN { print a / b }')")
    down_ratios+=("$(awk -v a="$c" -v b="$d" 'BEGIN { print a / b }')")
    plain_ratios+=("$(awk -v a="$e" -v b="$b" 'BEGIN { print a / b }')")
done
median() { printf '%s\n' "$@" | sort -g | awk '{ v[NR] = $1 } END { printf "%.2f", v[int((NR + 1) / 2)] }'; }
echo "ours / theirs, median of $pairs pairs: up $(median "${up_ratios[@]}"), down $(median "${down_ratios[@]}")"
echo "plain / theirs up: $(median "${plain_ratios[@]}")"
awk '/VmHWM/ { printf "peak memory of scpd: %d MiB\n", $2 / 1024 }' "/proc/$scpd_pid/status"
