#!/bin/bash
# A tree of small files that is there already: our scp --skip-unchanged and its --dry-run against rsync over ssh, in turn; and a
# first copy with --atomic against one without.
#
#   Benchmarks/again.sh [ROUNDS [FILES]]     without them 5 rounds of 10,000 files of 4 KiB
#   SCP_BINARY                               our program; without it that of .build/release
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
rounds=${1:-5}
files=${2:-10000}
scp=${SCP_BINARY:-$here/../.build/release/scp}
command -v rsync >/dev/null || { echo "again: not run: rsync is not installed"; exit 0; }
# shellcheck source=Scripts/private-sshd.sh
. "$here/../Scripts/private-sshd.sh"
work=$(mktemp -d "${TMPDIR:-/tmp}/scp-again.XXXXXX")
trap 'stop_sshd; rm -rf "$work"' EXIT
python3 - "$work/tree" "$files" <<'PYTHON'
import os, sys
for first in range(0, int(sys.argv[2]), 100):
    os.makedirs(f"{sys.argv[1]}/d{first}")
    for number in range(first, first + 100):
        with open(f"{sys.argv[1]}/d{first}/f{number}", "wb") as file: file.write(os.urandom(4096))
PYTHON
start_sshd "$work"
there="$ssh_user@127.0.0.1:$work"
shell=$(printf '%q ' ssh "${ssh_options[@]}")

# Appends the seconds of a command to the list of that name.
time_of() {
    local -n list=$1
    local begin
    begin=$(date +%s%N)
    "${@:2}" >/dev/null
    list+=("$(awk -v ns=$(($(date +%s%N) - begin)) 'BEGIN { printf "%.3f", ns / 1e9 }')")
}
ours() { "$scp" -q -r -p "${ssh_options[@]}" "$@"; }
theirs() { rsync -a -e "$shell" "$work/tree/" "$there/rsync/"; }

ours "$work/tree" "$there/ours"
theirs
skip=() dry=() rsync=() plain=() atomic=()
for round in $(seq "$rounds"); do
    time_of rsync theirs
    # Into the directory, as a tree goes into one that is there.
    time_of skip ours --skip-unchanged "$work/tree/." "$there/ours"
    time_of dry ours --skip-unchanged --dry-run "$work/tree/." "$there/ours"
    # Nothing is removed in between: making files is slow for seconds on some file systems where others were removed.
    time_of plain ours "$work/tree" "$there/plain$round"
    time_of atomic ours --atomic "$work/tree" "$there/atomic$round"
done
median() { printf '%s\n' "$@" | sort -g | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'; }
r=$(median "${rsync[@]}") s=$(median "${skip[@]}") d=$(median "${dry[@]}")
p=$(median "${plain[@]}") a=$(median "${atomic[@]}")
echo "$files files that are there, medians of $rounds: rsync $r s; --skip-unchanged $s s ($(ratio "$s" "$r")); --dry-run $d s ($(ratio "$d" "$r"))"
echo "the same copied: $p s; with --atomic $a s ($(ratio "$a" "$p"))"
