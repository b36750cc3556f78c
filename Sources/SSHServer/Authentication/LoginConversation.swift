import SSHKeys
import SSHNIO
import SSHProtocol
import SSHWire

/// Talks with one client from the first request to be let in to the success, or the end of the connection (RFC 4252).
///
/// The listener sets the limit of time: ``Transport/startDeadline(seconds:)`` before, ``Transport/stopDeadline()`` after.
package struct LoginConversation: Sendable {
    package struct Options: Sendable {
        /// The connection ends with this many failures.
        package var maxAttempts = 6
        /// The connection ends with the request after this many: questions about keys that would do, and rounds of
        /// questions, count as no failure.
        package var maxRequests = 256
        /// Shown before the first answer.
        package var banner: String?
        /// A failure is told no sooner than this after its request; where the judging took longer, after the next of
        /// twice, four times, … that time. So the time tells little of what was found.
        package var failureTime = Duration.milliseconds(10)
        /// How much longer a client waits for a failure to be told, by how many there were.
        package var penalty: @Sendable (LoginAttempt, _ failures: Int) -> Duration = { _, _ in .zero }
        /// The signature algorithms that are taken, as `server-sig-algs` names them.
        package var signatureAlgorithms = Set(SignatureAlgorithm.defaults.map(\.name))

        package init() {}
    }

    let policy: any LoginPolicy
    let address: String
    let port: Int
    let options: Options
    let report: @Sendable (LoginEvent) -> Void

    /// - Parameters:
    ///   - address: the client's, in numbers.
    ///   - report: told of every success, failure and end.
    package init(
        policy: any LoginPolicy, address: String, port: Int, options: Options = Options(),
        report: @escaping @Sendable (LoginEvent) -> Void = { _ in }
    ) {
        self.policy = policy
        self.address = address
        self.port = port
        self.options = options
        self.report = report
    }

    /// Drives the connection until the client is let in.
    ///
    /// - Parameter events: the connection's, of which those up to the success are taken.
    /// - Throws: `LoginError` where the client was sent away, `TransportError` when the connection ends,
    ///   `CancellationError`.
    package func run(
        transport: Transport, events: inout ConnectionEvents.Iterator
    ) async throws -> Login {
        var door = LoginDoor(conversation: self, transport: transport)
        while let event = await events.next() {
            let login: Login?
            switch event {
            case .authenticationRequested(let attempt): login = try await door.judge(attempt)
            case .informationGiven(let answers): login = try await door.judge(answers)
            default: login = nil
            }
            if let login { return login }
        }
        try Task.checkCancellation()
        throw transport.failure ?? .closedByPeer
    }
}
