/// A keyword of ssh_config(5): what its arguments look like, and what they do.
struct Keyword: Sendable {
    enum Shape: Sendable {
        /// So many words, none of them empty.
        case words(ClosedRange<Int>)
        /// The rest of the line as it is.
        case command
        /// Whatever stands there.
        case anything
    }

    /// Why a keyword does not take an argument.
    struct Fault: Error { let reason: String }

    typealias Application = @Sendable (inout ClientOptions, [String]) throws(Fault) -> Void

    let shape: Shape
    /// Whether a later value adds to the first.
    let accumulates: Bool
    let expansion: Expansion
    let apply: Application

    /// A keyword with one argument.
    init(
        accumulates: Bool = false, expansion: Expansion = .none,
        apply: @escaping @Sendable (inout ClientOptions, String) throws(Fault) -> Void
    ) {
        shape = .words(1...1)
        self.accumulates = accumulates
        self.expansion = expansion
        self.apply = { (options, arguments) throws(Fault) in
            guard let value = arguments.first else { throw Fault(reason: "missing argument") }
            try apply(&options, value)
        }
    }

    /// A keyword with several arguments.
    init(
        words: ClosedRange<Int>, accumulates: Bool = false, expansion: Expansion = .none,
        apply: @escaping Application
    ) {
        self.init(shape: .words(words), accumulates: accumulates, expansion: expansion, apply: apply)
    }

    private init(shape: Shape, accumulates: Bool, expansion: Expansion, apply: @escaping Application) {
        self.shape = shape
        self.accumulates = accumulates
        self.expansion = expansion
        self.apply = apply
    }

    /// A keyword whose argument is a command, up to the end of the line.
    static func command(
        expansion: Expansion = .none, apply: @escaping @Sendable (inout ClientOptions, String) throws(Fault) -> Void
    ) -> Keyword {
        Keyword(shape: .command, accumulates: false, expansion: expansion) { (options, arguments) throws(Fault) in
            guard let value = arguments.first else { throw Fault(reason: "missing argument") }
            try apply(&options, value)
        }
    }

    /// A keyword that is passed over with all its arguments.
    static let ignored = Keyword(shape: .anything, accumulates: false, expansion: .none) {
        (_, _) throws(Fault) in
    }

    /// The arguments of a line.
    ///
    /// - Throws: ``Fault`` when there are too few or too many, or quotes are not closed.
    func arguments(of line: ConfigurationLine) throws(Fault) -> [String] {
        guard !line.rest.isEmpty else { throw Fault(reason: "missing argument") }
        guard let words = line.arguments else { throw Fault(reason: "invalid quotes") }
        switch shape {
        case .anything:
            return words
        case .command:
            guard !line.command.isEmpty else { throw Fault(reason: "missing argument") }
            return [line.command]
        case .words(let range):
            guard words.count >= range.lowerBound, !words.contains("") else { throw Fault(reason: "missing argument") }
            guard words.count <= range.upperBound else { throw Fault(reason: "extra arguments at end of line") }
            return words
        }
    }
}

// MARK: Kinds of values

extension Keyword {
    static func unsupported(_ value: String) -> Fault { Fault(reason: "unsupported option \"\(value)\"") }

    /// Yes or no.
    static func flag(_ path: any WritableKeyPath<ClientOptions, Bool> & Sendable) -> Keyword {
        choice(path, ["yes": true, "true": true, "no": false, "false": false])
    }

    /// One of several words, in either case.
    static func choice<Value: Sendable>(
        _ path: any WritableKeyPath<ClientOptions, Value> & Sendable, _ values: [String: Value]
    ) -> Keyword {
        Keyword { (options, word) throws(Fault) in
            guard let value = values[word.lowercased()] else { throw unsupported(word) }
            options[keyPath: path] = value
        }
    }

    static func number(
        _ path: any WritableKeyPath<ClientOptions, Int> & Sendable, _ range: some RangeExpression<Int> & Sendable
    ) -> Keyword {
        Keyword { (options, value) throws(Fault) in options[keyPath: path] = try number(value, range) }
    }

    /// Text as it is.
    static func text(
        _ path: any WritableKeyPath<ClientOptions, String?> & Sendable, expansion: Expansion = .none
    ) -> Keyword {
        Keyword(expansion: expansion) { (options, value) throws(Fault) in options[keyPath: path] = value }
    }

    /// File names; `none` alone names no file.
    static func files(
        _ path: any WritableKeyPath<ClientOptions, [String]> & Sendable, expansion: Expansion
    ) -> Keyword {
        Keyword(words: 1...64, expansion: expansion) { (options, words) throws(Fault) in
            options[keyPath: path] = try list(words)
        }
    }

    /// Words of which `none` must stand alone, and then stands for nothing.
    static func list(_ words: [String]) throws(Fault) -> [String] {
        guard words.contains(where: { $0.lowercased() == "none" }) else { return words }
        guard words.count == 1 else { throw Fault(reason: "argument \"none\" must appear alone") }
        return []
    }

    static func number(_ value: String, _ range: some RangeExpression<Int>) throws(Fault) -> Int {
        guard let number = Int(value), range.contains(number), number < 1 << 31 else {
            throw Fault(reason: "bad number \"\(value)\"")
        }
        return number
    }

    /// sshd_config(5), TIME FORMATS: `90`, `1m30s`, `2h`.
    static func seconds(_ value: String) throws(Fault) -> Int {
        let units: [Character: Int] = ["s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604_800]
        let fault = Fault(reason: "bad time \"\(value)\"")
        guard !value.isEmpty else { throw fault }
        var total = 0
        var rest = value.lowercased()[...]
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isASCII && $0.isNumber }
            rest = rest.dropFirst(digits.count)
            let unit = rest.popFirst().map { units[$0] } ?? 1
            guard let number = Int(digits), let unit, number < 1 << 31, total < 1 << 31 else { throw fault }
            total += number * unit
        }
        guard total < 1 << 31 else { throw fault }
        return total
    }
}
