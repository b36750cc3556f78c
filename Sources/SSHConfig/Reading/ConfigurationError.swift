import SSHWire

/// Why a configuration cannot be used.
public enum ConfigurationError: Error, Sendable, Equatable {
    /// A setting of the command line has a name that does not exist or a value that makes no sense.
    case option(name: String, reason: String)
    /// Lines of a file are wrong; `faults` says where and why, one line each.
    case file(path: String, faults: [String])
    /// A file that was asked for cannot be read.
    case unreadable(path: String, reason: String)
    /// Others than its owner and root can write to a file.
    case permissions(path: String)
    /// Files include each other without an end.
    case recursion(path: String, line: Int)
    /// `RefuseConnection` says no.
    case refused(path: String, line: Int, reason: String)
    /// A `Match exec` command could not be run.
    case exec(path: String, line: Int, reason: String)
    /// A `%` token or a `${VARIABLE}` that stands for nothing.
    case expansion(name: String, reason: String)
    /// `CanonicalizeFallbackLocal no`, and no canonical domain has the host.
    case unresolvable(host: String)
    /// A user or host name with characters that no such name may have.
    case name(reason: String)
}

extension ConfigurationError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .option(let name, let reason): "\(Printable.excerpt(name)): \(Printable.excerpt(reason))"
        case .file(let path, let faults):
            (faults.map { Printable.excerpt($0, limit: 1024) } + [
                "\(path): terminating, \(faults.count) bad configuration options"
            ]).joined(separator: "\n")
        case .unreadable(let path, let reason): "Can't open user config file \(path): \(reason)"
        case .permissions(let path): "Bad owner or permissions on \(path)"
        case .recursion(let path, let line): "\(path) line \(line): Too many recursive configuration includes"
        case .refused(let path, let line, let reason): "\(path) line \(line): RefuseConnection: \(reason)"
        case .exec(let path, let line, let reason): "\(path) line \(line): Match exec: \(reason)"
        case .expansion(let name, let reason): "\(name): \(reason)"
        case .unresolvable(let host): "Could not resolve host \"\(host)\""
        case .name(let reason): reason
        }
    }
}
