/// A file below `Packaging` that is made from a table and kept.
package enum GeneratedDocument {
    package static func path(_ name: String) -> String {
        let place = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        return "/\(place)/Packaging/\(name)"
    }

    /// Whether a file is what would be made now; with `UPDATE_DOCUMENTS` set it is made.
    package static func isKept(_ name: String, _ text: String) throws -> Bool {
        if environmentValue("UPDATE_DOCUMENTS") != nil { try writeFile(path(name), text: text, mode: 0o644) }
        return (try? readText(path(name))) == text
    }
}
