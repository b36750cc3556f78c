import Platform
import TestSupport
import Testing

/// The two ends of copies in a mode: up to two OpenSSH servers on this machine, the sources and targets of all in one directory.
private struct FeatureEnds {
    typealias Mode = FeatureTable.Mode

    let mode: Mode
    private let place: TemporaryDirectory
    private let peers: NamedPeers
    private let servers: [Peer]

    init(_ mode: Mode) async throws {
        self.mode = mode
        place = try TemporaryDirectory()
        try place.makeDirectory("from")
        try place.makeDirectory("to")
        var servers: [(name: String, peer: Peer, lines: [String])] = []
        if mode.isFromServer { servers.append(("source", try await Self.sourceServer(mode, place), [])) }
        if mode.isToServer {
            let server = mode == .sftpToSCP ? Self.withoutSFTP : Self.second
            servers.append(("target", try await server.value(), []))
        }
        peers = try NamedPeers(servers)
        self.servers = servers.map(\.peer)
        // The first server's own scp reaches the second by the same configuration.
        if mode == .direct {
            let scp = try requireProgram("scp")
            try writeFile(
                place.file("scp"), text: "#!/bin/sh\nexec '\(scp)' -F '\(peers.file)' \"$@\"\n", mode: 0o755)
        }
    }

    // The servers of all cells.
    private static let first = Shared { try await Peer.openSSH(hostKeys: [.ed25519]) }
    private static let second = Shared { try await Peer.openSSH(hostKeys: [.ed25519]) }
    private static let withoutSFTP = Shared {
        try await Peer.openSSH(hostKeys: [.ed25519], configuration: ["Subsystem other internal-sftp"])
    }

    private static func sourceServer(_ mode: Mode, _ place: TemporaryDirectory) async throws -> Peer {
        switch mode {
        case .scpToSFTP: try await withoutSFTP.value()
        // It finds the command of the place first.
        case .direct:
            try await Peer.openSSH(
                hostKeys: [.ed25519], configuration: ["SetEnv SHLVL=1 PATH=\(place.path):/usr/bin:/bin"])
        default: try await first.value()
        }
    }

    func source(_ name: String) -> String { place.file("from/\(name)") }
    func target(_ name: String) -> String { place.file("to/\(name)") }

    /// What was said, but that a server has no SFTP.
    func lines(of finished: Finished) -> [Substring] {
        finished.errorText.split(separator: "\n").filter { !$0.hasSuffix(": falling back to the scp protocol") }
    }

    private func arguments(_ options: [String], _ source: String, _ target: String) -> [String] {
        ["-F", peers.file] + mode.options + options + [
            (mode.isFromServer ? "source:" : "") + self.source(source),
            (mode.isToServer ? "target:" : "") + self.target(target),
        ]
    }

    func copy(_ options: [String], _ source: String, to target: String) async throws -> Finished {
        try await run(scpBinary(), arguments(options, source, target), timeout: patience * 2)
    }

    /// What appears on a terminal.
    func copyOnTerminal(_ source: String, to target: String) async throws -> String {
        let terminal = try Terminal(scpBinary(), arguments([], source, target))
        #expect(try await terminal.finish() == .exited(0), "\(terminal.transcript)")
        return terminal.transcript
    }

    /// A relay in front of the first server, whose first connection breaks in the middle of a large file.
    func breakOnce() throws -> Relay {
        guard let server = servers.first else { throw TestSupportError("there is no server") }
        let relay = try Relay(to: server.port)
        relay.setFault(
            .cut(mode.isFromServer ? .toClient : .toServer, after: 1_500_000, reset: false), later: Fault.none)
        let name = mode.isFromServer ? "source" : "target"
        try writeFile(peers.file, text: "Host \(name)\n  Port \(relay.port)\n" + readText(peers.file))
        return relay
    }
}

extension FeatureTable.Mode {
    fileprivate var isFromServer: Bool {
        switch self {
        case .sftpUp, .scpUp, .local: false
        default: true
        }
    }

