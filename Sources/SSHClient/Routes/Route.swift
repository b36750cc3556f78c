import SSHNIO
import SSHWire

/// What a connection runs over, and what of it is to be ended when the connection is.
struct Route: Sendable {
    /// Has begun to speak.
    let transport: Transport
    /// The numeric address it leads to; empty where that is not for us to know, as behind a proxy.
    var address = ""
    /// Ends what carries the connection; called after its own end.
    var end: @Sendable () async -> Void = {}

    /// Ends the connection and what carries it.
    func close(_ reason: DisconnectReason = .byApplication, _ text: String = "disconnected by user") async {
        await transport.close(reason, text)
        await release()
    }

    /// Ends what carries the connection. A task that is cancelled does not wait for it.
    func release() async {
        let end = end
        try? await Task { await end() }.valueUnlessCancelled()
    }
}
