extension SCPRecord {
    /// Reads a line, given without its newline; or the single zero byte of ``ok``.
    ///
    /// - Throws: ``SCPError`` for anything that is no record.
    public init(line: [UInt8]) throws(SCPError) {
        guard line.count <= Self.maximumLineLength else { throw .lineTooLong(limit: Self.maximumLineLength) }
        guard let kind = line.first else { throw .emptyLine }
        switch kind {
        case 0 where line.count == 1: self = .ok
        case 1: self = .warning(Array(line.dropFirst()))
        case 2: self = .fatal(Array(line.dropFirst()))
        case UInt8(ascii: "E") where line.count == 1: self = .endDirectory
        case UInt8(ascii: "T") where FieldReader.isTimes(line):
            var reader = FieldReader(record: "T", line: line)
            let modified = try reader.time("modification time", after: UInt8(ascii: " "))
            let accessed = try reader.time("access time", after: nil)
            self = .times(SCPTimes(modified: modified, accessed: accessed))
        case UInt8(ascii: "C") where FieldReader.isEntry(line):
            var reader = FieldReader(record: "C", line: line)
            let (mode, size) = (try reader.mode(), try reader.size())
            self = .file(mode: mode, size: size, name: try SCPName(wireForm: Array(reader.rest)))
        case UInt8(ascii: "D") where FieldReader.isEntry(line):
            var reader = FieldReader(record: "D", line: line)
            let mode = try reader.mode()
            _ = try reader.size()
            self = .directory(mode: mode, name: try SCPName(wireForm: Array(reader.rest)))
        default: throw .notARecord(line)
        }
    }

    /// The letter or digit of the record.
    var kind: Character {
        switch self {
        case .times: "T"
        case .file: "C"
        case .directory: "D"
        case .endDirectory: "E"
        case .ok: "0"
        case .warning: "1"
        case .fatal: "2"
        }
    }
}

/// Takes the fields of a T, C or D record one by one.
private struct FieldReader {
    let record: Character
    let line: [UInt8]
    var rest: ArraySlice<UInt8>

    init(record: Character, line: [UInt8]) {
        self.record = record
        self.line = line
        rest = line.dropFirst()
    }

    /// A word that only starts like a record ("Command not found") is reported as text, not as a bad field.
    static func isTimes(_ line: [UInt8]) -> Bool { line.count == 1 || isDigitOrSign(line[1]) }
    static func isEntry(_ line: [UInt8]) -> Bool { line.count == 1 || isDigitOrSign(line[1]) }

    private static func isDigitOrSign(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || byte == UInt8(ascii: "-") || byte == UInt8(ascii: " ")
    }

    private func invalid(_ field: String) -> SCPError { .invalidField(record: record, field: field, value: line) }

    mutating func mode() throws(SCPError) -> UInt16 {
        var mode: UInt16 = 0
        for _ in 0..<4 {
            guard let digit = rest.popFirst(), (UInt8(ascii: "0")...UInt8(ascii: "7")).contains(digit) else {
                throw invalid("mode is not four octal digits")
            }
            mode = mode << 3 | UInt16(digit - UInt8(ascii: "0"))
        }
        guard rest.popFirst() == UInt8(ascii: " ") else { throw invalid("mode is not followed by a blank") }
        return mode
    }

    mutating func size() throws(SCPError) -> Int64 {
        try number("size", upTo: .max, after: UInt8(ascii: " "))
    }

    mutating func time(_ field: String, after end: UInt8?) throws(SCPError) -> SCPTime {
        let seconds = try number(field, upTo: .max, after: UInt8(ascii: " "))
        let fraction = try number(field + ", microseconds", upTo: 999_999, after: end)
        return SCPTime(seconds: seconds, microseconds: Int32(fraction))
    }

    /// Digits and the byte that ends them; nil stands for the end of the line.
    private mutating func number(_ field: String, upTo limit: Int64, after end: UInt8?) throws(SCPError) -> Int64 {
        var value: Int64 = 0
        var digits = 0
        while let byte = rest.first, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) {
            rest.removeFirst()
            digits += 1
            let (product, high) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(Int64(byte - UInt8(ascii: "0")))
            guard !high, !carry, sum <= limit else { throw invalid("\(field) is out of range") }
            value = sum
        }
        guard digits > 0 else { throw invalid("\(field) is not a number") }
        guard rest.popFirst() == end else { throw invalid("\(field) is not delimited") }
        return value
    }
}
