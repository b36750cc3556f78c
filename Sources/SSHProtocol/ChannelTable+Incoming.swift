import NIOCore
import SSHWire

// What the peer does with channels: messages 90 to 100.
extension ChannelTable {
    /// Handles a message numbered 90 to 100.
    ///
    /// - Parameter accepts: whether the peer may open a channel of this type.
    mutating func receive(
        _ payload: ByteBuffer, number: UInt8, accepts: (ChannelType) -> Bool, answersRequests: Bool
    ) throws(ConnectionError) {
        switch number {
        case ChannelData.number: try receivedData(payload)
        case ChannelExtendedData.number: try receivedExtendedData(payload)
        case ChannelWindowAdjust.number: try receivedAdjust(payload)
        case ChannelOpen.number: try receivedOpen(payload, accepts)
        case ChannelOpenConfirmation.number: try receivedConfirmation(payload)
        case ChannelOpenFailure.number: try receivedOpenFailure(payload)
        case ChannelEOF.number:
            let index = try peerIndex(try ChannelEOF(decoding: payload).recipientChannel, ChannelEOF.name)
            guard channels[index].mayReceive else { throw .violation("SSH_MSG_CHANNEL_EOF out of place") }
            channels[index].eofReceived = true
            try tell(.channelEOF(channels[index].id), of: channels[index].id)
        case ChannelClose.number: try receivedClose(payload)
        case ChannelRequest.number: try receivedRequest(payload, answers: answersRequests)
        case ChannelSuccess.number:
            try receivedReply(try ChannelSuccess(decoding: payload).recipientChannel, success: true)
        case ChannelFailure.number:
            try receivedReply(try ChannelFailure(decoding: payload).recipientChannel, success: false)
        default:
            throw .unexpected(message: number, during: "the connection protocol")
        }
    }

    /// The hot path of a download: data is appended to what the channel holds, and announced once.
    private mutating func receivedData(_ payload: ByteBuffer) throws(ConnectionError) {
        let message = try ChannelData(decoding: payload)
        let index = try peerIndex(message.recipientChannel, ChannelData.name)
        try account(message.data, index, ChannelData.name)
        let id = ChannelID(number: message.recipientChannel)
        guard !channels[index].closeWanted else { return try discarded(id, message.data.readableBytes) }
        let held = channels[index].received.readableBytes
        channels[index].receive(message.data)
        if held == 0, message.data.readableBytes > 0 { try tell(.channelReadable(id), of: id) }
    }

    private mutating func receivedExtendedData(_ payload: ByteBuffer) throws(ConnectionError) {
        let message = try ChannelExtendedData(decoding: payload)
        let index = try peerIndex(message.recipientChannel, ChannelExtendedData.name)
        try account(message.data, index, ChannelExtendedData.name)
        let id = ChannelID(number: message.recipientChannel)
        // Other types than standard error are defined nowhere; they count against the window and go no further.
        guard message.dataType == ChannelExtendedData.standardError, !channels[index].closeWanted else {
            return try discarded(id, message.data.readableBytes)
        }
        let held = channels[index].receivedErrors.readableBytes
        channels[index].receivedErrors.writeImmutableBuffer(message.data)
        if held == 0, message.data.readableBytes > 0 { try tell(.channelReadable(id), of: id) }
    }

    private mutating func account(_ data: ByteBuffer, _ index: Int, _ name: String) throws(ConnectionError) {
        guard channels[index].mayReceive else { throw .violation("\(name) out of place") }
        guard data.readableBytes <= Int(maximumPacketSize) else {
            throw .violation("\(name) with \(data.readableBytes) bytes, at most \(maximumPacketSize) fit")
        }
        guard channels[index].window.received(data.readableBytes) else {
            let remaining = channels[index].window.remaining
            throw .violation("\(name) with \(data.readableBytes) bytes, the window has \(remaining)")
        }
    }

    private mutating func receivedAdjust(_ payload: ByteBuffer) throws(ConnectionError) {
        let message = try ChannelWindowAdjust(decoding: payload)
        let index = try peerIndex(message.recipientChannel, ChannelWindowAdjust.name)
        guard channels[index].stage == .open else {
            throw .violation("SSH_MSG_CHANNEL_WINDOW_ADJUST out of place")
        }
        let window = channels[index].sendWindow + Int(message.bytesToAdd)
        guard window <= Int(UInt32.max) else { throw .violation("a window of \(window) bytes") }
        channels[index].sendWindow = window
    }

    private mutating func receivedOpen(_ payload: ByteBuffer, _ accepts: (ChannelType) -> Bool) throws(ConnectionError)
    {
        let message = try ChannelOpen(decoding: payload)
        func refuse(_ reason: ChannelOpenFailureReason, _ text: String) throws(ConnectionError) {
            try send(ChannelOpenFailure(recipientChannel: message.senderChannel, reason: reason, text: text))
        }
        guard accepts(message.type) else {
            if case .other = message.type { return try refuse(.unknownChannelType, "unknown here") }
            return try refuse(.administrativelyProhibited, "not offered here")
        }
        guard count < configuration.mostChannels else { return try refuse(.resourceShortage, "too many channels") }
        guard message.maximumPacketSize > 0 else { return try refuse(.resourceShortage, "packets of no size") }
        let id = try allocate(type: message.type.name, stage: .offered)
        channels[Int(id.number)].opened(
            remoteNumber: message.senderChannel, window: message.initialWindowSize,
            packetSize: message.maximumPacketSize)
        channels[Int(id.number)].stage = .offered
        events.append(.channelOffered(id, message.type))
    }

