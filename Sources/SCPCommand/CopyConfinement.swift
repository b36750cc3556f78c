import Platform

/// What a copy takes, for ``Confinement``: known once the command line and the configuration are read, and before there is a
/// second thread.
struct CopyConfinement {
    /// Local files and directories that are read.
    var sources: [[UInt8]] = []
    /// Where local files go: a directory, or the name of a file that is made or replaced.
    var targets: [[UInt8]] = []
    /// Files of keys and certificates, and of known hosts that are only read.
    var keys: [String] = []
    /// Files of known hosts that may be added to.
    var knownHosts: [String] = []
    /// Programs that the copy runs: a ProxyCommand, `-S`, KnownHostsCommand, an askpass.
    var programs: [String] = []

    /// The rights; nil where a program is run, which would be held to them too and may need anything.
    ///
    /// - Parameter isDirectory: whether a path is one of a directory that exists.
    func rights(isDirectory: ([UInt8]) -> Bool = Self.isDirectory) -> Confinement? {
        guard programs.isEmpty else { return nil }
        var confinement = Confinement()
        confinement.usesTCP = true
        confinement.reads = Confinement.systemFiles + Self.resolver + sources
        // A file that is replaced by another of its name is read from its directory.
        confinement.reads += keys.map { Self.directory(of: Array($0.utf8)) }
        confinement.writes = targets.map { isDirectory($0) ? $0 : Self.directory(of: $0) }
        confinement.writes += knownHosts.map { Self.directory(of: Array($0.utf8)) }
        confinement.writes.append(Array("/dev/tty".utf8))
        return confinement
    }

    /// What the C library reads to find the addresses of a name.
    private static let resolver: [[UInt8]] = [
        "/etc/hosts", "/etc/resolv.conf", "/etc/host.conf", "/etc/gai.conf", "/etc/services", "/etc/protocols",
        "/run/systemd/resolve", "/run/resolvconf", "/var/run/nscd",
    ].map { Array($0.utf8) }

    private static let slash = UInt8(ascii: "/")

    /// The directory that a name is in; the working directory for a name alone.
    static func directory(of path: [UInt8]) -> [UInt8] {
        let trimmed = path.reversed().drop { $0 == slash }.reversed().map(\.self)
        guard let last = trimmed.lastIndex(of: slash) else {
            return path.first == slash ? [slash] : [UInt8(ascii: ".")]
        }
        return last == 0 ? [slash] : Array(trimmed[..<last])
    }

    static func isDirectory(_ path: [UInt8]) -> Bool {
        var status = stat()
        return stat(String(decoding: path, as: UTF8.self), &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }
}
