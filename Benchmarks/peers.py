"""The programs that copy, each as the command for one direction of one copy.

A copy is of a file or a directory, from `source` to `target`, one of which is on the server. A peer answers the command, and
where under `target` the copy is then.
"""

import os
import shlex
import shutil


class Server:
    """How the server is reached: the address, and the options OpenSSH's programs take for it."""

    def __init__(self, host, user, port, options, directory):
        self.host, self.user, self.port, self.options = host, user, port, options
        self.key, self.known_hosts = f"{directory}/user_key", f"{directory}/known_hosts"
        self.batch = f"{directory}/batch"
        self.place = f"{user}@{host}"


class Copy:
    def __init__(self, server, upward, source, target):
        self.server, self.upward, self.source, self.target = server, upward, source, target
        self.is_directory = os.path.isdir(source)


def scp(program):
    def command(copy):
        server = copy.server
        names = [copy.source, f"{server.place}:{copy.target}"] if copy.upward else [f"{server.place}:{copy.source}", copy.target]
        return [*program, "-q", *server.options, *["-r"] * copy.is_directory, *names]

    return command


def sftp(copy):
    with open(copy.server.batch, "w") as file:
        recursive = " -r" if copy.is_directory else ""
        file.write(f"{'put' if copy.upward else 'get'}{recursive} {copy.source} {copy.target}\n")
    return ["sftp", "-q", *copy.server.options, "-b", copy.server.batch, copy.server.place]


def tar(copy):
    """Leaves the copy below the target under the source's own name, which `where` says."""
    ssh = shlex.join(["ssh", *copy.server.options, copy.server.place])
    pack = shlex.join(["tar", "-C", os.path.dirname(copy.source), "-cf", "-", os.path.basename(copy.source)])
    unpack = f"mkdir -p {copy.target} && tar -C {copy.target} -xf -"
    ends = (pack, f"{ssh} {shlex.quote(unpack)}") if copy.upward else (f"{ssh} {shlex.quote(pack)}", f"({unpack})")
    return ["sh", "-c", " | ".join(ends)]


def rclone(copy):
    server = copy.server
    remote = f":sftp,host={server.host},port={server.port},user={server.user},key_file={server.key},known_hosts_file={server.known_hosts}:"
    names = [copy.source, remote + copy.target] if copy.upward else [remote + copy.source, copy.target]
    return ["rclone", "--config", "/dev/null", "-q", "copy" if copy.is_directory else "copyto", *names]


def lftp(copy):
    server = copy.server
    verbs = {(True, True): "mirror -R", (True, False): "put", (False, True): "mirror", (False, False): "get"}
    verb = verbs[copy.upward, copy.is_directory]
    between = " " if copy.is_directory else " -o "
    connect = shlex.join(["ssh", "-a", "-x", *server.options])
    script = [
        f'set sftp:connect-program "{connect}"',
        f"open sftp://{server.user}:@{server.host}",
        f"{verb} {copy.source}{between}{copy.target}",
    ]
    return ["lftp", "--norc", "-e", "; ".join([*script, "bye"])]


def mscp(copy):
    server = copy.server
    names = [copy.source, f"{server.place}:{copy.target}"] if copy.upward else [f"{server.place}:{copy.source}", copy.target]
    with open(server.batch, "w") as file:
        file.write(f"Port {server.port}\nIdentityFile {server.key}\nUserKnownHostsFile {server.known_hosts}\n")
    return ["mscp", "-q", "-n", "8", "-F", server.batch, *names]


KNOWN = {
    "scp": scp(["scp"]),
    "sftp": sftp,
    "tar": tar,
    "rclone": rclone,
    "lftp": lftp,
    "mscp": mscp,
    "hpnscp": scp(["hpnscp"]),
}
GROUPS = {"openssh": ["scp", "sftp", "tar"], "all": list(KNOWN), "none": []}


def chosen(names):
    """The peers of these names or groups that are on this machine, by name."""
    wanted = [peer for name in names.split(",") for peer in GROUPS.get(name, [name])]
    unknown = [name for name in wanted if name not in KNOWN]
    if unknown:
        raise SystemExit(f"real-tcp: no such peer: {unknown[0]} (there are {', '.join([*KNOWN, *GROUPS])})")
    return {name: KNOWN[name] for name in wanted if shutil.which(name)}


def where(name, copy):
    """Where the copy that the peer made is."""
    return os.path.join(copy.target, os.path.basename(copy.source)) if name == "tar" else copy.target
