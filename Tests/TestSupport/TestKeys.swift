import Synchronization

/// A kind of key, as `ssh-keygen -t` names it.
package enum TestKeyType: String, CaseIterable, Sendable {
    case ed25519
    case ecdsa256
    case ecdsa384
    case ecdsa521
    case rsa

    fileprivate var options: [String] {
        switch self {
        case .ed25519: ["-t", "ed25519"]
        case .ecdsa256: ["-t", "ecdsa", "-b", "256"]
        case .ecdsa384: ["-t", "ecdsa", "-b", "384"]
        case .ecdsa521: ["-t", "ecdsa", "-b", "521"]
        // The smallest that OpenSSH's defaults are happy with: quick to make.
        case .rsa: ["-t", "rsa", "-b", "2048"]
        }
    }
}

/// Throw-away keys of every type, made once per run of the tests.
package struct TestKeys: Sendable {
    private let directory: TemporaryDirectory

    /// The path of a host's private key; `.pub` is beside it.
    package func hostKey(_ type: TestKeyType) -> String { directory.file("host_\(type.rawValue)") }

    /// The path of a user's private key without passphrase; `.pub` is beside it.
    package func clientKey(_ type: TestKeyType) -> String { directory.file("client_\(type.rawValue)") }

    /// The path of a user's private key that no server here accepts.
    package var strangerKey: String { directory.file("stranger") }

    /// The path of an `authorized_keys` file with the client keys of all types.
    package var authorizedKeys: String { directory.file("authorized_keys") }

    /// `known_hosts` lines with the given host keys for names separated by commas.
    package func knownHosts(_ names: String, _ types: [TestKeyType]) throws -> String {
        try types.map { type in
            let fields = try readText(hostKey(type) + ".pub").split(separator: " ")
            return "\(names) \(fields.prefix(2).joined(separator: " "))\n"
        }.joined()
    }

    private static let shared = Shared { try await TestKeys() }

    /// The keys of this run.
    package static func ofThisRun() async throws -> TestKeys { try await shared.value() }

    private init() async throws {
        let directory = try TemporaryDirectory("scp-test-keys")
        self.directory = directory
        try await withThrowingTaskGroup(of: Void.self) { group in
            func make(_ name: String, _ type: TestKeyType) {
                group.addTask {
                    try await run(
                        "ssh-keygen", ["-q", "-N", "", "-C", name, "-f", directory.file(name)] + type.options
                    ).success()
                }
            }
            for type in TestKeyType.allCases {
                make("host_\(type.rawValue)", type)
                make("client_\(type.rawValue)", type)
            }
            make("stranger", .ed25519)
            try await group.waitForAll()
        }
        let publicKeys = try TestKeyType.allCases.map { try readText(directory.file("client_\($0.rawValue).pub")) }
        try writeFile(directory.file("authorized_keys"), text: publicKeys.joined())
    }
}

/// A value that is made by the first who asks; all others wait for it.
package final class Shared<Value: Sendable>: Sendable {
    private let task = Mutex<Task<Value, any Error>?>(nil)
    private let make: @Sendable () async throws -> Value

    package init(_ make: @escaping @Sendable () async throws -> Value) { self.make = make }

    package func value() async throws -> Value {
        let task = task.withLock { task in
            if let task { return task }
            // Detached: the making must not be cancelled with the test that happened to ask first.
            let started = Task.detached { [make] in try await make() }
            task = started
            return started
        }
        return try await task.value
    }
}
