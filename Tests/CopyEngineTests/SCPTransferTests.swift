import CopyEngine
import Files
import NIOCore
import Platform
import SCP
import SSHWire
import TestSupport
import Testing

@Suite("An SCP upload into an SCP download")
struct SCPTransferTests {
    @Test("copies a tree with its modes and times", arguments: [false, true])
    func tree(cutsRandomly: Bool) async throws {
        try await withTemporaryDirectory { base in
            try makeTree(sampleTree(), at: base / "source")
            let result = try await copyThroughSCP(
                [base / "source"], to: base / "target", cutsRandomly: cutsRandomly)
            #expect(result.sent.errors == 0)
            #expect(result.sent == result.received)
            let (a, b) = (try readTree(at: base / "source"), try readTree(at: base / "target"))
            #expect(differences(a, b, attributes: true) == [])
        }
    }

    @Test("without -p leaves modes to the mask and times to the clock")
    func withoutPreserve() async throws {
        try await withTemporaryDirectory { base in
            try makeTree(.named(["a": .file([1], mode: 0o6777), "r": .file([2], mode: 0o444)]), at: base / "source")
            _ = try await copyThroughSCP([base / "source"], to: base / "target", preserve: false)
            let mask = umask(0)
            umask(mask)
            guard case .directory(let entries, _, _) = try readTree(at: base / "target"),
                case .file(_, let mode, let modified)? = entries[Array("a".utf8)],
                case .file(_, let readOnly, _)? = entries[Array("r".utf8)]
            else {
                Issue.record("no tree")
                return
            }
            #expect(mode == 0o777 & ~UInt16(mask))
            #expect(readOnly == 0o444 & ~UInt16(mask))
            #expect(modified > 1_700_000_000)
        }
    }

