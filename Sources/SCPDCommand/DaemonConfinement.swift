import Platform
import SSHServer

/// What scpd needs once it listens: what it serves, and the files that decide who is let in. It starts no program and makes no
/// connection.
extension Preparation {
    /// Gives up all else. Nothing but this thread may be there yet.
    ///
    /// - Returns: what came of it, in words.
    func confine() -> String {
        guard options.isConfined else { return "not confined: --no-confinement" }
        var confinement = Self.confinement(serving: options)
        let files =
            policy.authorizedKeys + policy.trustedUserAuthorities + policy.revokedKeys
            + [policy.passwordFile, options.banner].compactMap(\.self) + HostKeys.files(options.hostKeys)
            + options.hostCertificates
        confinement.reads += files.flatMap(Self.directories).map { Array($0.utf8) }
        return "\(confinement.apply())"
    }

    /// What serving the files takes.
    static func confinement(serving options: DaemonOptions, root: String = ".") -> Confinement {
        var confinement = Confinement()
        confinement.reads = Confinement.systemFiles
        let root = Array((options.root ?? root).utf8)
        if options.isReadOnly { confinement.reads.append(root) } else { confinement.writes.append(root) }
        return confinement
    }

    /// The directories from which a file is read, now and when another one has taken its place: that of its path, up to a `%u`
    /// in it, and that of what it is a link to.
    static func directories(of file: String) -> [String] {
        let fixed = file.prefix { $0 != "%" }
        let named = fixed.lastIndex(of: "/").map { $0 == fixed.startIndex ? "/" : String(fixed[..<$0]) } ?? "."
        guard fixed.count == file.count, let real = SmallFile.realPath(file), let slash = real.lastIndex(of: "/") else {
            return [named]
        }
        return [named, slash == real.startIndex ? "/" : String(real[..<slash])]
    }
}
