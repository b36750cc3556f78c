import SSHCrypto
import SSHKeys

/// What `ssh -Q` answers: the names of all algorithms of a kind, those among them that are used only when named.
package enum AlgorithmQuery {
    private struct Query: Sendable {
        let name: String
        /// Keywords of ssh_config(5) and sshd_config(5) whose lists are of this kind.
        var keywords: [String] = []
        let names: @Sendable () -> [String]
    }

    private static let table: [Query] = [
        Query(name: "cipher", keywords: ["ciphers"]) { CipherAlgorithm.all.map(\.name) },
        Query(name: "cipher-auth") { CipherAlgorithm.all.filter(\.isAEAD).map(\.name) },
        Query(name: "compression", keywords: ["compression"]) { CompressionAlgorithm.all.map(\.name) },
        Query(name: "kex", keywords: ["kexalgorithms"]) { KeyExchangeAlgorithm.all.map(\.name) },
        Query(name: "key") { KeyType.allCases.map(\.name) + certificates },
        Query(name: "key-ca-sign", keywords: ["casignaturealgorithms"]) { SignatureAlgorithm.all.map(\.name) },
        Query(name: "key-cert") { certificates },
        Query(name: "key-plain") { KeyType.allCases.map(\.name) },
        Query(
            name: "key-sig",
            keywords: [
                "hostkeyalgorithms", "pubkeyacceptedalgorithms", "pubkeyacceptedkeytypes",
                "hostbasedacceptedalgorithms",
                "hostbasedacceptedkeytypes", "hostbasedkeytypes",
            ]
        ) { HostKeyAlgorithms.all },
        Query(name: "mac", keywords: ["macs"]) { MACAlgorithm.all.map(\.name) },
        Query(name: "protocol-version") { ["2"] },
        Query(name: "sig") { SignatureAlgorithm.all.map(\.name) },
    ]

    /// What can be asked for, beside keywords.
    package static let queries = (table.map(\.name) + ["help"]).sorted()

    /// - Returns: nil for a query that nobody knows.
    package static func names(_ query: String) -> [String]? {
        if query == "help" { return queries }
        return table.first { $0.name == query || $0.keywords.contains(query.lowercased()) }?.names()
    }

    private static var certificates: [String] {
        KeyType.allCases.map { Certificate.name(certifying: $0.name) }
    }
}
