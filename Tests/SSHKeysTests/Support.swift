import TestSupport
import Testing

@testable import SSHKeys

extension TemporaryDirectory {
    @discardableResult
    func write(_ text: String, to name: String) throws -> String {
        try writeFile(file(name), text: text)
        return file(name)
    }

    func bytes(_ name: String) throws -> [UInt8] { try readFile(file(name)) }
    func read(_ name: String) throws -> String { try readText(file(name)) }
}

/// The standard output of an installed tool, which must succeed.
@discardableResult
func succeed(_ name: String, _ arguments: [String], input: String = "") async throws -> String {
    try await run(name, arguments, input: Array(input.utf8)).success().outputText
}

/// The key types that can sign, with the arguments `ssh-keygen` makes them with.
let signingTypes: [(type: KeyType, arguments: [String])] = [
    (.ed25519, ["-t", "ed25519"]),
    (.ecdsaP256, ["-t", "ecdsa", "-b", "256"]),
    (.ecdsaP384, ["-t", "ecdsa", "-b", "384"]),
    (.ecdsaP521, ["-t", "ecdsa", "-b", "521"]),
    (.rsa, ["-t", "rsa", "-b", "2048"]),
]
