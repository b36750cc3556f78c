#!/usr/bin/env python3
"""Our scp and whatever else is on this machine over a long link on which TCP is real, to a private, unmodified sshd in another
network namespace (namespaces.py, LinkEmulator). Every copy is compared with its source. Prints Markdown: medians, the median
of each run's ratio to the reference (the installed scp if it takes part, or else the first peer), and the processor time of
the server's processes; and what TCP alone takes for as many bytes with several numbers of connections. Needs root; where
there is none it says so and ends with status 0.

    Benchmarks/real-tcp.py --rows 20ms-100M,100ms-1G-0.01% --runs 3 --peers openssh --loads large
    SCP_BINARY=/path/to/scp Benchmarks/real-tcp.py --vs /path/to/another/scp --vs '16=scp --connections 16'
"""

import argparse
import filecmp
import os
import re
import shlex
import shutil
import signal
import statistics
import subprocess
import sys
import time

sys.dont_write_bytecode = True
import namespaces
import peers

HERE = os.path.dirname(os.path.abspath(__file__))
# The links, and how many MiB the large file has there.
LINKS = {"20ms-100M": 64, "20ms-1G": 256, "50ms-1G": 128, "100ms-1G": 128, "200ms-100M": 64}
USUAL = ["20ms-100M", "20ms-1G", "50ms-1G", "100ms-1G", "200ms-100M", "100ms-1G-0.01%", "50ms-1G-0.1%"]
ALL = [link + loss for link in LINKS for loss in ("", "-0.01%", "-0.1%")]


