import SSHConfig
import SSHKeys

/// What the files say about the address (`CheckHostIP`).
struct AddressCheck {
    /// What the files call the address.
    let name: String
    let verdict: KnownHosts.Verdict
}

/// What a person is told of a host key, and asked about it.
struct HostKeyDialogue {
    let options: ClientOptions
    let interface: any UserInterface
    /// What the known hosts files call the host.
    let shown: String

    func fingerprint(_ key: PublicKey) -> String { key.fingerprint(options.fingerprintHash) }

    func picture(_ key: PublicKey) -> String { key.randomArt(options.fingerprintHash) }

    /// A warning that nobody overlooks.
    func warnOfChange(of key: PublicKey, _ entries: [KnownHosts.Entry], _ onAddress: AddressCheck?) {
        // Another kind of key for a known host is as suspect as another key of the same kind.
        let entry = entries.first { $0.key.type == key.type } ?? entries.first
        let place = entry.map { "\($0.file):\($0.line)" } ?? ""
        let frame = String(repeating: "@", count: 60)
        var text = """
            \(frame)
            @    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!      @
            \(frame)
            THE HOST KEY OF \(options.host) HAS CHANGED.
            Either somebody is between you and the server, or the server was set up anew.
            It now shows the \(key.type.shortName) key \(fingerprint(key));
            known is another one, written in \(place).
            """
        switch onAddress {
        case .some(let check):
            switch check.verdict {
            case .known(let entry):
                text += "\nFor its address \(check.name) this key is known, by \(entry.file):\(entry.line): "
                text += "the name may lead to another machine than before."
            case .unknown: text += "\nFor its address \(check.name) no key is known."
            case .changed, .revoked: break
            }
        case nil: break
        }
        if let file = entry?.file, !file.hasPrefix(KnownHostsCommand.label) {
            text += """

                If you are sure that the new key is right, remove the old one:
                  ssh-keygen -f '\(file)' -R '\(shown)'
                """
        }
        interface.tell(text, at: .error)
    }

    /// Asks whether an unknown key is taken.
    func accepts(_ key: PublicKey, address: String, sameKey: [KnownHosts.Entry]) async -> Bool {
        let most = 8
        var others = "This key is not known by any other names."
        if !sameKey.isEmpty {
            others = "This host key is known by the following other names/addresses:"
            for entry in sameKey.prefix(most) { others += "\n    \(entry.file):\(entry.line): \(entry.shownHosts)" }
            if sameKey.count > most { others += "\n    (\(sameKey.count - most) additional names omitted)" }
        }
        let art = options.visualHostKey ? picture(key) + "\n" : ""
        return await confirm(
            """
            The authenticity of host '\(shown) (\(address))' can't be established.
            \(key.type.shortName) key fingerprint is: \(fingerprint(key))
            \(art)\(others)
            Are you sure you want to continue connecting (yes/no/[fingerprint])?\u{20}
            """, fingerprint: fingerprint(key))
    }

    /// So often a person, or whatever answers for one, is asked the same.
    private static let mostQuestions = 8

    /// - Parameter fingerprint: what may be answered in place of yes.
    func confirm(_ question: String, fingerprint: String?) async -> Bool {
        var question = question
        for _ in 0..<Self.mostQuestions {
            guard let answer = await interface.ask(question) else { return false }
            switch answer.lowercased() {
            case "yes": return true
            case "no": return false
            case _ where answer == fingerprint: return true
            default:
                question =
                    fingerprint == nil ? "Please type 'yes' or 'no': " : "Please type 'yes', 'no' or the fingerprint: "
            }
        }
        return false
    }
}
