import SSHProtocol

/// A channel that the peer asks for (RFC 4254 section 5.1) and that waits for a word from here.
package struct OfferedChannel: Sendable {
    let id: ChannelID
    let transport: Transport

    /// Opens it; nil when the connection is over.
    package func accept() async -> SSHChannel? { await transport.accept(id) }

    /// Refuses it, for a reason the peer may show.
    package func refuse(_ reason: String) { transport.refuse(id, reason) }
}
