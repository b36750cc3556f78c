import FileServer
import Files
import NIOCore
import SSHServer
import Synchronization
import TestSupport
import Testing

/// Files in memory on a disk that turns over one bit of what is written, or of what is read for the first time.
private struct CorruptingFileSystem: FileSystem {
    let base: MemoryFileSystem
    /// Where in each file, in bytes.
    let place: Int64
    let corruptsWrites: Bool
    let reads = FirstRead()

    func open(_ path: [UInt8], _ options: ServedOpenOptions) throws(ServedError) -> any ServedFile {
        CorruptingFile(
            try base.open(path, options), place: place, corruptsWrites: corruptsWrites, reads: reads)
    }
    func openDirectory(_ path: [UInt8]) throws(ServedError) -> any ServedDirectory { try base.openDirectory(path) }
    func status(of path: [UInt8], followingLinks: Bool) throws(ServedError) -> ServedStatus {
        try base.status(of: path, followingLinks: followingLinks)
    }
    func change(_ path: [UInt8], _ changes: ServedChanges, followingLinks: Bool) throws(ServedError) {
        try base.change(path, changes, followingLinks: followingLinks)
    }
    func makeDirectory(_ path: [UInt8], mode: UInt16) throws(ServedError) { try base.makeDirectory(path, mode: mode) }
    func removeDirectory(_ path: [UInt8]) throws(ServedError) { try base.removeDirectory(path) }
    func remove(_ path: [UInt8]) throws(ServedError) { try base.remove(path) }
    func rename(_ old: [UInt8], to new: [UInt8], replacing: Bool) throws(ServedError) {
        try base.rename(old, to: new, replacing: replacing)
    }
    func readLink(_ path: [UInt8]) throws(ServedError) -> [UInt8] { try base.readLink(path) }
    func makeSymbolicLink(_ path: [UInt8], holding target: [UInt8]) throws(ServedError) {
        try base.makeSymbolicLink(path, holding: target)
    }
    func makeHardLink(_ path: [UInt8], to existing: [UInt8]) throws(ServedError) {
        try base.makeHardLink(path, to: existing)
    }
    func realPath(_ path: [UInt8]) throws(ServedError) -> [UInt8] { try base.realPath(path) }
    func volume(of path: [UInt8]) throws(ServedError) -> ServedVolume { try base.volume(of: path) }
}

/// Happens once.
private final class FirstRead: Sendable {
    private let isOver = Mutex(false)

    func take() -> Bool {
        isOver.withLock { isOver in
            defer { isOver = true }
            return !isOver
        }
    }
}

private final class CorruptingFile: ServedFile {
    private let base: any ServedFile
    private let place: Int64
    private let corruptsWrites: Bool
    private let reads: FirstRead

    init(_ base: any ServedFile, place: Int64, corruptsWrites: Bool, reads: FirstRead) {
        (self.base, self.place, self.corruptsWrites, self.reads) = (base, place, corruptsWrites, reads)
    }

    func read(into buffer: inout ByteBuffer, count: Int, at offset: Int64) throws(ServedError) -> Int {
        let start = buffer.writerIndex
        let got = try base.read(into: &buffer, count: count, at: offset)
        guard !corruptsWrites, place >= offset, place < offset + Int64(got) else { return got }
        if reads.take() { Self.turnOver(&buffer, at: start + Int(place - offset)) }
        return got
    }

    func write(_ bytes: ByteBuffer, at offset: Int64) throws(ServedError) {
        var bytes = bytes
        if corruptsWrites, place >= offset, place < offset + Int64(bytes.readableBytes) {
            Self.turnOver(&bytes, at: bytes.readerIndex + Int(place - offset))
        }
        try base.write(bytes, at: offset)
    }

    private static func turnOver(_ buffer: inout ByteBuffer, at index: Int) {
        guard let byte = buffer.getInteger(at: index, as: UInt8.self) else { return }
        buffer.setInteger(byte ^ 1, at: index)
    }

    func status() throws(ServedError) -> ServedStatus { try base.status() }
    func change(_ changes: ServedChanges) throws(ServedError) { try base.change(changes) }
    func volume() throws(ServedError) -> ServedVolume { try base.volume() }
    func synchronize() throws(ServedError) { try base.synchronize() }
    func isSameFile(as other: any ServedFile) -> Bool {
        (other as? CorruptingFile).map { base.isSameFile(as: $0.base) } ?? false
    }
    func close() throws(ServedError) { try base.close() }
}

@Suite("A server whose disk is not to be trusted", .timeLimit(.minutes(5)))
struct CorruptingServerTests {
    /// Runs our `scp` with a password that a program tells it.
    private func scp(_ server: SSHServer, _ directory: TemporaryDirectory, _ words: [String]) async throws -> Finished {
        let asking = directory.file("askpass")
        try writeFile(asking, text: "#!/bin/sh\necho secret\n", mode: 0o700)
        let options = [
            "-F", "none", "-P", "\(server.port)", "-oStrictHostKeyChecking=no", "-oUserKnownHostsFile=/dev/null",
            "-oGlobalKnownHostsFile=none", "-oIdentityAgent=none", "-oIdentityFile=none", "-oLogLevel=QUIET",
            "-oKexAlgorithms=curve25519-sha256",
        ]
        return try await run(
            scpBinary(), options + words,
            environment: ["SSH_ASKPASS": asking, "SSH_ASKPASS_REQUIRE": "force", "DISPLAY": ":0"])
    }

    @Test("--verify finds the one bit out, and without it nobody knows", arguments: [true, false], [true, false])
    func oneBit(isUpload: Bool, verifies: Bool) async throws {
        let directory = try TemporaryDirectory()
        let contents = noise(700_000)
        let files = MemoryFileSystem()
        for name in ["good", "bad"] {
            let bytes = name == "good" ? [1, 2, 3] : contents
            try writeFile(bytes, at: directory.file(name))
            if !isUpload { try files.write(bytes, to: name) }
        }
        let server = try await SSHServer.start(
            serving: CorruptingFileSystem(base: files, place: 600_000, corruptsWrites: isUpload),
            users: ["me": .password("secret")])
        try directory.makeDirectory("here")
        let names = ["good", "bad"]
        let operands =
            isUpload
            ? names.map { directory.file($0) } + ["me@127.0.0.1:"]
            : names.map { "me@127.0.0.1:\($0)" } + [directory.file("here")]
        let finished = try await scp(server, directory, (verifies ? ["--verify"] : []) + operands)
        await server.stop()
        // Beside a word about the host key.
        let words = finished.errorText.split(separator: "\n").filter { $0.hasPrefix("scp: ") }
        #expect(words.count == (verifies ? 1 : 0), "\(finished)")
        #expect(finished.status == .exited(verifies ? 1 : 0))
        let path = isUpload ? "./bad" : directory.file("here/bad")
        if verifies {
            #expect(words.first?.hasPrefix("scp: \(path): verification failed: SHA-256 ") == true, "\(finished)")
        }
    }
}
