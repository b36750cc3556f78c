#!/usr/bin/env python3
"""Runs scp commands in turns, A B A B, up and down, and prints what each took.

The data is a file or a directory. Every copy is compared with its source. The time of a pair's two runs gives one ratio, so that a machine that slows down
for a while slows both; the median of the ratios is the result.

CPU is that of the command and of the children it waited for, such as the ssh that OpenSSH's scp starts; the server's is
not in it. The peak of memory is that of the largest single process among them.
"""

import argparse
import filecmp
import os
import shlex
import shutil
import statistics
import subprocess
import sys
import time


def measure(command):
    """Wall seconds, CPU seconds and peak MiB of a command that has to succeed."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{shlex.join(command)}: exit status {process.returncode}")
    peak = usage.ru_maxrss / (1024 if sys.platform == "linux" else 1024 * 1024)
    return wall, usage.ru_utime + usage.ru_stime, peak


def remove(path):
    if os.path.isdir(path):
        shutil.rmtree(path)
    elif os.path.exists(path):
        os.remove(path)


def is_same(a, b):
    if os.path.isdir(a):
        return subprocess.run(["diff", "-r", a, b], stdout=subprocess.DEVNULL).returncode == 0
    return filecmp.cmp(a, b, shallow=False)


def main():
    parser = argparse.ArgumentParser()
    for name in ["ours", "data", "scratch", "host"]:
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--theirs", help="what to compare with; without it ours alone is timed")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("options", nargs="*")
    given = parser.parse_args()
    commands = {"ours": shlex.split(given.ours)}
    if given.theirs:
        commands["theirs"] = shlex.split(given.theirs)
    if os.path.isdir(given.data):
        given.options.append("-r")
    remote = f"{given.host}:{given.scratch}"
    directions = {
        "up": [given.data, remote],
        "down": [f"{given.host}:{given.data}", given.scratch],
    }

    for direction, operands in directions.items():
        runs = {name: [] for name in commands}
        # The first pair warms caches and is not counted.
        for number in range(given.pairs + 1):
            for name, command in commands.items():
                remove(given.scratch)
                result = measure(command + given.options + operands)
                if not is_same(given.data, given.scratch):
                    sys.exit(f"{name} {direction}: the copy differs from its source")
                if number > 0:
                    runs[name].append(result)
        remove(given.scratch)

        print(f"\n{direction:<8}{'':<8}{'min':>9}{'median':>9}{'max':>9}")
        for index, (label, unit) in enumerate([("wall", "s"), ("CPU", "s"), ("peak", "MiB")]):
            for name in commands:
                values = sorted(run[index] for run in runs[name])
                row = (values[0], statistics.median(values), values[-1])
                print(f"{label:<8}{name:<8}" + "".join(f"{value:9.2f}" for value in row) + f" {unit}")
            ratios = [] if "theirs" not in runs else [a[index] / b[index] for a, b in zip(runs["ours"], runs["theirs"]) if b[index] > 0]
            if ratios:
                print(f"{label:<8}ours / theirs, median of pairs: {statistics.median(ratios):.2f}")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
