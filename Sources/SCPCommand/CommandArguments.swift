/// What was typed after `scp`, taken apart as getopt(3) does it: `-rpP22`, `-P 22`, `-oPort=22`, `--`; and long options,
/// `--name`, `--name VALUE` and `--name=VALUE`, where getopt(3) knows none.
///
/// swift-argument-parser is not used here: it neither bundles flags with an option that takes a value nor says what
/// is wrong in the words scripts know.
struct CommandArguments: Equatable {
    /// An option, with its value where it takes one, in the order typed.
    struct Option: Equatable {
        let letter: Character
        let value: String
    }

    /// A long option, with its value where it takes one.
    struct LongOption: Equatable {
        let name: String
        let value: String
    }

    private(set) var options: [Option] = []
    private(set) var longOptions: [LongOption] = []
    /// The rest: sources and target, as bytes, since paths need not be UTF-8.
    private(set) var operands: [[UInt8]] = []

    enum Fault: Error, Equatable {
        case unknown(Character)
        case valueMissing(Character)
        case longValueMissing(String)
        /// A value for a long option that takes none.
        case longValueUnwanted(String)
    }

    /// - Parameters:
    ///   - arguments: what follows the command's name.
    ///   - flags: letters that stand alone.
    ///   - valued: letters that take a value.
    ///   - long: names of long options, and whether they take a value.
    /// - Throws: ``Fault``. Options end at the first operand.
    init(_ arguments: [[UInt8]], flags: String, valued: String, long: [String: Bool] = [:]) throws(Fault) {
        var rest = arguments[...]
        while let first = rest.first {
            if first == Array("--".utf8) {
                rest.removeFirst()
                break
            }
            guard first.count > 1, first[0] == UInt8(ascii: "-") else { break }
            rest.removeFirst()
            if let option = try Self.longOption(first, &rest, long) {
                longOptions.append(option)
                continue
            }
            var letters = first.dropFirst()
            while let byte = letters.popFirst() {
                let letter = Character(Unicode.Scalar(byte))
                if valued.contains(letter) {
                    guard let value = letters.isEmpty ? rest.popFirst() : Array(letters) else {
                        throw .valueMissing(letter)
                    }
                    options.append(Option(letter: letter, value: String(decoding: value, as: UTF8.self)))
                    break
                }
                guard flags.contains(letter) else { throw .unknown(letter) }
                options.append(Option(letter: letter, value: ""))
            }
        }
        operands = Array(rest)
    }

    /// - Returns: nil for a word that names no long option.
    private static func longOption(
        _ word: [UInt8], _ rest: inout ArraySlice<[UInt8]>, _ known: [String: Bool]
    ) throws(Fault) -> LongOption? {
        guard word.starts(with: "--".utf8) else { return nil }
        let parts = word.dropFirst(2).split(
            separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false
        )
        .map { String(decoding: $0, as: UTF8.self) }
        guard let name = parts.first, let takesValue = known[name] else { return nil }
        guard takesValue else {
            if parts.count > 1 { throw .longValueUnwanted(name) }
            return LongOption(name: name, value: "")
        }
        if parts.count > 1 { return LongOption(name: name, value: parts[1]) }
        guard let value = rest.popFirst() else { throw .longValueMissing(name) }
        return LongOption(name: name, value: String(decoding: value, as: UTF8.self))
    }
}
