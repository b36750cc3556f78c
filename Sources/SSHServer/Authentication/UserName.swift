/// Names of users as clients give them.
enum UserName {
    private static let longest = 255

    /// Whether a name may be put in a path, a file of passwords and a log.
    static func isSound(_ name: String) -> Bool {
        guard !name.isEmpty, name.utf8.count <= longest, name != ".", name != ".." else { return false }
        return name.unicodeScalars.allSatisfy { scalar in
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate: false
            default: scalar != "/"
            }
        }
    }
}