    private mutating func receivedConfirmation(_ payload: ByteBuffer) throws(ConnectionError) {
        let message = try ChannelOpenConfirmation(decoding: payload)
        let index = try peerIndex(message.recipientChannel, ChannelOpenConfirmation.name)
        let channel = channels[index]
        guard channel.stage == .requested else {
            throw .violation("channel \(message.recipientChannel) confirmed twice")
        }
        guard message.maximumPacketSize > 0 else { throw .violation("a channel for packets of no size") }
        if let ahead, ahead.id == channel.id, !ahead.requests.isEmpty,
            message.senderChannel != SessionAhead.firstNumber
        {
            throw .violation("the first channel is number \(message.senderChannel)")
        }
        channels[index].opened(
            remoteNumber: message.senderChannel, window: message.initialWindowSize,
            packetSize: message.maximumPacketSize)
        try tell(.channelOpened(channel.id), of: channel.id)
        answered(channel.id)
        channels[index].requests = []
        try send(channel.requests, on: channel.id, number: message.senderChannel)
    }

    private mutating func receivedOpenFailure(_ payload: ByteBuffer) throws(ConnectionError) {
        let message = try ChannelOpenFailure(decoding: payload)
        let index = try peerIndex(message.recipientChannel, ChannelOpenFailure.name)
        let channel = channels[index]
        guard channel.stage == .requested else {
            throw .violation("channel \(message.recipientChannel) refused after it was open")
        }
        let reason = ChannelOpenFailureReason(rawValue: message.reason)
        let text = PeerText(message.text.readableBytesView)
        if let ahead, ahead.id == channel.id, !ahead.requests.isEmpty { throw .sessionRefused(reason, text) }
        channels[index].stage = .refused
        try tell(.channelRefused(channel.id, reason, text), of: channel.id)
        answered(channel.id)
    }

    private mutating func receivedClose(_ payload: ByteBuffer) throws(ConnectionError) {
        let index = try peerIndex(try ChannelClose(decoding: payload).recipientChannel, ChannelClose.name)
        let channel = channels[index]
        guard channel.stage == .open, !channel.closeReceived else {
            throw .violation("SSH_MSG_CHANNEL_CLOSE out of place")
        }
        channels[index].closeReceived = true
        channels[index].closeWanted = true
        channels[index].dropUnsent()
        if channel.closeSent { try tell(.channelClosed(channel.id), of: channel.id) }
    }

    /// A client that knows how channels are numbered here may make requests without waiting for its channel; so many at most.
    private static let mostRequestsAhead = 64

    private mutating func receivedRequest(_ payload: ByteBuffer, answers: Bool) throws(ConnectionError) {
        let message = try ChannelRequest(decoding: payload)
        let index = try peerIndex(message.recipientChannel, ChannelRequest.name)
        let channel = channels[index]
        if channel.stage == .offered, channel.requestsAhead.count < Self.mostRequestsAhead {
            return try keep(message, index)
        }
        guard channel.stage == .open, !channel.closeReceived else {
            throw .violation("SSH_MSG_CHANNEL_REQUEST out of place")
        }
        try tell(.channelRequest(channel.id, message.kind, wantReply: message.wantReply), of: channel.id)
        if message.wantReply && !answers && !channel.closeSent {
            try send(ChannelFailure(recipientChannel: channel.remoteNumber))
        }
    }

    private mutating func keep(_ message: ChannelRequest, _ index: Int) throws(ConnectionError) {
        let kind = message.kind.detached()
        unclaimedBytes += kind.memory
        guard unclaimedBytes <= MemoryLimits.unclaimedChannels else {
            throw .violation("requests of more than \(MemoryLimits.unclaimedChannels) bytes ahead of their channels")
        }
        channels[index].requestsAhead.append((kind, message.wantReply))
    }

    /// Takes the requests that were made on a channel before it was accepted.
    mutating func takeRequestsAhead(_ index: Int) -> [(kind: ChannelRequestKind, wantReply: Bool)] {
        let requests = channels[index].requestsAhead
        guard !requests.isEmpty else { return [] }
        channels[index].requestsAhead = []
        unclaimedBytes -= requests.reduce(0) { $0 + $1.kind.memory }
        return requests
    }

    private mutating func receivedReply(_ number: UInt32, success: Bool) throws(ConnectionError) {
        let index = try peerIndex(number, success ? ChannelSuccess.name : ChannelFailure.name)
        guard channels[index].stage == .open, channels[index].repliesAwaited > 0 else {
            throw .violation("an answer on channel \(number) to no request")
        }
        channels[index].repliesAwaited -= 1
        try tell(.channelReply(channels[index].id, success: success), of: channels[index].id)
    }
}
