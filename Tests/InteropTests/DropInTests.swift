import TestSupport
import Testing

/// What both commands are told to do, from the directory `source` to the directory `target` beside it, one of which is
/// on the server.
struct CopyCase: CustomTestStringConvertible, Sendable {
    let testDescription: String
    /// Makes what there is before: shell commands, run above `source` and `target`.
    let setup: String
    let options: [String]
    /// Paths in `source`.
    let sources: [String]
    /// A path in `target`.
    let target: String
    /// What both must say in the end, if the copy is to fail; nil if both must be silent and succeed.
    var complaint: String?
    var isDownloadOnly = false

    /// - Parameter arguments: options first.
    init(
        _ description: String, _ setup: String, _ arguments: [String], to target: String, complaint: String? = nil
    ) {
        testDescription = description
        self.setup = setup
        options = Array(arguments.prefix { $0.hasPrefix("-") })
        sources = Array(arguments.dropFirst(options.count))
        self.target = target
        self.complaint = complaint
    }

    var onlyDown: CopyCase {
        var copy = self
        copy.isDownloadOnly = true
        return copy
    }
}

/// How a copy goes: which protocol, which way.
struct Manner: CustomTestStringConvertible, Sendable {
    let isUpload: Bool
    let usesSCP: Bool

    static let all = [true, false].flatMap { up in [false, true].map { Manner(isUpload: up, usesSCP: $0) } }

    var testDescription: String { "\(usesSCP ? "-O" : "SFTP"), \(isUpload ? "up" : "down")" }
    var options: [String] { usesSCP ? ["-O"] : [] }

    /// A path on the server: a shell reads it with the SCP protocol.
    func spelling(_ path: String) -> String {
        guard usesSCP else { return path }
        return String(path.flatMap { " '\"`$;&|<>()#{}*?[]\\\t".contains($0) ? ["\\", $0] : [$0] })
    }
}

@Suite("Our scp in place of the installed one", .timeLimit(.minutes(hangMinutes)))
struct DropInTests {
    /// Two files, a directory with two more.
    private static let files =
        "cd source; printf one >a; printf two >b; mkdir dir; printf x >dir/x; printf y >dir/.y; cd ..; "

