import SSHKeys
import SSHTransport

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A key of the user's that can be offered to a server.
struct Identity {
    let path: String
    let key: PrivateKey
    /// Signature algorithms the server has refused it with.
    var refusedAlgorithms: [String] = []

    /// Reads the key files that exist, in order. One that cannot be used is told about and passed over.
    ///
    /// - Parameter isNamed: the user named these files, so a missing one is worth a word.
    static func load(
        _ paths: [String], isNamed: Bool, interface: any UserInterface, log: ClientLog
    ) -> [Identity] {
        var identities: [Identity] = []
        for path in paths {
            do {
                let content = try TextFile.read(path)
                if let mode = tooOpen(content) {
                    interface.tell(
                        "\(path): permissions \(mode) are too open: others may read this private key. It is not used.")
                    continue
                }
                identities.append(Identity(path: path, key: try PrivateKey(text: content.text)))
            } catch let failure as TextFile.Failure {
                if isNamed || !failure.isMissing {
                    interface.tell("identity file \(path): \(SystemError.text(failure.number))")
                } else {
                    log.note(1, "identity file \(path) is not there")
                }
            } catch {
                interface.tell("identity file \(path): \(error)")
            }
        }
        return identities
    }

    /// The mode of a file of the user's own that others can read, in octal.
    private static func tooOpen(_ content: TextFile.Content) -> String? {
        guard content.owner == getuid(), content.mode & 0o077 != 0 else { return nil }
        return "0" + String(content.mode & 0o777, radix: 8)
    }
}
