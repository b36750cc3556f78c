import Files
import SCP
import SSHWire

/// Expands the words of a command line over the files that are served, as a shell does: braces, then wildcards.
struct WordExpansion {
    /// The most paths a command line may stand for.
    static let limit = 10_000
    /// The most names that are looked at for a command line.
    static let mostLooks = 1_000_000
    /// So many bytes take the time of a name more.
    private static let lookSize = 64

    private let places: ServedPlaces
    private let stream: any ByteStream
    private var looks = 0
    private var turn = Turn()

    /// - Parameter stream: who waits for the paths; without anybody there they are not looked for any further.
    init(places: ServedPlaces, stream: any ByteStream) {
        self.places = places
        self.stream = stream
    }

    /// The paths a word stands for, sorted where wildcards found them. A pattern that matches nothing stands for itself.
    ///
    /// - Throws: ``RemoteCommandError`` if it asks for too much, `CancellationError` or what ended the stream.
    mutating func paths(of word: CommandWord) async throws -> [[UInt8]] {
        let alternatives: [[UInt8]]
        do throws(BraceExpansion.Failure) {
            alternatives = try BraceExpansion.expand(word.pattern, limit: Self.limit)
        } catch {
            throw error == .tooMany ? RemoteCommandError.tooManyPaths(limit: Self.limit) : .tooManyBraces
        }
        var result: [[UInt8]] = []
        for alternative in alternatives {
            try await look(alternative.count)
            let matches = CommandWord.hasWildcard(alternative) ? try await glob(alternative, word.isAtHome) : []
            if matches.isEmpty {
                result.append(start(word.isAtHome) + CommandWord.unescaped(alternative))
            } else {
                result += matches
            }
            try checkCount(result)
        }
        return result
    }

    private func checkCount(_ paths: [[UInt8]]) throws(RemoteCommandError) {
        guard paths.count <= Self.limit else { throw .tooManyPaths(limit: Self.limit) }
    }

    /// Counts a look at a name with so many bytes of a path or a pattern, and lets other sessions have their turn.
    private mutating func look(_ bytes: Int) async throws {
        looks += 1 + bytes / Self.lookSize
        guard looks <= Self.mostLooks else { throw RemoteCommandError.tooMuchToExpand(limit: Self.mostLooks) }
        if try await turn.pass() { try stream.checkOpen() }
    }

    private func start(_ isAtHome: Bool) -> [UInt8] { isAtHome ? places.home.bytes : [] }

    private mutating func glob(_ pattern: [UInt8], _ isAtHome: Bool) async throws -> [[UInt8]] {
        let parts = pattern.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).map(Array.init)
        var found = [start(isAtHome)]
        for (index, part) in parts.enumerated() {
            let pattern = CommandWord.hasWildcard(part) ? GlobPattern(part) : nil
            var next: [[UInt8]] = []
            for path in found {
                try await look(path.count)
                let base = index == 0 ? path : path + [UInt8(ascii: "/")]
                if let pattern {
                    next += try await names(matching: pattern, part, in: base).map { base + $0 }
                } else {
                    next.append(base + CommandWord.unescaped(part))
                }
                try checkCount(next)
            }
            found = next
        }
        var existing: [[UInt8]] = []
        for path in found {
            try await look(path.count)
            if (try? places.files.status(of: places.absolute(path), followingLinks: false)) != nil {
                existing.append(path)
            }
        }
        return existing
    }

    private mutating func names(
        matching pattern: GlobPattern, _ part: [UInt8], in base: [UInt8]
    ) async throws -> [[UInt8]] {
        let showsHidden = CommandWord.unescaped(Array(part.prefix(2))).first == UInt8(ascii: ".")
        var names: [[UInt8]] = []
        let path = base.isEmpty ? Array(".".utf8) : base
        guard let directory = try? places.files.openDirectory(places.absolute(path)) else { return [] }
        while let entry = try? directory.next() {
            try await look(part.count)
            let name = entry.name
            if name.first == UInt8(ascii: "."), !showsHidden || name.count == 1 || name == Array("..".utf8) { continue }
            if pattern.matches(name) { names.append(name) }
            try checkCount(names)
        }
        return names.sorted { $0.lexicographicallyPrecedes($1) }
    }
}