    static let cases: [CopyCase] = [
        CopyCase("a file to a new name", files, ["a"], to: "t"),
        CopyCase("a file into a directory", files + "mkdir target/t", ["a"], to: "t"),
        CopyCase("a file into a directory with a slash", files + "mkdir target/t", ["a"], to: "t/"),
        CopyCase("several files into a directory", files + "mkdir target/t", ["a", "b", "dir/x"], to: "t"),
        CopyCase("a file over a larger one", files + "seq 99999 >target/t", ["a"], to: "t"),
        CopyCase("a file over one of the same length", files + "printf ten >target/t", ["a"], to: "t"),
        CopyCase("an empty file", "touch source/e", ["e"], to: "t"),
        CopyCase("an empty file over a larger one", "touch source/e; seq 999 >target/t", ["e"], to: "t"),
        CopyCase("a file of several blocks", "seq 400000 >source/s", ["s"], to: "t"),
        CopyCase("a file to what a link leads to", files + "printf old >target/o; ln -s o target/t", ["a"], to: "t"),
        CopyCase("a file into where a link leads", files + "mkdir target/d; ln -s d target/t", ["a"], to: "t"),
        CopyCase("what a link leads to", files + "ln -s a source/l", ["l"], to: "t"),
        CopyCase("what links in a tree lead to", files + "ln -s ../a source/dir/l", ["-r", "dir"], to: "t"),
        CopyCase("a tree to a new name", files, ["-r", "dir"], to: "t"),
        CopyCase("a tree into a directory", files + "mkdir target/t", ["-r", "dir"], to: "t"),
        CopyCase("a tree with a slash into a directory", files + "mkdir target/t", ["-r", "dir/"], to: "t"),
        CopyCase(
            "a tree into one of its name", files + "mkdir target/dir; printf old >target/dir/x", ["-r", "dir"],
            to: "."),
        CopyCase("a tree and a file with -r", files + "mkdir target/t", ["-r", "dir", "a"], to: "t"),
        CopyCase("an empty directory", "mkdir source/e", ["-r", "e"], to: "t"),
        CopyCase("the modes of new files and directories", modes, ["-r", "m"], to: "t"),
        // Theirs lets the umask cut the modes of directories it downloads by SFTP, -p or not.
        CopyCase(
            "-p: modes and times of new files and directories", modes + "chmod 755 source/m/shared", ["-rp", "m"],
            to: "t"),
        CopyCase(
            "the mode of a file that is there", files + "chmod 755 source/a; touch target/t; chmod 600 target/t", ["a"],
            to: "t"),
        CopyCase(
            "-p: the mode of a file that is there", files + "chmod 755 source/a; touch target/t; chmod 600 target/t",
            ["-p", "a"], to: "t"),
        CopyCase("a read-only file, twice", files + "chmod 444 source/a; mkdir target/t", ["a", "a"], to: "t"),
        CopyCase("a name that looks like a pattern", "printf p >'source/[x]'", ["[x]"], to: "[y]"),
        CopyCase("a pattern", globs, ["a*"], to: "t").onlyDown,
        CopyCase("a pattern with ? and []", globs, ["?[!2]"], to: "t").onlyDown,
        CopyCase("a pattern of hidden names", globs, [".h*"], to: "t").onlyDown,
        CopyCase(
            "a pattern in the middle", globs + "mkdir source/d1 source/d2; touch source/d1/x source/d2/y; ",
            ["d*/[xy]"], to: "t"
        ).onlyDown,
        CopyCase("a pattern of one file to a new name", globs, ["b*"], to: "new").onlyDown,

        CopyCase("a missing file", files, ["missing"], to: "t", complaint: "missing: No such file or directory"),
        CopyCase(
            "a missing file, quietly", files, ["-q", "missing"], to: "t", complaint: "No such file or directory"),
        CopyCase("a pattern nothing matches", globs, ["z*"], to: "t", complaint: "z*: No such file or directory")
            .onlyDown,
        CopyCase(
            "a missing file among others", files + "mkdir target/t", ["a", "missing", "b"], to: "t",
            complaint: "missing: No such file or directory"
        ).onlyDown,
        CopyCase("a directory without -r", files, ["dir"], to: "t", complaint: "not a regular file"),
        CopyCase(
            "a directory without -r among files", files + "mkdir target/t", ["a", "dir", "b"], to: "t",
            complaint: "not a regular file"),
        CopyCase(
            "several files to a file", files + "printf old >target/t", ["a", "b"], to: "t",
            complaint: "t: Not a directory"
        ).onlyDown,
        CopyCase("several files to a new name", files, ["a", "b"], to: "t", complaint: "t: No such file or directory")
            .onlyDown,
        CopyCase(
            "a file into a directory that is missing", files, ["a"], to: "none/t",
            complaint: "none/t: No such file or directory"),
        CopyCase("a file to a name with a slash", files, ["a"], to: "t/", complaint: "t/"),
        CopyCase("a file below a file", files + "touch target/t", ["a"], to: "t/x", complaint: "t/x"),
        CopyCase("a file over a directory", files + "mkdir -p target/t/a", ["a"], to: "t", complaint: "t/a"),
        CopyCase("a tree over a file", files + "touch target/t", ["-r", "dir"], to: "t", complaint: "ot a directory"),
        CopyCase(
            "a tree into a directory that is missing", files, ["-r", "dir"], to: "none/t",
            complaint: "none/t: No such file"),
        CopyCase(
            "a tree in which a link leads nowhere", files + "ln -s none source/dir/l; rm source/dir/.y", ["-r", "dir"],
            to: "t", complaint: "No such file or directory"),
        CopyCase("an empty target", files, ["a"], to: "", complaint: ": No such file or directory").onlyDown,
    ]

    private static let modes = """
        cd source; mkdir m m/private m/shared m/closed; umask 0; for mode in 600 644 664 755 777 444 4755; do
        touch m/$mode; chmod $mode m/$mode; done; touch m/closed/file; chmod 700 m/private; chmod 775 m/shared
        chmod 555 m/closed; cd ..;
        """
    private static let globs = "for name in a1 a2 b1 .h1; do printf $name >source/$name; done; mkdir target/t; "

    @Test("The same is copied, the same fails, for the same reason", arguments: Manner.all)
    func same(manner: Manner) async throws {
        let peer = try await Peer.openSSH(hostKeys: [.ed25519])
        for item in Self.cases where !(manner.isUpload && item.isDownloadOnly) {
            try await compare(item, manner, peer)
        }
    }

