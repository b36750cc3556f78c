#!/bin/bash
# Our scp against the installed `scp -O`: one large file over loopback to a private sshd with AES-GCM, up and down, in
# pairs A B A B.
#
#   Benchmarks/loopback.sh [PAIRS [MEBIBYTES]]     without them 5 pairs of 1024 MiB
#   SCP_BINARY                                     our scp; without it .build/release/scp
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
pairs=${1:-5}
mebibytes=${2:-1024}
ours=${SCP_BINARY:-$here/../.build/release/scp}
theirs=$(command -v scp)
if [ ! -x "$ours" ]; then
    echo "bench: no scp at $ours: make build" >&2
    exit 1
fi
# shellcheck source=Scripts/private-sshd.sh
. "$here/../Scripts/private-sshd.sh"

# In memory where three times the file fits, so that no disk is measured.
base=${TMPDIR:-/tmp}
if [ -d /dev/shm ] && [ -w /dev/shm ] &&
    [ "$(df -Pm /dev/shm | awk 'NR == 2 { print $4 }')" -gt $((mebibytes * 3)) ]; then
    base=/dev/shm
fi
work=$(mktemp -d "$base/scp-bench.XXXXXX")
clean_up() {
    stop_sshd
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

head -c "${mebibytes}M" /dev/urandom >"$work/data"
start_sshd "$work" "Ciphers aes128-gcm@openssh.com,aes256-gcm@openssh.com"
echo "$mebibytes MiB over loopback, $base, $(nproc) processors, $("$(dirname "$theirs")/ssh" -V 2>&1)"
"$here/pairs.py" --pairs "$pairs" --ours "$(printf %q "$ours")" --theirs "$(printf %q "$theirs") -O" --data "$work/data" --scratch "$work/copy" \
    --host "$ssh_user@127.0.0.1" -- "${ssh_options[@]}" -q
