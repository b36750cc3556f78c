import Platform
import TestSupport
import Testing

@Suite("Files that cannot be copied, and all others that are", .timeLimit(.minutes(hangMinutes)))
struct FileFailureTests {
    /// A server with two files that can be copied, and a directory to copy to.
    private func start() async throws -> Peer {
        let peer = try await Peer.openSSH(hostKeys: [.ed25519])
        try writeFile([1], at: peer.directory.file("first"))
        try writeFile([2], at: peer.directory.file("last"))
        try peer.directory.makeDirectory("target")
        return peer
    }

    private func names(_ peer: Peer, _ directory: String = "target") -> Set<String> {
        Set(listDirectory(peer.directory.file(directory)).map { String(decoding: $0, as: UTF8.self) })
    }

    /// Sources between the first and the last file and the target, there or here.
    private func operands(_ peer: Peer, _ middle: String, isUpload: Bool) -> [String] {
        let names = ["first", middle, "last"]
        return isUpload
            ? names.map { peer.directory.file($0) } + [peer.remote("target")]
            : names.map { peer.remote($0) } + [peer.directory.file("target")]
    }

    @Test("A missing file is named, the others are copied", arguments: [true, false])
    func missing(isUpload: Bool) async throws {
        let peer = try await start()
        let finished = try await peer.scp(operands(peer, "missing", isUpload: isUpload))
        expectFailure(finished, "scp: \(peer.directory.file("missing")): No such file or directory\n", status: 1)
        #expect(names(peer) == ["first", "last"])
    }

    @Test("What cannot be made among many small files is named, all else is copied", arguments: [[], ["-O"]])
    func conflicts(options: [String]) async throws {
        let peer = try await start()
        func directory(_ path: String) throws { try peer.directory.makeDirectory(path) }
        for path in ["tree", "tree/deep", "tree/deep/deeper", "target/tree", "target/tree/f50"] { try directory(path) }
        for index in 0..<100 {
            try writeFile(Array("\(index)".utf8), at: peer.directory.file("tree/f\(index)"))
            try writeFile(Array("\(index)".utf8), at: peer.directory.file("tree/deep/deeper/g\(index)"))
        }
        try writeFile([7], at: peer.directory.file("target/tree/deep"))
        let finished = try await peer.scp(options + ["-r"], [peer.remote("tree"), peer.directory.file("target")])
        #expect(finished.status == .exited(1), "\(finished)")
        let words = finished.errorText.split(separator: "\n").sorted()
        #expect(words.count == 2 && words.first?.hasSuffix("tree/deep: Not a directory") == true, "\(finished)")
        #expect(words.last?.hasSuffix("tree/f50: Is a directory") == true, "\(finished)")
        #expect(names(peer, "target/tree") == Set((0..<100).map { "f\($0)" } + ["deep"]))
        for index in 0..<100 where index != 50 {
            #expect(try readFile(peer.directory.file("target/tree/f\(index)")) == Array("\(index)".utf8))
        }
        #expect(try readFile(peer.directory.file("target/tree/deep")) == [7])
        #expect(names(peer, "target/tree/f50").isEmpty)
    }

    @Test("A directory without -r is named, the others are copied", arguments: [true, false])
    func directoryWithoutRecursion(isUpload: Bool) async throws {
        let peer = try await start()
        try peer.directory.makeDirectory("directory")
        let finished = try await peer.scp(operands(peer, "directory", isUpload: isUpload))
        expectFailure(finished, "\(peer.directory.file("directory")): not a regular file\n", status: 1)
        #expect(names(peer) == ["first", "last"])
    }

    @Test("A FIFO is named and not waited for, the others are copied", arguments: [true, false])
    func fifo(isUpload: Bool) async throws {
        let peer = try await start()
        try await run("mkfifo", [peer.directory.file("fifo")]).success()
        let finished = try await peer.scp(operands(peer, "fifo", isUpload: isUpload))
        expectFailure(finished, "\(peer.directory.file("fifo")): not a regular file\n", status: 1)
        #expect(names(peer) == ["first", "last"])
    }

    @Test("A target that must be a directory and is a file is named", arguments: [true, false])
    func targetIsFile(isUpload: Bool) async throws {
        let peer = try await start()
        try writeFile([3], at: peer.directory.file("file"))
        let sources = ["first", "last"].map { isUpload ? peer.directory.file($0) : peer.remote($0) }
        let target = isUpload ? peer.remote("file") : peer.directory.file("file")
        let finished = try await peer.scp(sources + [target])
        #expect(finished.status == .exited(1))
        #expect(finished.errorText.contains("\(peer.directory.file("file")): Not a directory"), "\(finished)")
        #expect(try readFile(at: peer.directory.file("file")) == [3])
    }

    @Test("A directory that does not exist to copy a file into is named", arguments: [true, false])
    func missingTargetDirectory(isUpload: Bool) async throws {
        let peer = try await start()
        let operands =
            isUpload
            ? [peer.directory.file("first"), peer.remote("none/x")]
            : [peer.remote("first"), peer.directory.file("none/x")]
        expectFailure(
            try await peer.scp(operands), "\(peer.directory.file("none/x")): No such file or directory\n", status: 1)
    }

    @Test(
        "A file that may not be overwritten is named, the others are copied", .enabled(if: getuid() != 0),
        arguments: [true, false])
    func targetDenied(isUpload: Bool) async throws {
        let peer = try await start()
        try writeFile(peer.directory.file("middle"), [3])
        try writeFile(peer.directory.file("target/middle"), [4], mode: 0o400)
        let finished = try await peer.scp(operands(peer, "middle", isUpload: isUpload))
        expectFailure(finished, "\(peer.directory.file("target/middle")): Permission denied\n", status: 1)
        #expect(names(peer) == ["first", "middle", "last"])
    }

