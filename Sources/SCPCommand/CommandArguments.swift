/// What was typed after `scp`, taken apart as getopt(3) does it: `-rpP22`, `-P 22`, `-oPort=22`, `--`.
///
/// swift-argument-parser is not used here: it neither bundles flags with an option that takes a value nor says what
/// is wrong in the words scripts know.
struct CommandArguments: Equatable {
    /// An option, with its value where it takes one, in the order typed.
    struct Option: Equatable {
        let letter: Character
        let value: String
    }

    private(set) var options: [Option] = []
    /// The rest: sources and target, as bytes, since paths need not be UTF-8.
    private(set) var operands: [[UInt8]] = []

    enum Fault: Error, Equatable {
        case unknown(Character)
        case valueMissing(Character)
    }

    /// - Parameters:
    ///   - arguments: what follows the command's name.
    ///   - flags: letters that stand alone.
    ///   - valued: letters that take a value.
    /// - Throws: ``Fault``. Options end at the first operand.
    init(_ arguments: [[UInt8]], flags: String, valued: String) throws(Fault) {
        var rest = arguments[...]
        while let first = rest.first {
            if first == Array("--".utf8) {
                rest.removeFirst()
                break
            }
            guard first.count > 1, first[0] == UInt8(ascii: "-") else { break }
            rest.removeFirst()
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
}
