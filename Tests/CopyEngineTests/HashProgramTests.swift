import NIOCore
import Platform
import TestSupport
import Testing

@testable import CopyEngine
@testable import Files

@Suite("A program that hashes files on a server")
struct HashProgramTests {
    /// The command as a server's shell runs it, with only these programs to be found.
    private func begin(
        _ shell: [String] = ["/bin/sh", "-c", HashProgram.command], in base: BytePath,
        programs: [String] = ["sha256sum"]
    ) async throws -> (HashProgram?, PipedProgram) {
        let place = base / "programs"
        if mkdir(String(decoding: place.bytes, as: UTF8.self), 0o755) == 0 {
            for program in ["sh", "head", "cat"] + programs {
                guard let found = findProgram(program) else { continue }
                symlink(found, String(decoding: (place / program).bytes, as: UTF8.self))
            }
        }
        let child = try PipedProgram(
            ["/usr/bin/env", "PATH=" + String(decoding: place.bytes, as: UTF8.self)] + shell)
        return (try await HashProgram.begin(on: child.stream), child)
    }

    private func write(_ bytes: [UInt8], at path: BytePath) throws -> FileHash {
        try makeTree(.file(bytes), at: path)
        return try LocalDirectory.openForReading(path).hash()
    }

    @Test("Whichever program is there", arguments: ["sha256sum", "shasum", "openssl"])
    func programs(program: String) async throws {
        guard findProgram(program) != nil else { return }
        try await withTemporaryDirectory { base in
            // shasum is a script.
            let (started, child) = try await begin(in: base, programs: [program, "perl"])
            let hasher = try #require(started)
            #expect(hasher.name.hasPrefix(program))
            let whole = try write(noise(300_000), at: base / "f")
            let half = try write(Array(noise(300_000).prefix(150_000)), at: base / "half")
            #expect(try await hasher.hash(of: (base / "f").bytes, first: nil) == whole)
            #expect(try await hasher.hash(of: (base / "f").bytes, first: 150_000) == half)
            await hasher.close()
            #expect(child.wait() == .exited(0))
        }
    }

    @Test("Whatever shell the user has", arguments: ["bash", "dash", "fish", "csh", "tcsh", "zsh", "ksh", "busybox"])
    func shells(shell: String) async throws {
        guard let found = findProgram(shell) else { return }
        try await withTemporaryDirectory { base in
            let words = shell == "busybox" ? [found, "sh"] : [found]
            let (started, child) = try await begin(words + ["-c", HashProgram.command], in: base)
            let hasher = try #require(started)
            let whole = try write([1, 2, 3], at: base / "f")
            #expect(try await hasher.hash(of: (base / "f").bytes, first: nil) == whole)
            await hasher.close()
            #expect(child.wait() == .exited(0))
        }
    }

    @Test("Names that shells trip over, many at a time, and files that nobody can tell of")
    func names() async throws {
        try await withTemporaryDirectory { base in
            let (started, child) = try await begin(in: base)
            let hasher = try #require(started)
            let names =
                [
                    "a b", " lead and trail ", "-n", "$HOME", "`id`", "'", "\"", "back\\slash", "*", "é", "tab\t",
                    "a;b", "~",
                ].map { Array($0.utf8) } + [[0xff, 0xfe, UInt8(ascii: "x")]]
            var expected: [FileHash] = []
            for (index, name) in names.enumerated() {
                expected.append(try write([UInt8](repeating: UInt8(index), count: index), at: base.appending(name)))
            }
            let found = try await withThrowingTaskGroup(of: (Int, FileHash?).self) { group in
                for (index, name) in names.enumerated() {
                    group.addTask { (index, try await hasher.hash(of: base.appending(name).bytes, first: nil)) }
                }
                return try await group.reduce(into: [Int: FileHash]()) { $0[$1.0] = $1.1 }
            }
            for index in names.indices { #expect(found[index] == expected[index], "\(names[index])") }
            #expect(try await hasher.hash(of: (base / "missing").bytes, first: nil) == nil)
            #expect(try await hasher.hash(of: (base / "missing").bytes, first: 5) == nil)
            _ = try write([1], at: base / "new\nline")
            #expect(try await hasher.hash(of: (base / "new\nline").bytes, first: nil) == nil)
            // It still answers what it is asked.
            #expect(try await hasher.hash(of: base.appending(names[3]).bytes, first: nil) == expected[3])
            await hasher.close()
            #expect(child.wait() == .exited(0))
        }
    }

    @Test(
        "Where something else runs, there is no program",
        arguments: [
            ["/bin/sh", "-c", "exit 1"], ["/bin/sh", "-c", "echo no shell here"],
            ["/bin/sh", "-c", "echo swift-scp-hashes-with sha256sum; while read x; do echo 00; done"],
            ["/bin/sh", "-c", "head -c 200000 /dev/zero"], ["/bin/sh", "-c", HashProgram.command],
        ])
    func somethingElse(words: [String]) async throws {
        try await withTemporaryDirectory { base in
            // It may be gone before it is asked anything.
            guard let (hasher, child) = try? await begin(words, in: base, programs: []) else { return }
            #expect(hasher == nil)
            await child.cutOff()
        }
    }

    @Test("What a shell's start-up files print is passed by")
    func chatter() async throws {
        try await withTemporaryDirectory { base in
            let (hasher, child) = try await begin(
                ["/bin/sh", "-c", "echo Welcome; echo; " + HashProgram.command], in: base)
            #expect(hasher != nil)
            await hasher?.close()
            #expect(child.wait() == .exited(0))
        }
    }

    @Test("A program that ends tells nothing more, and keeps nobody waiting")
    func ended() async throws {
        try await withTemporaryDirectory { base in
            let (started, child) = try await begin(in: base)
            let hasher = try #require(started)
            child.stream.closeOutput()
            await #expect(throws: (any Error).self) {
                while try await hasher.hash(of: (base / "f").bytes, first: nil) == nil {}
            }
            await child.cutOff()
        }
    }

    @Test("A hash is found in whatever a program prints around it")
    func printed() throws {
        let digits = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        let expected = FileHash(printed: Array(digits.utf8))
        #expect(expected?.bytes.first == 0xe3 && expected?.bytes.last == 0x55)
        for line in ["\(digits)  -", "SHA2-256(stdin)= \(digits)", "(stdin)= \(digits.uppercased())", "\(digits)\r"] {
            #expect(FileHash(printed: Array(line.utf8)) == expected, "\(line)")
        }
        for line in ["", "unreadable", String(digits.dropLast()), digits + "0"] {
            #expect(FileHash(printed: Array(line.utf8)) == nil, "\(line)")
        }
    }

    @Test("The beginning of a local file is hashed, and not more than there is")
    func local() throws {
        let directory = try TemporaryDirectory()
        let path = BytePath(directory.file("f"))
        try makeTree(.file(noise(600_000)), at: path)
        try makeTree(.file(Array(noise(600_000).prefix(300_001))), at: BytePath(directory.file("g")))
        let file = try LocalDirectory.openForReading(path)
        #expect(
            try file.hash(first: 300_001) == (try LocalDirectory.openForReading(BytePath(directory.file("g"))).hash()))
        #expect(try file.hash(first: 600_000) == (try file.hash()))
        #expect(throws: FileError.self) { try file.hash(first: 600_001) }
    }
}
