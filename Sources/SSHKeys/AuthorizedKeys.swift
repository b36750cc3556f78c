/// The keys that a user is let in with (sshd(8), AUTHORIZED_KEYS FILE FORMAT).
///
/// A line that is not understood lets nobody in: it is skipped, and told of in ``faults``.
public struct AuthorizedKeys: Sendable {
    /// A line with a key.
    public struct Entry: Hashable, Sendable {
        /// Counted from 1.
        public let line: Int
        public let options: AuthorizedKeyOptions
        /// The user's key, or with `cert-authority` the key of who signs users' certificates.
        public let key: PublicKey
        public let comment: String
    }

    /// A line that was skipped.
    public struct Fault: Equatable, Sendable {
        /// Counted from 1.
        public let line: Int
        public let reason: Reason
    }

    /// Why a line was skipped.
    public enum Reason: Equatable, Sendable {
        /// No key stands behind the options.
        case noKey
        case key(KeyError)
        case unknownOption(String)
        /// What stands behind the option's `=` is not in quotation marks, or not to their end.
        case unquotedValue(option: String)
        case missingValue(option: String)
        case unexpectedValue(option: String)
        case badValue(option: String, value: String)
        /// It may stand on a line but once.
        case repeated(option: String)
        /// `principals=` on a line without `cert-authority`.
        case principalsWithoutAuthority
        /// Something other than `,` or a blank stands behind an option.
        case strayCharacter(behind: String)
    }

    public let entries: [Entry]
    public let faults: [Fault]

    /// Reads a file's content.
    public init(_ content: [UInt8]) {
        var (entries, faults): ([Entry], [Fault]) = ([], [])
        for (index, line) in content.split(separator: 0x0a, omittingEmptySubsequences: false).enumerated() {
            let text = ByteOrderMark.skipped(in: line).drop { isBlank($0) }
            guard let first = text.first, first != UInt8(ascii: "#") else { continue }
            do throws(AuthorizedKeyFault) {
                entries.append(try Self.entry(text, line: index + 1))
            } catch {
                faults.append(Fault(line: index + 1, reason: error.reason))
            }
        }
        self.entries = entries
        self.faults = faults
    }

    private static func entry(_ text: ArraySlice<UInt8>, line: Int) throws(AuthorizedKeyFault) -> Entry {
        var rest = text
        var options = AuthorizedKeyOptions()
        // A line without options begins with the key; no option is called as a type of key is.
        if !isKeyType(rest.prefix { !isBlank($0) }) { options = try AuthorizedKeyOptions(reading: &rest) }
        let type = word(&rest)
        let base64 = word(&rest)
        guard !type.isEmpty, !base64.isEmpty else { throw AuthorizedKeyFault(.noKey) }
        let key: PublicKey
        do throws(KeyError) {
            key = try PublicKey(typeName: type, base64: base64)
        } catch {
            throw AuthorizedKeyFault(.key(error))
        }
        rest = rest.drop { isBlank($0) }
        while let last = rest.last, isBlank(last) { rest.removeLast() }
        return Entry(line: line, options: options, key: key, comment: String(decoding: rest, as: UTF8.self))
    }

    /// Also types that are not supported, so that the fault is told as theirs.
    private static func isKeyType(_ word: ArraySlice<UInt8>) -> Bool {
        ["ssh-", "ecdsa-", "sk-"].contains { word.starts(with: $0.utf8) }
    }

    private static func word(_ text: inout ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        text = text.drop { isBlank($0) }
        let word = text.prefix { !isBlank($0) }
        text = text[word.endIndex...]
        return word
    }
}

/// Carries a reason through typed throws.
struct AuthorizedKeyFault: Error {
    let reason: AuthorizedKeys.Reason
    init(_ reason: AuthorizedKeys.Reason) { self.reason = reason }
}

extension AuthorizedKeys.Fault: CustomStringConvertible {
    public var description: String { "line \(line): \(reason)" }
}
