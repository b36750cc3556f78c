import TestSupport
import Testing

/// A client of another project, or ours, as it copies to and from `scpd`.
struct CopyClient: Sendable, CustomTestStringConvertible {
    let name: String
    /// Whether modes and times survive.
    var preserves = true
    /// Names of files that it cannot copy whole.
    var loses: Set<String> = []
    /// What the server has to be told for this client.
    var serverOptions: [String] = []
    /// Copies the local directory `tree`, in the working directory given, into the served directory `in`.
    let up: @Sendable (ScpdServer, _ directory: String) async throws -> Void
    /// Copies `in/tree` into the directory `back` of the working directory.
    let down: @Sendable (ScpdServer, _ directory: String) async throws -> Void

    var testDescription: String { name }

    static let all = [
        openSSH("OpenSSH scp", "scp", ["-r", "-p"]), openSSH("OpenSSH scp -O", "scp", ["-O", "-r", "-p"]),
        openSSH("our scp", nil, ["-r", "-p"]), openSSH("our scp -O", nil, ["-O", "-r", "-p"]),
        sftp, pscp("-scp"), pscp("-sftp"), psftp, dropbear("-O"), dropbear("-s"),
        python("AsyncSSH scp", "asyncssh", asyncSSHCopy, "scp"),
        python("AsyncSSH sftp", "asyncssh", asyncSSHCopy, "sftp"),
        python("Paramiko sftp", "paramiko", paramikoCopy, "sftp", preserves: false),
        python("Paramiko with the module scp", "scp", paramikoCopy, "scp"), lftp, rclone,
    ]

    /// - Parameter program: nil for ours.
    private static func openSSH(_ name: String, _ program: String?, _ options: [String]) -> CopyClient {
        @Sendable func copy(_ server: ScpdServer, _ directory: String, _ operands: [String]) async throws {
            try await run(
                program ?? scpBinary(), server.clientOptions + options + operands, directory: directory
            ).success()
        }
        return CopyClient(name: name) { server, directory in
            try await copy(server, directory, ["tree", "\(server.user)@127.0.0.1:in"])
        } down: { server, directory in
            try await copy(server, directory, ["\(server.user)@127.0.0.1:in/tree", "back"])
        }
    }

    private static let sftp = CopyClient(name: "OpenSSH sftp") { server, directory in
        try await run(
            "sftp", ["-b", "-"] + server.clientOptions + ["\(server.user)@127.0.0.1:in"], directory: directory,
            input: Array("mkdir renamed\nrename renamed gone\nrmdir gone\nput -pR tree\nls -la tree\ndf\n".utf8)
        ).success()
    } down: { server, directory in
        try await run(
            "sftp", ["-b", "-"] + server.clientOptions + ["\(server.user)@127.0.0.1"], directory: directory,
            input: Array("cd in\nlcd back\nget -pR tree\n".utf8)
        ).success()
    }

    // MARK: PuTTY

    /// Options of PuTTY's programs; its keys have a format of its own.
    private static func puttyOptions(_ server: ScpdServer, _ directory: String) async throws -> [String] {
        let key = "\(directory)/key.ppk"
        try await run("puttygen", [server.keys.clientKey(.ed25519), "-o", key]).success()
        let fingerprint = try await run("ssh-keygen", ["-l", "-f", server.keys.hostKey(.ed25519) + ".pub"]).success()
        let fields = fingerprint.outputText.split(separator: " ").map(String.init)
        guard fields.count > 1 else { throw TestSupportError("\(fingerprint)") }
        return ["-batch", "-hostkey", fields[1], "-P", "\(server.port)", "-i", key]
    }

