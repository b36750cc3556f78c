import FileTransfer
import SCP

/// Expands the words of a command line over the files that are served, as a shell does: braces, then wildcards.
struct WordExpansion {
    /// The most paths a command line may stand for.
    static let limit = 10_000

    let places: ServedPlaces

    /// The paths a word stands for, sorted where wildcards found them. A pattern that matches nothing stands for itself.
    ///
    /// - Throws: ``RemoteCommandError/tooManyPaths(limit:)``.
    func paths(of word: CommandWord) throws(RemoteCommandError) -> [[UInt8]] {
        let alternatives: [[UInt8]]
        do throws(SCPError) {
            alternatives = try BraceExpansion.expand(word.pattern, limit: Self.limit)
        } catch {
            throw .tooManyPaths(limit: Self.limit)
        }
        var result: [[UInt8]] = []
        for alternative in alternatives {
            let matches = CommandWord.hasWildcard(alternative) ? try glob(alternative, isAtHome: word.isAtHome) : []
            if matches.isEmpty {
                result.append(start(word.isAtHome) + CommandWord.unescaped(alternative))
            } else {
                result += matches
            }
            guard result.count <= Self.limit else { throw .tooManyPaths(limit: Self.limit) }
        }
        return result
    }

    private func start(_ isAtHome: Bool) -> [UInt8] { isAtHome ? places.home.bytes : [] }

    private func glob(_ pattern: [UInt8], isAtHome: Bool) throws(RemoteCommandError) -> [[UInt8]] {
        let parts = pattern.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).map(Array.init)
        var found = [start(isAtHome)]
        for (index, part) in parts.enumerated() {
            var next: [[UInt8]] = []
            for path in found {
                let base = index == 0 ? path : path + [UInt8(ascii: "/")]
                next += try names(matching: part, in: base).map { base + $0 }
                guard next.count <= Self.limit else { throw .tooManyPaths(limit: Self.limit) }
            }
            found = next
        }
        return found.filter { (try? places.files.status(of: places.absolute($0), followingLinks: false)) != nil }
    }

    private func names(matching part: [UInt8], in base: [UInt8]) throws(RemoteCommandError) -> [[UInt8]] {
        guard CommandWord.hasWildcard(part) else { return [CommandWord.unescaped(part)] }
        let pattern = GlobPattern(part)
        let showsHidden = CommandWord.unescaped(Array(part.prefix(2))).first == UInt8(ascii: ".")
        var names: [[UInt8]] = []
        let path = base.isEmpty ? Array(".".utf8) : base
        guard !Task.isCancelled, let directory = try? places.files.openDirectory(places.absolute(path)) else {
            return []
        }
        while let entry = try? directory.next() {
            let name = entry.name
            if name.first == UInt8(ascii: "."), !showsHidden || name.count == 1 || name == Array("..".utf8) { continue }
            if pattern.matches(name) { names.append(name) }
            guard names.count <= Self.limit else { throw .tooManyPaths(limit: Self.limit) }
        }
        return names.sorted { $0.lexicographicallyPrecedes($1) }
    }
}
