#!/usr/bin/env python3
"""What TCP alone takes for a number of bytes, with no protocol and no encryption, split among connections:

    tcp-alone.py serve ADDRESS                                prints its port; serves until standard input ends
    tcp-alone.py up|down ADDRESS PORT BYTES CONNECTIONS       prints the seconds from connecting to the last byte's arrival
"""

import socket
import struct
import sys
import threading
import time

BLOCK = 256 * 1024


def send(stream, count):
    block = memoryview(bytearray(BLOCK))
    while count > 0:
        part = block[: min(count, BLOCK)]
        stream.sendall(part)
        count -= len(part)


def receive(stream, count):
    block = memoryview(bytearray(BLOCK))
    while count > 0:
        got = stream.recv_into(block[: min(count, BLOCK)])
        if got == 0:
            raise EOFError("the connection ended early")
        count -= got


def serve_one(stream):
    with stream:
        header = b""
        while len(header) < 9:
            part = stream.recv(9 - len(header))
            if not part:
                return
            header += part
        upward, count = struct.unpack("!?Q", header)
        if upward:
            receive(stream, count)
            stream.sendall(b".")
        else:
            send(stream, count)


def serve(address):
    listener = socket.create_server((address, 0), backlog=64)
    print(listener.getsockname()[1], flush=True)

    def accept():
        while True:
            threading.Thread(target=serve_one, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    sys.stdin.read()


def copy(upward, address, port, count, connections):
    failures = []

    def run(part):
        try:
            with socket.create_connection((address, port)) as stream:
                stream.sendall(struct.pack("!?Q", upward, part))
                if upward:
                    send(stream, part)
                    receive(stream, 1)
                else:
                    receive(stream, part)
        except (OSError, EOFError) as error:
            failures.append(error)

    parts = [count // connections + (index < count % connections) for index in range(connections)]
    threads = [threading.Thread(target=run, args=(part,)) for part in parts]
    begin = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        sys.exit(f"tcp-alone: {failures[0]}")
    print(f"{time.perf_counter() - begin:.3f}")


if sys.argv[1] == "serve":
    serve(sys.argv[2])
else:
    copy(sys.argv[1] == "up", sys.argv[2], *map(int, sys.argv[3:6]))