    private static func pscp(_ wire: String) -> CopyClient {
        @Sendable func copy(_ server: ScpdServer, _ directory: String, _ operands: [String]) async throws {
            let options = try await puttyOptions(server, directory)
            // It says on standard output what it could not copy, and succeeds.
            let finished = try await run(
                "pscp", [wire] + options + ["-q", "-r", "-p"] + operands, environment: ["HOME": directory],
                directory: directory
            ).success()
            guard finished.output.isEmpty else { throw TestSupportError("\(finished)") }
        }
        return CopyClient(name: "PuTTY pscp \(wire)", preserves: false, loses: ["back\\slash"]) {
            server, directory in
            try await copy(server, directory, ["tree", "\(server.user)@127.0.0.1:in"])
        } down: { server, directory in
            try await copy(server, directory, ["\(server.user)@127.0.0.1:in/tree", "back"])
        }
    }

    private static let psftp = CopyClient(name: "PuTTY psftp", preserves: false) { server, directory in
        try await runPsftp(server, directory, "cd in\nput -r tree\n")
    } down: { server, directory in
        try await runPsftp(server, directory, "get -r in/tree back/tree\n")
    }

    private static func runPsftp(_ server: ScpdServer, _ directory: String, _ script: String) async throws {
        try writeFile("\(directory)/batch", text: script)
        let options = try await puttyOptions(server, directory) + ["-b", "\(directory)/batch"]
        try await run(
            "psftp", options + ["\(server.user)@127.0.0.1"], environment: ["HOME": directory], directory: directory
        ).success()
    }

    // MARK: Dropbear

    /// OpenSSH's scp over Dropbear's client, which takes few of the options that scp gives it.
    ///
    /// - Parameter wire: `-O` for SCP, `-s` for SFTP.
    private static func dropbear(_ wire: String) -> CopyClient {
        @Sendable func copy(_ server: ScpdServer, _ directory: String, _ operands: [String]) async throws {
            let (key, wrapper) = ("\(directory)/key.dropbear", "\(directory)/dbclient")
            try await run("dropbearconvert", ["openssh", "dropbear", server.keys.clientKey(.ed25519), key]).success()
            try writeFile(
                wrapper,
                text: """
                    #!/bin/bash
                    words=()
                    while [ $# -gt 0 ]; do
                        case "$1" in
                            -o) shift ;;
                            -o*|-x|-a) ;;
                            *) words+=("$1") ;;
                        esac
                        shift
                    done
                    exec \(try requireProgram("dbclient")) -y -y -i \(key) -p \(server.port) "${words[@]}"

                    """)
            try await run("chmod", ["755", wrapper]).success()
            try await run(
                "scp", [wire, "-S", wrapper, "-r", "-p"] + operands, environment: ["HOME": directory],
                directory: directory
            ).success()
        }
        return CopyClient(name: "dbclient below scp \(wire)") { server, directory in
            try await copy(server, directory, ["tree", "\(server.user)@127.0.0.1:in"])
        } down: { server, directory in
            try await copy(server, directory, ["\(server.user)@127.0.0.1:in/tree", "back"])
        }
    }

    // MARK: Libraries for Python

    private static func python(
        _ name: String, _ module: String, _ script: String, _ wire: String, preserves: Bool = true
    ) -> CopyClient {
        @Sendable func copy(_ server: ScpdServer, _ directory: String, _ way: String) async throws {
            let path = "\(directory)/copy.py"
            try writeFile(path, text: script)
            try await run(
                Peer.requirePython(with: module),
                [
                    "-W", "ignore", path, wire, way, "\(server.port)", server.user, server.keys.clientKey(.ed25519),
                    server.knownHosts,
                ], directory: directory
            ).success()
        }
        return CopyClient(name: name, preserves: preserves) { server, directory in
            try await copy(server, directory, "up")
        } down: { server, directory in
            try await copy(server, directory, "down")
        }
    }

    // MARK: Others

    private static let lftp = CopyClient(name: "lftp", preserves: false) { server, directory in
        try await runLFTP(server, directory, "mirror -R tree in/tree")
    } down: { server, directory in
        try await runLFTP(server, directory, "mirror in/tree back/tree")
    }

