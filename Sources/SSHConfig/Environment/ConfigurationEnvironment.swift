/// What reading a configuration asks of the world around it.
package protocol ConfigurationEnvironment: Sendable {
    /// Who runs this program.
    var account: LocalAccount { get }
    var userID: UInt32 { get }
    /// This machine's full name.
    var hostName: String { get }

    /// A variable of the process's environment.
    func variable(_ name: String) -> String?
    /// The home directory of somebody on this machine.
    func home(of user: String) -> String?
    /// What a file holds.
    ///
    /// - Parameter isChecked: whether a file that others can write to is an error.
    /// - Throws: `ConfigurationFileFailure`.
    func read(_ path: String, isChecked: Bool) throws(ConfigurationFileFailure) -> [UInt8]
    /// The files that a pattern of glob(7) names, in order.
    func files(matching pattern: String) -> [String]
    /// Runs a command in the user's shell.
    ///
    /// - Returns: whether it ended with status 0.
    /// - Throws: `ConfigurationCommandFailure` when it could not be run, or did not end by itself.
    func succeeds(_ command: String) throws(ConfigurationCommandFailure) -> Bool
    /// The addresses of this machine's interfaces that are up, as numbers.
    func localAddresses() -> [String]
    /// The usual form of a numeric address; nil for a name.
    func numericAddress(_ host: String, family: AddressFamily) -> String?
    /// What the system's resolver says of a name.
    ///
    /// - Returns: nil where it has no address; else the canonical name, empty where none is known.
    func canonicalName(of host: String, family: AddressFamily) -> String?
}

/// Why a configuration file cannot be read.
package enum ConfigurationFileFailure: Error, Equatable {
    case missing
    /// Others than its owner and root can write to it, or it is somebody else's.
    case permissions
    case other(reason: String)
}

/// Why a `Match exec` command has no answer.
package struct ConfigurationCommandFailure: Error {
    package let reason: String

    package init(reason: String) { self.reason = reason }
}
