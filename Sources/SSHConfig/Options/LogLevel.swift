/// How much is told about a connection (`LogLevel`).
public enum LogLevel: Int, Sendable, CaseIterable, Comparable {
    case quiet
    case fatal
    case error
    case info
    case verbose
    case debug1
    case debug2
    case debug3

    /// Takes the names of ssh_config(5), in either case.
    public init?(name: String) {
        let name = name.lowercased()
        guard let level = Self.allCases.first(where: { "\($0)" == (name == "debug" ? "debug1" : name) }) else {
            return nil
        }
        self = level
    }

    /// The name in ssh_config(5).
    var name: String { self == .debug1 ? "DEBUG" : "\(self)".uppercased() }

    public static func < (left: LogLevel, right: LogLevel) -> Bool { left.rawValue < right.rawValue }
}
