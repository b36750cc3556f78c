import Logging
import Metrics
import NIOCore
import SSHNIO
import SSHWire

/// The lines and counters of a server: one line for each log-in, each refusal and each end of a connection.
struct ServerLog: Sendable {
    private let logger: Logger?
    private let connections: Counter
    private let refusals: Counter
    private let logins: Counter
    private let failedLogins: Counter

    init(_ logger: Logger?, metrics: any MetricsFactory) {
        self.logger = logger
        connections = Counter(label: "scpd_connections_total", factory: metrics)
        refusals = Counter(label: "scpd_refused_connections_total", factory: metrics)
        logins = Counter(label: "scpd_logins_total", factory: metrics)
        failedLogins = Counter(label: "scpd_failed_logins_total", factory: metrics)
    }

    /// A connection that the server does not take.
    func refused(_ address: PeerAddress, _ refusal: Admission.Refusal) {
        refusals.increment()
        let reason =
            switch refusal {
            case .tooManyConnections: "too many connections"
            case .tooManyStartups: "too many connections before log-in"
            case .penalized(let seconds): "failed log-ins: not for \(seconds) seconds"
            }
        logger?.notice("connection refused", metadata: Self.metadata(address) + ["reason": "\(reason)"])
    }

    func connected(_ address: PeerAddress) {
        connections.increment()
        logger?.debug("connection", metadata: Self.metadata(address))
    }

    /// An attempt to be let in.
    func attempt(_ event: LoginEvent) {
        var fields: Logger.Metadata = [
            "user": "\(event.user)", "address": "\(event.address)", "port": "\(event.port)",
            "method": "\(event.method)",
        ]
        if let key = event.key { fields["key"] = "\(key)" }
        let words: Logger.Message
        switch event.outcome {
        case .accepted:
            logins.increment()
            words = "login"
        case .stepDone:
            words = "login step"
        case .failed(let reason):
            failedLogins.increment()
            words = "login failed"
            fields["reason"] = "\(reason)"
        case .disconnected(let reason):
            words = "login refused"
            fields["reason"] = "\(reason)"
        }
        logger?.log(level: event.level, words, metadata: fields)
    }

    /// A connection that ended before anybody was let in.
    func ended(_ address: PeerAddress, _ reason: any Error) {
        logger?.info(
            "connection ended before login",
            metadata: Self.metadata(address) + ["reason": "\(Printable.text("\(reason)".utf8))"])
    }

    /// The end of a connection whose user was let in.
    func ended(_ login: Login, _ reason: TransportError?) {
        logger?.info(
            "connection ended", metadata: Self.metadata(login) + ["reason": "\(reason.map { "\($0)" } ?? "closed")"])
    }

    /// A request that is not served.
    func refused(_ login: Login, _ request: SessionRequest) {
        let wanted =
            switch request {
            case .exec(let command): "exec " + Printable.text(command.readableBytesView.prefix(256))
            case .subsystem(let name): "subsystem " + Printable.text(name.utf8.prefix(256))
            case .shell: "shell"
            }
        logger?.notice("request refused", metadata: Self.metadata(login) + ["request": "\(wanted)"])
    }

    private static func metadata(_ address: PeerAddress) -> Logger.Metadata {
        ["address": "\(address.text)", "port": "\(address.port)"]
    }

    private static func metadata(_ login: Login) -> Logger.Metadata {
        ["user": "\(login.user)", "address": "\(login.address)", "port": "\(login.port)"]
    }
}

extension Logger.Metadata {
    static func + (one: Self, other: Self) -> Self { one.merging(other) { $1 } }
}
