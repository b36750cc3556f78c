/// An option of a command, all of it in one row: what the parser takes, what it sets, what the usage line, the help, the
/// manual and the completions say of it, and what it is for the programs that the command starts.
package struct CommandOption<Settings>: Sendable {
    /// What it is called: letters as in `-r`, words as in `--resume`. The first is the one it is shown by.
    package let names: [OptionName]
    /// What follows it; nil for an option that stands alone.
    package let value: OptionValue?
    /// What it does, in a few words, for `--help`. Lines are broken where it is shown.
    package let help: String
    /// What the manual says of it, as mdoc(7); nil where `help` is enough.
    package let manual: String?
    /// Words that other programs use for the same, to suggest it by.
    package let synonyms: [String]
    /// Whether it is for the other end of a copy, and not for people.
    package let isHidden: Bool
    /// What a connection program (`scp -S`) is given of it.
    package let onward: Onward
    /// Whether an scp that is started on another machine is given it.
    package let isForRemote: Bool
    /// Sets what the option says.
    package let apply: @Sendable (inout Settings, String) throws(OptionFault) -> Void

    /// What becomes of an option where another program makes the connection.
    package enum Onward: Sendable, Equatable {
        case nothing
        /// The same letter, with its value.
        case same
        case instead([String])
    }

    package init(
        _ names: OptionName..., value: OptionValue? = nil, help: String, manual: String? = nil,
        synonyms: [String] = [], isHidden: Bool = false, onward: Onward = .nothing, isForRemote: Bool = false,
        apply: @escaping @Sendable (inout Settings, String) throws(OptionFault) -> Void
    ) {
        self.init(
            names, value: value, help: help, manual: manual, synonyms: synonyms, isHidden: isHidden, onward: onward,
            isForRemote: isForRemote, apply: apply)
    }

    package init(
        _ names: [OptionName], value: OptionValue? = nil, help: String, manual: String? = nil,
        synonyms: [String] = [], isHidden: Bool = false, onward: Onward = .nothing, isForRemote: Bool = false,
        apply: @escaping @Sendable (inout Settings, String) throws(OptionFault) -> Void
    ) {
        self.names = names
        self.value = value
        self.help = help
        self.manual = manual
        self.synonyms = synonyms
        self.isHidden = isHidden
        self.onward = onward
        self.isForRemote = isForRemote
        self.apply = apply
    }

    /// The letters it has.
    package var letters: [Character] {
        names.compactMap { if case .letter(let letter) = $0 { letter } else { nil } }
    }

    /// The words it has, without their dashes.
    package var words: [String] {
        names.compactMap { if case .word(let word) = $0 { word } else { nil } }
    }

    /// What a program that takes options of ssh(1) is given in its place.
    package func onwardArguments(_ value: String) -> [String] {
        switch onward {
        case .nothing: []
        case .same: letters.first.map { self.value == nil ? ["-\($0)"] : ["-\($0)", value] } ?? []
        case .instead(let arguments): arguments
        }
    }
}

/// What an option is called.
package enum OptionName: Sendable, Equatable, CustomStringConvertible, ExpressibleByStringLiteral {
    case letter(Character)
    case word(String)

    /// A letter, or a word of several.
    package init(stringLiteral text: String) {
        if let letter = text.first, text.count == 1 { self = .letter(letter) } else { self = .word(text) }
    }

    package var description: String {
        switch self {
        case .letter(let letter): "-\(letter)"
        case .word(let word): "--\(word)"
        }
    }
}

/// What follows an option: how it is called, and what a shell may complete it to.
package struct OptionValue: Sendable, Equatable {
    package let name: String
    package let kind: Kind

    package enum Kind: Sendable, Equatable {
        /// Nothing that could be completed.
        case text
        case file
        case directory
        case program
        /// A host, with a user in front of it perhaps.
        case host
        /// A setting of ssh_config(5), `Name=value`.
        case setting
        /// One of these.
        case words([String])
        /// Any of these, with commas between.
        case list([String])
    }

    package init(_ name: String, _ kind: Kind = .text) {
        self.name = name
        self.kind = kind
    }
}

/// Why the words of a command line make no sense, or why nothing more is to be done.
package struct OptionFault: Error, Equatable {
    package enum Kind: Sendable, Equatable {
        /// Something is wrong with how the command is called.
        case usage
        /// Something is wrong with a value, and how to call the command is no answer to it.
        case value
        /// A value makes no sense; how to call the command is no answer to it.
        case meaning
        /// Nothing is wrong: the text is what was asked for.
        case answer
    }

    package let text: String
    package let kind: Kind

    package init(_ text: String, _ kind: Kind = .usage) {
        self.text = text
        self.kind = kind
    }
}
