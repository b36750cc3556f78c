/// Options of the form `--name`, `--name value` and `--name=value`, described once for parsing and for help.
struct LongOption<Settings>: Sendable {
    let name: String
    /// What stands for the value in the help; nil for an option without one.
    let value: String?
    let help: String
    let apply: @Sendable (inout Settings, String) throws(OptionFault) -> Void

    init(
        _ name: String, _ value: String? = nil, _ help: String,
        _ apply: @escaping @Sendable (inout Settings, String) throws(OptionFault) -> Void
    ) {
        self.name = name
        self.value = value
        self.help = help
        self.apply = apply
    }

    /// Sets what `arguments` say.
    ///
    /// - Throws: ``OptionFault`` for the first that makes no sense.
    static func parse(
        _ arguments: [String], _ options: [LongOption], into settings: inout Settings
    ) throws(OptionFault) {
        var rest = arguments[...]
        while let argument = rest.first {
            rest.removeFirst()
            guard argument.hasPrefix("--") else { throw OptionFault("unexpected argument \(argument)") }
            let parts = argument.dropFirst(2).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(parts[0])
            guard let option = options.first(where: { $0.name == name }) else {
                throw OptionFault("unknown option \(argument)")
            }
            var value = parts.count > 1 ? String(parts[1]) : ""
            switch (option.value, parts.count > 1) {
            case (nil, true): throw OptionFault("--\(name) takes no value")
            case (.some(let wanted), false):
                guard let next = rest.first else { throw OptionFault("--\(name) needs a value: \(wanted)") }
                rest.removeFirst()
                value = next
            default: break
            }
            do throws(OptionFault) {
                try option.apply(&settings, value)
            } catch {
                throw OptionFault("--\(name) \(value): \(error.text)")
            }
        }
    }

    /// A line or more for each option.
    static func help(_ options: [LongOption]) -> String {
        let width = 28
        return options.map { option in
            let head = "  --" + option.name + (option.value.map { " " + $0 } ?? "")
            let indent = String(repeating: " ", count: width)
            let text = option.help.split(separator: "\n").joined(separator: "\n" + indent)
            guard head.count < width else { return head + "\n" + indent + text }
            return head + String(repeating: " ", count: width - head.count) + text
        }.joined(separator: "\n")
    }
}

/// What is wrong with an option, in words.
struct OptionFault: Error, Equatable {
    let text: String
    init(_ text: String) { self.text = text }
}
