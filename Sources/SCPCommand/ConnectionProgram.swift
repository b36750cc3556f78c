import RemoteHosts
import SSHClient
import SSHWire

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
            program: connectionProgram, arguments: arguments, subsystemFlags: ["-s"], name: remote.host,
            tell: tell(connectionProgram, remote))
    }

    /// The SFTP server of `-D`, which takes the place of every host; nil where there is none. It gets a host and a
    /// command, as OpenSSH gives them.
    func localServer(for remote: Location.Remote) -> ProgramHost? {
        guard let sftpServer else { return nil }
        return ProgramHost(
            program: sftpServer, arguments: Self.portArguments(port), name: remote.host, tell: tell(sftpServer, remote))
    }

    /// What `-v` says of a program that is started.
    private func tell(_ program: String, _ remote: Location.Remote) -> @Sendable (_ command: [UInt8]) -> Void {
        guard verbosity > 0 else { return { _ in } }
        let user = remote.user ?? "(unspecified)"
        return { command in
            let words = "program \(program), host \(remote.host), user \(user), command \(Printable.text(command))"
            StandardError.write("Executing: \(words)\n")
        }
    }

    private static func portArguments(_ port: Int?) -> [String] { port.map { ["-p", String($0)] } ?? [] }

    /// What a copy has no use for.
    private static let copyingArguments = [
        "-x", "-oPermitLocalCommand=no", "-oClearAllForwardings=yes", "-oRemoteCommand=none", "-oRequestTTY=no",
        "-oControlMaster=no",
    ]
}
