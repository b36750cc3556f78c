import Platform
import SSHConfig

/// What a copy takes, for ``Confinement``: known once the command line and the configuration are read, and before there is a
/// second thread.
struct CopyConfinement {
    /// Whether local files are read: any of them, as links among them are followed wherever they lead.
    var readsFiles = false
    /// Where local files are written; nil for anywhere.
    var targets: [[UInt8]]? = []
    /// Files of keys and certificates, and of known hosts that are only read.
    var keys: [String] = []
    /// Files of known hosts that may be added to.
    var knownHosts: [String] = []
    /// What keeps the copy as it is: a program that it runs would be held to its rights too, and may need anything.
    var obstacle: String?

    /// The rights; nil where there is an ``obstacle``.
    func rights() -> Confinement? {
        guard obstacle == nil else { return nil }
        var confinement = Confinement()
        confinement.usesTCP = true
        confinement.reads = Confinement.systemFiles + Self.resolver
        if readsFiles { confinement.reads.append([Self.slash]) }
        // A file that is replaced by another of its name is read from its directory.
        confinement.reads += keys.flatMap { LocalPlace.directories(of: Array($0.utf8)) }
        confinement.writes = targets ?? [[Self.slash]]
        confinement.writes += knownHosts.flatMap { LocalPlace.directories(of: Array($0.utf8), toBeMade: true) }
        confinement.writes.append(Array("/dev/tty".utf8))
        return confinement
    }

    /// Gives up all else.
    ///
    /// - Returns: what came of it, in words.
    func apply() -> String { rights().map { "\($0.apply())" } ?? "not confined: \(obstacle ?? "")" }

    /// What the C library reads to find the addresses of a name.
    private static let resolver: [[UInt8]] = [
        "/etc/hosts", "/etc/resolv.conf", "/etc/host.conf", "/etc/gai.conf", "/etc/services", "/etc/protocols",
        "/run/systemd/resolve", "/run/resolvconf", "/var/run/nscd",
    ].map { Array($0.utf8) }

    private static let slash = UInt8(ascii: "/")
}

extension CopyConfinement {
    /// What a command line takes, with the options of the hosts that it names.
    init(_ options: CopyOptions, _ hosts: [ClientOptions], environment: (String) -> String?) {
        obstacle = Self.obstacle(options, hosts, environment)
        for host in hosts {
            keys += host.identities.flatMap { [$0, $0 + ".pub", $0 + "-cert.pub"] } + host.certificateFiles
            keys += host.globalKnownHostsFiles + host.revokedHostKeysFiles
            knownHosts += host.userKnownHostsFiles
        }
        readsFiles = options.sources.contains { if case .local = $0 { true } else { false } }
        guard case .local(let target) = options.target else { return }
        let names = options.sources.map { source in
            if case .remote(let remote) = source { LocalPlace.plainName(of: remote.path) } else { [UInt8]?.none }
        }
        targets = LocalPlace.written(by: names, to: target, recursive: options.recursive)
    }

    private static func obstacle(
        _ options: CopyOptions, _ hosts: [ClientOptions], _ environment: (String) -> String?
    ) -> String? {
        if options.connectionProgram != nil { return "-S runs a program" }
        if options.sftpServer != nil { return "-D runs a program" }
        for host in hosts {
            if host.proxyCommand != nil { return "ProxyCommand runs a program" }
            if host.knownHostsCommand != nil { return "KnownHostsCommand runs a program" }
            if !host.proxyJump.isEmpty { return "the configuration for a jump host is read later" }
            if !host.batchMode, environment("SSH_ASKPASS")?.isEmpty == false { return "SSH_ASKPASS may be run" }
        }
        return nil
    }
}

/// Where paths of this machine lead.
enum LocalPlace {
    private static let slash = UInt8(ascii: "/")

    /// The directories from which a file is read, now and when another one has taken its place, and where it is made: that of
    /// its path, and that of what it is a link to.
    ///
    /// - Parameter toBeMade: where the first is not there, the one in which it would be made stands for it.
    static func directories(of path: [UInt8], toBeMade: Bool = false) -> [[UInt8]] {
        var named = directory(of: path)
        while toBeMade, mode(named, followingLinks: true) == nil, named != [slash], named != [UInt8(ascii: ".")] {
            named = directory(of: named)
        }
        guard let real = realPath(path) else { return [named] }
        return directory(of: real) == named ? [named] : [named, directory(of: real)]
    }

    /// Where a copy writes; nil for anywhere, as links that are there already are followed wherever they lead.
    ///
    /// - Parameter names: what the files are called; nil for one that the server chooses.
    static func written(by names: [[UInt8]?], to target: [UInt8], recursive: Bool) -> [[UInt8]]? {
        let path = target.isEmpty ? [UInt8(ascii: ".")] : target
        guard let own = mode(path, followingLinks: false) else { return [directory(of: path)] }
        guard let real = realPath(path), let kind = mode(real, followingLinks: true) else {
            return own == S_IFLNK ? nil : [directory(of: path)]
        }
        guard kind == S_IFDIR else { return [directory(of: real)] }
        for name in names {
            guard let name else { return nil }
            switch mode(real + [slash] + name, followingLinks: false) {
            case S_IFLNK: return nil
            case S_IFDIR where recursive: return nil
            default: continue
            }
        }
        return [real]
    }

    /// The last name of a path at a server, where it is no pattern and says itself what it is.
    static func plainName(of path: [UInt8]) -> [UInt8]? {
        let name = Array(trimmed(path).split(separator: slash).last ?? [])
        let marks = Array("*?[]{}\\~".utf8)
        guard !name.isEmpty, name != [UInt8(ascii: ".")], name != Array("..".utf8),
            !name.contains(where: { marks.contains($0) || $0 == 0 })
        else { return nil }
        return name
    }

    /// The directory that a name is in; the working directory for a name alone.
    static func directory(of path: [UInt8]) -> [UInt8] {
        let trimmed = trimmed(path)
        guard let last = trimmed.lastIndex(of: slash) else {
            return path.first == slash ? [slash] : [UInt8(ascii: ".")]
        }
        return last == 0 ? [slash] : Array(trimmed[..<last])
    }

    private static func trimmed(_ path: [UInt8]) -> [UInt8] {
        Array(path[..<((path.lastIndex { $0 != slash } ?? -1) + 1)])
    }

    /// The kind of file that a path leads to; nil for none.
    private static func mode(_ path: [UInt8], followingLinks: Bool) -> mode_t? {
        (try? SystemCall.status(at: AT_FDCWD, path, followingLinks: followingLinks)).map { $0.st_mode & S_IFMT }
    }

    private static func realPath(_ path: [UInt8]) -> [UInt8]? {
        let found: [UInt8]?? = try? SystemCall.withPath(path) { path throws(SystemCall.Failure) in
            guard let resolved = realpath(path, nil) else { return nil }
            defer { free(resolved) }
            return Array(UnsafeBufferPointer(start: resolved, count: strlen(resolved))).map { UInt8(bitPattern: $0) }
        }
        return found ?? nil
    }
}
