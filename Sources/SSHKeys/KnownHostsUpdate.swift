// What UpdateHostKeys (ssh_config(5)) makes of the known hosts files.

extension KnownHosts {
    /// How the keys that a server says it has differ from those known for it.
    package struct HostKeyChange: Equatable, Sendable {
        /// Keys of the server that are not known for it: the server is to prove that it has them.
        package var new: [PublicKey] = []
        /// Known keys that the server has no longer.
        package var deprecated: [PublicKey] = []
        /// Why the files are to be left alone in spite of a difference; nil where nothing is in the way.
        package var obstacle: String?

        package init() {}

        package var isEmpty: Bool { new.isEmpty && deprecated.isEmpty }
    }

    /// Compares the keys of a server with these files, which are to be the user's own.
    ///
    /// What somebody wrote by hand is left alone: lines with markers, patterns or several names, and keys that stand
    /// under other names too.
    ///
    /// - Parameter address: what the address is called in the files, where it is looked up too; else nil.
    package func change(offered: [PublicKey], name: String, address: String?) -> HostKeyChange {
        var change = HostKeyChange()
        var matched: Set<PublicKey> = []
        for entry in entries {
            let (byName, byAddress) = (entry.covers(name), address.map { entry.covers($0) } ?? false)
            guard byName || byAddress else {
                if offered.contains(entry.key) { change.obstacle = change.obstacle ?? "a key has another name too" }
                continue
            }
            if entry.marker != nil || entry.isComplex {
                change.obstacle = "a line has a marker, a pattern or several names"
                continue
            }
            if address != nil, entry.hosts.contains(","), byName != byAddress {
                change.obstacle = change.obstacle ?? "a name and an address do not go together"
                if !byName { continue }
            }
            if offered.contains(entry.key) {
                matched.insert(entry.key)
            } else if !change.deprecated.contains(entry.key) {
                change.deprecated.append(entry.key)
            }
        }
        change.new = offered.filter { !matched.contains($0) }
        let elsewhere = entries.contains { entry in
            change.deprecated.contains(entry.key) && !entry.covers(name)
                && !(address.map { entry.covers($0) } ?? false)
        }
        if elsewhere, change.obstacle == nil { change.obstacle = "a key that is gone has another name too" }
        return change
    }

    /// A file's content with the lines of a host replaced: those of the keys stay, others go, and the missing ones are
    /// added at the end. All else stays byte by byte.
    ///
    /// - Parameter keys: all that the file is to hold for the host; none where another file holds them.
    /// - Throws: `KeyError.malformed` for a name that cannot be written.
    package static func replacing(
        in content: [UInt8], name: String, address: String?, keys: [PublicKey], hashed: Bool
    ) throws(KeyError) -> [UInt8] {
        var result: [UInt8] = []
        var seen: [PublicKey: (name: Bool, address: Bool)] = [:]
        var lines = content.split(separator: 0x0a, omittingEmptySubsequences: false)
        if lines.last?.isEmpty == true { lines.removeLast() }
        for line in lines {
            let entry = try? Entry(file: "", line: 0, text: String(decoding: line, as: UTF8.self))
            if let entry, entry.marker == nil {
                let (byName, byAddress) = (entry.covers(name), address.map { entry.covers($0) } ?? false)
                if byName || byAddress {
                    guard keys.contains(entry.key) else { continue }
                    let before = seen[entry.key] ?? (false, false)
                    seen[entry.key] = (before.name || byName, before.address || byAddress)
                }
            }
            result += line
            result.append(0x0a)
        }
        for key in keys {
            let found = seen[key] ?? (false, false)
            var names = found.name ? [] : [name]
            if let address, !found.address { names.append(address) }
            guard !names.isEmpty else { continue }
            for group in hashed ? names.map({ [$0] }) : [names] {
                result += Array(try Self.line(names: group, key: key, hashed: hashed).utf8)
                result.append(0x0a)
            }
        }
        return result
    }
}

extension KnownHosts.Entry {
    /// Whether somebody wrote the hosts by hand: a pattern, or more than a name and an address.
    fileprivate var isComplex: Bool {
        hosts.utf8.contains { $0 == UInt8(ascii: "*") || $0 == UInt8(ascii: "?") }
            || hosts.utf8.count { $0 == UInt8(ascii: ",") } > 1
    }
}
