import Files
import Platform
import SSHWire

/// One thing that happened in a copy, as a program reads it: names and values, the first of which says what it was.
struct EventRecord {
    enum Value {
        case text(String)
        case number(Int64)
        case flag(Bool)
    }

    private(set) var fields: [(name: String, value: Value)]

    init(_ event: String) {
        fields = [("event", .text(event)), ("time", .text(WallClock.text()))]
    }

    func with(_ name: String, _ value: String) -> EventRecord { adding(name, .text(value)) }
    func with(_ name: String, _ value: some BinaryInteger) -> EventRecord {
        adding(name, .number(Int64(clamping: value)))
    }
    func with(_ name: String, _ value: Bool) -> EventRecord { adding(name, .flag(value)) }

    /// A path as text, and where that is not all of it, its bytes in hexadecimal too.
    func with(path: BytePath) -> EventRecord {
        let record = with("path", String(decoding: path.bytes, as: UTF8.self))
        guard String(validating: path.bytes, as: UTF8.self) == nil else { return record }
        return record.with("pathBytes", Printable.hex(path.bytes, limit: .max))
    }

    private func adding(_ name: String, _ value: Value) -> EventRecord {
        var record = self
        record.fields.append((name, value))
        return record
    }
}

extension EventRecord {
    /// As an object of JSON on one line (RFC 8259), with its line end.
    var json: String {
        let members = fields.map { name, value in
            switch value {
            case .text(let text): "\"\(name)\":\(Self.quoted(text))"
            case .number(let number): "\"\(name)\":\(number)"
            case .flag(let flag): "\"\(name)\":\(flag)"
            }
        }
        return "{" + members.joined(separator: ",") + "}\n"
    }

    /// Whatever a terminal could obey is escaped, as what a program reads may be shown.
    private static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case _ where scalar.properties.generalCategory.isInvisible:
                for unit in String(scalar).utf16 {
                    result += "\\u" + Printable.hex([UInt8(unit >> 8), UInt8(unit & 0xff)])
                }
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }

    /// As a line of a log: the time, what happened, and the rest as `name=value`.
    var line: String {
        var words: [String] = []
        for (name, value) in fields {
            switch (name, value) {
            case ("event", .text(let text)), ("time", .text(let text)): words.insert(text, at: 0)
            case (_, .text(let text)): words.append("\(name)=\(Self.quoted(text))")
            case (_, .number(let number)): words.append("\(name)=\(number)")
            case (_, .flag(let flag)): words.append("\(name)=\(flag)")
            }
        }
        return words.joined(separator: " ") + "\n"
    }
}

extension Unicode.GeneralCategory {
    fileprivate var isInvisible: Bool {
        switch self {
        case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .surrogate, .unassigned: true
        default: false
        }
    }
}
