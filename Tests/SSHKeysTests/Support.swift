import TestSupport
import Testing

@testable import SSHKeys

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
