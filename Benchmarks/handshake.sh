#!/bin/bash
# One byte to and from a private, unmodified sshd, connection included, over a link of 100 ms on which the two ends' TCP is
# real: what a handshake's round trips and delayed acknowledgements cost. Ours against the installed scp, in pairs. Needs
# root, for network namespaces.
#
#   Benchmarks/handshake.sh [PAIRS]     without it 5 pairs
#   SCP_BINARY                          our scp; without it .build/release/scp
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
pairs=${1:-5}
ours=${SCP_BINARY:-$here/../.build/release/scp}
if [ "$(id -u)" != 0 ] || [ ! -e /dev/net/tun ]; then
    echo "bench: handshake.sh needs root and /dev/net/tun" >&2
    exit 1
fi

# The server's half of the work is done in its namespace.
if [ -z "${HANDSHAKE_CLIENT:-}" ]; then
    coproc "$here/tunnel.py" 100 "scp$$a" "scp$$b"
    tunnel=$COPROC_PID
    exec {output}<&"${COPROC[0]}" {input}>&"${COPROC[1]}" {COPROC[1]}>&-
    read -r _ <&"$output"
    status=0
    HANDSHAKE_CLIENT="scp$$a" ip netns exec "scp$$b" "$here/handshake.sh" "$pairs" || status=$?
    exec {input}>&-
    wait "$tunnel"
    exit "$status"
fi

# shellcheck source=Scripts/private-sshd.sh
. "$here/../Scripts/private-sshd.sh"
work=$(mktemp -d "${TMPDIR:-/tmp}/scp-bench.XXXXXX")
trap 'stop_sshd; rm -rf "$work"' EXIT
sshd_address=10.77.0.2
start_sshd "$work"
printf x >"$work/byte"
echo "one byte, 100 ms, $(nproc) processors, $(ssh -V 2>&1)"
enter="ip netns exec $HANDSHAKE_CLIENT"
"$here/pairs.py" --pairs "$pairs" --ours "$enter $(printf %q "$ours")" --theirs "$enter $(command -v scp)" \
    --data "$work/byte" --scratch "$work/copy" --host "$ssh_user@$sshd_address" -- "${ssh_options[@]}" -q
