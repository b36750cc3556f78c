#!/bin/bash
# Copies a tree with our scp to our scpd on this machine and back, and compares. The server is started for this on a free
# port, as the current user, with throw-away keys; it is ended, and all files are removed, whatever happens.
#
#   Scripts/demo.sh [DIRECTORY]     the tree to copy; without one a tree is made
#   SCP_BINARY, SCPD_BINARY         the programs to use; without them those of .build/release
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
scp=${SCP_BINARY:-$here/../.build/release/scp}
scpd=${SCPD_BINARY:-$here/../.build/release/scpd}
for program in "$scp" "$scpd"; do
    if [ ! -x "$program" ]; then
        echo "demo: no program at $program: make build" >&2
        exit 1
    fi
done
# shellcheck source=Scripts/private-scpd.sh
. "$here/private-scpd.sh"

work=$(mktemp -d "${TMPDIR:-/tmp}/scp-demo.XXXXXX")
clean_up() {
    stop_scpd
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

make_tree() {
    local tree=$1 i
    mkdir -p "$tree/many/small/files" "$tree/empty directory"
    head -c 64M /dev/urandom >"$tree/64 MiB"
    for i in $(seq 500); do printf 'file %s\n' "$i" >"$tree/many/small/files/$i"; done
    : >"$tree/empty file"
    printf 'text\n' >"$tree/$(printf 'na\303\257ve \346\227\245\346\234\254')"
    cp -R "$here" "$tree/scripts"
    chmod 600 "$tree/empty file"
    touch -d '2001-02-03 04:05:06' "$tree/empty file"
}

# What scp -p is to keep: kinds, modes, times, sizes. Followed by what the files hold.
list_tree() {
    (
        cd "$1"
        find . -type d -printf 'd %m %T@ %p\n' -o -printf 'f %m %T@ %s %p\n' | sed 's/\(\.[0-9]*\) / /' | LC_ALL=C sort
        find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
    )
}

# copy WHAT ARGUMENT...: runs scp, on the terminal where there is one, and prints the rate.
copy() {
    local what=$1 begin end
    shift
    begin=$(date +%s%N)
    "$scp" "${scpd_options[@]}" -r -p "$@"
    end=$(date +%s%N)
    awk -v what="$what" -v bytes="$bytes" -v files="$files" -v ns=$((end - begin)) 'BEGIN {
        s = ns / 1e9
        printf "%s: %d files, %.1f MiB in %.2f s: %.1f MiB/s\n", what, files, bytes / 1048576, s, bytes / 1048576 / s
    }'
}

if [ $# -ge 1 ]; then tree=$(cd "$1" && pwd); else tree=$work/tree; make_tree "$tree"; fi
bytes=$(find "$tree" -type f -printf '%s\n' | awk '{ sum += $1 } END { printf "%.0f", sum }')
files=$(find "$tree" -type f | wc -l)

mkdir "$work/served"
start_scpd "$scpd" "$work" --root "$work/served"
echo "scpd serves an empty directory on 127.0.0.1 port $scpd_port"
copy upload "$tree" "$scpd_user@127.0.0.1:far"
copy download "$scpd_user@127.0.0.1:far" "$work/back"
for copied in served/far back; do
    if ! diff <(list_tree "$tree") <(list_tree "$work/$copied") >"$work/differences"; then
        head -n 20 "$work/differences" >&2
        echo "demo: what was copied differs from the source" >&2
        exit 1
    fi
done
stop_scpd
echo "the tree came back as it went: names, contents, modes, times"
