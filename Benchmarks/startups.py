#!/usr/bin/env python3
"""Memory of scpd under connections that never log in and send all that is taken before that.

  startups.py [COUNT]      SCPD: the program (.build/release/scpd)

Each connection sends its identification, a KEXINIT, and all but the last byte of a packet as long as they may be, in small
pieces. Prints the memory that scpd has in use at most, for each connection and in all; exits 1 above 128 MiB.
"""
import os, socket, struct, subprocess, sys, tempfile, time

count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
program = os.path.realpath(os.environ.get("SCPD", ".build/release/scpd"))
most = 128 << 20
LISTS = [
    b"curve25519-sha256", b"ssh-ed25519", b"aes256-gcm@openssh.com", b"aes256-gcm@openssh.com", b"hmac-sha2-256",
    b"hmac-sha2-256", b"none", b"none", b"", b"",
]


def packet(payload):
    padding = 8 - (len(payload) + 5) % 8
    padding += 8 if padding < 4 else 0
    return struct.pack(">IB", len(payload) + padding + 1, padding) + payload + bytes(padding)


def string(data):
    return struct.pack(">I", len(data)) + data


def memory(process):
    fields = dict(line.split(":", 1) for line in open("/proc/%d/status" % process))
    return int(fields["VmRSS"].split()[0]) * 1024, int(fields["VmHWM"].split()[0]) * 1024


with tempfile.TemporaryDirectory() as place:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", place + "/key"], check=True)
    server = subprocess.Popen(
        [program, "--listen", "127.0.0.1:0", "--root", place, "--host-key", place + "/key", "--authorized-keys",
         place + "/key.pub", "--no-penalties", "--max-connections", str(count + 1), "--max-startups", str(count + 1)],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    connections = []
    try:
        port = int(server.stdout.readline().split()[-1])
        before, _ = memory(server.pid)
        kexinit = packet(b"\x14" + bytes(16) + b"".join(map(string, LISTS)) + b"\0" + bytes(4))
        unfinished = (struct.pack(">IB", 35000 - 4, 4) + b"\x02" + bytes(35000))[: 35000 - 1]
        for _ in range(count):
            connection = socket.create_connection(("127.0.0.1", port))
            connection.sendall(b"SSH-2.0-none\r\n" + kexinit)
            connections.append(connection)
        for start in range(0, len(unfinished), 1000):
            for connection in connections:
                try:
                    connection.sendall(unfinished[start : start + 1000])
                except OSError:
                    # Refused already: less is taken than is sent.
                    pass
        time.sleep(2)
        now, peak = memory(server.pid)
        print("%d connections: %.1f MiB in use, %.1f at most; %.1f KiB a connection" % (
            count, now / 2**20, peak / 2**20, (now - before) / count / 1024))
    finally:
        for connection in connections:
            connection.close()
        server.kill()
        server.wait()
sys.exit(0 if peak <= most else 1)
