#!/bin/bash
# Our scp against the installed scp over loopback to a private sshd with AES-GCM, up and down, in pairs A B A B: one large
# file (against `scp -O`, the faster of the two), many small files, and one file of a byte.
#
#   Benchmarks/loopback.sh [PAIRS [MEBIBYTES [FILES]]]     without them 5 pairs of 1024 MiB and of 10000 files of 4 KiB
#   SCP_BINARY                                     our scp; without it .build/release/scp
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
pairs=${1:-5}
mebibytes=${2:-1024}
files=${3:-10000}
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
compare() {
    local theirs=$1 data=$2
    "$here/pairs.py" --pairs "$pairs" --ours "$(printf %q "$ours")" --theirs "$theirs" --data "$data" \
        --scratch "$work/copy" --host "$ssh_user@127.0.0.1" -- "${ssh_options[@]}" -q
}
compare "$(printf %q "$theirs") -O" "$work/data"
rm "$work/data"

mkdir "$work/small"
head -c "$((files * 4096))" /dev/urandom | split -b 4096 -a 4 - "$work/small/f"
printf '\n%s files of 4 KiB\n' "$files"
compare "$(printf %q "$theirs")" "$work/small"

printf x >"$work/byte"
printf '\none byte, connection included\n'
pairs=$((pairs * 4))
compare "$(printf %q "$theirs")" "$work/byte"
