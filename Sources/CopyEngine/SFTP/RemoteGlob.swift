import Files
import NIOCore
import SCP
import SFTP
import SSHWire

/// A path on a server that was named by the user, or that a pattern stands for.
struct RemoteMatch {
    var path: BytePath
    /// What it is called at the target: never chosen by the server beyond what was asked for.
    var name: [UInt8]
    var attributes: SFTPAttributes
    /// A listing holds it: if it is not there, that is a link that leads nowhere.
    var isListed = false
}

/// Paths on a server with the wildcards of a shell in their components, expanded with the server's listings: SFTP has no shell at
/// the other end. What is listed tells what most matches are, so that they cost no round trip each.
struct RemoteGlob {
    /// Bytes of names that a pattern's matches may hold.
    private static let limit = 64 << 20

    let lane: SFTPLane
    let scheduler: Scheduler

    /// What the sources stand for. Those that stand for nothing are told of.
    func find(_ sources: [BytePath]) async throws -> [RemoteMatch] {
        var found: [RemoteMatch] = []
        var plain: [(path: BytePath, name: [UInt8])] = []
        for source in sources {
            do {
                let (path, name) = try await expand(source)
                guard Self.isPattern(path.bytes) else {
                    plain.append((path, name))
                    continue
                }
                found += try await look(at: plain) + matches(path)
                plain = []
            } catch let error as CopyError {
                scheduler.problem(error)
            }
        }
        return try await found + look(at: plain)
    }

    /// What a source means to the server. Only the directory that `~user` stands for is the server's to tell, and not what
    /// follows it, nor what the source is called at the target.
    private func expand(_ source: BytePath) async throws -> (BytePath, [UInt8]) {
        if let plain = source.withoutTilde { return (plain, plain.lastComponent) }
        let user = BytePath(Array(source.bytes.prefix { $0 != UInt8(ascii: "/") }))
        let rest = Array(source.bytes.dropFirst(user.bytes.count).drop { $0 == UInt8(ascii: "/") })
        let home: BytePath
        do {
            home = try await lane.expand(user, .source)
        } catch var error as CopyError {
            // Told of as it was typed.
            error.path = source
            throw error
        }
        if rest.isEmpty { return (home, Array(user.bytes.dropFirst())) }
        let path = (Self.isPattern(rest) ? BytePath(Self.escaped(home.bytes)) : home).appending(rest)
        return (path, path.lastComponent)
    }

    /// What is at these paths. Those where nothing is are told of.
    ///
    /// - Parameter mayBeMissing: says of each, by its index, whether nothing needs to be there.
    func look(
        at paths: [(path: BytePath, name: [UInt8])], mayBeMissing: (Int) -> Bool = { _ in false }
    ) async throws -> [RemoteMatch] {
        if paths.isEmpty { return [] }
        let replies = try await lane.ask(paths.map { .stat(path: $0.path.buffer) })
        var matches: [RemoteMatch] = []
        for (index, reply) in replies.enumerated() {
            let (path, name) = paths[index]
            switch reply {
            case .attributes(let attributes):
                matches.append(RemoteMatch(path: path, name: name, attributes: attributes))
            case .status(let status) where status.code == .permissionDenied && !scheduler.request.recursive:
                // An account may be let read what it may not look at.
                matches.append(RemoteMatch(path: path, name: name, attributes: SFTPAttributes()))
            case .status(let status) where status.code == .noSuchFile && mayBeMissing(index): break
            case .status(let status): scheduler.problem(CopyError(path, .source, .status(status)))
            default: scheduler.problem(CopyError(path, .source, .status(SFTPStatus(.badMessage))))
            }
        }
        return matches
    }

    // MARK: Patterns

    /// Whether the path has wildcards or escapes of them.
    static func isPattern(_ path: [UInt8]) -> Bool { path.contains { Array("*?[\\".utf8).contains($0) } }

    /// What matches, in the order of the names; a pattern that nothing matches may be the name of a file itself.
    private func matches(_ pattern: BytePath) async throws -> [RemoteMatch] {
        let slash = UInt8(ascii: "/")
        let components = pattern.bytes.split(separator: slash).map(Array.init)
        var found = [RemoteMatch(path: pattern.bytes.first == slash ? "/" : "", name: [], attributes: SFTPAttributes())]
        var isComplete = true
        for (index, component) in components.enumerated() {
            if Self.hasWildcard(component) {
                let isLast = index == components.count - 1
                // Behind this one come more: only directories and what may lead to one.
                let bases = index == 0 ? found : found.filter { $0.attributes.kind != .regular }
                guard let next = try await expand(component, in: bases, isLast: isLast) else {
                    isComplete = false
                    found = []
                    break
                }
                found = next
            } else {
                let name = Self.unescaped(component)
                found = found.map {
                    RemoteMatch(path: $0.path.appending(name), name: name, attributes: SFTPAttributes())
                }
            }
        }
        let matches = try await resolve(found)
        return try await matches + literal(pattern, matches, found.isEmpty && isComplete)
    }

