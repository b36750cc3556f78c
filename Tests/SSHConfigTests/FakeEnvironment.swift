import TestSupport

@testable import SSHConfig

/// A machine that exists in a test alone.
struct FakeEnvironment: ConfigurationEnvironment {
    var account = LocalAccount(name: "me", home: "/home/me")
    var userID: UInt32 = 1000
    var hostName = "laptop.example.net"
    var variables: [String: String] = ["HOME": "/home/me", "WHERE": "there"]
    var files: [String: String] = [:]
    /// Files that others can write to.
    var open: Set<String> = []
    /// Files that cannot be read.
    var locked: Set<String> = []
    /// Commands that succeed; others end with status 1.
    var successes: Set<String> = []
    var addresses: [String] = ["127.0.0.1", "192.0.2.17", "2001:db8::5", "fe80::1%eth0"]
    /// The canonical names of hosts that have an address.
    var hosts: [String: String] = [:]
    /// The commands that were run.
    let commands = Collected()

    func variable(_ name: String) -> String? { variables[name] }

    func home(of user: String) -> String? {
        switch user {
        case "": account.home
        case "you": "/home/you/"
        default: nil
        }
    }

    func read(_ path: String, isChecked: Bool) throws(ConfigurationFileFailure) -> [UInt8] {
        if locked.contains(path) { throw .other(reason: "Permission denied") }
        guard let text = files[path] else { throw .missing }
        if isChecked, open.contains(path) { throw .permissions }
        return Array(text.utf8)
    }

    func files(matching pattern: String) -> [String] {
        (Array(files.keys) + locked).filter { Wildcard.covers($0, pattern: pattern) }.sorted()
    }

    func succeeds(_ command: String) throws(ConfigurationCommandFailure) -> Bool {
        commands.add(command)
        if command == "crash" { throw ConfigurationCommandFailure(reason: "exited abnormally") }
        return successes.contains(command)
    }

    func localAddresses() -> [String] { addresses }

    func numericAddress(_ host: String, family: AddressFamily) -> String? {
        if host == "127.1" { return "127.0.0.1" }
        return NumericAddress.bytes(host) == nil ? nil : host.lowercased()
    }

    func canonicalName(of host: String, family: AddressFamily) -> String? { hosts[host] }

    /// The options that a file of the user's leads to.
    func options(
        _ file: String, for host: String = "h", user: String? = nil, settings: [String] = [],
        request: ClientConfiguration.Request = .shell
    ) throws -> ClientOptions { try resolve(file, for: host, user: user, settings: settings, request: request).options }

    func resolve(
        _ file: String, for host: String = "h", user: String? = nil, settings: [String] = [],
        request: ClientConfiguration.Request = .shell
    ) throws -> ResolvedConfiguration {
        var environment = self
        environment.files["/home/me/.ssh/config"] = file
        var configuration = ClientConfiguration(files: .usual, environment: environment)
        for setting in settings { try configuration.set(setting) }
        return try configuration.resolve(host, user: user, request: request)
    }
}
