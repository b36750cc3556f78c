import NIOCore
import SSHProtocol
import SSHWire

// Channels: what callers ask of them, and what happens on them.

extension ConnectionHandler {
    // MARK: What callers ask for

    func openChannel(
        _ type: ChannelType, requests: [ChannelRequestKind], errorOutput: @escaping @Sendable (ByteBuffer) -> Void,
        _ waiter: Waiter<SSHChannel?>
    ) {
        guard !waiter.isOver else { return }
        do {
            if let failure { throw failure }
            let id = try connection.openChannel(type, requests: requests)
            let channel = self.channel(id, errorOutput: errorOutput)
            opening[id] = Opening(channel: channel, awaitsReply: !requests.isEmpty, waiter: waiter)
            flush()
        } catch {
            waiter.resume(throwing: error)
        }
    }

    private func channel(
        _ id: ChannelID, errorOutput: @escaping @Sendable (ByteBuffer) -> Void = { _ in }
    ) -> SSHChannel {
        SSHChannel(
            id: id, transport: transport, readBatch: connection.readBatch(id), errorOutput: errorOutput)
    }

    /// Whoever wanted a channel waits for it no longer.
    func abandon(_ waiter: Waiter<SSHChannel?>) {
        guard let id = opening.first(where: { $0.value.waiter === waiter })?.key else { return }
        attempt { () throws(ConnectionError) in connection.close(id) }
    }

    /// Gives a channel to whoever wanted it, or closes it where nobody waits any more.
    private func give(_ opening: Opening, isGranted: Bool = true) {
        let isTaken = opening.waiter.resume(returning: isGranted ? opening.channel : nil)
        if !isTaken || !isGranted { connection.close(opening.channel.id) }
    }

    /// Moves what was written to a channel into the connection.
    func drain(_ channel: SSHChannel) {
        guard failure == nil, channels[channel.id] === channel else { return }
        lastData = .now()
        let outgoing = channel.takeOutgoing()
        // A channel the peer has closed takes no more; its writer learns that from the close.
        for bytes in outgoing.data { try? connection.write(channel.id, bytes) }
        if outgoing.errors.readableBytes > 0 { try? connection.writeErrors(channel.id, outgoing.errors) }
        if let status = outgoing.exitStatus { connection.setExitStatus(channel.id, status) }
        if outgoing.finishes { connection.finishWriting(channel.id) }
        if outgoing.closes { connection.close(channel.id) }
        flush()
    }

    func request(_ channel: SSHChannel, _ kind: ChannelRequestKind, _ waiter: Waiter<Bool>) {
        guard failure == nil, channels[channel.id] === channel else {
            waiter.resume(throwing: failure ?? .channelClosed)
            return
        }
        do {
            try connection.request(channel.id, kind, wantReply: true)
            channel.awaitsReply(waiter)
            flush()
        } catch {
            waiter.resume(throwing: TransportError.connection(error))
        }
    }

    /// From now on the peer may open channels of a type, each of which goes to `acceptor`.
    func accept(_ type: String, _ acceptor: @escaping @Sendable (OfferedChannel) -> Void) {
        guard failure == nil else { return }
        acceptors[type] = acceptor
        connection.acceptedChannelTypes.insert(type)
    }

    /// Opens a channel that the peer has offered; nil when the connection is over.
    func accept(_ id: ChannelID) -> SSHChannel? {
        guard failure == nil, channels[id] == nil else { return nil }
        let channel = self.channel(id)
        channels[id] = channel
        attempt { () throws(ConnectionError) in try connection.acceptChannel(id) }
        return failure == nil ? channel : nil
    }

    func refuse(_ id: ChannelID, _ text: String) {
        attempt { () throws(ConnectionError) in try connection.rejectChannel(id, .connectFailed, text) }
    }

    // MARK: Sessions, as a server

    func serveSessions(atMost most: Int, _ answer: @escaping Transport.SessionAnswer) {
        guard failure == nil else { return }
        sessions = (most, answer)
        for id in offeredSessions { acceptSession(id) }
        offeredSessions = []
        // What was asked for on them is answered before what there is to say is sent.
        deliverEvents()
        flush()
    }

    private func acceptSession(_ id: ChannelID) {
        do {
            guard let sessions, channels.count < sessions.most else {
                return try connection.rejectChannel(id, .resourceShortage, "too many sessions")
            }
            channels[id] = channel(id)
            try connection.acceptChannel(id)
        } catch {
            // What is wrong with the connection shows at its next step.
        }
    }

    private func answerRequest(_ id: ChannelID, _ kind: ChannelRequestKind, wantReply: Bool) {
        guard let sessions, let channel = channels[id] else { return }
        let isGranted = sessions.answer(channel, kind)
        if wantReply { try? connection.replyToRequest(id, success: isGranted) }
    }

    // MARK: Events

    func deliverEvents() {
        while let event = connection.nextEvent() {
            switch event {
            case .channelReadable(let id): deliverData(id)
            case .channelEOF(let id): channels[id]?.receivedEOF()
            case .channelReply(let id, let success):
                if let waiting = opening.removeValue(forKey: id) {
                    give(waiting, isGranted: success)
                } else {
                    channels[id]?.receivedReply(success)
                }
            case .channelRequest(let id, let kind, let wantReply) where connection.role == .server:
                answerRequest(id, kind, wantReply: wantReply)
            case .channelRequest(let id, .exitStatus(let status), _): channels[id]?.received(.status(status))
            case .channelRequest(let id, .exitSignal(let name, _, _), _):
                channels[id]?.received(.signal(PeerText(name, limit: 64).description))
            case .channelOpened(let id):
                guard let waiting = opening[id] else { break }
                channels[id] = waiting.channel
                guard !waiting.awaitsReply else { break }
                opening[id] = nil
                give(waiting)
            case .channelRefused(let id, let reason, let text):
                opening.removeValue(forKey: id)?.waiter.resume(throwing: TransportError.channelRefused(reason, text))
            case .channelOffered(let id, .session) where connection.role == .server:
                if sessions == nil { offeredSessions.append(id) } else { acceptSession(id) }
            case .channelOffered(let id, let type):
                guard let acceptor = acceptors[type.name] else {
                    tell(event)
                    break
                }
                acceptor(OfferedChannel(id: id, transport: transport))
            case .channelClosed(let id):
                deliverData(id)
                connection.release(id)
                opening.removeValue(forKey: id)?.waiter.resume(throwing: TransportError.channelClosed)
                channels.removeValue(forKey: id)?.ended(nil)
            default:
                tell(event)
            }
        }
    }

    private func deliverData(_ id: ChannelID) {
        guard let channel = channels[id] else { return }
        lastData = .now()
        isStarting = false
        if let data = connection.takeReceived(id) { channel.received(data) }
        if let data = connection.takeReceivedErrors(id) {
            channel.receivedErrors(data)
            try? connection.consumed(id, data.readableBytes, at: .now)
        }
    }
}