    @Test("overwrites in place, shortens, and puts entries into a directory that exists")
    func targets() async throws {
        try await withTemporaryDirectory { base in
            try makeTree(.file([1, 2, 3]), at: base / "a")
            try makeTree(.file([UInt8](repeating: 9, count: 300_000)), at: base / "b")
            try makeTree(.named([:]), at: base / "d")
            _ = try await copyThroughSCP([base / "a"], to: base / "b", recursive: false)
            #expect(try readFile(at: base / "b") == [1, 2, 3])
            _ = try await copyThroughSCP([base / "a", base / "b"], to: base / "d", targetMustBeDirectory: true)
            #expect(listDirectory(base / "d").count == 2)
            await #expect(throws: SCPError.self) {
                try await copyThroughSCP([base / "a"], to: base / "b", targetMustBeDirectory: true)
            }
        }
    }

    @Test("overwrites old bytes with zeros, and leaves holes where nothing was")
    func zeros() async throws {
        try await withTemporaryDirectory { base in
            let zeros = [UInt8](repeating: 0, count: 1 << 20)
            try makeTree(.file(zeros + [1]), at: base / "a")
            try makeTree(.file(noise(1 << 20)), at: base / "b")
            _ = try await copyThroughSCP([base / "a"], to: base / "b")
            #expect(try readFile(at: base / "b") == zeros + [1])
            _ = try await copyThroughSCP([base / "a"], to: base / "c")
            #expect(try readFile(at: base / "c") == zeros + [1])
            var status = stat()
            _ = (base / "c").withCString { stat($0, &status) }
            #expect(status.st_blocks * 512 < 1 << 18)
        }
    }

    @Test("reports what cannot be sent and goes on")
    func unreadable() async throws {
        try await withTemporaryDirectory { base in
            try makeTree(.named(["good": .file([1])]), at: base / "source")
            _ = (base / "source" / "fifo").withCString { mkfifo($0, 0o600) }
            _ = (base / "source" / "dangling").withCString { symlink("nowhere", $0) }
            _ = (base / "source" / "cycle").withCString { symlink(".", $0) }
            let sender = Recorder()
            let result = try await copyThroughSCP(
                [base / "missing", base / "source", BytePath("/dev/null")], to: base / "target", sender: sender)
            #expect(result.sent.errors == 5)
            #expect(result.sent.files == 1)
            #expect(result.received.files == 1)
            let endings = [
                "missing: No such file or directory", "fifo: not a regular file", "dangling: No such file or directory",
                "cycle: Too many levels of symbolic links", "/dev/null: not a regular file",
            ]
            for ending in endings { #expect(sender.warnings.contains { $0.hasSuffix(ending) }, "\(ending)") }
        }
    }

    @Test("makes no file of a target that ends in a slash")
    func trailingSlash() async throws {
        try await withTemporaryDirectory { base in
            try makeTree(.file([1]), at: base / "a")
            let recorder = Recorder()
            _ = try await copyThroughSCP([base / "a"], to: BytePath((base / "b/").bytes), recorder: recorder)
            #expect(recorder.warnings.first?.hasSuffix("/b/: Is a directory") == true)
            #expect(listDirectory(base).count == 1)
        }
    }

    @Test("tells the sink that a file shrank, and neither end calls it done")
    func shrinking() async throws {
        try await withTemporaryDirectory { base in
            try makeTree(.named(["a": .file(noise(4 << 20)), "b": .file([1])]), at: base / "source")
            let recorder = Recorder()
            let sender = Shrinking(path: base / "source" / "a")
            let (near, far) = MemoryStream.pair()
            async let sent = SCPUpload(stream: near, options: .init(recursive: true), observer: sender)
                .run([base / "source"])
            let received = try await SCPDownload(stream: far, options: .init(recursive: true), observer: recorder)
                .run(into: base / "target")
            #expect(received.files == 1)
            #expect(received.errors == 1)
            #expect(recorder.finished["a"] == false)
            #expect(recorder.finished["b"] == true)
            #expect(recorder.warnings.first?.contains("file shrank while it was copied") == true)
            #expect(try await sent.errors == 1)
        }
    }

    @Test("names the file and its bytes when the connection ends inside it")
    func cutConnection() async throws {
        try await withTemporaryDirectory { base in
            try makeTree(.file(noise(1 << 20)), at: base / "a")
            let recorder = Recorder()
            let record = "C0644 1048576 a\n".utf8.count
            await #expect(throws: SCPError.self) {
                try await copyThroughSCP([base / "a"], to: base / "b", preserve: false, budget: record + 1_000)
            }
            let (near, far) = MemoryStream.pair()
            try await near.write(ByteBuffer(string: "C0644 1000 a\nabc"))
            try await near.finishWriting()
            await #expect(throws: SCPError.endedInFile(name: Array("a".utf8), received: 3, size: 1_000)) {
                try await SCPDownload(stream: far, observer: recorder).run(into: base / "b")
            }
            #expect(recorder.finished["b"] == false)
        }
    }

    @Test("reports a full disk, reads on, and takes the next file")
    func fullDisk() async throws {
        try await withTemporaryDirectory { base in
            try makeTree(.file(noise(1 << 20)), at: base / "a")
            let (recorder, sender) = (Recorder(), Recorder())
            let result = try await copyThroughSCP(
                [base / "a"], to: "/dev/full", recursive: false, preserve: false, recorder: recorder, sender: sender)
            #expect(result.received.files == 0)
            #expect(result.sent.files == 0)
            #expect(recorder.warnings == ["/dev/full: No space left on device"])
            #expect(sender.warnings == ["/dev/full: No space left on device"])
            #expect(sender.finished["a"] == false)
        }
    }

    @Test("goes on with the next file on a file system too small for one", .enabled(if: geteuid() == 0))
    func smallFileSystem() async throws {
        try await withTemporaryDirectory { base in
            try makeTree(.named([:]), at: base / "small")
            let mounted = String(decoding: (base / "small").bytes, as: UTF8.self)
            let mount = try ChildProcess("/bin/mount", ["-t", "tmpfs", "-o", "size=256k", "none", mounted])
            guard mount.wait() == .exited(0) else { return }
            defer { _ = try? ChildProcess("/bin/umount", [mounted]).wait() }
            try makeTree(.file(noise(2 << 20)), at: base / "large")
            try makeTree(.file([5]), at: base / "little")
            // Its page is its own before the disk is full.
            try makeTree(.file([4, 4]), at: base / "small" / "little")
            let recorder = Recorder()
            let result = try await copyThroughSCP(
                [base / "large", base / "little"], to: base / "small", recorder: recorder)
            #expect(recorder.finished == ["large": false, "little": true])
            #expect(result.received.errors == 1)
            #expect(try readFile(at: base / "small" / "little") == [5])
        }
    }

    @Test("follows links that were there, and refuses one planted during the transfer")
    func plantedLink() async throws {
        try await withTemporaryDirectory { base in
            try makeTree(.named([:]), at: base / "target")
            try makeTree(.file([0]), at: base / "outside")
            try makeTree(.named([:]), at: base / "elsewhere")
            _ = (base / "target" / "old").withCString { symlink("../outside", $0) }
            // The file system's clock may be a tick behind the system's.
            usleep(50_000)
            let recorder = Recorder()
            let (near, far) = MemoryStream.pair()
            async let received = SCPDownload(stream: far, options: .init(recursive: true), observer: recorder)
                .run(into: base / "target")
            try await near.write(ByteBuffer(string: "C0644 1 old\nx\0"))
            var answers = 0
            while answers < 3, let bytes = try await near.read() { answers += bytes.readableBytes }
            #expect(try readFile(at: base / "outside") == Array("x".utf8))
            usleep(50_000)
            _ = (base / "target" / "new").withCString { symlink("../outside", $0) }
            _ = (base / "target" / "dir").withCString { symlink("../elsewhere", $0) }
            try await near.write(ByteBuffer(string: "C0644 1 new\n"))
            #expect(try await near.read().map { String(buffer: $0) }?.contains("symbolic link appeared") == true)
            try await near.write(ByteBuffer(string: "D0755 0 dir\n"))
            #expect(try await near.read().map { String(buffer: $0) }?.contains("symbolic link appeared") == true)
            try await near.finishWriting()
            #expect(try await received.errors == 2)
            #expect(try readFile(at: base / "outside") == Array("x".utf8))
            #expect(listDirectory(base / "elsewhere") == [])
        }
    }

    @Test(
        "waits for each answer where the sink takes what it reads at a time for one record", arguments: [false, true])
    func oneRecordAtATime(preserve: Bool) async throws {
        try await withTemporaryDirectory { base in
            let files = Tree.named(["c": .file([2, 3]), "d": .file([])])
            try makeTree(.named(["a": .file([1]), "b": files, "e": .file([4])]), at: base / "source")
            let (near, far) = MemoryStream.pair()
            var host = StreamHost()
            host.traits.readsOneRecordAtATime = true
            host.exec = { _ in near }
            var request = CopyRequest(from: .local([base / "source"]), to: .scp(host, "target", .scp))
            (request.recursive, request.preserve) = (true, preserve)
            async let sent = Copy(request).run()
            try await far.write(ByteBuffer(bytes: [0]))
            var kinds: [String: Int] = [:]
            while let bytes = try await far.read() {
                let isLine = bytes.readableBytesView.last == 10
                #expect(bytes.readableBytesView.count { $0 == (isLine ? 10 : 0) } == 1, "\(bytes)")
                kinds[isLine ? String(String(buffer: bytes).prefix(1)) : "data", default: 0] += 1
                try await far.write(ByteBuffer(bytes: [0]))
            }
            try await far.finishWriting()
            #expect(kinds == ["C": 4, "D": 2, "E": 2, "data": 4].merging(preserve ? ["T": 6] : [:]) { $1 })
            #expect(try await sent.files == 4)
        }
    }

    @Test("goes deeper than the directories it keeps open, and back")
    func deepTree() async throws {
        try await withTemporaryDirectory { base in
            var tree = Tree.named(["leaf": .file([1])])
            for level in 0..<120 { tree = .named(["d": tree, "after": .file([UInt8(level)]), "z": .named([:])]) }
            try makeTree(tree, at: base / "source")
            let result = try await copyThroughSCP([base / "source"], to: base / "target")
            #expect(result.received.errors == 0)
            let (a, b) = (try readTree(at: base / "source"), try readTree(at: base / "target"))
            #expect(differences(a, b, attributes: true) == [])
        }
    }

    @Test("writes nothing outside the target, whatever a source sends")
    func hostileNames() async throws {
        for script in ["C0644 1 ../x\nx\0", "D0755 0 ..\nC0644 1 x\nx\0E\n", "C0644 1 /tmp/x\nx\0", "C0644 1 .\nx\0"] {
            try await withTemporaryDirectory { base in
                try makeTree(.named([:]), at: base / "target")
                let (near, far) = MemoryStream.pair()
                try await near.write(ByteBuffer(string: script))
                await #expect(throws: SCPError.self) {
                    try await SCPDownload(stream: far, options: .init(recursive: true)).run(into: base / "target")
                }
                #expect(listDirectory(base) == [Array("target".utf8)])
                #expect(listDirectory(base / "target") == [])
            }
        }
    }
}

/// Cuts a file short as soon as it is being sent.
private struct Shrinking: CopyObserver {
    let path: BytePath
    func receive(_ event: CopyEvent) {
        if case .started(let file) = event, file.path == path { _ = path.withCString { truncate($0, 1_000) } }
    }
}
