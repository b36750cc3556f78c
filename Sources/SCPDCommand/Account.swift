import Platform

/// The user who runs this process.
struct Account {
    let name: String
    let home: String

    static let current: Account = {
        let entry = getpwuid(geteuid())
        let name = entry.flatMap { $0.pointee.pw_name }.map { String(cString: $0) }
        let home = entry.flatMap { $0.pointee.pw_dir }.map { String(cString: $0) }
        return Account(
            name: name ?? environment("USER") ?? String(geteuid()), home: environment("HOME") ?? home ?? "/")
    }()

    static func environment(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
    }
}