    private func compare(_ item: CopyCase, _ manner: Manner, _ peer: Peer) async throws {
        var results: [(finished: Finished, tree: Tree)] = []
        for isOurs in [true, false] {
            let finished = try await copy(item, manner, peer, isOurs: isOurs)
            let stage = peer.directory.file("stage")
            results.append((finished, settled(try readTree(at: "\(stage)/target"))))
            try await run("/bin/sh", ["-c", #"chmod -R u+rwX "$0" && rm -rf "$0""#, stage]).success()
        }
        let (ours, installed) = (results[0], results[1])
        let what = "\(item.testDescription): \(ours.finished)\n\(installed.finished)"
        #expect(differences(ours.tree, installed.tree, attributes: true) == [], "\(what)")
        guard let complaint = item.complaint else {
            for finished in [ours.finished, installed.finished] {
                #expect(finished.succeeded && finished.errors.isEmpty && finished.output.isEmpty, "\(what)")
            }
            return
        }
        #expect(ours.finished.status == .exited(1) && !installed.finished.succeeded, "\(what)")
        #expect(ours.finished.errorText.contains(complaint), "\(what)")
        // Theirs quotes paths in one protocol and not in the other.
        let theirs = installed.finished.errorText.filter { $0 != "\"" }
        #expect(theirs.contains(complaint), "\(what)")
    }

    /// Runs one of the two commands on a fresh stage.
    private func copy(_ item: CopyCase, _ manner: Manner, _ peer: Peer, isOurs: Bool) async throws -> Finished {
        let stage = try peer.directory.makeDirectory("stage")
        // Times that show whether they were kept.
        let script = """
            set -e; umask 022; mkdir source target; \(item.setup)
            find source target ! -type l -exec touch -t 200109090146.40 {} +
            """
        try await run("/bin/sh", ["-c", script], directory: stage).success()
        func there(_ path: String, in place: String) -> String {
            "\(peer.destination):\(stage)/\(place)/\(item.isDownloadOnly ? path : manner.spelling(path))"
        }
        let sources = manner.isUpload ? item.sources : item.sources.map { there($0, in: "source") }
        let target = manner.isUpload ? there(item.target, in: "target") : item.target
        return try await scp(
            isOurs, manner.options + item.options, sources + [target], peer,
            directory: "\(stage)/\(manner.isUpload ? "source" : "target")")
    }

    private func scp(
        _ isOurs: Bool, _ options: [String], _ operands: [String], _ peer: Peer, directory: String
    ) async throws -> Finished {
        try await run(
            isOurs ? scpBinary() : requireProgram("scp"),
            options + quickExchange + peer.clientOptions() + ["--"] + operands,
            directory: directory)
    }

    /// The tree without the times that are those of the copy.
    private func settled(_ tree: Tree) -> Tree {
        func time(_ time: Int) -> Int { time > 1_600_000_000 ? 0 : time }
        switch tree {
        case .file(let contents, let mode, let modified):
            return .file(contents, mode: mode, modified: time(modified))
        case .directory(let entries, let mode, let modified):
            return .directory(entries.mapValues(settled), mode: mode, modified: time(modified))
        }
    }

    @Test("A tree of all that is odd comes out the same", arguments: Manner.all)
    func sample(manner: Manner) async throws {
        let peer = try await Peer.openSSH(hostKeys: [.ed25519])
        // A record cannot hold a newline.
        let tree = sampleTree(newlines: !manner.usesSCP)
        try makeTree(tree, at: peer.directory.file("source"))
        for isOurs in [true, false] {
            let copy = isOurs ? "ours" : "theirs"
            let (there, here) = (peer.remote(manner.isUpload ? copy : "source"), manner.isUpload ? "source" : copy)
            try await scp(
                isOurs, manner.options + ["-rp"], manner.isUpload ? [here, there] : [there, here], peer,
                directory: peer.directory.path
            ).success()
        }
        let ours = try readTree(at: peer.directory.file("ours"))
        // SFTP keeps no set-group-ID bit, in theirs as in ours.
        let changed = differences(tree, ours, attributes: true)
        #expect(
            changed.allSatisfy { $0.contains("2755: mode") } && changed.count == (manner.usesSCP ? 0 : 1), "\(changed)")
        #expect(
            differences(
                ours, try readTree(at: peer.directory.file("theirs")), attributes: manner.usesSCP || manner.isUpload)
                == [])
    }

