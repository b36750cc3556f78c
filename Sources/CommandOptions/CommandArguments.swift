/// What was typed after a command's name, taken apart as getopt(3) does it: `-rpP22`, `-P 22`, `-oPort=22`, `--`; and
/// long options, `--name`, `--name VALUE` and `--name=VALUE`, where getopt(3) knows none.
///
/// swift-argument-parser is not used here: it neither bundles flags with an option that takes a value nor says what
/// is wrong in the words scripts know.
package struct CommandArguments<Settings> {
    /// An option that was given.
    package struct Given {
        package let option: CommandOption<Settings>
        /// As which of its names.
        package let name: OptionName
        /// Empty where it takes none.
        package let value: String
    }

    /// In the order typed.
    package private(set) var given: [Given] = []
    /// The rest, as bytes, since paths need not be UTF-8.
    package private(set) var operands: [[UInt8]] = []

    /// - Parameters:
    ///   - arguments: what follows the command's name.
    ///   - table: the options there are.
    /// - Throws: ``OptionFault``. Options end at the first operand.
    package init(_ arguments: [[UInt8]], _ table: OptionTable<Settings>) throws(OptionFault) {
        var rest = arguments[...]
        while let first = rest.first {
            if first == Array("--".utf8) {
                rest.removeFirst()
                break
            }
            guard first.count > 1, first[0] == UInt8(ascii: "-") else { break }
            rest.removeFirst()
            if first[1] == UInt8(ascii: "-") {
                given.append(try Self.word(first.dropFirst(2), &rest, table))
            } else {
                try readLetters(first.dropFirst(), &rest, table)
            }
        }
        operands = Array(rest)
    }

    private mutating func readLetters(
        _ word: ArraySlice<UInt8>, _ rest: inout ArraySlice<[UInt8]>, _ table: OptionTable<Settings>
    ) throws(OptionFault) {
        var letters = word
        while let byte = letters.popFirst() {
            let letter = Character(Unicode.Scalar(byte))
            guard let option = table.option(letter: letter) else { throw OptionFault("unknown option -- \(letter)") }
            var value: [UInt8] = []
            if option.value != nil {
                guard let found = letters.isEmpty ? rest.popFirst() : Array(letters) else {
                    throw OptionFault("option requires an argument -- \(letter)")
                }
                value = found
                letters = []
            }
            given.append(
                Given(option: option, name: .letter(letter), value: String(decoding: value, as: UTF8.self)))
        }
    }

    private static func word(
        _ word: ArraySlice<UInt8>, _ rest: inout ArraySlice<[UInt8]>, _ table: OptionTable<Settings>
    ) throws(OptionFault) -> Given {
        let parts = word.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
        let name = parts.first ?? ""
        guard let option = table.option(word: name) else { throw table.unknown(word: name) }
        var value = parts.count > 1 ? parts[1] : ""
        switch (option.value, parts.count > 1) {
        case (nil, true): throw OptionFault("--\(name) takes no value")
        case (.some(let wanted), false):
            guard let next = rest.popFirst() else { throw OptionFault("--\(name) needs a value: \(wanted.name)") }
            value = String(decoding: next, as: UTF8.self)
        default: break
        }
        return Given(option: option, name: .word(name), value: value)
    }
}

extension CommandArguments.Given {
    /// Sets what the option says. What is wrong with the value of a word is told with the word in front.
    ///
    /// - Throws: ``OptionFault``.
    package func apply(to settings: inout Settings) throws(OptionFault) {
        do throws(OptionFault) {
            try option.apply(&settings, value)
        } catch {
            guard case .word = name, error.kind != .answer, option.value != nil else { throw error }
            throw OptionFault("\(name) \(value): \(error.text)", error.kind)
        }
    }
}
