import Foundation
import NIOCore
import Testing

@testable import SSHKeys

/// A directory that goes when its owner does.
final class TemporaryDirectory {
    let url: URL

    init() throws {
        url = FileManager.default.temporaryDirectory.appendingPathComponent("keys-\(UUID().uuidString)")
        try FileManager.default.createDirectory(
            at: url, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    }

    deinit { try? FileManager.default.removeItem(at: url) }

    func path(_ name: String) -> String { url.appendingPathComponent(name).path }

    @discardableResult
    func write(_ text: String, to name: String) throws -> String {
        try Data(text.utf8).write(to: URL(fileURLWithPath: path(name)))
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path(name))
        return path(name)
    }

    func bytes(_ name: String) throws -> [UInt8] {
        Array(try Data(contentsOf: URL(fileURLWithPath: path(name))))
    }

    func read(_ name: String) throws -> String {
        String(decoding: try bytes(name), as: UTF8.self)
    }
}

struct ToolFailure: Error, CustomStringConvertible {
    let description: String
}

/// Where the tool is installed, or nil.
func toolPath(_ name: String) -> String? {
    ["/usr/bin/", "/usr/local/bin/", "/opt/homebrew/bin/"].map { $0 + name }
        .first { FileManager.default.isExecutableFile(atPath: $0) }
}

/// Runs an installed tool and returns its exit status and standard output.
func run(_ name: String, _ arguments: [String], input: String = "") throws -> (status: Int32, output: String) {
    guard let path = toolPath(name) else { throw ToolFailure(description: "\(name) is not installed") }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: path)
    process.arguments = arguments
    let (stdin, stdout) = (Pipe(), Pipe())
    process.standardInput = stdin
    process.standardOutput = stdout
    process.standardError = FileHandle.nullDevice
    try process.run()
    try stdin.fileHandleForWriting.write(contentsOf: Data(input.utf8))
    try stdin.fileHandleForWriting.close()
    let output = stdout.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: output, as: UTF8.self))
}

/// Runs an installed tool that must succeed.
@discardableResult
func succeed(_ name: String, _ arguments: [String], input: String = "") throws -> String {
    let (status, output) = try run(name, arguments, input: input)
    guard status == 0 else {
        throw ToolFailure(description: "\(name) \(arguments.joined(separator: " ")): status \(status)")
    }
    return output
}

/// The key types that can sign, with the arguments `ssh-keygen` makes them with.
let signingTypes: [(type: KeyType, arguments: [String])] = [
    (.ed25519, ["-t", "ed25519"]),
    (.ecdsaP256, ["-t", "ecdsa", "-b", "256"]),
    (.ecdsaP384, ["-t", "ecdsa", "-b", "384"]),
    (.ecdsaP521, ["-t", "ecdsa", "-b", "521"]),
    (.rsa, ["-t", "rsa", "-b", "2048"]),
]
