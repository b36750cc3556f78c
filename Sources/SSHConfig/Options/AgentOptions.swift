/// Whether keys read from files are given to the agent (`AddKeysToAgent`).
public enum AddKeysToAgent: Equatable, Sendable {
    case no
    /// Given, for so many seconds; nil for as long as the agent lives.
    case yes(lifetime: UInt32?)
    /// The user is asked first, by the program that `SSH_ASKPASS` names.
    case ask
    /// Given, and the agent is to ask its user before each use.
    case confirm(lifetime: UInt32?)

    /// Reads `yes`, `no`, `ask`, `confirm`, `confirm TIME` or `TIME`; nil for anything else.
    ///
    /// - Parameter seconds: reads a time; nil when it is none.
    init?(_ text: String, seconds: (String) -> Int?) {
        let words = text.split(whereSeparator: { $0 == " " || $0 == "\t" }).map { $0.lowercased() }
        func lifetime(_ word: String) -> UInt32? { seconds(word).flatMap { UInt32(exactly: $0) } }
        switch (words.count, words.first) {
        case (1, "no"), (1, "false"): self = .no
        case (1, "yes"), (1, "true"): self = .yes(lifetime: nil)
        case (1, "ask"): self = .ask
        case (1, "confirm"): self = .confirm(lifetime: nil)
        case (2, "confirm"):
            guard let time = lifetime(words[1]) else { return nil }
            self = .confirm(lifetime: time)
        case (1, let word?):
            guard let time = lifetime(word) else { return nil }
            self = .yes(lifetime: time > 0 ? time : nil)
        default: return nil
        }
    }
}

/// Whether programs on the server may use an agent here (`ForwardAgent`).
public enum ForwardAgent: Equatable, Sendable {
    case no
    /// The agent that logs in.
    case yes
    /// The agent that listens at this path.
    case socket(String)
}
