import Platform

/// Who runs this process.
public struct LocalAccount: Sendable {
    public let name: String
    public let home: String

    public init(name: String, home: String) {
        self.name = name
        self.home = home
    }

    /// The account of the process's real user, by the system's user database.
    public static var current: LocalAccount {
        let uid = getuid()
        var entry = passwd()
        var found: UnsafeMutablePointer<passwd>?
        var strings = [CChar](repeating: 0, count: 16 * 1024)
        let status = getpwuid_r(uid, &entry, &strings, strings.count, &found)
        guard status == 0, found != nil, let name = entry.pw_name, let home = entry.pw_dir else {
            return LocalAccount(name: String(uid), home: "/")
        }
        return LocalAccount(name: String(cString: name), home: String(cString: home))
    }

    /// A variable of this process's environment.
    public static func environment(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
}
