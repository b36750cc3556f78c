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

    /// Shows a message.
    func tell(_ text: String)
}

/// An interface without a person behind it: it tells, and answers nothing.
public struct SilentInterface: UserInterface {
    private let output: @Sendable (String) -> Void

    public init(_ output: @escaping @Sendable (String) -> Void = { _ in }) { self.output = output }

    public func ask(_ question: String) async -> String? { nil }
    public func askSecret(_ prompt: String) async -> [UInt8]? { nil }
    public func tell(_ text: String) { output(text) }
}
