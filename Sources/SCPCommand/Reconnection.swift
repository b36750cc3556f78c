import SFTP
import SSHClient
import SSHConfig
import SSHNIO

/// Makes the connection of a copy again when it was lost, after pauses that grow while that leads to nothing.
actor Reconnection {
    private let remote: Location.Remote
    private let options: CopyOptions
    private let connections: Connections
    private let watch: AnswerWatch
    /// Attempts in a row that led to nothing.
    private var failures = 0

    /// - Parameter watch: knows whether SFTP has ever worked.
    init(to remote: Location.Remote, _ options: CopyOptions, _ connections: Connections, _ watch: AnswerWatch) {
        self.remote = remote
        self.options = options
        self.connections = connections
        self.watch = watch
    }

    /// - Parameters:
    ///   - loss: what ended the copy over the last connection.
    ///   - hasProgressed: whether anything was copied over it.
    /// - Throws: `loss` itself if it was no lost connection; what kept the connection from being made again, if another
    ///   attempt would end the same way; `CopyOptions.Fault` if there have been as many attempts as there may be.
    func host(after loss: any Error, hasProgressed: Bool) async throws -> any RemoteHost {
        guard watch.hasAnswer, let lost = Self.loss(loss, hasProgressed) else { throw loss }
        if hasProgressed { failures = 0 }
        var reason = lost
        while failures < options.retries {
            let pause = Self.pause(after: failures)
            tell("\(remote.host): \(reason); connecting again", after: pause)
            failures += 1
            try await Task.sleep(for: .seconds(pause))
            do {
                return try await connections.hostAgain(for: remote, request: .subsystem("sftp"))
            } catch let error as ClientError where Self.mayPass(error) {
                reason = "\(error)"
            }
        }
        throw CopyOptions.Fault.message("\(remote.host): \(reason); the same command with --resume goes on from here")
    }

    private func tell(_ text: String, after pause: Int) {
        if !options.quiet { CommandObserver.tell(pause > 1 ? "\(text) in \(pause) s" : text) }
    }

    /// In seconds: 1, 2, 4 and so on, a minute at most.
    static func pause(after failures: Int) -> Int { failures < 6 ? 1 << failures : 60 }

    /// Words for a connection that was lost; nil for any other error.
    static func loss(_ error: any Error, _ hasProgressed: Bool) -> String? {
        switch error {
        case let error as TransportError where error.isLoss: "connection lost (\(error))"
        // A server process that ended is no lost connection, but the like; one that ends each time is a failure.
        case SFTPError.ended where hasProgressed: "connection lost (\(error))"
        case TransportError.channelClosed where hasProgressed: "connection lost (\(error))"
        default: nil
        }
    }

    /// Whether another attempt to connect may lead further.
    static func mayPass(_ error: ClientError) -> Bool {
        switch error {
        case .unresolvable, .unreachable, .unreachableThrough, .handshakeTimeout: true
        case .lost(_, _, let reason): reason.isLoss
        default: false
        }
    }
}
