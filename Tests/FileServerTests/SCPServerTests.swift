import CopyEngine
import FileServer
import Files
import NIOCore
import Platform
import SCP
import SSHWire
import TestSupport
import Testing

@Suite("The SCP server")
struct SCPServerTests {
    /// Uploads local files with our client; what both ends say of it.
    private func upload(
        _ sources: [BytePath], to files: MemoryFileSystem, _ line: String, cutsRandomly: Bool = false,
        isReadOnly: Bool = false, sender: Recorder = Recorder(), observer: ServerRecorder = ServerRecorder()
    ) async throws -> (sent: CopySummary, status: UInt32) {
        let (client, server) = MemoryStream.pair(cutsRandomly: cutsRandomly)
        let (recursive, preserve) = (line.contains("-r"), line.contains("-p"))
        async let sent = SCPUpload(
            stream: client, options: .init(recursive: recursive, preserve: preserve), observer: sender
        ).run(sources)
        let status = try await files.serve(line, server, isReadOnly: isReadOnly, observer: observer)
        try await server.finishWriting()
        return (try await sent, status)
    }

    private func download(
        _ files: MemoryFileSystem, _ line: String, into target: BytePath, home: String = "/",
        cutsRandomly: Bool = false, receiver: Recorder = Recorder()
    ) async throws -> (received: CopySummary, status: UInt32) {
        let (client, server) = MemoryStream.pair(cutsRandomly: cutsRandomly)
        async let status = files.serve(line, server, home: home)
        let options = SCPDownload.Options(recursive: line.contains("-r"), preserve: line.contains("-p"))
        let received = try await SCPDownload(stream: client, options: options, observer: receiver).run(into: target)
        return (received, try await status)
    }

    @Test("brings a tree up and down with its modes, times and odd names", arguments: [false, true])
    func tree(cutsRandomly: Bool) async throws {
        try await withTemporaryDirectory { base in
            try makeTree(sampleTree(), at: base / "source")
            let files = MemoryFileSystem()
            let up = try await upload([base / "source"], to: files, "scp -r -p -t kept", cutsRandomly: cutsRandomly)
            #expect(up.sent.errors == 0)
            #expect(up.status == 0)
            let down = try await download(
                files, "scp -r -pf kept", into: base / "back", cutsRandomly: cutsRandomly)
            #expect(down.status == 0)
            #expect(down.received.files == up.sent.files)
            let (a, b) = (try readTree(at: base / "source"), try readTree(at: base / "back"))
            #expect(differences(a, b, attributes: true) == [])
        }
    }

    @Test("without -p gives new files modes under the mask, and existing ones keep theirs")
    func modes() async throws {
        try await withTemporaryDirectory { base in
            let tree = Tree.named(
                ["a": .file([1], mode: 0o6777), "r": .file([2], mode: 0o444), "old": .file([3], mode: 0o755)],
                mode: 0o500)
            try makeTree(tree, at: base / "d")
            let files = MemoryFileSystem(mask: 0o027)
            try files.write([9, 9, 9, 9], to: "d/old", mode: 0o600)
            _ = try await upload([base / "d"], to: files, "scp -r -t .")
            #expect(try files.status(of: Array("/d/a".utf8), followingLinks: true).mode == 0o750)
            #expect(try files.status(of: Array("/d/r".utf8), followingLinks: true).mode == 0o440)
            #expect(try files.status(of: Array("/d/old".utf8), followingLinks: true).mode == 0o600)
            #expect(files.contents(of: "d/old") == [3])
            #expect(try files.status(of: Array("/d/a".utf8), followingLinks: true).modified.seconds > 1_700_000_000)
            _ = try await upload([base / "d"], to: files, "scp -r -t new")
            #expect(try files.status(of: Array("/new".utf8), followingLinks: true).mode == 0o500)
        }
    }

