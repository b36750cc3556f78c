import Platform

extension Peer {
    /// Starts the installed `sshd`. It works as root and as any other user.
    ///
    /// - Parameters:
    ///   - configuration: lines of `sshd_config` that come before those made here; the first line on a subject counts.
    ///   - accounts: nil, or accounts that only this server knows, each with a password; needs `SyntheticAccounts.reason`
    ///     to be nil.
    package static func openSSH(
        _ address: Loopback = .ipv4, hostKeys: [TestKeyType] = TestKeyType.allCases, configuration: [String] = [],
        accounts: SyntheticAccounts? = nil
    ) async throws -> Peer {
        let sshd = try requireProgram("sshd")
        let keys = try await TestKeys.ofThisRun()
        let directory = try TemporaryDirectory("scp-test-sshd")
        // Compiled into Debian's sshd, which refuses to start without it; made at boot where there is a boot.
        if getuid() == 0 { mkdir("/run/sshd", 0o755) }
        let configurationPath = directory.file("sshd_config")
        let wrapper = try accounts?.wrapper(in: directory) ?? []
        return try await start(address: address, keys: keys, hostKeys: hostKeys, directory: directory) { port in
            let lines = configuration + sshdConfiguration(address, port: port, keys, hostKeys, configuration)
            try writeFile(configurationPath, text: lines.joined(separator: "\n") + "\n")
            let command = wrapper + [sshd, "-D", "-e", "-f", configurationPath]
            return ServerCommand(
                program: command[0], arguments: Array(command.dropFirst()), readyMark: "Server listening on")
        }
    }
}

private func sshdConfiguration(
    _ address: Loopback, port: Int, _ keys: TestKeys, _ hostKeys: [TestKeyType], _ given: [String]
) -> [String] {
    var lines = hostKeys.map { "HostKey \(keys.hostKey($0))" }
    lines += [
        "ListenAddress \(address.bracketed):\(port)",
        "PidFile none",
        "StrictModes no",
        "AuthorizedKeysFile \(keys.authorizedKeys)",
        "PasswordAuthentication no",
        "KbdInteractiveAuthentication no",
        "PermitRootLogin yes",
        "UseDNS no",
        "MaxStartups 200",
        "LoginGraceTime 0",
        "LogLevel VERBOSE",
        // Makes a remote bash pass its start-up files by, which may be slow and talk.
        "SetEnv SHLVL=1",
        // Without PAM, sshd refuses an account whose password is locked; as another user than root it cannot use PAM.
        "UsePAM \(getuid() == 0 && rootIsLocked() ? "yes" : "no")",
    ]
    if !given.contains(where: { $0.lowercased().hasPrefix("subsystem") }) {
        lines.append("Subsystem sftp internal-sftp")
    }
    return lines
}

private func rootIsLocked() -> Bool {
    guard let shadow = try? readText("/etc/shadow") else { return false }
    return shadow.split(separator: "\n").contains { $0.hasPrefix("root:!") }
}