    /// A file whose name is the pattern itself is copied if nothing else matches, and told of if it is left out.
    private func literal(_ pattern: BytePath, _ matches: [RemoteMatch], _ nothingMatches: Bool) async throws
        -> [RemoteMatch]
    {
        if matches.contains(where: { $0.path == pattern }) { return [] }
        if matches.isEmpty, !nothingMatches { return [] }
        let reply = try await lane.ask(.stat(path: pattern.buffer))
        guard matches.isEmpty else {
            if case .attributes = reply { scheduler.problem(CopyError(pattern, .source, .namedLikePattern)) }
            return []
        }
        if case .attributes(let attributes) = reply {
            return [RemoteMatch(path: pattern, name: pattern.lastComponent, attributes: attributes)]
        }
        scheduler.problem(CopyError(pattern, .source, .status(SFTPStatus(.noSuchFile))))
        return []
    }

    /// Follows links among the matches, and looks at what no listing told of; all at once.
    private func resolve(_ found: [RemoteMatch]) async throws -> [RemoteMatch] {
        func isUnknown(_ match: RemoteMatch) -> Bool {
            match.attributes.kind == nil || match.attributes.kind == .symbolicLink
        }
        let asked = found.filter(isUnknown)
        let unknown = try await look(
            at: asked.map { ($0.path, $0.name) }, mayBeMissing: { !asked[$0].isListed })
        let known = Dictionary(unknown.map { ($0.path, $0) }, uniquingKeysWith: { first, _ in first })
        return found.compactMap { isUnknown($0) ? known[$0.path] : $0 }
    }

    /// - Returns: nil if a directory could not be listed, which is told.
    private func expand(_ component: [UInt8], in bases: [RemoteMatch], isLast: Bool) async throws -> [RemoteMatch]? {
        var matches: [RemoteMatch] = []
        var isComplete = true
        for base in bases {
            switch try await list(component, in: base.path) {
            case .success(let names): matches += names
            case .failure(let error):
                // What only looked like a directory has no entries.
                if base.attributes.kind == .directory || bases.count == 1 { scheduler.problem(error) }
                isComplete = false
            }
        }
        return matches.isEmpty && !isComplete ? nil : matches
    }

    /// The entries of a directory that match.
    private func list(_ component: [UInt8], in base: BytePath) async throws -> Result<[RemoteMatch], CopyError> {
        let pattern = GlobPattern(component)
        let takesHidden = component.first == UInt8(ascii: ".")
        let directory: BytePath = base.bytes.isEmpty ? "." : base
        let handle: ByteBuffer
        switch try await lane.ask(.opendir(path: directory.buffer)) {
        case .handle(let opened): handle = opened
        case .status(let status): return .failure(CopyError(directory, .source, .status(status)))
        default: return .failure(CopyError(directory, .source, .status(SFTPStatus(.badMessage))))
        }
        var matches: [RemoteMatch] = []
        var bytes = 0
        var problem: CopyError.Cause?
        while problem == nil {
            let reply = try await lane.ask(.readdir(handle: handle))
            guard case .names(let entries) = reply, !entries.isEmpty else {
                if case .status(let status) = reply, status.code != .endOfFile { problem = .listingEnded(status) }
                break
            }
            for entry in entries {
                let name = Array(entry.name.readableBytesView)
                guard takesHidden || name.first != UInt8(ascii: "."), BytePath.isEntryName(name), pattern.matches(name)
                else { continue }
                bytes += name.count + base.bytes.count + 200
                matches.append(
                    RemoteMatch(
                        path: base.appending(name), name: name, attributes: entry.attributes, isListed: true))
            }
            if bytes > Self.limit { problem = .listingTooLarge(limit: Self.limit) }
        }
        if let problem { scheduler.problem(CopyError(directory, .source, problem)) }
        _ = try await lane.ask(.close(handle: handle))
        return .success(matches.sorted { $0.name.lexicographicallyPrecedes($1.name) })
    }

    private static func hasWildcard(_ component: [UInt8]) -> Bool {
        var isEscaped = false
        for byte in component {
            if isEscaped {
                isEscaped = false
            } else if byte == UInt8(ascii: "\\") {
                isEscaped = true
            } else if Array("*?[".utf8).contains(byte) {
                return true
            }
        }
        return false
    }

    private static func unescaped(_ component: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        var isEscaped = false
        for byte in component {
            if byte == UInt8(ascii: "\\"), !isEscaped {
                isEscaped = true
            } else {
                result.append(byte)
                isEscaped = false
            }
        }
        return isEscaped ? result + [UInt8(ascii: "\\")] : result
    }

    /// A path in which no byte is a wildcard.
    private static func escaped(_ path: [UInt8]) -> [UInt8] {
        path.flatMap { Array("*?[\\".utf8).contains($0) ? [UInt8(ascii: "\\"), $0] : [$0] }
    }
}
