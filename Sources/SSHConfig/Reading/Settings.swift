/// What the command line and the files have set so far: of each keyword the first value, of some every value.
struct Settings: Sendable {
    struct Setting: Sendable {
        /// In lower case, former names replaced.
        let name: String
        var arguments: [String]
        /// Taken as it is, without looking for tokens.
        var isLiteral = false
    }

    private(set) var all: [Setting] = []
    private var taken: Set<String> = []

    /// The arguments of a keyword; nil where it is not set.
    subscript(name: String) -> [String]? { all.first { $0.name == name }?.arguments }

    /// The one argument of a keyword.
    func value(_ name: String) -> String? { self[name]?.first }

    /// Every value of a keyword that has many.
    func values(_ name: String) -> [[String]] { all.filter { $0.name == name }.map(\.arguments) }

    /// Sets a keyword, unless an earlier value stands.
    mutating func add(_ setting: Setting, accumulates: Bool) {
        switch setting.name {
        case "proxyjump":
            // Whichever of the two comes first keeps the other out.
            guard !taken.contains("proxyjump"), !taken.contains("proxycommand") else { return }
            taken.insert("proxyjump")
            if setting.arguments.first?.lowercased() != "none" { taken.insert("proxycommand") }
            all.append(setting)
        case "rekeylimit":
            addRekeyLimit(setting)
        default:
            guard taken.insert(setting.name).inserted || accumulates else { return }
            all.append(setting)
        }
    }

    /// The size and the time are settings of their own: the first of either counts.
    private mutating func addRekeyLimit(_ setting: Setting) {
        guard let index = all.firstIndex(where: { $0.name == setting.name }) else {
            all.append(setting)
            return
        }
        let hasTime = all[index].arguments.count > 1 && all[index].arguments[1] != "none"
        guard !hasTime, let size = all[index].arguments.first, setting.arguments.count > 1 else { return }
        all[index].arguments = [size, setting.arguments[1]]
    }

    /// The settings with their tokens, variables and home directories replaced.
    ///
    /// - Throws: `ConfigurationError.expansion`.
    func expanded(
        _ tokens: ConnectionTokens, environment: some ConfigurationEnvironment
    ) throws(ConfigurationError) -> Settings {
        var result = self
        for index in all.indices where !all[index].isLiteral {
            guard let keyword = KeywordTable.keyword(all[index].name) else { continue }
            do throws(Expansion.Fault) {
                result.all[index].arguments = try all[index].arguments.map { (argument) throws(Expansion.Fault) in
                    try keyword.expansion.expand(argument, tokens, environment)
                }
            } catch {
                throw .expansion(name: all[index].name, reason: error.reason)
            }
        }
        return result
    }

    /// Sets all of it in `options`.
    ///
    /// - Throws: `ConfigurationError.option`: a value may have lost its sense when its tokens were replaced.
    func apply(to options: inout ClientOptions) throws(ConfigurationError) {
        for setting in all {
            guard let keyword = KeywordTable.keyword(setting.name) else { continue }
            do throws(Keyword.Fault) {
                try keyword.apply(&options, setting.arguments)
            } catch {
                throw .option(name: setting.name, reason: error.reason)
            }
        }
    }
}
