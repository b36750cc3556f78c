// How another program is started that makes the connection, or stands for the server.

extension CopyOptions {
    /// The host as the program of `-S` reaches it; nil where connections are our own.
    func program(for remote: Location.Remote) -> ProgramHost? {
        guard let connectionProgram else { return nil }
        var arguments = Self.copyingArguments + programArguments
        // Last, so that the user's own setting comes first.
        arguments.append("-oForwardAgent=no")
        arguments += Self.portArguments(remote.port ?? port)
        if let user = remote.user { arguments += ["-l", user] }
        return ProgramHost(
            program: connectionProgram, arguments: arguments, subsystemFlags: ["-s"], remote: remote,
            isVerbose: verbosity > 0)
    }

    /// The SFTP server of `-D`, which takes the place of every host; nil where there is none. It gets a host and a
    /// command, as OpenSSH gives them.
    func localServer(for remote: Location.Remote) -> ProgramHost? {
        guard let sftpServer else { return nil }
        return ProgramHost(
            program: sftpServer, arguments: Self.portArguments(port), remote: remote, isVerbose: verbosity > 0)
    }

    private static func portArguments(_ port: Int?) -> [String] { port.map { ["-p", String($0)] } ?? [] }

    /// What a copy has no use for.
    private static let copyingArguments = [
        "-x", "-oPermitLocalCommand=no", "-oClearAllForwardings=yes", "-oRemoteCommand=none", "-oRequestTTY=no",
        "-oControlMaster=no",
    ]
}
