/// What was asked of a source, to compare the names it sends with (CVE-2019-6111).
///
/// The remote shell expands the path; here its braces are expanded and the last component of each alternative is
/// matched as a pattern, as OpenSSH's client does.
public struct SCPRequest: Sendable {
    private let patterns: [GlobPattern]
    /// What was typed is taken as it stands too: a shell leaves a pattern alone that matches no file.
    private let literals: [[UInt8]]
    private let acceptsAll: Bool

    /// The most alternatives braces may expand to.
    static let maximumAlternatives = 10_000

    /// Takes the path that the source was started with.
    ///
    /// - Parameter recursive: with `-r`, a path that a shell may rewrite into another one (`~`, variables, commands,
    ///   quotes) or that ends in `.` or `..` restricts nothing. OpenSSH checks no name at all with `-r`.
    /// - Throws: ``SCPError/invalidRequest(_:)`` for braces with more than 10,000 alternatives.
    public init(path: [UInt8], recursive: Bool) throws(SCPError) {
        let alternatives: [[UInt8]]
        do throws(BraceExpansion.Failure) {
            alternatives = try BraceExpansion.expand(path, limit: Self.maximumAlternatives)
        } catch {
            throw .invalidRequest(path)
        }
        let names = alternatives.map(Self.lastComponent)
        let rewritten = Set("~$`\"'()<>|&;".utf8)
        let anywhere: Set<[UInt8]> = [[], Array(".".utf8), Array("..".utf8)]
        acceptsAll =
            recursive && (path.contains { rewritten.contains($0) } || names.contains { anywhere.contains($0) })
        patterns = names.map(GlobPattern.init)
        literals = names
    }

    /// Whether a name at the top level was asked for.
    public func matches(_ name: SCPName) -> Bool {
        if acceptsAll || literals.contains(name.bytes) { return true }
        let isHidden = name.bytes.first == UInt8(ascii: ".")
        return zip(patterns, literals).contains { pattern, text in
            // A shell's wildcards stand for no dot at the beginning.
            (!isHidden || text.first == UInt8(ascii: "."))
                && (pattern.matches(name.bytes) || pattern.matches(name.wireForm))
        }
    }

    private static func lastComponent(_ path: [UInt8]) -> [UInt8] {
        let slash = UInt8(ascii: "/")
        var path = path[...]
        while path.last == slash { path.removeLast() }
        guard let start = path.lastIndex(of: slash) else { return Array(path) }
        return Array(path[(start + 1)...])
    }
}
