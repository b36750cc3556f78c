import SSHNIO

/// Lets no deadline of the connection run while a person is waited for: their time to answer is not the server's.
struct Patience: Sendable {
    let transport: Transport
    /// Seconds the server has again after an answer.
    let limit: Int

    func wait<Value: Sendable>(_ body: @Sendable () async throws -> Value) async rethrows -> Value {
        transport.stopDeadline()
        defer { transport.startDeadline(seconds: limit) }
        return try await body()
    }
}
