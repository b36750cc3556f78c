import Platform

extension Peer {
    /// Starts the installed `dropbear`, the SSH server of embedded systems; it has no SFTP, and runs the `scp` that the login
    /// shell finds.
    ///
    /// Dropbear 2022 reads `authorized_keys` in the home directory only, so it gets a home directory of its own by
    /// `SyntheticAccounts`, whose `reason` has to be nil.
    ///
    /// - Parameters:
    ///   - options: more of its command-line options.
    ///   - hasSFTP: whether it finds the installed `sftp-server`, which Debian's dropbear runs for the subsystem.
    package static func dropbear(
        _ address: Loopback = .ipv4, hostKeys: [TestKeyType] = [.ed25519, .ecdsa256, .rsa], options: [String] = [],
        passwords: [(name: String, password: String)] = [], hasSFTP: Bool = true
    ) async throws -> Peer {
        let dropbear = try requireProgram("dropbear")
        let keys = try await TestKeys.ofThisRun()
        let directory = try TemporaryDirectory("scp-test-dropbear")

        let home = try directory.makeDirectory("home")
        try directory.makeDirectory("home/.ssh", mode: 0o700)
        try writeFile("\(home)/.ssh/authorized_keys", readFile(keys.authorizedKeys))
        for type in hostKeys {
            // It has a key format of its own.
            try await run(
                "dropbearconvert",
                ["openssh", "dropbear", keys.hostKey(type), directory.file(type.rawValue)]
            ).success()
        }

        var accounts = SyntheticAccounts(passwords: passwords)
        accounts.home = home
        if !hasSFTP { accounts.hidden = ["/usr/lib/sftp-server", "/usr/libexec/sftp-server"] }
        let wrapper = try accounts.wrapper(in: directory)
        return try await start(address: address, keys: keys, hostKeys: hostKeys, directory: directory) { port in
            var command = wrapper + [dropbear, "-F", "-E", "-m", "-P", directory.file("pid")]
            command += ["-p", "\(address.bracketed):\(port)"]
            for type in hostKeys { command += ["-r", directory.file(type.rawValue)] }
            command += options
            return ServerCommand(
                program: command[0], arguments: Array(command.dropFirst()), readyMark: "Not backgrounding")
        }
    }

    /// Whether it can be started here.
    package static var dropbearIsAvailable: Bool {
        findProgram("dropbear") != nil && SyntheticAccounts.areAvailable
    }
}
