#!/bin/bash
# What idle connections cost scpd: opens many that are logged in, each with an SFTP session that does nothing, and prints
# the server's memory. They do not compress: zlib takes 300 KiB for each connection that does.
#
#   Benchmarks/idle.sh [CONNECTIONS]     without it 1000
#   SCPD_BINARY                          the server; without it .build/release/scpd
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
connections=${1:-1000}
scpd=${SCPD_BINARY:-$here/../.build/release/scpd}
# shellcheck source=Scripts/private-scpd.sh
. "$here/../Scripts/private-scpd.sh"
work=$(mktemp -d "${TMPDIR:-/tmp}/scpd-idle.XXXXXX")
trap 'stop_scpd || true; rm -rf "$work"' EXIT
ulimit -n "$(ulimit -H -n)"
mkdir "$work/served"
start_scpd "$scpd" "$work" --root "$work/served" --max-startups 2000 --max-connections 100000
/usr/bin/python3 - "$scpd_port" "$work" "$scpd_user" "$scpd_pid" "$connections" <<'PYTHON'
import asyncio, sys
import asyncssh

port, work, user, pid, count = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4], int(sys.argv[5])


def memory():
    with open(f"/proc/{pid}/status") as status:
        fields = dict(line.split(":", 1) for line in status)
    return int(fields["VmRSS"].split()[0]) / 1024


async def main():
    before = memory()
    gate = asyncio.Semaphore(16)
    key = asyncssh.read_private_key(f"{work}/scpd_user_key")

    async def connect():
        async with gate:
            return await asyncssh.connect(
                "127.0.0.1", port, username=user, client_keys=[key], known_hosts=None, agent_path=None, config=None,
                login_timeout=600, kex_algs=["curve25519-sha256"], encryption_algs=["aes128-gcm@openssh.com"], compression_algs=["none"])

    idle = await asyncio.gather(*(connect() for _ in range(count)))
    after = memory()
    print(f"{count} connections logged in: {before:.0f} MiB before, {after:.0f} MiB with them, "
          f"{(after - before) * 1024 / count:.0f} KiB each")
    sessions = await asyncio.gather(*(c.start_sftp_client() for c in idle))
    with_sftp = memory()
    print(f"each with an SFTP session: {with_sftp:.0f} MiB, {(with_sftp - before) * 1024 / count:.0f} KiB each")
    for connection in idle:
        connection.abort()


asyncio.run(main())
PYTHON
