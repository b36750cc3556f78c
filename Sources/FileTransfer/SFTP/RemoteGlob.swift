import Files
import NIOCore
import SCP
import SFTP

/// A path on a server that was named by the user, or that a pattern stands for.
struct RemoteMatch {
    var path: [UInt8]
    var attributes: SFTPAttributes
}

/// A path on a server with the wildcards of a shell in its components, expanded with the server's listings: SFTP has no
/// shell at the other end.
struct RemoteGlob {
    private let path: [UInt8]

    init(_ path: [UInt8]) { self.path = path }

    /// Whether the path has wildcards or escapes of them.
    static func isPattern(_ path: [UInt8]) -> Bool {
        path.contains { [UInt8(ascii: "*"), UInt8(ascii: "?"), UInt8(ascii: "["), UInt8(ascii: "\\")].contains($0) }
    }

    /// What matches, in the order of the names; a pattern nothing matches may be the name of a file itself.
    ///
    /// - Parameter ask: sends a request and gives its answer.
    func matches(_ ask: (SFTPRequest) async throws -> SFTPReply?) async throws -> [RemoteMatch] {
        let slash = UInt8(ascii: "/")
        var found: [[UInt8]] = [path.first == slash ? [slash] : []]
        if Self.isPattern(path) {
            for component in path.split(separator: slash) {
                var next: [[UInt8]] = []
                for base in found { next += try await expand(Array(component), in: base, ask) }
                found = next
            }
        } else {
            found = [path]
        }
        var matches: [RemoteMatch] = []
        for path in found + (found.contains(path) ? [] : [path]) {
            if path == self.path, !matches.isEmpty { continue }
            if case .attributes(let attributes)? = try await ask(.stat(path: ByteBuffer(bytes: path))) {
                matches.append(RemoteMatch(path: path, attributes: attributes))
            }
        }
        return matches
    }

    private func expand(
        _ component: [UInt8], in base: [UInt8], _ ask: (SFTPRequest) async throws -> SFTPReply?
    ) async throws -> [[UInt8]] {
        guard Self.hasWildcard(component) else {
            return [RemotePath.appending(Self.unescaped(component), to: base)]
        }
        let pattern = GlobPattern(component)
        let takesHidden = component.first == UInt8(ascii: ".")
        var names: [[UInt8]] = []
        let directory = base.isEmpty ? [UInt8(ascii: ".")] : base
        guard case .handle(let handle)? = try await ask(.opendir(path: ByteBuffer(bytes: directory))) else { return [] }
        while case .names(let entries)? = try await ask(.readdir(handle: handle)), !entries.isEmpty {
            for entry in entries {
                let name = Array(entry.name.readableBytesView)
                guard takesHidden || name.first != UInt8(ascii: "."), !name.contains(UInt8(ascii: "/")),
                    name != Array(".".utf8), name != Array("..".utf8), pattern.matches(name)
                else { continue }
                names.append(name)
            }
        }
        _ = try await ask(.close(handle: handle))
        return names.sorted { $0.lexicographicallyPrecedes($1) }.map { RemotePath.appending($0, to: base) }
    }

    private static func hasWildcard(_ component: [UInt8]) -> Bool {
        var isEscaped = false
        for byte in component {
            if isEscaped {
                isEscaped = false
            } else if byte == UInt8(ascii: "\\") {
                isEscaped = true
            } else if [UInt8(ascii: "*"), UInt8(ascii: "?"), UInt8(ascii: "[")].contains(byte) {
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
}
