import Platform
import TestSupport
import Testing

/// Our own `scpd`, built beside the `scp` under test.
private func serverBinary() throws -> String {
    let path =
        try scpBinary().split(separator: "/", omittingEmptySubsequences: false).dropLast()
        .joined(separator: "/") + "/scpd"
    guard access(path, X_OK) == 0 else { throw TestSupportError("no scpd at \(path): `swift build` makes it") }
    return path
}

/// A program that serves SFTP at its standard input and output, whatever it is called with.
private func makeServer(in place: TemporaryDirectory, _ options: String = "") throws -> String {
    let path = place.file("server")
    try writeFile(path, text: "#!/bin/sh\nexec '\(serverBinary())' --sftp \(options)\n", mode: 0o755)
    return path
}

@Suite(
    "OpenSSH's own regression scripts for sftp with scpd behind it, from Debian's package openssh-tests",
    .timeLimit(.minutes(hangMinutes)))
struct SFTPRegressionTests {
    private static let scripts = "/usr/lib/openssh/regress"

    @Test(
        "The script finds nothing to complain about",
        arguments: [
            ("sftp", "basic sftp put/get"), ("sftp-cmds", "sftp commands"), ("sftp-badcmds", "sftp invalid commands"),
            ("sftp-batch", "sftp batchfile"), ("sftp-glob", "sftp glob"),
        ])
    func script(name: String, title: String) async throws {
        let place = try TemporaryDirectory("scp-test-regress")
        let finished = try await run(name, server: makeServer(in: place), place)
        #expect(finished.succeeded && finished.outputText.contains("ok \(title)\n"), "\(finished)")
    }

    @Test("The script does complain about a server that may change nothing")
    func complains() async throws {
        let place = try TemporaryDirectory("scp-test-regress")
        let finished = try await run("sftp", server: makeServer(in: place, "--read-only"), place)
        #expect(!finished.succeeded && finished.outputText.contains("sftp failed with"), "\(finished)")
    }

    private func run(_ script: String, server: String, _ place: TemporaryDirectory) async throws -> Finished {
        let path = "\(Self.scripts)/\(script).sh"
        guard access(path, R_OK) == 0 else {
            throw TestSupportError("\(path) is not there: Scripts/setup.sh installs what the tests need")
        }
        guard chmod(place.path, 0o755) == 0 else { throw SystemError("chmod \(place.path)") }
        if getuid() == 0 { mkdir("/run/sshd", 0o755) }
        let objects = try place.makeDirectory("objects")
        return try await TestSupport.run(
            "/bin/sh", ["\(Self.scripts)/test-exec.sh", objects, path],
            environment: [
                "TEST_SHELL": "/bin/sh", "TEST_SSH_SSH": requireProgram("ssh"),
                "TEST_SSH_SSHD": requireProgram("sshd"), "TEST_SSH_SFTP": requireProgram("sftp"),
                "TEST_SSH_SFTPSERVER": server, "TEST_SSH_PORT": "\(Loopback.ipv4.freePort())",
                "TEST_SSH_UNSAFE_PERMISSIONS": "1", "BUILDDIR": objects,
                "SUDO": getuid() == 0 ? requireProgram("env") : "",
            ],
            directory: objects, timeout: patience * 2)
    }
}

@Suite("Other programs' SFTP clients with scpd", .timeLimit(.minutes(hangMinutes)))
struct SFTPClientProgramTests {
    @Test("OpenSSH's sftp copies, lists, links, renames and removes")
    func openSSH() async throws {
        let place = try TemporaryDirectory()
        let content = noise(3_000_000)
        try writeFile(content, at: place.file("big"))
        let batch = """
            put big copy
            get copy back
            mkdir d
            rename copy d/copy
            ln d/copy h
            ln -s d s
            cd s
            chmod 600 copy
            ls -l copy
            df
            cd ..
            cp h h2
            rm h
            -rm none
            ls -1

            """
        let finished = try await run(
            "sftp", ["-b", "-", "-D", makeServer(in: place)], directory: place.path, input: Array(batch.utf8))
        #expect(finished.succeeded, "\(finished)")
        #expect(try readFile(at: place.file("back")) == content)
        #expect(try readFile(at: place.file("d/copy")) == content && readFile(at: place.file("h2")) == content)
        let lines = finished.outputText.split(separator: "\n").map(String.init)
        #expect(Array(lines.suffix(6)) == ["back", "big", "d", "h2", "s", "server"], "\(finished)")
        #expect(lines.contains { $0.hasPrefix("-rw-------") && $0.hasSuffix("copy") }, "\(finished)")
    }

    @Test("OpenSSH's sftp is refused by a read-only server, and told so")
    func readOnly() async throws {
        let place = try TemporaryDirectory()
        try writeFile(place.file("f"), text: "kept")
        for command in ["put f g", "rm f", "mkdir d", "chmod 600 f", "rename f g", "ln f g", "ln -s f g"] {
            let finished = try await run(
                "sftp", ["-b", "-", "-D", makeServer(in: place, "--read-only")], directory: place.path,
                input: Array("\(command)\n".utf8))
            #expect(!finished.succeeded, "\(command): \(finished)")
        }
        #expect(try readText(place.file("f")) == "kept" && access(place.file("g"), F_OK) != 0)
    }

    @Test("Paramiko writes, reads, lists, and checks files by their hashes")
    func paramiko() async throws {
        let place = try TemporaryDirectory()
        let finished = try await run(
            Peer.requirePython(with: "paramiko"), ["-W", "ignore", "-c", paramikoClient, serverBinary()],
            directory: place.path)
        #expect(finished.succeeded && finished.outputText == "done\n", "\(finished)")
    }
}

/// Argument: the server.
private let paramikoClient = #"""
    import hashlib, os, socket, subprocess, sys
    from paramiko.sftp_client import SFTPClient

    class Channel:
        def __init__(self, end): self.end = end
        def __getattr__(self, name): return getattr(self.end, name)
        def get_name(self): return "channel"

    near, far = socket.socketpair()
    server = subprocess.Popen([sys.argv[1], "--sftp"], stdin=far, stdout=far)
    far.close()
    client = SFTPClient(Channel(near))
    data = os.urandom(1000000)
    with client.open("f", "wb") as file:
        file.set_pipelined(True)
        file.write(data)
    with client.open("f", "rb") as file:
        file.prefetch()
        assert file.read() == data
        assert file.check("sha256") == hashlib.sha256(data).digest()
        blocks = [hashlib.sha1(data[at:min(at + 512, 3000)]).digest() for at in range(1000, 3000, 512)]
        assert file.check("md5,sha1", offset=1000, length=2000, block_size=512) == b"".join(blocks)
    client.chmod("f", 0o600)
    client.rename("f", "g")
    client.symlink("g", "l")
    assert client.readlink("l") == "g"
    assert client.normalize("l") == os.path.realpath("g")
    client.truncate("g", 10)
    client.utime("g", (1, 2))
    status = client.stat("l")
    assert (status.st_size, status.st_mode, status.st_atime, status.st_mtime) == (10, 0o100600, 1, 2)
    assert sorted(entry.filename for entry in client.listdir_attr(".")) == ["g", "l"]
    with client.open("g", "a") as file:
        file.write("x")
    assert open("g", "rb").read() == data[:10] + b"x"
    try:
        client.open("g", "x")
        raise SystemExit("an existing file was made")
    except IOError:
        pass
    try:
        client.stat("none")
        raise SystemExit("a missing file is there")
    except FileNotFoundError:
        pass
    client.close()
    assert server.wait(600) == 0
    print("done")
    """#
