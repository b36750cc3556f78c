import TestSupport
import Testing

/// A program that takes the arguments of ssh, notes them, and runs the command it is given here.
struct FakeSSH {
    let directory: TemporaryDirectory
    let path: String

    init() throws {
        directory = try TemporaryDirectory()
        path = directory.file("fake-ssh")
        let server = try requireSFTPServer()
        try writeFile(
            path,
            text: """
                #!/bin/sh
                for word; do echo "$word" >>'\(directory.file("words"))'; last=$word; done
                test "$last" = sftp && exec \(server)
                exec sh -c "$last"
                """, mode: 0o755)
    }

    /// The words it was called with.
    var words: [String] {
        get throws { try readText(directory.file("words")).split(separator: "\n").map(String.init) }
    }
}

/// OpenSSH's SFTP server, which no `PATH` leads to.
func requireSFTPServer() throws -> String {
    let places = [
        "/usr/lib/openssh/sftp-server", "/usr/libexec/sftp-server", "/usr/libexec/openssh/sftp-server",
        "/usr/lib/ssh/sftp-server",
    ]
    for place in places where (try? readFile(place)) != nil { return place }
    throw TestSupportError("sftp-server is not installed: Scripts/setup.sh installs what the tests need")
}

@Suite("Copies through other programs", .timeLimit(.minutes(hangMinutes)))
struct ProgramTests {
    private func copy(_ options: [String], _ source: String, _ target: String) async throws -> Finished {
        try await run(scpBinary(), options + [source, target])
    }

    @Test("A program for -S gets the arguments of ssh, in the order scp gives them", arguments: ["-O", "-s"])
    func arguments(letter: String) async throws {
        let fake = try FakeSSH()
        let bytes = noise(3_000_000)
        let (source, target) = (fake.directory.file("source"), fake.directory.file("target"))
        try writeFile(bytes, at: source)
        let options = [
            letter, "-C", "-4", "-oA=b", "-i", "key", "-F", "file", "-J", "j", "-c", "cipher", "-P", "7", "-q", "-B",
            "-S", fake.path,
        ]
        let finished = try await copy(options, source, "user@host:\(target)")
        #expect(finished.succeeded && finished.errors.isEmpty, "\(finished)")
        #expect(try readFile(target) == bytes)
        let command = letter == "-s" ? ["-s", "--", "host", "sftp"] : ["--", "host", "scp -t \(target)"]
        #expect(
            try fake.words == [
                "-x", "-oPermitLocalCommand=no", "-oClearAllForwardings=yes", "-oRemoteCommand=none",
                "-oRequestTTY=no", "-oControlMaster=no", "-C", "-4", "-o", "A=b", "-i", "key", "-F", "file", "-J",
                "j", "-c", "cipher", "-q", "-oBatchMode=yes", "-oForwardAgent=no", "-p", "7", "-l", "user",
            ] + command)
    }

    @Test("Trees go there and back through the installed ssh", arguments: ["-O", "-s"])
    func installed(letter: String) async throws {
        let peer = try await Peer.openSSH(hostKeys: [.ed25519])
        let tree = sampleTree(newlines: false)
        try makeTree(tree, at: peer.directory.file("source"))
        let options = [letter, "-rp", "-S", try requireProgram("ssh")]
        try await peer.scp(options, [peer.directory.file("source"), peer.remote("there")]).success()
        check("there")
        try await peer.scp(options, [peer.remote("there"), peer.directory.file("back")]).success()
        check("back")

        func check(_ name: String) {
            // By SFTP, OpenSSH and ours keep no set-group-ID bit.
            let found = (try? readTree(at: peer.directory.file(name))).map { differences(tree, $0, attributes: true) }
            let left = found?.filter { letter == "-O" || !$0.contains("2755: mode") }
            #expect(left == [], "\(found ?? [])")
        }
    }

    @Test("-D starts an SFTP server here, both ways, for every host")
    func direct() async throws {
        let directory = try TemporaryDirectory()
        let bytes = noise(20_000_000)
        try writeFile(bytes, at: directory.file("a"))
        let options = ["-D", try requireSFTPServer()]
        try await copy(options, directory.file("a"), "host:\(directory.file("b"))").success()
        try await copy(options, "u@other:\(directory.file("b"))", directory.file("c")).success()
        #expect(try readFile(directory.file("c")) == bytes)
    }

    @Test("A path that is no UTF-8 reaches the program as it is")
    func bytes() async throws {
        let fake = try FakeSSH()
        let name = Array("\(fake.directory.path)/".utf8) + [0xff, 0xfe]
        let script =
            #"printf 'x' >"$1/$(printf '\377\376')"; exec "$2" -O -S "$3" "h:$1/$(printf '\377\376')" "$1/back""#
        try await run("sh", ["-c", script, "sh", fake.directory.path, scpBinary(), fake.path]).success()
        #expect(try readText(fake.directory.file("back")) == "x")
        #expect(listDirectory(fake.directory.path).contains(Array(name.suffix(2))))
    }

    @Test("A program that cannot be run, or ends at once, is an error", arguments: [["-s"], ["-O"], []])
    func failing(letters: [String]) async throws {
        let directory = try TemporaryDirectory()
        try writeFile([1], at: directory.file("a"))
        let status: CInt = letters == ["-O"] ? 1 : 255
        let missing = try await copy(letters + ["-S", "/nonexistent/ssh"], directory.file("a"), "host:b")
        #expect(
            missing.status == .exited(status)
                && missing.errorText == "scp: /nonexistent/ssh: No such file or directory\n")
        for operands in [[directory.file("a"), "host:b"], ["host:b", directory.file("a")]] {
            let ended = try await run(scpBinary(), letters + ["-S", "false"] + operands)
            #expect(ended.status == .exited(1), "\(ended)")
            if letters != ["-O"] { #expect(ended.errorText == "scp: host: Connection closed\n") }
        }
    }

    @Test("A program that ends badly after a good copy makes the copy a failure")
    func status() async throws {
        let directory = try TemporaryDirectory()
        try writeFile([1], at: directory.file("a"))
        try writeFile(directory.file("ssh"), text: "#!/bin/sh\n\(try requireSFTPServer())\nexit 3\n", mode: 0o755)
        let finished = try await copy(["-S", directory.file("ssh")], directory.file("a"), "h:\(directory.file("b"))")
        #expect(finished.status == .exited(1))
        #expect(try readFile(directory.file("b")) == [1])
    }
}
