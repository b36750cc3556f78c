import TestSupport
import Testing

/// A server of a kind, to copy to and from with our `scp`.
enum CopyHost: CaseIterable, Sendable, CustomTestStringConvertible {
    case openSSH
    case scpd

    var testDescription: String {
        switch self {
        case .openSSH: "OpenSSH's sshd"
        case .scpd: "our scpd"
        }
    }

    func start() async throws -> RunningHost {
        switch self {
        case .openSSH: RunningHost(try await Peer.openSSH(hostKeys: [.ed25519]))
        case .scpd: RunningHost(try await ScpdServer.start())
        }
    }
}

/// Such a server, its files below one directory, and ours below another.
struct RunningHost: Sendable {
    enum Place { case here, there }

    let port: Int
    let user: String
    /// Ours, and the server's.
    private let directories: (here: String, there: String)
    /// What the server calls its directory.
    private let prefix: String
    private let options: @Sendable (_ port: Int) -> [String]
    /// Lives as long as this.
    private let server: any Sendable

    init(_ peer: Peer) {
        (port, user, server) = (peer.port, peer.user, peer)
        directories = (peer.directory.path, peer.directory.file("there"))
        _ = try? peer.directory.makeDirectory("there")
        prefix = directories.there + "/"
        options = { peer.clientOptions(port: $0) }
    }

    init(_ scpd: ScpdServer) {
        (port, user, server) = (scpd.port, scpd.user, scpd)
        directories = (scpd.directory.path, scpd.root)
        prefix = ""
        // Known by its own port, whichever is connected to.
        let alias = ["-o", "HostKeyAlias=[127.0.0.1]:\(scpd.port)"]
        options = { port in alias + scpd.clientOptions.map { $0 == "Port=\(scpd.port)" ? "Port=\(port)" : $0 } }
    }

    /// The path of one of our files, or of the server's.
    func path(_ place: Place, _ name: String) -> String {
        switch place {
        case .here: "\(directories.here)/\(name)"
        case .there: "\(directories.there)/\(name)"
        }
    }

    /// The same file as an operand.
    func operand(_ place: Place, _ name: String) -> String {
        place == .here ? path(.here, name) : "\(user)@127.0.0.1:\(prefix)\(name)"
    }

    /// The command line of a copy of `source` to `target`, there or back.
    func arguments(
        up isUpload: Bool, _ source: String, _ target: String, port: Int, _ options: [String] = []
    ) -> [String] {
        options + quickExchange + self.options(port) + ["--"] + [
            operand(isUpload ? .here : .there, source), operand(isUpload ? .there : .here, target),
        ]
    }

    /// Copies `source` to `target`, there or back, over one connection: on a busy machine a server seems far, and more would be made.
    func copy(
        up isUpload: Bool, _ source: String, _ target: String, port: Int, _ options: [String] = []
    ) async throws -> Finished {
        let options = ["--connections=1"] + options
        return try await run(
            scpBinary(), arguments(up: isUpload, source, target, port: port, options), timeout: .seconds(900))
    }
}