    fileprivate var isToServer: Bool {
        switch self {
        case .sftpDown, .scpDown, .local: false
        default: true
        }
    }

    fileprivate var options: [String] {
        switch self {
        case .sftpUp, .sftpDown, .sftpToSFTP: ["-s"]
        case .scpUp, .scpDown, .scpToSCP: ["-O"]
        // A server without SFTP falls back, which is told.
        case .sftpToSCP, .scpToSFTP, .local: []
        case .direct: ["-R"]
        }
    }
}

@Suite("What works which way", .timeLimit(.minutes(hangMinutes)))
struct FeatureTests {
    struct Cell: CustomTestStringConvertible, Sendable {
        var mode: FeatureTable.Mode
        var feature: FeatureTable.Feature

        var support: FeatureTable.Support { FeatureTable.support(mode, feature) }
        var testDescription: String { "\(mode), \(feature): \(support)" }

        static let all = FeatureTable.Mode.allCases.flatMap { mode in
            FeatureTable.Feature.allCases.map { Cell(mode: mode, feature: $0) }
        }
    }

    /// A copy that shows whether a feature works.
    private struct Trial {
        var options: [String]
        var source: String
        var target: String
        /// What is at the target in the end.
        var result: Tree
        /// What `-v` tells of it.
        var words: String?
        var hasAttributes = false
        /// What it takes at least.
        var duration = Duration.zero
    }

    private static let large = noise(3_000_000)
    private static let entries: [String: Tree] = [
        "a": .file([1]), "sub": .named(["b": .file(noise(70_000)), "none": .named([:])]),
    ]

    @Test("The page has the table")
    func page() throws {
        let place = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        #expect(try readText("/\(place)/docs/features.md").contains(FeatureTable.text), "\(FeatureTable.text)")
    }

