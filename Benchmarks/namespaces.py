"""Two network namespaces joined by LinkEmulator, for the benchmarks. Nothing of them outlives the process that made them,
however it ends: they have no names, and all that runs in them are processes of a PID namespace, whose first process the
kernel ends with its parent and the rest with it. Needs root.
"""

import ctypes
import fcntl
import json
import os
import signal
import struct
import subprocess
import sys

NEAR, FAR = "10.77.0.1", "10.77.0.2"
CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWNET = 0x20000, 0x20000000, 0x40000000
MS_REC, MS_PRIVATE, PR_SET_PDEATHSIG = 0x4000, 0x40000, 1
TUNSETIFF, TUNSETOFFLOAD = 0x400454CA, 0x400454D0
IFF_TUN, IFF_NO_PI, IFF_VNET_HDR = 0x0001, 0x1000, 0x4000
TUN_F_CSUM, TUN_F_TSO4 = 1, 2

libc = ctypes.CDLL(None, use_errno=True)


def call(name, *arguments):
    if getattr(libc, name)(*arguments) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}")


def what_is_missing():
    """Why namespaces cannot be made here; None if they can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "network namespaces need Linux and root"
    if not os.path.exists("/dev/net/tun"):
        return "there is no /dev/net/tun"
    return None


def isolate():
    """Goes on in a child with PID, mount and network namespaces of its own and a private tmpfs on /mnt; the caller's own
    process waits for it, passes signals on and ends as it did."""
    call("unshare", CLONE_NEWPID)
    child = os.fork()
    if child:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda number, _: os.kill(child, number))
        _, status = os.waitpid(child, 0)
        sys.stdout.flush()
        os._exit(min(255, os.waitstatus_to_exitcode(status)) if status & 0x7F == 0 else 1)
    call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    call("unshare", CLONE_NEWNS | CLONE_NEWNET)
    call("mount", b"none", b"/", None, MS_REC | MS_PRIVATE, None)
    call("mount", b"proc", b"/proc", b"proc", 0, None)
    call("mount", b"tmpfs", b"/mnt", b"tmpfs", 0, b"size=75%")
    return "/mnt"


class Network:
    """This process's network namespace and another one, `FAR` in it, which `enter` starts programs in."""

    def __init__(self, congestion):
        self.near_tun = self._make_end("near", NEAR, FAR, congestion)
        here = os.open("/proc/self/ns/net", os.O_RDONLY)
        call("unshare", CLONE_NEWNET)
        self.far_tun = self._make_end("far", FAR, NEAR, congestion)
        self.far = os.open("/proc/self/ns/net", os.O_RDONLY)
        call("setns", here, CLONE_NEWNET)
        os.close(here)

    @staticmethod
    def _make_end(device, address, peer, congestion):
        tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", device.encode(), IFF_TUN | IFF_NO_PI | IFF_VNET_HDR))
        fcntl.ioctl(tun, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4)
        for words in (
            "link set lo up",
            f"addr add {address} peer {peer} dev {device}",
            f"link set {device} up mtu 1500 txqueuelen 10000",
            # By the route, as a namespace may set only what the system allows everybody.
            f"route replace {peer} dev {device} src {address} congctl {congestion}",
        ):
            subprocess.run(["ip", *words.split()], check=True)
        # Linux's usual buffers, whatever this machine's are; nothing a connection learns is kept for the next.
        for name, value in (
            ("tcp_rmem", "4096 131072 6291456"),
            ("tcp_wmem", "4096 16384 4194304"),
            ("tcp_no_metrics_save", "1"),
        ):
            with open(f"/proc/sys/net/ipv4/{name}", "w") as file:
                file.write(value)
        return tun

    def enter(self, *command, **options):
        """A program of the other namespace, as a Popen."""
        return subprocess.Popen(["nsenter", f"--net=/proc/self/fd/{self.far}", *command], pass_fds=[self.far], **options)


class Link:
    """What joins the two, as long as the `with` block runs; `counts` says afterwards what passed."""

    def __init__(self, network, emulator, there, back, seed):
        ends = (network.near_tun, network.far_tun)
        # Ahead of the programs measured, so that it is never the one that waits for a processor.
        self.process = subprocess.Popen(
            ["nice", "-n", "-15", emulator, *map(str, ends), str(seed), there, back],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=ends)  # fmt: skip
        self.counts = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        output, _ = self.process.communicate()
        if self.process.returncode != 0:
            sys.exit(f"real-tcp: the link ended with status {self.process.returncode}: {output.decode()}")
        self.counts = json.loads(output)
