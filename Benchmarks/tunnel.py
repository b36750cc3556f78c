#!/usr/bin/env python3
"""Joins two network namespaces by a link that delays every packet: tunnel.py DELAY_MS FIRST SECOND

The namespaces are made, with the addresses 10.77.0.1 and 10.77.0.2, and removed at the end of standard input. Unlike a
relay's, the two ends' TCP is one connection, so a delayed acknowledgement costs what it costs on a real link. Needs root.
"""

import collections
import fcntl
import os
import select
import signal
import struct
import subprocess
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000


def run(*words):
    subprocess.run(words, check=True)


def join(names, made):
    ends = []
    for index, name in enumerate(names):
        end = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        device = f"tun{os.getpid()}{'ab'[index]}"
        fcntl.ioctl(end, TUNSETIFF, struct.pack("16sH", device.encode(), IFF_TUN | IFF_NO_PI))
        addresses = ("10.77.0.1", "10.77.0.2")[:: 1 - 2 * index]
        run("ip", "netns", "add", name)
        made.append(name)
        run("ip", "link", "set", device, "netns", name)
        inside = ("ip", "-n", name)
        run(*inside, "link", "set", "lo", "up")
        run(*inside, "addr", "add", addresses[0], "peer", addresses[1], "dev", device)
        run(*inside, "link", "set", device, "up", "mtu", "1500", "txqueuelen", "10000")
        ends.append(end)
    return ends


def carry(ends, delay):
    """Packets read from one end are due at the other after `delay` seconds."""
    due = [collections.deque(), collections.deque()]
    poll = select.poll()
    for end in [*ends, sys.stdin.fileno()]:
        poll.register(end, select.POLLIN | select.POLLHUP)
    while True:
        first = min((queue[0][0] for queue in due if queue), default=None)
        ready = poll.poll(None if first is None else max(0, (first - time.monotonic()) * 1000))
        if any(descriptor == sys.stdin.fileno() for descriptor, _ in ready):
            return
        for index, end in enumerate(ends):
            try:
                while True:
                    due[1 - index].append((time.monotonic() + delay, os.read(end, 65536)))
            except BlockingIOError:
                pass
        for queue, end in zip(due, ends):
            while queue and queue[0][0] <= time.monotonic():
                try:
                    os.write(end, queue.popleft()[1])
                except OSError:
                    pass  # a full queue loses packets, as any router's does


delay, names, made = float(sys.argv[1]) / 2000, sys.argv[2:4], []
for number in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, lambda *_: sys.exit(1))
try:
    ends = join(names, made)
    print("ready", flush=True)
    carry(ends, delay)
finally:
    for name in made:
        subprocess.run(["ip", "netns", "del", name])
