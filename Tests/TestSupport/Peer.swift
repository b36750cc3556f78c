import Platform

/// An SSH server of another project, running on a loopback address as the current user, that lets the client keys of
/// `TestKeys` in. It ends with its last reference.
package final class Peer: Sendable {
    package let address: Loopback
    package let port: Int
    /// The account to log in to with a key: the one the tests run as.
    package let user: String
    package let keys: TestKeys
    /// The types of its host keys.
    package let hostKeys: [TestKeyType]
    /// The path of a `known_hosts` file with its host keys.
    package let knownHosts: String
    /// An empty directory that lives as long as the server does.
    package let directory: TemporaryDirectory
    private let process: ChildProcess
    private let logPath: String

    /// All the server has logged.
    package var log: String { (try? readText(logPath)) ?? "" }

    /// The server's process.
    package var pid: Int32 { process.pid }

    /// `user@host` for `ssh`.
    package var sshDestination: String { "\(user)@\(address)" }

    /// `user@host` for `scp`, where an IPv6 address is in brackets.
    package var destination: String { "\(user)@\(address.bracketed)" }

    /// Options with which the installed `ssh`, `scp` and `sftp`, and ours, reach this server: nothing comes from the user's
    /// own configuration, and nothing is asked unless `asking` is set.
    ///
    /// - Parameter port: another port than the server's, as that of a relay to it.
    package func clientOptions(key: TestKeyType = .ed25519, port: Int? = nil, asking: Bool = false) -> [String] {
        [
            // The key exchanges of some peers are warned of, by releases of ssh that know of that.
            "-F", "none", "-o", "IgnoreUnknown=WarnWeakCrypto", "-o", "WarnWeakCrypto=no", "-o",
            "Port=\(port ?? self.port)", "-o", "HostKeyAlias=\(Self.alias)", "-o",
            "UserKnownHostsFile=\(knownHosts)",
            "-o", "GlobalKnownHostsFile=none", "-o", "StrictHostKeyChecking=yes", "-o", "IdentityAgent=none",
            "-o", "IdentitiesOnly=yes", "-o", "BatchMode=\(asking ? "no" : "yes")", "-i", keys.clientKey(key),
        ]
    }

    /// Ends the server and its sessions, and waits until they are gone.
    package func stop() { process.end() }

    init(
        address: Loopback, port: Int, user: String, keys: TestKeys, hostKeys: [TestKeyType],
        directory: TemporaryDirectory, process: ChildProcess, logPath: String
    ) throws {
        self.address = address
        self.port = port
        self.user = user
        self.keys = keys
        self.hostKeys = hostKeys
        self.directory = directory
        self.process = process
        self.logPath = logPath
        knownHosts = directory.file("known_hosts")
        let names = "\(Self.alias),[\(address)]:\(port)"
        try writeFile(knownHosts, text: keys.knownHosts(names, hostKeys))
    }

    /// The name by which the options here look the host keys up, whatever port they connect to.
    private static let alias = "test-peer"
}

/// The command line of a server, for a port.
struct ServerCommand {
    var program: String
    var arguments: [String]
    /// What it logs once it listens.
    var readyMark: String
}

extension Peer {
    /// Starts a server on a free port and waits until it says that it listens.
    static func start(
        address: Loopback, keys: TestKeys, hostKeys: [TestKeyType], directory: TemporaryDirectory,
        _ command: @escaping @Sendable (_ port: Int) throws -> ServerCommand
    ) async throws -> Peer {
        try await onThread {
            var log = ""
            // Another process may take the port before the server does.
            for attempt in 1...5 {
                let port = try address.freePort()
                let command = try command(port)
                let logPath = directory.file("log.\(attempt)")
                try writeFile(logPath, text: "")
                let descriptor = openUninherited { open(logPath, O_WRONLY | O_APPEND) }
                guard descriptor >= 0 else { throw SystemError("open \(logPath)") }
                defer { close(descriptor) }
                let process = try ChildProcess(
                    command.program, command.arguments, output: descriptor, errors: descriptor)
                let deadline = ContinuousClock.now + patience
                while process.poll() == nil, ContinuousClock.now < deadline {
                    log = try readText(logPath)
                    if log.contains(command.readyMark) {
                        return try Peer(
                            address: address, port: port, user: currentUser().name, keys: keys, hostKeys: hostKeys,
                            directory: directory, process: process, logPath: logPath)
                    }
                    usleep(3000)
                }
                process.end()
                log = try readText(logPath)
                guard log.lowercased().contains("in use") else { break }
            }
            throw TestSupportError("a server on \(address) did not start:\n\(log)")
        }
    }
}

/// A line of the password file.
struct Account {
    var name: String
    var uid: uid_t
    var gid: gid_t
    var home: String
    var shell: String
}

/// The account the tests run as.
func currentUser() throws -> Account {
    var entry = passwd()
    var found: UnsafeMutablePointer<passwd>?
    var buffer = [CChar](repeating: 0, count: 16384)
    guard getpwuid_r(getuid(), &entry, &buffer, buffer.count, &found) == 0, found != nil else {
        throw TestSupportError("the user \(getuid()) has no account")
    }
    return Account(
        name: String(cString: entry.pw_name), uid: entry.pw_uid, gid: entry.pw_gid,
        home: String(cString: entry.pw_dir), shell: String(cString: entry.pw_shell))
}
