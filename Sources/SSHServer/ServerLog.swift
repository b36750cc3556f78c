import Logging
import Metrics
import NIOCore
import SSHNIO
import SSHWire
import Synchronization

/// The lines and counters of a server: one line for each log-in and each end of a connection, and for refusals, of which
/// there may be many, one for each period.
final class ServerLog: Sendable {
    private let logger: Logger?
    private let connections: Counter
    private let refusals: Counter
    private let logins: Counter
    private let failedLogins: Counter
    private let repeated = Mutex(RepeatedLines())

    init(_ logger: Logger?, metrics: any MetricsFactory) {
        self.logger = logger
        connections = Counter(label: "scpd_connections_total", factory: metrics)
        refusals = Counter(label: "scpd_refused_connections_total", factory: metrics)
        logins = Counter(label: "scpd_logins_total", factory: metrics)
        failedLogins = Counter(label: "scpd_failed_logins_total", factory: metrics)
    }

    /// A connection that the server does not take.
    func refused(_ address: PeerAddress, _ refusal: Admission.Refusal, on eventLoop: any EventLoop) {
        refusals.increment()
        let (kind, reason) =
            switch refusal {
            case .tooManyConnections: ("too many connections", "too many connections")
            case .tooManyStartups: ("too many connections before log-in", "too many connections before log-in")
            case .penalized(let seconds): ("failed log-ins", "failed log-ins: not for \(seconds) seconds")
            }
        tell(.init(words: "connections refused", reason: kind), from: address.network, on: eventLoop) {
            $0.notice("connection refused", metadata: Self.metadata(address) + ["reason": "\(reason)"])
        }
    }

    /// Connections wait, as the system has not what another one needs.
    func accepting(failedFor number: Int32, on eventLoop: any EventLoop) {
        let reason = SystemError.text(number)
        tell(.init(words: "connections wait", reason: reason), from: [], on: eventLoop) {
            $0.warning("connections wait", metadata: ["reason": "\(reason)"])
        }
    }

    /// Tells of an event now, or counts it among those that are told of together.
    private func tell(
        _ kind: RepeatedLines.Kind, from network: [UInt8], on eventLoop: any EventLoop, _ line: (Logger) -> Void
    ) {
        guard let logger, repeated.withLock({ $0.note(kind, from: network) }) == .tell else { return }
        line(logger)
        endPeriod(of: kind, on: eventLoop)
    }

    private func endPeriod(of kind: RepeatedLines.Kind, on eventLoop: any EventLoop) {
        eventLoop.scheduleTask(in: .seconds(Int64(RepeatedLines.period))) { [weak self] in
            guard let self, self.tellRepeated(kind) else { return }
            self.endPeriod(of: kind, on: eventLoop)
        }
    }

    /// Tells what was counted of one kind; whether there was anything.
    private func tellRepeated(_ kind: RepeatedLines.Kind) -> Bool {
        guard let summary = repeated.withLock({ $0.end(of: kind) }) else { return false }
        var fields: Logger.Metadata = ["reason": "\(kind.reason)", "count": "\(summary.count)"]
        if !summary.networks.contains([]) { fields["networks"] = "\(summary.networks.count)" }
        logger?.notice("\(kind.words)", metadata: fields)
        return true
    }

    /// Tells what was counted and not yet told, at the server's end.
    func tellRepeated() {
        for kind in repeated.withLock({ $0.kinds }) { _ = tellRepeated(kind) }
    }

    /// The system does not allow what the configuration names.
    func congestionControl(_ name: String, isNotUsed reason: String) {
        logger?.warning(
            "congestion control not used", metadata: ["name": "\(Printable.text(name.utf8))", "reason": "\(reason)"])
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
