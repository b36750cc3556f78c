import NIOCore
import Platform
import SSHConfig
import SSHWire

/// Asks for passwords and for new ones (RFC 4252 section 8).
struct PasswordPrompts {
    let options: ClientOptions
    let interface: any UserInterface
    private var count = 0
    /// So often a new password is asked for.
    private static let mostQuestions = 8

    init(options: ClientOptions, interface: any UserInterface) {
        self.options = options
        self.interface = interface
    }

    /// What prompts call the account.
    static func account(_ options: ClientOptions) -> String {
        Printable.text("\(options.user)@\(options.hostKeyAlias ?? options.host)".utf8)
    }

    /// The request with the next password; nil when nobody has another.
    mutating func next() async -> AuthenticationMethod? {
        guard options.passwordAuthentication, !options.batchMode, count < options.numberOfPasswordPrompts else {
            return nil
        }
        if count > 0 { interface.tell("Permission denied, please try again.", at: .error) }
        count += 1
        guard var password = await interface.askSecret("\(Self.account(options))'s password: ") else {
            giveUp()
            return nil
        }
        defer { wipe(&password) }
        return .password(ByteBuffer(bytes: password), new: nil)
    }

    /// The request that changes a password, as the server has demanded; nil when nobody gives a new one.
    mutating func change(_ demand: ByteBuffer) async -> AuthenticationMethod? {
        let text = Printable.text(demand.readableBytesView, keepingNewlines: true)
        if !text.isEmpty { interface.tell(text.withoutLineEnd) }
        let account = Self.account(options)
        guard var old = await interface.askSecret("Enter \(account)'s old password: ") else {
            giveUp()
            return nil
        }
        defer { wipe(&old) }
        for _ in 0..<Self.mostQuestions {
            guard var new = await interface.askSecret("Enter \(account)'s new password: ") else { break }
            defer { wipe(&new) }
            guard var again = await interface.askSecret("Retype \(account)'s new password: ") else { break }
            defer { wipe(&again) }
            if new == again { return .password(ByteBuffer(bytes: old), new: ByteBuffer(bytes: new)) }
            interface.tell("Mismatch; try again, EOF to quit.")
        }
        giveUp()
        return nil
    }

    private mutating func giveUp() { count = options.numberOfPasswordPrompts }
}

extension String {
    /// Without the line end that whoever shows it adds.
    var withoutLineEnd: String { hasSuffix("\n") ? String(dropLast()) : self }
}
