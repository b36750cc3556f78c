#!/bin/bash
# What grows with the number and size of files: our scp to and from a private, unmodified sshd over loopback, up and down,
#   1,000,000 files of 100 bytes in 1,000 directories, and a tenth of them
#   1,000,000 files of 100 bytes in one directory, and a tenth of them
#   a file of 16 GiB, and one of a tenth
# Prints wall and processor seconds and the client's peak of memory; time has to grow as the number does, and memory to stay
# under 64 MiB and 32 bytes a file. Copies are compared with their sources. Needs 4 KiB of disk a file, three times.
#
#   Benchmarks/scale.sh [DIVISOR]      all sizes divided by it; without it 1
#   SCP_BINARY                         our scp; without it .build/release/scp
#   TMPDIR                             where the files are; without it /tmp
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
divisor=${1:-1}
ours=${SCP_BINARY:-$here/../.build/release/scp}
if [ ! -x "$ours" ]; then
    echo "bench: no $ours: make build" >&2
    exit 1
fi
# shellcheck source=Scripts/private-sshd.sh
. "$here/../Scripts/private-sshd.sh"
work=$(mktemp -d "${TMPDIR:-/tmp}/scp-scale.XXXXXX")
trap 'stop_sshd; rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
start_sshd "$work"
status=0

# Wall and processor seconds, and MiB, of a command.
measure() {
    python3 -B -c 'import sys; sys.path.insert(0, sys.argv[1]); import pairs; print("%.2f %.2f %.1f" % pairs.measure(sys.argv[2:]))' \
        "$here" "$@"
}

# copies LABEL FILES MOST_MIB: copies $work/source up and down and prints a row for each.
copies() {
    local way from to values
    for way in up down; do
        from=$work/source to=$work/copy
        if [ "$way" = up ]; then to=$ssh_user@127.0.0.1:$to; else from=$ssh_user@127.0.0.1:$from; fi
        read -r -a values < <(measure "$ours" -r -q "${ssh_options[@]}" "$from" "$to")
        [ "${#values[@]}" = 3 ] || return 1
        diff -r "$work/source" "$work/copy" >"$work/difference" || { head -3 "$work/difference" >&2; return 1; }
        rm -rf "$work/copy"
        echo "| $1 | $way | ${values[0]} | ${values[1]} | ${values[2]} | $3 |"
        if awk -v a="${values[2]}" -v b="$3" 'BEGIN { exit a <= b }'; then status=1; fi
    done
}

# has_room MEBIBYTES: whether there is room for the source and a copy.
has_room() {
    local free
    free=$(df -Pm "$work" | awk 'NR == 2 { print $4 }')
    if [ "$free" -gt $(($1 * 2 + 1024)) ]; then return 0; fi
    echo "bench: $1 MiB twice do not fit into the $free MiB of $work" >&2
    return 1
}

# tree FILES DIRECTORIES
tree() {
    rm -rf "$work/source"
    python3 -c '
import os, sys
root, files, directories = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
for directory in range(directories):
    path = f"{root}/{directory:04}"
    os.makedirs(path)
    for file in range(files // directories):
        with open(f"{path}/{file:07}", "w") as output:
            output.write(f"{directory} {file}".ljust(100, "."))' "$work/source" "$1" "$2"
}

echo "$(nproc) processors, $(ssh -V 2>&1), sizes divided by $divisor"
echo
echo '| | | wall, s | CPU, s | peak, MiB | most, MiB |'
echo '|---|---|---:|---:|---:|---:|'
for shape in 1000 1; do
    for part in 10 1; do
        files=$((1000000 / divisor / part))
        count=$((shape > 1 && files >= 2000 ? files / 1000 : 1))
        has_room $((files * 4 / 1024)) || continue
        tree "$files" "$count"
        copies "$files files of 100 bytes, $count directories" "$files" $((64 + files * 32 / 1048576))
    done
done
for part in 10 1; do
    mebibytes=$((16384 / divisor / part))
    rm -rf "$work/source"
    has_room "$mebibytes" || continue
    python3 -c '
import os, sys
with open(sys.argv[1], "wb") as file:
    block = os.urandom(1 << 20)
    for number in range(int(sys.argv[2])):
        file.write(number.to_bytes(8, "big") + block[8:])' "$work/source" "$mebibytes"
    copies "$mebibytes MiB" 1 64
done
if [ "$status" != 0 ]; then echo "bench: too much memory" >&2; fi
exit "$status"