    @Test(
        "A file that may not be read is named, the others are copied", .enabled(if: getuid() != 0),
        arguments: [true, false])
    func sourceDenied(isUpload: Bool) async throws {
        let peer = try await start()
        try writeFile(peer.directory.file("middle"), [3], mode: 0)
        let finished = try await peer.scp(operands(peer, "middle", isUpload: isUpload))
        expectFailure(finished, "\(peer.directory.file("middle")): Permission denied\n", status: 1)
        #expect(names(peer) == ["first", "last"])
    }

    @Test(
        "A file that meets a directory of its name is named, in a tree of which the rest is copied",
        arguments: [true, false])
    func directoryInTheWay(isUpload: Bool) async throws {
        let peer = try await start()
        try makeTree(.named(["a": .file([1]), "b": .file([2]), "z": .file([3])]), at: peer.directory.file("source"))
        try makeTree(
            .named(["source": .named(["b": .named(["keep": .file([4])])])]), at: peer.directory.file("there"))
        let operands =
            isUpload
            ? [peer.directory.file("source"), peer.remote("there")]
            : [peer.remote("source"), peer.directory.file("there")]
        let finished = try await peer.scp(["-r"], operands)
        #expect(finished.status == .exited(1))
        // SFTP's third version has no word for it.
        let reason = isUpload ? "Failure" : "Is a directory"
        #expect(finished.errorText.contains("\(peer.directory.file("there/source/b")): \(reason)"), "\(finished)")
        #expect(names(peer, "there/source") == ["a", "b", "z"])
        #expect(names(peer, "there/source/b") == ["keep"])
    }

    @Test(
        "A full disk is reported with the file, files that fit are copied",
        .enabled(if: SyntheticAccounts.areAvailable && getuid() == 0), arguments: [true, false])
    func diskFull(isUpload: Bool) async throws {
        let peer = try await start()
        try writeFile(noise(3_000_000), at: peer.directory.file("large"))
        let small = peer.directory.file("target")
        // The file system is seen by our scp alone, or, for an upload, by what the server starts in the same namespace.
        let mount = #"mount -t tmpfs -o size=1m none "$0" && exec "$@""#
        let finished: Finished
        let command = try [scpBinary()] + peer.clientOptions()
        if isUpload {
            let program = peer.directory.file("small-scp")
            try writeFile(
                program,
                text: """
                    #!/bin/sh
                    exec unshare --mount sh -c 'mount -t tmpfs -o size=1m none "$0" && $SSH_ORIGINAL_COMMAND; status=$?
                    ls "$0" >\(peer.directory.file("names")); exit $status' '\(small)'
                    """, mode: 0o755)
            let full = try await Peer.openSSH(hostKeys: [.ed25519], configuration: ["ForceCommand \(program)"])
            finished = try await full.scp(
                ["first", "last", "large"].map { peer.directory.file($0) } + ["\(full.destination):\(small)"])
            #expect(try readText(peer.directory.file("names")).contains("last"))
        } else {
            let script = mount.replacing("exec \"$@\"", with: #""$@"; status=$?; ls "$0"; exit $status"#)
            finished = try await run(
                "unshare",
                ["--mount", "/bin/sh", "-c", script, small] + command
                    + ["first", "last", "large"].map { peer.remote($0) } + [small])
            #expect(finished.outputText == "first\nlarge\nlast\n")
        }
        // Where SCP takes over from a server without SFTP, one line says so.
        expectFailure(finished, "\(small)/large: No space left on device\n", lines: isUpload ? 2 : 1, status: 1)
    }

    @Test("Files that the target's file size limit cuts are reported")
    func sizeLimit() async throws {
        let peer = try await start()
        try writeFile(noise(3_000_000), at: peer.directory.file("large"))
        let command = try [scpBinary()] + peer.clientOptions()
        let finished = try await run(
            "/bin/sh",
            ["-c", #"ulimit -f 1000 && exec "$@""#, "sh"] + command
                + [peer.remote("large"), peer.directory.file("target")])
        expectFailure(finished, "\(peer.directory.file("target/large")): File too large\n", status: 1)
    }

    @Test("A tree of more files than may be open at a time is sent")
    func openFiles() async throws {
        let peer = try await start()
        try peer.directory.makeDirectory("many")
        for number in 0..<600 { try writeFile(peer.directory.file("many/\(number)"), [1]) }
        let command = try [scpBinary(), "-r"] + peer.clientOptions()
        let finished = try await run(
            "/bin/sh",
            ["-c", #"ulimit -n 300 && exec "$@""#, "sh"] + command
                + [peer.directory.file("many"), peer.remote("copy")])
        #expect(finished.succeeded && finished.errors.isEmpty, "\(finished)")
        #expect(listDirectory(peer.directory.file("copy")).count == 600)
    }

    @Test("What goes wrong between two remote hosts is said", arguments: ["missing", "directory"])
    func remoteToRemote(name: String) async throws {
        let peer = try await start()
        try peer.directory.makeDirectory("directory")
        let finished = try await peer.scp(
            ["-3"], ["first", name, "last"].map { peer.remote($0) } + [peer.remote("target")])
        expectFailure(finished, peer.directory.file(name), status: 1)
        #expect(names(peer) == ["first", "last"])
    }
}
