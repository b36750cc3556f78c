import TestSupport
import Testing

/// Servers by other hands that are in wide use and keep to the letter of no draft.
@Suite("Erlang's daemon, mod_sftp and rclone", .timeLimit(.minutes(hangMinutes)))
struct OtherServerTests {
    enum Server: CaseIterable, Sendable {
        case erlang
        case proFTPD
        case rclone
        case cachingRclone

        func start() async throws -> Peer {
            switch self {
            case .erlang: try await Peer.erlang()
            case .proFTPD: try await Peer.proFTPD()
            case .rclone: try await Peer.rclone()
            case .cachingRclone: try await Peer.rclone(cache: .full)
            }
        }
    }

    enum Distance: CaseIterable, Sendable {
        case near
        case far

        /// 20 ms there and back, where pipelining and striping begin.
        var link: Link { Link(delay: self == .near ? .zero : .milliseconds(10)) }
    }

    enum Load: CaseIterable, Sendable {
        case tree
        case largeFile

        var source: Tree {
            switch self {
            case .largeFile: .file(noise(24 << 20))
            case .tree:
                .named([
                    "small": treeOfSmallFiles(250), "empty": .named([:]), "a b": .file(noise(700_001)),
                    "one": .named(["two": .named(["three": .file([3]), "none": .file([])])]),
                    "\u{e9} *": .file([1]),
                ])
            }
        }
    }

    /// Copies a load there, or one that is there back.
    private func copy(
        _ load: Load, _ options: [String], _ peer: Peer, port: Int, isUpload: Bool, isWrittenLater: Bool = false
    ) async throws {
        let options = options + (load == .tree ? ["-r"] : [])
        let source = peer.directory.file("source")
        let target = peer.directory.file(isUpload ? "there" : "back")
        let operands = isUpload ? [source, peer.remote("there")] : [peer.remote("source"), target]
        let finished = try await peer.scp(options, operands, port: port)
        #expect(finished.succeeded && finished.errors.isEmpty, "\(finished)\n\(peer.log)")
        if isWrittenLater {
            try await eventually("the cache writes \(target)") {
                (try? readTree(at: target)).map { differences(load.source, $0, attributes: false).isEmpty } == true
            }
        }
        #expect(differences(load.source, try readTree(at: target), attributes: false) == [])
    }

    @Test("A tree and a large file go there by SFTP", arguments: Server.allCases, Distance.allCases)
    func uploads(server: Server, distance: Distance) async throws {
        for load in Load.allCases {
            try await withServer(server, distance, load) { peer, port in
                try await copy(
                    load, ["-s"], peer, port: port, isUpload: true, isWrittenLater: server == .cachingRclone)
            }
        }
    }

    @Test("A tree and a large file come back by SFTP", arguments: Server.allCases, Distance.allCases)
    func downloads(server: Server, distance: Distance) async throws {
        for load in Load.allCases {
            try await withServer(server, distance, load) { peer, port in
                try await copy(load, ["-s"], peer, port: port, isUpload: false)
            }
        }
    }

    @Test("A tree and a large file go to mod_sftp by its SCP protocol", arguments: Load.allCases, Distance.allCases)
    func uploadsBySCP(load: Load, distance: Distance) async throws {
        try await withServer(.proFTPD, distance, load) { peer, port in
            try await copy(load, distance == .far ? ["-O", "-p"] : ["-O"], peer, port: port, isUpload: true)
        }
    }

    @Test(
        "A tree and a large file come back from mod_sftp by its SCP protocol", arguments: Load.allCases,
        Distance.allCases)
    func downloadsBySCP(load: Load, distance: Distance) async throws {
        try await withServer(.proFTPD, distance, load) { peer, port in
            try await copy(load, ["-O"], peer, port: port, isUpload: false)
        }
    }

    /// A server that has a load, seen over a link.
    private func withServer(
        _ server: Server, _ distance: Distance, _ load: Load, _ body: (Peer, Int) async throws -> Void
    ) async throws {
        let peer = try await server.start()
        let relay = try Relay(to: peer.port, link: distance.link)
        defer { relay.stop() }
        try makeTree(load.source, at: peer.directory.file("source"))
        try await body(peer, relay.port)
    }
}
