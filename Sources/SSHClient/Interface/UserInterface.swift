import SSHConfig

/// Whoever can be asked and told something while a connection is made.
public protocol UserInterface: Sendable {
    /// Asks a question whose answer may be seen.
    ///
    /// - Returns: the answer without its line end; nil when nobody can answer.
    func ask(_ question: String) async -> String?

    /// Asks for something secret, not shown as it is typed.
    ///
    /// - Returns: the answer's bytes, to be wiped after use; nil when nobody can answer.
    func askSecret(_ prompt: String) async -> [UInt8]?

    /// Asks for a yes or a no, as before a key is given away; whoever has no better way uses ``ask(_:)``.
    func confirm(_ question: String) async -> Bool

    /// Shows a message.
    func tell(_ text: String)

    /// Shows a message of a level, for whoever treats levels differently; others show each alike with ``tell(_:)``.
    ///
    /// Only what `LogLevel` lets through comes here.
    func tell(_ text: String, at level: LogLevel)
}

extension UserInterface {
    public func tell(_ text: String, at level: LogLevel) { tell(text) }

    public func confirm(_ question: String) async -> Bool {
        guard let answer = await ask(question + " (yes/no) ") else { return false }
        return answer.lowercased() == "yes"
    }
}

/// An interface without a person behind it: it tells, and answers nothing.
public struct SilentInterface: UserInterface {
    private let output: @Sendable (String) -> Void

    public init(_ output: @escaping @Sendable (String) -> Void = { _ in }) { self.output = output }

    public func ask(_ question: String) async -> String? { nil }
    public func askSecret(_ prompt: String) async -> [UInt8]? { nil }
    public func tell(_ text: String) { output(text) }
}
