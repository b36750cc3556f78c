import Platform

/// Accounts that only one server sees: it runs in a mount namespace of its own, where files made for it lie over
/// `/etc/passwd` and `/etc/shadow`. The machine's own files are never touched.
///
/// Used for what a server reads from an account and no option can change: passwords, and the home directory in which
/// dropbear looks for `.ssh/authorized_keys`.
package struct SyntheticAccounts: Sendable {
    /// Names and passwords of accounts with the user id of the tests.
    package var passwords: [(name: String, password: String)]
    /// A home directory for the account the tests run as; nil leaves it.
    var home: String?
    /// Programs that the server shall not be able to run.
    var hidden: [String] = []

    package init(passwords: [(name: String, password: String)] = []) { self.passwords = passwords }

    /// Why there can be none here, or nil: it takes Linux and the right to make mount namespaces.
    package static let reason: String? = {
        #if os(Linux)
            guard let unshare = findProgram("unshare") else { return "unshare is not installed" }
            let probe = try? ChildProcess(
                unshare, namespace + ["/bin/sh", "-c", "mount --bind /etc/passwd /etc/passwd"])
            let status = probe?.wait()
            return status == .exited(0) ? nil : "no right to make a mount namespace"
        #else
            return "there are no mount namespaces on this system"
        #endif
    }()

    /// Whether servers can have such accounts here.
    package static var areAvailable: Bool { reason == nil }

    /// Whether servers can have such accounts here and let users in by password: that takes root.
    package static var canHavePasswords: Bool { areAvailable && getuid() == 0 }

    /// Options of `unshare`. A user namespace that keeps the own user and its capabilities does where root is missing.
    private static var namespace: [String] {
        getuid() == 0 ? ["--mount"] : ["--user", "--map-current-user", "--keep-caps", "--mount"]
    }

    /// The command, to be followed by a program and its arguments, that shows these accounts to the program.
    func wrapper(in directory: TemporaryDirectory) throws -> [String] {
        if let reason = Self.reason { throw TestSupportError("accounts of a server's own: \(reason)") }
        let own = try currentUser()
        var passwd = ""
        for line in try readText("/etc/passwd").split(separator: "\n") {
            if let home, line.hasPrefix("\(own.name):") {
                passwd += "\(own.name):x:\(own.uid):\(own.gid)::\(home):/bin/sh\n"
            } else {
                passwd += line + "\n"
            }
        }
        // Readable by root alone, and of use to root alone.
        var shadow = (try? readText("/etc/shadow")) ?? ""
        for (name, password) in passwords {
            let home = try directory.makeDirectory("home.\(name)")
            passwd += "\(name):x:\(own.uid):\(own.gid)::\(home):/bin/sh\n"
            shadow += "\(name):\(try hash(password)):19000:0:99999:7:::\n"
        }
        try writeFile(directory.file("passwd"), text: passwd, mode: 0o644)
        try writeFile(directory.file("shadow"), text: shadow, mode: 0o600)
        var script = #"mount --bind "$0/passwd" /etc/passwd"#
        if getuid() == 0 { script += #" && mount --bind "$0/shadow" /etc/shadow"# }
        for program in hidden { script += " && { [ ! -e \(program) ] || mount --bind /dev/null \(program); }" }
        script += #" && exec "$@""#
        return [try requireProgram("unshare")] + Self.namespace + ["/bin/sh", "-c", script, directory.path]
    }

    private func hash(_ password: String) throws -> String {
        let output = try TemporaryDirectory()
        let path = output.file("hash")
        let child = try ChildProcess(
            "/bin/sh", ["-c", #"openssl passwd -6 "$1" >"$2""#, "sh", password, path])
        guard child.wait() == .exited(0) else {
            throw TestSupportError("openssl passwd could not hash a password")
        }
        return try readText(path).split(separator: "\n").joined()
    }
}
