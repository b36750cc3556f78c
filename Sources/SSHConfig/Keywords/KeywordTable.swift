import SSHWire

/// Every keyword of ssh_config(5), one row each: what it is called, what becomes of it, how it is read, and how `-G` shows it.
///
/// The rows stand in the order of `ssh -G`.
package enum KeywordTable {
    typealias OptionFault = Keyword.Fault

    static let rows: [Row] = switches + texts + lists + structure + ignored

    /// What becomes of a keyword.
    package enum Effect: Sendable, Equatable {
        case obeyed
        /// Read, and of no effect, for this reason.
        case passedOver(String)
        /// As `passedOver`; but a login that fails may have needed it.
        case missedAtLogin(String)
        /// It ends the copy, for this reason.
        case refused(String)
    }

    struct Row: Sendable {
        /// As ssh_config(5) spells it.
        let name: String
        let effect: Effect
        /// How its arguments are read; nil for what orders the file itself (``ConfigurationEvaluation``).
        let keyword: Keyword?
        /// What `-G` calls it.
        let label: String
        /// nil for what `-G` does not show.
        let shown: Shown?

        init(
            _ name: String, effect: Effect = .obeyed, _ keyword: Keyword?, label: String? = nil, shown: Shown? = nil
        ) {
            self.name = name
            self.effect = effect
            self.keyword = keyword
            self.label = label ?? name.lowercased()
            self.shown = shown
        }
    }

    private static let byName = Dictionary(rows.map { ($0.name.lowercased(), $0) }) { first, _ in first }

    /// The row of a name in lower case; nil for one that does not exist.
    static func row(_ name: String) -> Row? { byName[name] }

    /// The keyword of a name in lower case; nil for one that does not exist, or that orders the file.
    static func keyword(_ name: String) -> Keyword? { row(name)?.keyword }

    /// The one name of a keyword that has several, in lower case.
    static func name(_ spelling: String) -> String {
        let name = spelling.lowercased()
        return formerNames[name] ?? name
    }

    /// Whether a word is a misspelled keyword, and so may be shown however long it is (``Printable/isName(_:)``).
    static func isMisspelled(_ word: String) -> Bool {
        guard word.utf8.count <= 40 else { return false }
        let word = word.lowercased()
        return byName.keys.contains { EditDistance.between(word, $0) <= word.count / 4 }
    }

    /// Former names, and what they are called now.
    static let formerNames = [
        "challengeresponseauthentication": "kbdinteractiveauthentication",
        "dsaauthentication": "pubkeyauthentication",
        "hostbasedkeytypes": "hostbasedacceptedalgorithms",
        "identityfile2": "identityfile",
        "keepalive": "tcpkeepalive",
        "pubkeyacceptedkeytypes": "pubkeyacceptedalgorithms",
        "skeyauthentication": "kbdinteractiveauthentication",
        "smartcarddevice": "pkcs11provider",
        "tisauthentication": "kbdinteractiveauthentication",
    ]

    /// What a line of a file or `-o` can set to some effect, as ssh_config(5) spells it: what completion offers.
    package static var settings: [String] {
        rows.filter { $0.effect == .obeyed && $0.keyword != nil }.map(\.name).sorted {
            $0.lowercased() < $1.lowercased()
        }
    }

    /// Every row as documentation has it: the name, what becomes of it, and why.
    package static var summary: [(name: String, outcome: String, reason: String)] {
        rows.map { row in
            switch row.effect {
            case .obeyed: (row.name, "obeyed", "")
            case .passedOver(let reason): (row.name, "passed over", reason)
            case .missedAtLogin(let reason): (row.name, "passed over, said where a login fails", reason)
            case .refused(let reason): (row.name, "refused", reason)
            }
        }
    }

    /// What is worth a word about settings that have no effect, each once: all of them, and those that a login that fails
    /// may have needed.
    static func remarks(on settings: Settings) -> (all: [String], atLogin: [String]) {
        var (all, atLogin): ([String], [String]) = ([], [])
        var seen: Set<String> = []
        for setting in settings.all where seen.insert(setting.name).inserted {
            let value = setting.arguments.joined(separator: " ")
            guard let row = row(setting.name), !["no", "false", "none"].contains(value.lowercased()) else { continue }
            switch row.effect {
            case .obeyed, .refused: continue
            case .passedOver(let reason): all.append("\(row.name) has no effect: \(reason)")
            case .missedAtLogin(let reason):
                all.append("\(row.name) has no effect: \(reason)")
                atLogin.append("\(row.name) has no effect: \(reason)")
            }
        }
        return (all, atLogin)
    }
}

/// How `-G` shows a keyword: a line for each value, or none.
struct Shown: Sendable {
    let values: @Sendable (ResolvedConfiguration) -> [String]

    init(_ values: @escaping @Sendable (ResolvedConfiguration) -> [String]) { self.values = values }

    init(_ flag: any KeyPath<ClientOptions, Bool> & Sendable) {
        self.init { [$0.options[keyPath: flag] ? "yes" : "no"] }
    }

    init(_ number: any KeyPath<ClientOptions, Int> & Sendable) { self.init { [String($0.options[keyPath: number])] } }

    init(_ text: any KeyPath<ClientOptions, String?> & Sendable) {
        self.init { [$0.options[keyPath: text]].compactMap { $0 } }
    }

    init(_ list: any KeyPath<ClientOptions, [String]> & Sendable) {
        self.init { resolved in
            let list = resolved.options[keyPath: list]
            return [list.isEmpty ? "none" : list.joined(separator: " ")]
        }
    }

    /// A setting as it was made.
    static func raw(_ name: String) -> Shown { Shown { [$0.raw.value(name)].compactMap { $0 } } }

    /// A list of algorithms as it comes out.
    static func algorithms(
        _ kind: AlgorithmKind, _ text: any KeyPath<ClientOptions, String?> & Sendable
    ) -> Shown {
        Shown { resolved in
            let list = try? kind.list(resolved.options[keyPath: text], option: "")
            return [(list ?? []).joined(separator: ",")]
        }
    }
}