    @Test("What the table says is so", arguments: Cell.all)
    func cell(_ cell: Cell) async throws {
        let ends = try await FeatureEnds(cell.mode)
        if cell.feature == .progress { return try await showsProgress(cell, ends) }
        let trial = try prepare(cell.feature, ends)
        if case .no = cell.support { return try await isRefused(trial, ends) }
        let relay = cell.feature == .retries && cell.support == .yes ? try ends.breakOnce() : nil
        let began = ContinuousClock.now
        try await succeeds(trial, cell, ends)
        if cell.support == .yes { #expect(ContinuousClock.now - began > trial.duration) }
        if cell.feature == .atomic { #expect(try readFile(at: ends.target("kept")) == [9]) }
        if let relay { #expect(relay.connectionCount == 2) }
        if cell.feature == .resume, case .partly = cell.support { try await passesBy(trial, ends) }
    }

    /// Makes the sources, and what is at the target before.
    private func prepare(_ feature: FeatureTable.Feature, _ ends: FeatureEnds) throws -> Trial {
        switch feature {
        case .recursive: return try trial(["-r"], of: .named(Self.entries), in: ends)
        case .exclude:
            let all = Self.entries.merging(["c.o": .file([2])]) { $1 }
            try makeTree(.named(all), at: ends.source("it"))
            return Trial(options: ["-r", "--exclude=*.o"], source: "it", target: "it", result: .named(Self.entries))
        case .preserve:
            var trial = try trial(["-p"], of: .file([1, 2], mode: 0o640, modified: 1_234_567_890), in: ends)
            trial.hasAttributes = true
            return trial
        case .limit:
            // 2,000 Kbit in a second, 250,000 bytes.
            var trial = try trial(["-l2000"], of: .file(noise(300_000)), in: ends)
            trial.duration = .milliseconds(900)
            return trial
        case .progress, .retries:
            return try trial(["--retries=1000", "--connections=1"], of: .file(Self.large), in: ends)
        case .resume:
            try writeFile(Array(Self.large.prefix(1_000_000)), at: ends.target("it"))
            let words = "1000000 of 3000000 bytes are there\n"
            return try trial(["-v", "--resume"], of: .file(Self.large), in: ends, words: words)
        case .verify: return try trial(["-v", "--verify"], of: .file([1, 2]), in: ends, words: "verified 1 file\n")
        case .connections:
            let tree = Tree.named(["a": .file(noise(2_000_000)), "b": .file(noise(2_000_000))])
            let words = "one more connection, of 2 that are wished for\n"
            // Slow enough to be asked for one: 2,500,000 bytes in a second.
            return try trial(["-v", "-r", "--connections=2", "-l20000"], of: tree, in: ends, words: words)
        case .patterns:
            for name in ["a1", "a2", "b"] { try writeFile(bytes(name), at: ends.source(name)) }
            try makeTree(.named([:]), at: ends.target("it"))
            let result = Tree.named(["a1": .file(bytes("a1")), "a2": .file(bytes("a2"))])
            return Trial(options: [], source: "a*", target: "it", result: result)
        case .noClobber:
            try makeTree(.file([1]), at: ends.source("it"))
            try makeTree(.file([9]), at: ends.target("it"))
            return Trial(options: ["--no-clobber"], source: "it", target: "it", result: .file([9]))
        case .atomic:
            try makeTree(.file([9]), at: ends.target("it"))
            // Shows whether another file has got the name.
            #expect(link(ends.target("it"), ends.target("kept")) == 0)
            return try trial(["--atomic"], of: .file([1]), in: ends)
        case .dryRun:
            try makeTree(.named(Self.entries), at: ends.source("it"))
            let before = Tree.named(["x": .file([9])])
            try makeTree(before, at: ends.target("it"))
            return Trial(options: ["-r", "--dry-run"], source: "it", target: "it", result: before)
        }
    }

    private func trial(
        _ options: [String], of tree: Tree, in ends: FeatureEnds, words: String? = nil
    ) throws -> Trial {
        try makeTree(tree, at: ends.source("it"))
        return Trial(options: options, source: "it", target: "it", result: tree, words: words)
    }

    private func succeeds(_ trial: Trial, _ cell: Cell, _ ends: FeatureEnds) async throws {
        let finished = try await ends.copy(trial.options, trial.source, to: trial.target)
        #expect(finished.succeeded, "\(finished)")
        let found = try readTree(at: ends.target(trial.target))
        #expect(differences(trial.result, found, attributes: trial.hasAttributes) == [])
        if let words = trial.words {
            switch cell.support {
            case .yes: #expect(finished.errorText.contains(words), "\(finished)")
            case .idle: #expect(!finished.errorText.contains(words), "\(finished)")
            case .partly, .no: break
            }
        } else {
            let lines = ends.lines(of: finished).filter { !$0.contains("connection lost (") }
            #expect(lines.isEmpty, "\(finished)")
        }
    }

    /// One line, the exit status 1, and nothing is copied.
    private func isRefused(_ trial: Trial, _ ends: FeatureEnds) async throws {
        let before = try readTree(at: ends.target(""))
        let finished = try await ends.copy(trial.options.filter { $0 != "-v" }, trial.source, to: trial.target)
        #expect(finished.status == .exited(1) && ends.lines(of: finished).count == 1, "\(finished)")
        #expect(differences(before, try readTree(at: ends.target("")), attributes: true) == [])
    }

    /// A file that is the same as a whole is not copied again.
    private func passesBy(_ trial: Trial, _ ends: FeatureEnds) async throws {
        let finished = try await ends.copy(trial.options, trial.source, to: trial.target)
        #expect(finished.succeeded, "\(finished)")
        #expect(finished.errorText.contains("3000000 of 3000000 bytes are there\n"), "\(finished)")
    }

    private func showsProgress(_ cell: Cell, _ ends: FeatureEnds) async throws {
        let trial = try prepare(.progress, ends)
        let shown = try await ends.copyOnTerminal(trial.source, to: trial.target)
        #expect(shown.contains("100%") == (cell.support == .yes), "\(shown)")
        #expect(try readFile(ends.target(trial.target)) == Self.large)
    }
}