    private static func runLFTP(_ server: ScpdServer, _ directory: String, _ command: String) async throws {
        let ssh = (["ssh", "-a", "-x"] + server.clientOptions).joined(separator: " ")
        let script = """
            set cmd:fail-exit yes
            set net:max-retries 1
            set net:timeout 600
            set sftp:connect-program "\(ssh)"
            open -u \(server.user), sftp://127.0.0.1:\(server.port)
            \(command)
            """
        try await run("lftp", ["-c", script], environment: ["HOME": directory], directory: directory).success()
    }

    private static let rclone = CopyClient(name: "rclone", preserves: false) { server, directory in
        try await runRclone(server, directory, ["tree", rcloneRemote(server, "/in/tree")])
    } down: { server, directory in
        try await runRclone(server, directory, [rcloneRemote(server, "/in/tree"), "back/tree"])
    }

    private static func rcloneRemote(_ server: ScpdServer, _ path: String) -> String {
        ":sftp,host=127.0.0.1,port=\(server.port),user=\(server.user),key_file='\(server.keys.clientKey(.ed25519))',"
            + "known_hosts_file='\(server.knownHosts)':\(path)"
    }

    private static func runRclone(_ server: ScpdServer, _ directory: String, _ operands: [String]) async throws {
        try await run(
            "rclone",
            ["--config", "/dev/null", "--contimeout", "10m", "--timeout", "10m", "copy", "--create-empty-src-dirs"]
                + operands, directory: directory
        ).success()
    }
}

private let asyncSSHCopy = #"""
    import asyncio, asyncssh, sys

    wire, way, port, user, key, known_hosts = sys.argv[1:]


    async def main():
        async with asyncssh.connect('127.0.0.1', int(port), username=user, client_keys=[key],
                                    known_hosts=known_hosts, config=None, login_timeout=0) as connection:
            if wire == 'scp':
                places = ['tree', (connection, 'in')] if way == 'up' else [(connection, 'in/tree'), 'back']
                await asyncssh.scp(*places, recurse=True, preserve=True)
            else:
                async with connection.start_sftp_client() as sftp:
                    if way == 'up':
                        await sftp.put('tree', 'in', recurse=True, preserve=True)
                    else:
                        await sftp.get('in/tree', 'back', recurse=True, preserve=True)


    asyncio.run(main())
    """#

private let paramikoCopy = #"""
    import os, stat, sys
    import paramiko

    wire, way, port, user, key, known_hosts = sys.argv[1:]


    def put(sftp, local, remote):
        sftp.mkdir(remote)
        for name in os.listdir(local):
            here, there = os.path.join(local, name), remote + '/' + name
            put(sftp, here, there) if os.path.isdir(here) else sftp.put(here, there)


    def get(sftp, remote, local):
        os.mkdir(local)
        for entry in sftp.listdir_attr(remote):
            here, there = os.path.join(local, entry.filename), remote + '/' + entry.filename
            get(sftp, there, here) if stat.S_ISDIR(entry.st_mode) else sftp.get(there, here)


    class Transport(paramiko.Transport):
        """One without limits of seconds, which a busy machine takes."""

        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            self.handshake_timeout = self.clear_to_send_timeout = 600


    with paramiko.SSHClient() as client:
        client.load_host_keys(known_hosts)
        client.connect('127.0.0.1', int(port), user, key_filename=key, allow_agent=False, look_for_keys=False,
                       banner_timeout=600, auth_timeout=600, transport_factory=Transport)
        if wire == 'sftp':
            with client.open_sftp() as sftp:
                put(sftp, 'tree', 'in/tree') if way == 'up' else get(sftp, 'in/tree', 'back/tree')
        else:
            import scp
            with scp.SCPClient(client.get_transport(), socket_timeout=600) as copier:
                if way == 'up':
                    copier.put('tree', 'in', recursive=True, preserve_times=True)
                else:
                    copier.get('in/tree', 'back', recursive=True, preserve_times=True)
    """#
