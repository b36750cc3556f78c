import TestSupport
import Testing

/// docs/reliability.md names the place of every bound in the code and its test.
@Suite("The table of bounds")
struct BoundsTableTests {
    private static let project = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")

    private struct Row {
        let what: String
        let places: [String]
        let tests: [String]
    }

    private func rows() throws -> [Row] {
        try readText(Self.project + "/docs/reliability.md").split(separator: "\n").compactMap { line in
            let cells = line.split(separator: "|", omittingEmptySubsequences: false).map { $0.trimmed }
            guard cells.count == 6, cells[1] != "what", !cells[1].hasPrefix("---"), !cells[1].hasPrefix("**") else {
                return nil
            }
            return Row(what: cells[1], places: quoted(cells[3]), tests: quoted(cells[4]))
        }
    }

    private func quoted(_ cell: String) -> [String] {
        cell.split(separator: "`", omittingEmptySubsequences: false).enumerated().filter { $0.offset % 2 == 1 }
            .map { String($0.element) }
    }

    /// Two words in a row of every Swift file, such as `struct Admission`.
    private func pairs(below directory: String) throws -> Set<String> {
        var pairs: Set<String> = []
        for name in listDirectory(Self.project + "/" + directory) {
            let path = directory + "/" + String(decoding: name, as: UTF8.self)
            guard path.hasSuffix(".swift") else {
                pairs.formUnion(try self.pairs(below: path))
                continue
            }
            let words = try Array(readText(Self.project + "/" + path).utf8).split { !Self.isWord($0) }.map {
                String(decoding: $0, as: UTF8.self)
            }
            for (first, second) in zip(words, words.dropFirst()) { pairs.insert("\(first) \(second)") }
        }
        return pairs
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
            true
        default: false
        }
    }

    @Test("Each place is declared in the sources, and each test there")
    func declared() throws {
        let (sources, tests) = (try pairs(below: "Sources"), try pairs(below: "Tests"))
        let rows = try rows()
        #expect(rows.count > 30)
        func isMissing(_ name: Substring, _ keywords: [String], _ declared: Set<String>) -> Bool {
            !keywords.contains { declared.contains("\($0) \(name)") }
        }
        for row in rows {
            #expect(!row.places.isEmpty, "\(row.what)")
            for place in row.places {
                for name in place.split(separator: ".") {
                    let kinds = ["struct", "class", "enum", "actor", "let", "var", "func", "case"]
                    if isMissing(name, kinds, sources) { Issue.record("\(place)") }
                }
            }
            for test in row.tests where isMissing(test[...], ["struct", "class"], tests) { Issue.record("\(test)") }
        }
    }
}

extension Substring {
    fileprivate var trimmed: String {
        String(drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }
}
