#!/bin/bash
# Many sessions at once against scpd, for a while: every copy is compared, and the server's memory and descriptors are
# watched. Then the server is told to stop in the middle of copies: it must end in good order.
#
#   Benchmarks/soak.sh [SESSIONS [SECONDS]]     without them 200 sessions for 120 seconds
#   SCP_BINARY, SCPD_BINARY                     the programs; without them those of .build/release
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
sessions=${1:-200}
seconds=${2:-120}
scp=${SCP_BINARY:-$here/../.build/release/scp}
scpd=${SCPD_BINARY:-$here/../.build/release/scpd}
# shellcheck source=Scripts/private-scpd.sh
. "$here/../Scripts/private-scpd.sh"

work=$(mktemp -d "${TMPDIR:-/tmp}/scpd-soak.XXXXXX")
clean_up() {
    touch "$work/over"
    wait_workers || true
    stop_scpd 2>/dev/null || true
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

workers=()
wait_workers() {
    local pid
    for pid in "${workers[@]}"; do wait "$pid" 2>/dev/null || true; done
    workers=()
}

# A tree of files of all sizes, a few of them larger than any buffer.
mkdir -p "$work/tree/small" "$work/served"
for i in $(seq 40); do head -c $((i * 997)) /dev/urandom >"$work/tree/small/$i"; done
head -c 1500001 /dev/urandom >"$work/tree/large"
head -c 262144 /dev/urandom >"$work/tree/block"

start() {
    rm -f "$work"/scpd_*
    start_scpd "$scpd" "$work" --root "$work/served" --max-startups "$((sessions * 2))" --stop-timeout 20
}

# worker NUMBER: copies the tree up and down, by both protocols in turn, until it is over.
worker() {
    local n=$1 mode= round=0
    while [ ! -e "$work/over" ]; do
        round=$((round + 1))
        if [ $((round % 2)) = 0 ]; then mode=-O; else mode=-s; fi
        rm -rf "$work/served/$n" "$work/back.$n"
        if "$scp" $mode -q -r "${scpd_options[@]}" "$work/tree" "$scpd_user@127.0.0.1:/$n" 2>"$work/error.$n" &&
            "$scp" $mode -q -r "${scpd_options[@]}" "$scpd_user@127.0.0.1:/$n" "$work/back.$n" 2>"$work/error.$n"; then
            if diff -r "$work/tree" "$work/back.$n" >/dev/null && diff -r "$work/tree" "$work/served/$n" >/dev/null; then
                echo right >>"$work/result.$n"
            else
                echo "wrong $mode" >>"$work/result.$n"
            fi
        elif [ ! -e "$work/stopping" ]; then
            echo "failed $mode: $(tail -n 1 "$work/error.$n")" >>"$work/result.$n"
        fi
        [ ! -e "$work/stopping" ] || break
    done
}

start_workers() {
    local n
    rm -f "$work/over" "$work/stopping"
    for n in $(seq "$sessions"); do
        worker "$n" &
        workers+=("$!")
    done
}

memory() { awk '/VmRSS/ { print int($2 / 1024) }' "/proc/$scpd_pid/status"; }
descriptors() { find "/proc/$scpd_pid/fd" -mindepth 1 2>/dev/null | wc -l; }
connections() { grep -c 'socket:' < <(find "/proc/$scpd_pid/fd" -mindepth 1 -printf '%l\n' 2>/dev/null) || true; }

start
idle=$(descriptors)
start_workers
echo "$sessions sessions for $seconds s; at rest: $idle descriptors, $(memory) MiB"
end=$(($(date +%s) + seconds))
while [ "$(date +%s)" -lt "$end" ]; do
    sleep $((seconds / 8 > 0 ? seconds / 8 : 1))
    echo "  $(connections) sockets, $(descriptors) descriptors, $(memory) MiB, $(cat "$work"/result.* 2>/dev/null | grep -c right || true) trees"
done
touch "$work/over"
wait_workers
# The last connections may take a moment to end.
for _ in $(seq 50); do
    [ "$(descriptors)" -gt "$idle" ] || break
    sleep 0.1
done
right=$(cat "$work"/result.* | grep -c right || true)
bad=$(cat "$work"/result.* | grep -v right || true)
echo "copied both ways and right: $right trees; afterwards $(descriptors) descriptors, $(memory) MiB"
faults=0
if [ -n "$bad" ]; then
    printf 'soak: not right:\n%s\n' "$(sort <<<"$bad" | uniq -c)" >&2
    faults=1
fi
if [ "$(descriptors)" -gt "$idle" ]; then
    echo "soak: descriptors are left open" >&2
    faults=1
fi

start_workers
sleep 5
touch "$work/stopping"
begin=$(date +%s%N)
status=0
stop_scpd || status=$?
echo "told to stop in the middle: exit status $status after $((($(date +%s%N) - begin) / 1000000)) ms"
[ "$status" = 0 ] || faults=1
touch "$work/over"
wait_workers
exit "$faults"