    @Test("sends one record at a time, each after the answer to the last")
    func oneRecordAtATime() async throws {
        let files = MemoryFileSystem(["d/a": "xy", "d/b": ""])
        var changes = FileChanges()
        changes.times = (accessed: FileTime(seconds: 2), modified: FileTime(seconds: 1))
        for path in ["/d/a", "/d/b", "/d"] { try files.change(Array(path.utf8), changes, followingLinks: true) }
        let (client, server) = MemoryStream.pair()
        async let status = files.serve("scp -r -p -f d", server)
        for record in [
            "T1 0 2 0\n", "D0755 0 d\n", "T1 0 2 0\n", "C0644 2 a\n", "xy\0", "T1 0 2 0\n", "C0644 0 b\n", "\0", "E\n",
        ] {
            try await client.write(ByteBuffer(bytes: [0]))
            #expect(try await client.read().map { String(buffer: $0) } == record)
        }
        try await client.write(ByteBuffer(bytes: [0]))
        #expect(try await client.read() == nil)
        #expect(try await status == 0)
    }

    @Test("sets times that come without -p, as OpenSSH does")
    func timesWithoutPreserve() async throws {
        let files = MemoryFileSystem()
        let (client, server) = MemoryStream.pair()
        try await client.write(
            ByteBuffer(string: "T1 0 2 0\nD0755 0 d\nT3 0 4 0\nC0600 1 a\nx\0E\n"))
        try await client.finishWriting()
        #expect(try await files.serve("scp -r -t .", server) == 0)
        #expect(try files.status(of: Array("/d/a".utf8), followingLinks: true).modified.seconds == 3)
        #expect(try files.status(of: Array("/d".utf8), followingLinks: true).modified.seconds == 1)
    }

    @Test("puts a file at a path, into a directory, or refuses")
    func targets() async throws {
        try await withTemporaryDirectory { base in
            try makeTree(.file([1, 2]), at: base / "a")
            let files = MemoryFileSystem(["d/x": "x", "f": "longer than that"])
            #expect(try await upload([base / "a"], to: files, "scp -t f").status == 0)
            #expect(files.contents(of: "f") == [1, 2])
            #expect(try await upload([base / "a"], to: files, "scp -d -t d").status == 0)
            #expect(files.contents(of: "d/a") == [1, 2])
            for (line, words) in [
                ("scp -t none/b", "none/b: No such file or directory"), ("scp -t new/", "new/: Is a directory"),
                ("scp -t f/b", "f/b: Not a directory"),
            ] {
                let sender = Recorder()
                do {
                    #expect(try await upload([base / "a"], to: files, line, sender: sender).status == 1)
                    #expect(sender.warnings == [words], "\(line)")
                } catch {
                    #expect("\(error)".contains(words), "\(line)")
                }
            }
            await #expect(throws: (any Error).self) { try await upload([base / "a"], to: files, "scp -d -t f") }
            await #expect(throws: (any Error).self) { try await upload([base / "a"], to: files, "scp -t ''") }
            #expect(files.paths == ["d/", "d/a", "d/x", "f"])
        }
    }

