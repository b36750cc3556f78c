import Platform

extension Peer {
    /// Starts the installed `proftpd` with its module `mod_sftp`, which speaks SFTP and the SCP protocol and runs no command.
    /// It serves the files of this machine as the current user, the only one it knows.
    package static func proFTPD(hostKeys: [TestKeyType] = [.ed25519, .ecdsa256, .rsa]) async throws -> Peer {
        let proftpd = try requireProgram("proftpd")
        let keys = try await TestKeys.ofThisRun()
        let directory = try TemporaryDirectory("scp-test-proftpd")
        let user = try currentUser()
        try writeFile(
            directory.file("passwd"), text: "\(user.name):x:\(user.uid):\(user.gid)::\(user.home):\(user.shell)\n")
        try writeFile(directory.file("group"), text: "\(user.name):x:\(user.gid):\n")
        // It reads keys in the form of RFC 4716 only.
        var authorized = ""
        for type in TestKeyType.allCases {
            authorized += try await run("ssh-keygen", ["-e", "-m", "RFC4716", "-f", keys.clientKey(type) + ".pub"])
                .success().outputText
        }
        try writeFile(directory.file("authorized"), text: authorized)
        return try await start(address: .ipv4, keys: keys, hostKeys: hostKeys, directory: directory) { port in
            let lines =
                proFTPDLines(user: user, address: .ipv4, port: port, file: directory.file)
                + hostKeys.map { "SFTPHostKey \(keys.hostKey($0))" }
            try writeFile(directory.file("proftpd.conf"), text: lines.joined(separator: "\n") + "\n")
            return ServerCommand(
                program: proftpd, arguments: ["-n", "-c", directory.file("proftpd.conf")],
                readyMark: "standalone mode STARTUP")
        }
    }
}

private func proFTPDLines(user: Account, address: Loopback, port: Int, file: (String) -> String) -> [String] {
    [
        "ModulePath \(proFTPDModules)", "LoadModule mod_sftp.c", "ServerName test", "ServerType standalone",
        // Only on that address, and only as long as it is asked from there.
        "DefaultAddress \(address)", "SocketBindTight on", "UseIPv6 off", "Port \(port)",
        "User \(user.name)", "Group \(user.name)", "PidFile \(file("pid"))", "ScoreboardFile \(file("scoreboard"))",
        "AuthUserFile \(file("passwd"))", "AuthGroupFile \(file("group"))", "AuthOrder mod_auth_file.c",
        "RequireValidShell off", "RootLogin on", "UseFtpUsers off", "DelayEngine off", "UseReverseDNS off",
        "WtmpLog off", "TransferLog none", "AllowOverwrite on", "AllowStoreRestart on", "TimeoutLogin 600",
        "SFTPEngine on", "SFTPLog \(file("sftp.log"))", "SFTPAuthMethods publickey",
        "SFTPAuthorizedUserKeys file:\(file("authorized"))",
    ]
}

private let proFTPDModules =
    ["/usr/lib/proftpd", "/usr/libexec/proftpd"].first { access("\($0)/mod_sftp.so", R_OK) == 0 } ?? "/usr/lib/proftpd"