class Row:
    """A link's settings, from a name such as `100ms-1G-0.01%`."""

    def __init__(self, name, given):
        match = re.fullmatch(r"(\d+)ms-(\d+)([MG])(?:-([\d.]+)%)?", name)
        if not match:
            sys.exit(f"real-tcp: {name}: a row is written like 100ms-1G-0.01%")
        delay, rate, self.loss = int(match[1]), int(match[2]) * (1000 if match[3] == "G" else 1), match[4] or "0"
        # As much as the link holds may wait for it, as in a router that is set up well.
        queue = given.queue or max(512, rate * delay // 8)
        self.there = f"delay={delay / 2},rate={rate},queue={queue},loss={self.loss}"
        self.back = f"{self.there},{given.back}" if given.back else self.there
        self.mebibytes = given.size or LINKS.get(f"{match[1]}ms-{match[2]}{match[3]}", 64)
        if not given.size and float(self.loss) >= 0.1:
            self.mebibytes = min(self.mebibytes, 64)
        self.megabits = rate
        self.title = f"{delay} ms, {match[2]} {match[3]}bit/s, loss {self.loss} %, queue {queue} KiB"


class Runner:
    """Copies and times them."""

    def __init__(self, given, directory):
        self.given, self.directory = given, directory
        # Whether all copies were made and are like their sources.
        self.is_right = True
        self.network = namespaces.Network(given.congestion_control)
        self._start_sshd()
        self.tcp = self.network.enter(f"{HERE}/tcp-alone.py", "serve", namespaces.FAR, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.tcp_port = self.tcp.stdout.readline().decode().strip()

    def _start_sshd(self):
        script = """
            . "$1/../Scripts/private-sshd.sh"; sshd_address=$2; start_sshd "$3" || exit
            printf '%s\n' "$sshd_pid" "$sshd_port" "$ssh_user" "${ssh_options[@]}" ""
            read -r _; stop_sshd"""
        words = ["bash", "-c", script, "bash", HERE, namespaces.FAR, self.directory]
        self.sshd = self.network.enter(*words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        answer = list(iter(lambda: self.sshd.stdout.readline().decode().rstrip("\n"), ""))
        if len(answer) < 3:
            sys.exit("real-tcp: sshd did not start")
        self.sshd_pid, port, user, *options = answer
        self.server = peers.Server(namespaces.FAR, user, port, options, self.directory)

    def stop(self):
        for process in (self.sshd, self.tcp):
            process.communicate()

    def server_seconds(self):
        """The processor time of the server's processes that have ended."""
        with open(f"/proc/{self.sshd_pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")

    def time(self, command):
        """Seconds that a command takes, or what went wrong, and its output."""
        begin = time.perf_counter()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True)
        try:
            output, _ = process.communicate(timeout=self.given.limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return f"> {self.given.limit}", b""
        if process.returncode != 0:
            print(f"real-tcp: {shlex.join(command)}: exit status {process.returncode}", file=sys.stderr)
            return "failed", b""
        return time.perf_counter() - begin, output

    def tcp_alone(self, connections, upward, count):
        direction = "up" if upward else "down"
        words = [f"{HERE}/tcp-alone.py", direction, namespaces.FAR, self.tcp_port, str(count), str(connections)]
        seconds, output = self.time(words)
        return (seconds if isinstance(seconds, str) else float(output)), None

    def copy(self, name, command, upward, source):
        """Seconds of the copy or what went wrong, and processor seconds of the server for it."""
        target = f"{self.directory}/copy"
        copy = peers.Copy(self.server, upward, source, target)
        words, before = command(copy), self.server_seconds()
        seconds, _ = self.time(words)
        if not isinstance(seconds, str) and not is_same(source, peers.where(name, copy)):
            seconds = "differs"
        self.is_right = self.is_right and seconds not in ("failed", "differs")
        time.sleep(0.05)  # until sshd has waited for its child
        remove(target)
        return seconds, self.server_seconds() - before


def is_same(a, b):
    if os.path.isdir(a):
        return subprocess.run(["diff", "-r", a, b], stdout=subprocess.DEVNULL).returncode == 0
    return os.path.exists(b) and filecmp.cmp(a, b, shallow=False)


def remove(path):
    if os.path.isdir(path):
        shutil.rmtree(path)
    elif os.path.exists(path):
        os.remove(path)


def make_load(load, row, directory):
    """The source of a copy, what to call it, and its bytes."""
    path = f"{directory}/source"
    remove(path)
    if load == "large":
        with open(path, "wb") as file:
            for _ in range(row.mebibytes):
                file.write(os.urandom(1 << 20))
        return path, f"{row.mebibytes} MiB", row.mebibytes << 20
    if load == "small":
        os.mkdir(path)
        for number in range(1000):
            with open(f"{path}/{number:03}", "wb") as file:
                file.write(os.urandom(4096))
        return path, "1,000 × 4 KiB", 1000 * 4096
    with open(path, "wb") as file:
        file.write(b"x")
    return path, "one byte", 1


def run_load(runner, tools, source, count, upward):
    """Each tool's results by its name, one of each run; a tool that did not make it in time is not run again."""
    rounds = {f"TCP alone, {number}": lambda number=number: runner.tcp_alone(number, upward, count) for number in runner.given.tcp}
    for name, command in tools.items():
        rounds[name] = lambda name=name, command=command: runner.copy(name, command, upward, source)
    results = {name: [] for name in rounds}
    for _ in range(runner.given.runs):
        for name, run in rounds.items():
            values = results[name]
            values.append(values[-1] if values and isinstance(values[-1][0], str) else run())
    return results


def cells(values, reference):
    seconds = [value[0] for value in values]
    if isinstance(seconds[-1], str):
        return [seconds[-1], "", ""]
    pairs = [a / b[0] for a, b in zip(seconds, reference or []) if not isinstance(b[0], str)]
    server = [value[1] for value in values if value[1] is not None]
    return [
        f"{statistics.median(seconds):.2f}",
        f"{statistics.median(pairs):.2f}" if pairs else "",
        f"{statistics.median(server):.2f}" if server else "",
    ]


def run_row(runner, row, tools, seed):
    """Prints a row's tables."""
    given, directory = runner.given, runner.directory
    reference = "scp" if "scp" in tools else next(iter([*tools][1:]), None)
    print(f"\n## {row.title}", flush=True)
    with namespaces.Link(runner.network, given.emulator, row.there, row.back, seed) as link:
        for load in given.loads:
            source, label, count = make_load(load, row, directory)
            results = {upward: run_load(runner, tools, source, count, upward) for upward in (True, False)}
            heads = [f"{way}{head}" for way in ("up", "down") for head in (", s", f" / {reference}", ", sshd's CPU, s")]
            print(f"\n| {label} | {' | '.join(heads)} |\n|---{'|---:' * len(heads)}|")
            for name in results[True]:
                columns = [cell for way in (True, False) for cell in cells(results[way][name], results[way].get(reference))]
                print(f"| {name} | {' | '.join(columns)} |", flush=True)
    report_link(link.counts, row.megabits)


def report_link(counts, megabits):
    """Prints what shows that the link was not the limit."""
    ways = [counts["there"], counts["back"]]
    busy = sum(way["bytes"] for way in ways) * 8 / 1e6 / megabits
    lost = [f"{way['lost']} of {way['segments']} segments lost and {way['dropped']} dropped" for way in ways]
    print(
        f"\nThe link took {counts['processor'] / busy:.0%} of a processor while it was full, and was"
        f" {max(way['late'] for way in ways) * 1e6:.0f} µs late on average; up {lost[0]}, down {lost[1]}.",
        flush=True,
    )


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    split = lambda text: [word for word in text.split(",") if word]
    parser.add_argument("--rows", type=split, default=USUAL, help="links such as 100ms-1G-0.01%%, or all; default %(default)s")
    parser.add_argument("--loads", type=split, default=["large", "small", "byte"], help="of large, small (1,000 x 4 KiB) and byte")
    parser.add_argument("--peers", default="all", help=f"of {', '.join([*peers.KNOWN, *peers.GROUPS])}; those on this machine run")
    parser.add_argument("--vs", action="append", default=[], help="another scp, PATH [OPTIONS] or LABEL=PATH [OPTIONS]; may be repeated")
    parser.add_argument("--options", type=shlex.split, default=[], help="more options for our scp")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--size", type=int, help="MiB of the large file; without it 64 to 256, by link")
    parser.add_argument("--tcp", type=lambda text: [int(word) for word in split(text)], default=[1, 4, 8, 16], help="connections of TCP alone; default 1,4,8,16")
    parser.add_argument("--queue", type=int, help="KiB; without it what the link holds, at least 512")
    parser.add_argument("--back", help="what is different from the server to the client, such as rate=20,loss=0")
    parser.add_argument("--congestion-control", default="cubic", help="of both namespaces; default cubic")
    parser.add_argument("--limit", type=int, default=300, help="seconds after which a copy is given up; default 300")
    parser.add_argument("--seed", type=int, default=1, help="of the losses")
    given = parser.parse_args()
    given.emulator = os.environ.get("LINK_EMULATOR", f"{HERE}/../.build/release/LinkEmulator")
    given.rows = ALL if given.rows == ["all"] else given.rows
    for load in given.loads:
        if load not in ("large", "small", "byte"):
            parser.error(f"no such load: {load}")
    return given


def main():
    given = parse()
    ours = os.environ.get("SCP_BINARY", f"{HERE}/../.build/release/scp")
    tools = {"ours": peers.scp([ours, *given.options])}
    for text in given.vs:
        label, _, command = text.partition("=") if re.match(r"[^/ ]+=", text) else (text, "", text)
        tools[label] = peers.scp(shlex.split(command))
    tools.update(peers.chosen(given.peers))
    rows = [Row(name, given) for name in given.rows]
    if missing := namespaces.what_is_missing():
        print(f"real-tcp: not run: {missing}")
        return
    for binary in (ours, given.emulator):
        if not os.access(binary, os.X_OK):
            sys.exit(f"real-tcp: no {binary}: make build")
    runner = Runner(given, namespaces.isolate())
    version = subprocess.run(["ssh", "-V"], stderr=subprocess.PIPE, text=True).stderr.strip()
    print(f"{os.cpu_count()} processors, {version}, {given.congestion_control}, medians of {given.runs}", flush=True)
    for index, row in enumerate(rows):
        run_row(runner, row, tools, given.seed + index)
    runner.stop()
    sys.exit(0 if runner.is_right else 1)


main()