    @Test("expands wildcards and braces, and leaves what is quoted")
    func patterns() async throws {
        try await withTemporaryDirectory { base in
            let files = MemoryFileSystem([
                "home/a.txt": "1", "home/b.txt": "2", "home/c.md": "3", "home/.hidden.txt": "4", "home/sub/d.txt": "5",
                "home/*.txt": "6", "home/e f": "7", "home/x{1,2}": "8", "top.txt": "9",
            ])
            for (words, names) in [
                ("[ab].txt", ["a.txt", "b.txt"]), ("?.md", ["c.md"]), ("'*.txt'", ["*.txt"]),
                ("\\*.txt", ["*.txt"]), ("{a,b}.txt", ["a.txt", "b.txt"]), ("{a.t*,c.md}", ["a.txt", "c.md"]),
                ("'x{1,2}'", ["x{1,2}"]), (".h*", [".hidden.txt"]), ("*/d.txt", ["d.txt"]), ("~/s*/*", ["d.txt"]),
                ("\"e f\" ~/c.md /top.txt", ["e f", "c.md", "top.txt"]), ("../*.txt", ["top.txt"]),
                ("*.txt", ["a.txt", "b.txt", "*.txt"]), ("/home/[!a*].t?t", ["b.txt"]),
            ] {
                let target = base / "\(words.utf8.map { String($0) }.joined(separator: "-"))"
                try makeTree(.named([:]), at: target)
                let result = try await download(files, "scp -f \(words)", into: target, home: "/home")
                #expect(result.status == 0, "\(words)")
                #expect(
                    Set(listDirectory(target).map { String(decoding: $0, as: UTF8.self) }) == Set(names), "\(words)")
            }
            let receiver = Recorder()
            #expect(try await download(files, "scp -f z*", into: base / "z", receiver: receiver).status == 1)
            #expect(receiver.warnings == ["z*: No such file or directory"])
            try makeTree(.file([1]), at: base / "up")
            #expect(try await upload([base / "up"], to: files, "scp -t hom?").status == 0)
            #expect(files.contents(of: "home/up") == [1])
            let (client, server) = MemoryStream.pair()
            #expect(try await files.serve("scp -t home/*.txt", server) == 1)
            #expect(try await client.read().map { String(buffer: $0) } == "\u{2}scp: ambiguous target\n")
            let (far, near) = MemoryStream.pair()
            let many = String(repeating: "{1,2}", count: 20)
            #expect(try await files.serve("scp -f \(many)", near) == 1)
            #expect(try await far.read().map { String(buffer: $0) } == "\u{2}scp: more than 10000 paths\n")
        }
    }

    @Test("sends what can be sent, and says what cannot")
    func failures() async throws {
        try await withTemporaryDirectory { base in
            let files = MemoryFileSystem(["tree/good": "1", "tree/sub/better": "2"])
            for (name, target) in [
                ("out", "../../etc/passwd"), ("absolute", "/etc/passwd"), ("dangling", "nowhere"), ("cycle", "."),
                ("up", ".."), ("loop", "loop"), ("fine", "sub"),
            ] {
                try files.makeSymbolicLink(Array("/tree/\(name)".utf8), holding: Array(target.utf8))
            }
            let receiver = Recorder()
            let result = try await download(
                files, "scp -r -f missing tree . /", into: base / "back", receiver: receiver)
            #expect(result.status == 1)
            #expect(
                Set(receiver.warnings) == [
                    "missing: No such file or directory", "tree/out: leads out of the directory that is served",
                    "tree/absolute: leads out of the directory that is served",
                    "tree/dangling: No such file or directory", "tree/cycle: Too many levels of symbolic links",
                    "tree/loop: Too many levels of symbolic links",
                    "tree/up/tree: Too many levels of symbolic links",
                    ".: a directory without a name of its own cannot be sent",
                    "/: a directory without a name of its own cannot be sent",
                ])
            #expect(try readFile(at: base / "back" / "fine" / "better") == Array("2".utf8))
            let alone = Recorder()
            #expect(try await download(files, "scp -f tree", into: base / "x", receiver: alone).status == 1)
            #expect(alone.warnings == ["tree: not a regular file"])
        }
    }

    @Test("receives nothing where nothing may be changed")
    func readOnly() async throws {
        try await withTemporaryDirectory { base in
            try makeTree(.file([1]), at: base / "a")
            let files = MemoryFileSystem(["a": "old"])
            let observer = ServerRecorder()
            await #expect(throws: (any Error).self) {
                try await upload([base / "a"], to: files, "scp -t a", isReadOnly: true, observer: observer)
            }
            #expect(files["a"] == "old")
            #expect(observer.lines == ["refused open a"])
            let (client, server) = MemoryStream.pair()
            await #expect(throws: FileError.self) { try await files.serve("scp -t a", server, isReadOnly: true) }
            #expect(try await client.read().map { String(buffer: $0) }?.contains("a: Read-only file system") == true)
        }
    }

    @Test("tells of a full disk, reads on, and takes the next file")
    func fullDisk() async throws {
        try await withTemporaryDirectory { base in
            try makeTree(.named(["1": .file([1]), "2": .file(noise(3 << 20)), "3": .file([3])]), at: base / "d")
            let files = MemoryFileSystem(capacity: 1 << 20)
            let (sender, observer) = (Recorder(), ServerRecorder())
            let result = try await upload(
                [base / "d" / "1", base / "d" / "2", base / "d" / "3"], to: files, "scp -t .", sender: sender,
                observer: observer)
            #expect(result.status == 1)
            #expect(result.sent.files == 2)
            #expect(sender.warnings == ["./2: No space left on device"])
            #expect(
                observer.lines == [
                    "open /./1 to write", "close /./1 complete", "open /./2 to write",
                    "close /./2 failed(\"./2: No space left on device\")", "open /./3 to write", "close /./3 complete",
                ])
            #expect(observer.transfers.map(\.bytesWritten) == [1, 3 << 20, 1])
            #expect(files.contents(of: "3") == [3])
        }
    }

    @Test(
        "ends a session whose client breaks the protocol, with nothing written",
        arguments: [
            "C0644 1 ../x\nx\0", "C0644 1 /etc/x\nx\0", "C0644 1 .\nx\0", "C0644 1 ..\nx\0", "C0644 1 \nx\0",
            "D0755 0 ..\nC0644 1 x\nx\0E\n", "D0755 0 a/b\n", "E\n", "C0644 -1 x\n", "C0644 9223372036854775808 x\n",
            "C644 1 x\n", "C99999 1 x\n", "T1 0 1 0\nT1 0 1 0\n", "T1 0 1 0\nE\n", "Tx\n", "hello\n", "\n",
            "C0644 1 x\nxy", "D0755 0 d\n", "C0644 5", "T-1 0 0 0\nC0644 1 x\nx\0",
        ])
    func hostileClients(script: String) async throws {
        let files = MemoryFileSystem(["keep": "kept"])
        let (client, server) = MemoryStream.pair()
        try await client.write(ByteBuffer(string: script))
        try await client.finishWriting()
        await #expect(throws: SCPError.self) { try await files.serve("scp -r -t .", server) }
        #expect(Set(files.paths).isSubset(of: ["keep", "x", "d/"]))
        #expect(files["keep"] == "kept")
    }

    @Test("takes neither an endless line nor endless directories")
    func endless() async throws {
        let files = MemoryFileSystem()
        for script in [String(repeating: "C", count: 1 << 20), String(repeating: "D0755 0 d\n", count: 2_000)] {
            let (client, server) = MemoryStream.pair()
            async let written: Void = client.write(ByteBuffer(string: script))
            await #expect(throws: SCPError.self) { try await files.serve("scp -r -t .", server) }
            try await written
        }
        #expect(files.paths.count <= 1_000)
    }

    @Test("believes no announced size, and refuses directories without -r")
    func announcements() async throws {
        let files = MemoryFileSystem(capacity: 1 << 20)
        let (client, server) = MemoryStream.pair()
        try await client.write(ByteBuffer(string: "C0644 9223372036854775807 x\nabc"))
        try await client.finishWriting()
        await #expect(throws: SCPError.endedInFile(name: [120], received: 3, size: .max)) {
            try await files.serve("scp -t .", server)
        }
        #expect(files["x"] == "abc")
        let (other, end) = MemoryStream.pair()
        try await other.write(ByteBuffer(string: "D0755 0 d\n"))
        await #expect(throws: SCPError.directoryNotRequested([100])) { try await files.serve("scp -t .", end) }
    }

    @Test("follows a link inside and none that leads out, when it writes")
    func links() async throws {
        try await withTemporaryDirectory { base in
            try makeTree(
                .named(["in": .file([1]), "out": .file([2]), "dir": .named(["x": .file([3])])]), at: base / "d")
            let files = MemoryFileSystem(["d/keep": "", "inside": "", "other/keep": ""])
            try files.makeSymbolicLink(Array("/d/in".utf8), holding: Array("../inside".utf8))
            try files.makeSymbolicLink(Array("/d/out".utf8), holding: Array("../../outside".utf8))
            try files.makeSymbolicLink(Array("/d/dir".utf8), holding: Array("../other".utf8))
            let sender = Recorder()
            let result = try await upload([base / "d"], to: files, "scp -r -t .", sender: sender)
            #expect(result.status == 1)
            #expect(files.contents(of: "inside") == [1])
            #expect(files.contents(of: "other/x") == [3])
            #expect(sender.warnings == ["./d/out: leads out of the directory that is served"])
        }
    }

    @Test("ends when its task is cancelled")
    func cancellation() async throws {
        let files = MemoryFileSystem()
        let (client, server) = MemoryStream.pair()
        let task = Task { try await files.serve("scp -t x", server) }
        #expect(try await client.read() == ByteBuffer(bytes: [0]))
        try await client.write(ByteBuffer(string: "C0644 1000000000 x\n"))
        #expect(try await client.read() == ByteBuffer(bytes: [0]))
        task.cancel()
        try await client.write(ByteBuffer(string: "abc"))
        await #expect(throws: CancellationError.self) { try await task.value }
    }

    @Test("goes deeper than the directories it keeps open, and back")
    func deepTree() async throws {
        try await withTemporaryDirectory { base in
            var tree = Tree.named(["leaf": .file([1])])
            for level in 0..<60 { tree = .named(["d": tree, "after": .file([UInt8(level)]), "z": .named([:])]) }
            try makeTree(tree, at: base / "source")
            let files = MemoryFileSystem()
            #expect(try await upload([base / "source"], to: files, "scp -r -p -t deep").status == 0)
            #expect(try await download(files, "scp -r -p -f deep", into: base / "back").status == 0)
            let (a, b) = (try readTree(at: base / "source"), try readTree(at: base / "back"))
            #expect(differences(a, b, attributes: true) == [])
        }
    }

    @Test("as the end of `scp -f` tells the client what it cannot send")
    func sourceOfLocalFiles() async throws {
        try await withTemporaryDirectory { base in
            try makeTree(.file([1]), at: base / "a")
            let (near, far) = MemoryStream.pair()
            let client = Recorder()
            let walk = LocalWalk(sources: [base / "no", base / "a"], options: .init(recursive: false))
            let receiving = Task { try await SCPDownload(stream: far, observer: client).run(into: base / "b") }
            #expect(try await !SCPServerSource.run(walk, stream: near, preserve: false))
            #expect(try await receiving.value.files == 1)
            #expect(client.warnings == ["\(base / "no"): No such file or directory"])
        }
    }

    @Test("refuses what is no directory under a path that ends in a slash")
    func finalSlash() async throws {
        try await withTemporaryDirectory { base in
            let source = base / "a"
            try writeFile("\(source)", text: "new", mode: 0o644)
            for target in ["inbox/", "file/"] {
                let files = MemoryFileSystem(["file": "old"])
                let (client, server) = MemoryStream.pair()
                async let sent = SCPUpload(stream: client, options: .init(), observer: Recorder()).run([source])
                _ = try? await files.serve("scp -t \(target)", server)
                try await server.finishWriting()
                let errors = (try? await sent)?.errors
                #expect(errors != 0, "\(target)")
                #expect(files.paths == ["file"] && files["file"] == "old")
            }
            let files = MemoryFileSystem(["file": "old"])
            let (client, server) = MemoryStream.pair()
            async let status = files.serve("scp -f file/", server)
            _ = try? await SCPDownload(stream: client, options: .init(), observer: Recorder()).run(into: base / "got")
            #expect(try await status == 1)
            #expect(access("\(base / "got")", F_OK) != 0)
        }
    }
}