    @Test("Odd names of single files mean the same, at both ends", arguments: Manner.all)
    func names(manner: Manner) async throws {
        var names = [
            "a b", "'q\"", "-dash", "tab\there", "star*", "[x]", "q?", "é", "$HOME", "`id`", "a;b", "~", "~x", "#x",
            "{a,b}", "a:b", " ", "...", ".a", "a|b", "&", "a\\",
        ]
        // Theirs doubles a backslash on its way to SFTP; a shell takes a newline for the end of the command.
        if !manner.usesSCP { names = names.filter { !$0.contains("\\") || manner.isUpload } + ["a\nb"] }
        let peer = try await Peer.openSSH(hostKeys: [.ed25519])
        let make = names.map { "printf '%s' \(quoted($0)) >source/\(quoted($0)); " }.joined()
        try await compare(
            CopyCase("all at once", make + "mkdir target/t", names.map { "./\($0)" }, to: "t"), manner, peer)
        for name in ["a b", "-dash", "star*", "~", "$HOME", "'q\""] {
            let item = CopyCase("the name \(name)", make, ["./\(name)"], to: "./\(name)")
            try await compare(item, manner, peer)
        }
    }

    private func quoted(_ name: String) -> String { "'" + name.replacing("'", with: "'\\''") + "'" }

    @Test("The umask cuts the modes of what is downloaded, and spares what -p keeps", arguments: [false, true])
    func umask(usesSCP: Bool) async throws {
        let peer = try await Peer.openSSH(hostKeys: [.ed25519])
        let tree = Tree.named(["f": .file([1], mode: 0o666), "d": .named(["x": .file([2], mode: 0o755)], mode: 0o777)])
        try makeTree(tree, at: peer.directory.file("source"))
        for mask in ["000", "022", "077"] {
            for (isOurs, copy) in [(true, "ours.\(mask)"), (false, "theirs.\(mask)")] {
                let command = try [isOurs ? scpBinary() : requireProgram("scp"), "-r"] + (usesSCP ? ["-O"] : [])
                try await run(
                    "/bin/sh",
                    ["-c", #"umask "$0"; exec "$@""#, mask] + command + peer.clientOptions()
                        + [peer.remote("source"), peer.directory.file(copy)]
                ).success()
            }
            let (ours, theirs) = (peer.directory.file("ours.\(mask)"), peer.directory.file("theirs.\(mask)"))
            #expect(
                differences(settled(try readTree(at: ours)), settled(try readTree(at: theirs)), attributes: true) == [])
        }
        let kept = peer.directory.file("kept")
        try await run(
            "/bin/sh",
            ["-c", #"umask 077; exec "$@""#, "sh", scpBinary(), "-rp"] + (usesSCP ? ["-O"] : [])
                + peer.clientOptions() + [peer.remote("source"), kept]
        ).success()
        #expect(differences(tree, try readTree(at: kept), attributes: true) == [])
    }

    @Test("A file copied onto itself stays what it is", arguments: Manner.all)
    func ontoItself(manner: Manner) async throws {
        let peer = try await Peer.openSSH(hostKeys: [.ed25519])
        let file = peer.directory.file("file")
        for isOurs in [true, false] {
            try writeFile(noise(300_000), at: file)
            let operands = manner.isUpload ? [file, peer.remote("file")] : [peer.remote("file"), file]
            try await scp(isOurs, manner.options, operands, peer, directory: "/").success()
            #expect(try readFile(at: file) == noise(300_000))
        }
    }

    @Test("Local names with a colon, after a slash or at the start, are local", arguments: [false, true])
    func localColon(usesSCP: Bool) async throws {
        let peer = try await Peer.openSSH(hostKeys: [.ed25519])
        for name in ["./a:b", ":b", "./:"] {
            for isOurs in [true, false] {
                try writeFile([isOurs ? 1 : 2], at: peer.directory.file(name))
                try await scp(
                    isOurs, usesSCP ? ["-O"] : [], [name, peer.remote("copy")], peer, directory: peer.directory.path
                ).success()
                #expect(try readFile(at: peer.directory.file("copy")) == [isOurs ? 1 : 2])
            }
        }
    }

    @Test("Names that are no UTF-8 arrive as they are", arguments: Manner.all)
    func bytes(manner: Manner) async throws {
        let peer = try await Peer.openSSH(hostKeys: [.ed25519])
        for (number, isOurs) in [true, false].enumerated() {
            let place = try peer.directory.makeDirectory("\(number)")
            try peer.directory.makeDirectory("\(number)/source")
            try peer.directory.makeDirectory("\(number)/target")
            try writeFile([7], at: Array("\(place)/source/".utf8) + [0xff, 0xfe])
            // The shell makes the name, which an argument here cannot hold.
            let name = #"$(printf '\377\376')"#
            let there = "\(peer.destination):\(place)"
            let operands =
                manner.isUpload
                ? #""source/\#(name)" "\#(there)/target/\#(name)""# : #""\#(there)/source/\#(name)" "target/\#(name)""#
            let command = try [isOurs ? scpBinary() : requireProgram("scp")] + manner.options + peer.clientOptions()
            try await run("/bin/sh", ["-c", #""$@" \#(operands)"#, "sh"] + command, directory: place).success()
            #expect(try readFile(at: Array("\(place)/target/".utf8) + [0xff, 0xfe]) == [7])
        }
    }

    @Test("A home directory is written ~, ~user, or not at all", arguments: Manner.all)
    func home(manner: Manner) async throws {
        let peer = try await Peer.openSSH(hostKeys: [.ed25519])
        let home = try await run("/bin/sh", ["-c", "echo ~"]).success().outputText.dropLast()
        let name = "scp-test-home.\(peer.port)"
        let here = peer.directory.file("here")
        for place in ["~/", "~\(peer.user)/", "", "./", "~/./"] {
            for isOurs in [true, false] {
                try writeFile([9], at: manner.isUpload ? here : "\(home)/\(name)")
                let there = "\(peer.destination):\(place)\(name)"
                let finished = try await scp(
                    isOurs, manner.options, manner.isUpload ? [here, there] : [there, here], peer, directory: "/")
                #expect(finished.succeeded, "\(finished)")
                #expect(try readFile(at: manner.isUpload ? "\(home)/\(name)" : here) == [9])
                try await run("rm", ["-f", here, "\(home)/\(name)"]).success()
            }
        }
        let nobody = try await scp(
            true, manner.options,
            manner.isUpload
                ? ["/etc/hosts", "\(peer.destination):~no-such-user/x"]
                : ["\(peer.destination):~no-such-user/x", here], peer, directory: "/")
        expectFailure(nobody, "~no-such-user/x: No such file or directory", status: 1)
    }

    @Test("A device is written to and stays what it is", arguments: Manner.all)
    func device(manner: Manner) async throws {
        let peer = try await Peer.openSSH(hostKeys: [.ed25519])
        try writeFile(noise(300_000), at: peer.directory.file("file"))
        let operands =
            manner.isUpload
            ? [peer.directory.file("file"), "\(peer.destination):/dev/null"] : [peer.remote("file"), "/dev/null"]
        let mode = try await run("stat", ["-c", "%a %F", "/dev/null"]).outputText
        // Not with -p: as root, the scp of OpenSSH at the other end sets the mode of the device.
        let finished = try await peer.scp(manner.options, operands)
        #expect(finished.succeeded && finished.errors.isEmpty, "\(finished)")
        #expect(try await run("stat", ["-c", "%a %F", "/dev/null"]).outputText == mode)
    }

    @Test(
        "The entries of . and .. go into the target, never beside it and never one over the other",
        arguments: Manner.all)
    func unnamed(manner: Manner) async throws {
        let peer = try await Peer.openSSH(hostKeys: [.ed25519])
        try makeTree(
            .named(["x": .file([1]), "y": .file([2]), "sub": .named([:])]), at: peer.directory.file("source"))
        for name in ["source/.", "source/sub/..", "source/sub/../"] {
            for isThere in [true, false] {
                let outer = try peer.directory.makeDirectory("outer")
                if isThere { try peer.directory.makeDirectory("outer/t") }
                let operands =
                    manner.isUpload
                    ? [peer.directory.file(name), peer.remote("outer/t")]
                    : [peer.remote(name), peer.directory.file("outer/t")]
                let finished = try await peer.scp(manner.options + ["-r"], operands)
                // A record has no name for such a directory, and a server sends none without.
                let isPossible = !manner.usesSCP || manner.isUpload && isThere
                #expect(finished.succeeded == isPossible, "\(name): \(finished)")
                let entries = Set(listDirectory("\(outer)/t").map { String(decoding: $0, as: UTF8.self) })
                #expect(entries == (isPossible ? ["x", "y", "sub"] : []), "\(name)")
                #expect(listDirectory(outer).count == (isThere || isPossible ? 1 : 0), "\(name)")
                try await run("rm", ["-r", outer]).success()
            }
        }
    }

    @Test("-v tells of the protocol on standard error, -q silences the meter and no error")
    func verbosity() async throws {
        let peer = try await Peer.openSSH(hostKeys: [.ed25519])
        try writeFile([1], at: peer.directory.file("file"))
        for isOurs in [true, false] {
            let finished = try await scp(
                isOurs, ["-v", "-O"], [peer.directory.file("file"), peer.remote("copy")], peer, directory: "/"
            ).success()
            #expect(finished.output.isEmpty)
            #expect(finished.errorText.contains("debug1: "), "\(finished)")
            #expect(
                finished.errorText.contains("Sending command: scp -v -t \(peer.directory.file("copy"))"), "\(finished)")
            let terminal = try Terminal(
                isOurs ? scpBinary() : requireProgram("scp"),
                ["-q"] + peer.clientOptions() + [peer.remote("file"), peer.directory.file("copy")])
            #expect(try await terminal.finish() == .exited(0))
            #expect(terminal.transcript.isEmpty)
        }
    }
}

@Suite("The rate and the size of what is under way", .timeLimit(.minutes(hangMinutes)))
struct TuningTests {
    @Test(
        "-l and --bwlimit hold the rate, for both protocols, both ways", arguments: Manner.all,
        ["-l2000", "--bwlimit=250K"])
    func rate(manner: Manner, limit: String) async throws {
        let peer = try await Peer.openSSH(hostKeys: [.ed25519])
        // 2,000 Kbit or 256,000 bytes in a second: two seconds.
        try writeFile(noise(500_000), at: peer.directory.file("file"))
        let (here, there) = (peer.directory.file("copy"), peer.remote("copy"))
        let operands = manner.isUpload ? [peer.directory.file("file"), there] : [peer.remote("file"), here]
        let began = ContinuousClock.now
        let finished = try await peer.scp(manner.options + [limit], operands)
        let took = ContinuousClock.now - began
        #expect(finished.succeeded && finished.errors.isEmpty, "\(finished)")
        #expect(try readFile(at: peer.directory.file("copy")) == noise(500_000))
        // How far the machine is from the rate tells nothing of ours; RateLimitTests looks closer.
        #expect(took > .milliseconds(1_700), "\(took)")
    }

    @Test("-X bounds the size and the number of requests", arguments: [true, false])
    func requests(isUpload: Bool) async throws {
        let peer = try await Peer.openSSH(hostKeys: [.ed25519])
        try writeFile(noise(100_000), at: peer.directory.file("file"))
        let operands =
            isUpload
            ? [peer.directory.file("file"), peer.remote("copy")] : [peer.remote("file"), peer.directory.file("copy")]
        let finished = try await peer.scp(["-vvv", "-Xbuffer=10k", "-X", "nrequests=1"], operands)
        #expect(finished.succeeded, "\(finished)")
        #expect(try readFile(at: peer.directory.file("copy")) == noise(100_000))
        let lines = finished.errorText.split(separator: "\n")
        let kind = isUpload ? "SSH_FXP_WRITE" : "SSH_FXP_READ"
        let requests = lines.indices.filter { lines[$0].contains("sftp request") && lines[$0].contains(kind) }
        #expect(requests.count >= 10, "\(finished)")
        if isUpload {
            #expect(requests.allSatisfy { lines[$0].hasSuffix(", 10240 bytes of data") || $0 == requests.last })
        }
        // Between two requests comes an answer.
        for (one, next) in zip(requests, requests.dropFirst()) {
            #expect(lines[one..<next].contains { $0.contains("sftp answer") })
        }
    }

    @Test("Values of -l and -X that make no sense are refused")
    func values() async throws {
        let wrong = [
            "-l0", "-l1x", "-l", "-l999999999", "-Xbuffer=0", "-Xbuffer=300k", "-Xbuffer=x", "-Xbuffer=",
            "-Xnrequests=0",
            "-Xnrequests=1x", "-Xnrequests=999999999", "-Xfoo=1", "-Xbuffer",
        ]
        for option in wrong {
            let finished = try await run(scpBinary(), [option, "/etc/hosts", "nosuchhost.invalid:x"])
            // OpenSSH's scp counts -l among what shows how it is called, and -X among what concerns the connection.
            let status: CInt = option.hasPrefix("-l") ? 1 : 255
            #expect(
                finished.status == .exited(status) && !finished.errorText.contains("resolve"), "\(option): \(finished)")
        }
    }
}
