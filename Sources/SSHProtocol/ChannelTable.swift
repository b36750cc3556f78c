import NIOCore
import SSHWire

/// The channels of a connection (RFC 4254 section 5), both roles, sans-I/O.
///
/// Messages come in as payloads and go out as payloads; data leaves only as the peer's windows admit it.
struct ChannelTable {
    let configuration: ConnectionConfiguration
    /// By their numbers; those of a stage `unused` are nobody's.
    var channels: [Channel] = []
    /// Channels that are somebody's.
    var count = 0
    /// Whether the peer is of this package, and takes larger packets than others must.
    var isPeerOurs = false
    /// The most data sent in one packet, in bytes: what every peer takes (RFC 4253 section 6.1), or what our own does.
    private var packetSize: Int { isPeerOurs ? 128 * 1024 : 32 * 1024 }
    /// The most data of a packet we accept, in bytes.
    var maximumPacketSize: UInt32 {
        isPeerOurs ? configuration.ownMaximumPacketSize : configuration.maximumPacketSize
    }
    /// Where the next round of sending starts, so that no channel starves another.
    private var nextToSend = 0
    var events = CircularBuffer<ConnectionEvent>()
    var ahead: SessionAhead?
    /// Messages to be sent, in order.
    private var outgoing = CircularBuffer<ByteBuffer>()
    /// What they take in memory, in bytes.
    private(set) var outgoingBytes = 0
    /// What the requests take that were made on channels before anybody took these, in bytes.
    var unclaimedBytes = 0
    /// Holds the first bytes of each data packet; kept to be written anew without an allocation.
    private var dataHead = ByteBuffer()

    init(configuration: ConnectionConfiguration) {
        self.configuration = configuration
    }

    mutating func nextEvent() -> ConnectionEvent? {
        let event = events.popFirst()
        // Only now, so that nobody takes the event for one of the next channel of that number.
        if case .channelRefused(let id, _, _) = event { forget(id) }
        return event
    }
    mutating func nextMessage() -> ByteBuffer? {
        guard let message = outgoing.popFirst() else { return nil }
        outgoingBytes -= message.readableBytes + MemoryLimits.overhead
        return message
    }

    mutating func send(_ message: some Message) throws(ConnectionError) {
        let payload: ByteBuffer
        do { payload = try message.encoded() } catch { throw .violation("\(error)") }
        outgoingBytes += payload.readableBytes + MemoryLimits.overhead
        outgoing.append(payload)
    }

    mutating func tell(_ event: ConnectionEvent, of id: ChannelID) throws(ConnectionError) {
        guard try ahead?.keep(event, of: id) != true else { return }
        events.append(event)
    }

    // MARK: A session opened ahead

    /// Asks for a session channel that the next ``open(_:requests:)`` of one gives out, if that is for the same requests or for nothing
    /// yet.
    ///
    /// - Parameters:
    ///   - packet: the number of the packet that will carry the next message.
    ///   - requests: are made at once.
    mutating func openAhead(packet: UInt32, requests: [ChannelRequestKind]) throws(ConnectionError) {
        let id = try open(.session, isMeasured: Self.isMeasured(.session, requests))
        ahead = SessionAhead(id: id, packet: packet, requests: requests)
        try send(requests, on: id, number: SessionAhead.firstNumber)
    }

    /// The peer has not let the user in, so it has not looked at the channel asked for ahead.
    mutating func forgetAhead() {
        guard let id = ahead?.id else { return }
        ahead = nil
        forget(id)
    }

    /// The peer does not know one of our packets: if that asked for the channel ahead, it is as if it had not been sent.
    mutating func unknown(packet: UInt32) throws(ConnectionError) {
        guard let waiting = ahead, waiting.packet == packet, isRequested(waiting.id) else { return }
        guard waiting.isClaimed else { return forgetAhead() }
        ahead = nil
        if !waiting.requests.isEmpty, let index = index(waiting.id.number) {
            channels[index].repliesAwaited = 0
            channels[index].requests = waiting.requests
        }
        try sendOpen(.session, waiting.id)
    }

    private func isRequested(_ id: ChannelID) -> Bool {
        index(id.number).map { channels[$0].stage == .requested } ?? false
    }

    private mutating func claimAhead(for requests: [ChannelRequestKind]) throws(ConnectionError) -> ChannelID? {
        guard let waiting = ahead, !waiting.isClaimed, waiting.requests.isEmpty || waiting.requests == requests else {
            return nil
        }
        if waiting.isOver {
            forgetAhead()
            return nil
        }
        events.append(contentsOf: ahead?.claim() ?? [])
        if waiting.requests.isEmpty { try request(requests, on: waiting.id) }
        if !isRequested(waiting.id) { ahead = nil }
        return waiting.id
    }

    /// The peer has answered the request for a channel: whoever has it needs no second one.
    mutating func answered(_ id: ChannelID) {
        if ahead?.isClaimed == true, ahead?.id == id { ahead = nil }
    }

    // MARK: Look-up

    private func index(_ number: UInt32) -> Int? {
        guard number < UInt32(channels.count), channels[Int(number)].stage != .unused else { return nil }
        return Int(number)
    }

    func peerIndex(_ number: UInt32, _ message: String) throws(ConnectionError) -> Int {
        guard let index = index(number) else { throw .violation("\(message) for channel \(number), which is not open") }
        return index
    }

    /// - Parameter isMeasured: the peer may send without being asked, see ``ReceiveWindow``.
    mutating func allocate(
        type: String, stage: Channel.Stage, isMeasured: Bool = false
    ) throws(ConnectionError) -> ChannelID {
        guard count < configuration.mostChannels else { throw .violation("\(count) channels are open, no more may be") }
        let slot = channels.firstIndex { $0.stage == .unused } ?? channels.endIndex
        let id = ChannelID(number: UInt32(slot))
        let channel = Channel(
            id: id, type: type, stage: stage,
            window: ReceiveWindow(size: configuration.receiveWindow, isMeasured: isMeasured))
        if slot == channels.endIndex { channels.append(channel) } else { channels[slot] = channel }
        count += 1
        return id
    }

    /// Forgets a channel that is closed; its number may be used again.
    mutating func release(_ id: ChannelID) {
        guard let index = index(id.number), channels[index].closeSent, channels[index].closeReceived else { return }
        forget(id)
    }

    private mutating func forget(_ id: ChannelID) {
        guard let index = index(id.number) else { return }
        _ = takeRequestsAhead(index)
        channels[index] = Channel(id: id, type: "", stage: .unused, window: ReceiveWindow(size: 0))
        count -= 1
    }

    // MARK: What this side does

    /// - Parameter requests: are made as soon as the channel is open; the last one's answer is told.
    mutating func open(_ type: ChannelType, requests: [ChannelRequestKind] = []) throws(ConnectionError) -> ChannelID {
        if case .session = type, let id = try claimAhead(for: requests) { return id }
        let id = try open(type, isMeasured: Self.isMeasured(type, requests))
        try request(requests, on: id)
        return id
    }

    private mutating func open(_ type: ChannelType, isMeasured: Bool) throws(ConnectionError) -> ChannelID {
        let id = try allocate(type: type.name, stage: .requested, isMeasured: isMeasured)
        try sendOpen(type, id)
        return id
    }

    /// A command sends what it has; a subsystem such as SFTP what it is asked for.
    static func isMeasured(_ type: ChannelType, _ requests: [ChannelRequestKind]) -> Bool {
        guard case .session = type else { return false }
        return !requests.contains { if case .subsystem = $0 { true } else { false } }
    }

    /// A subsystem is about to be asked for.
    private mutating func widen(_ index: Int, for kind: ChannelRequestKind) throws(ConnectionError) {
        guard case .subsystem = kind else { return }
        let grant = channels[index].window.stopMeasuring()
        if grant > 0 {
            try send(ChannelWindowAdjust(recipientChannel: channels[index].remoteNumber, bytesToAdd: grant))
        }
    }

    /// Makes requests on a channel now, or when it is open.
    private mutating func request(_ requests: [ChannelRequestKind], on id: ChannelID) throws(ConnectionError) {
        guard let index = index(id.number) else { return }
        if channels[index].stage == .open {
            try send(requests, on: id, number: channels[index].remoteNumber)
        } else {
            channels[index].requests = requests
        }
    }

    /// - Parameter number: what the peer calls the channel.
    mutating func send(
        _ requests: [ChannelRequestKind], on id: ChannelID, number: UInt32
    ) throws(ConnectionError) {
        guard let index = index(id.number), !requests.isEmpty else { return }
        for (position, kind) in requests.enumerated() {
            try widen(index, for: kind)
            try send(ChannelRequest(recipientChannel: number, kind: kind, wantReply: position == requests.count - 1))
        }
        channels[index].repliesAwaited += 1
    }

    private mutating func sendOpen(_ type: ChannelType, _ id: ChannelID) throws(ConnectionError) {
        try send(
            ChannelOpen(
                type: type, senderChannel: id.number,
                initialWindowSize: UInt32(channels[Int(id.number)].window.remaining),
                maximumPacketSize: maximumPacketSize))
    }

    mutating func accept(_ id: ChannelID) throws(ConnectionError) {
        guard let index = index(id.number), channels[index].stage == .offered else { return }
        channels[index].stage = .open
        var message = ChannelOpenConfirmation()
        message.recipientChannel = channels[index].remoteNumber
        message.senderChannel = id.number
        message.initialWindowSize = UInt32(channels[index].window.remaining)
        message.maximumPacketSize = maximumPacketSize
        try send(message)
        let requests = takeRequestsAhead(index)
        for request in requests { try tell(.channelRequest(id, request.kind, wantReply: request.wantReply), of: id) }
    }

    mutating func reject(_ id: ChannelID, _ reason: ChannelOpenFailureReason, _ text: String) throws(ConnectionError) {
        guard let index = index(id.number), channels[index].stage == .offered else { return }
        try send(ChannelOpenFailure(recipientChannel: channels[index].remoteNumber, reason: reason, text: text))
        forget(id)
    }

    mutating func request(_ id: ChannelID, _ kind: ChannelRequestKind, wantReply: Bool) throws(ConnectionError) {
        guard let index = index(id.number), channels[index].stage == .open, !channels[index].closeSent else {
            throw .closed
        }
        if wantReply { channels[index].repliesAwaited += 1 }
        try widen(index, for: kind)
        try send(ChannelRequest(recipientChannel: channels[index].remoteNumber, kind: kind, wantReply: wantReply))
    }

    mutating func reply(_ id: ChannelID, success: Bool) throws(ConnectionError) {
        guard let index = index(id.number), channels[index].stage == .open, !channels[index].closeSent else { return }
        if success {
            try send(ChannelSuccess(recipientChannel: channels[index].remoteNumber))
        } else {
            try send(ChannelFailure(recipientChannel: channels[index].remoteNumber))
        }
    }

    mutating func write(_ id: ChannelID, _ bytes: ByteBuffer) throws(ConnectionError) {
        guard let index = index(id.number), channels[index].takesData else { throw .closed }
        if bytes.readableBytes > 0 { channels[index].enqueue(bytes) }
    }

    mutating func writeErrors(_ id: ChannelID, _ bytes: ByteBuffer) throws(ConnectionError) {
        guard let index = index(id.number), !channels[index].closeWanted, !channels[index].closeSent else {
            throw .closed
        }
        channels[index].enqueueErrors(bytes)
    }

    mutating func setExitStatus(_ id: ChannelID, _ status: UInt32) {
        guard let index = index(id.number) else { return }
        channels[index].exitStatus = status
    }

    mutating func finishWriting(_ id: ChannelID) {
        guard let index = index(id.number) else { return }
        channels[index].eofWanted = true
    }

    mutating func close(_ id: ChannelID) {
        guard let index = index(id.number) else { return }
        channels[index].closeWanted = true
        // A peer that waits for room to write must not keep us waiting for its CLOSE.
        for data in [takeReceived(id), takeReceivedErrors(id)] {
            try? discarded(id, data?.readableBytes ?? 0)
        }
    }

    /// Bytes written to a channel that have not left it yet.
    func unsentBytes(_ id: ChannelID) -> Int {
        index(id.number).map { channels[$0].unsentBytes } ?? 0
    }

    func readBatch(_ id: ChannelID) -> Int { index(id.number).map { channels[$0].window.batch } ?? 0 }

    /// Whether the peer's window is what holds a channel's data back.
    func isStalled(_ id: ChannelID) -> Bool {
        index(id.number).map { channels[$0].isStalled } ?? false
    }

    /// Takes the data received on a channel since the last call; nil when there is none.
    mutating func takeReceived(_ id: ChannelID) -> ByteBuffer? {
        guard let index = index(id.number) else { return nil }
        return channels[index].takeReceived()
    }

    mutating func takeReceivedErrors(_ id: ChannelID) -> ByteBuffer? {
        guard let index = index(id.number), channels[index].receivedErrors.readableBytes > 0 else { return nil }
        let data = channels[index].receivedErrors
        channels[index].receivedErrors = ByteBuffer()
        return data
    }

    /// Data was read by its reader: grants the peer as much again, early.
    mutating func consumed(
        _ id: ChannelID, _ count: Int, at now: FlowMeasure.Instant
    ) throws(ConnectionError) {
        guard let index = index(id.number) else { return }
        try grant(channels[index].window.read(count, at: now), index)
    }

    /// Data is read by nobody.
    mutating func discarded(_ id: ChannelID, _ count: Int) throws(ConnectionError) {
        guard let index = index(id.number) else { return }
        try grant(channels[index].window.discard(count), index)
    }

    private mutating func grant(_ grant: UInt32, _ index: Int) throws(ConnectionError) {
        guard grant > 0, channels[index].stage == .open, !channels[index].eofReceived, !channels[index].closeSent else {
            return
        }
        try send(ChannelWindowAdjust(recipientChannel: channels[index].remoteNumber, bytesToAdd: grant))
    }

    // MARK: Sending data

    /// Sends the next data packet, or what may follow the last one; false when nothing may go now.
    ///
    /// - Parameter limit: how many bytes the caller takes at most, for memory to be reserved at once.
    mutating func pump(into outbound: inout OutboundPackets, limit: Int) throws(ConnectionError) -> Bool {
        guard count > 0 else { return false }
        let packetSize = packetSize
        for offset in 0..<channels.count {
            let index = (nextToSend + offset) % channels.count
            guard channels[index].stage != .unused else { continue }
            let (number, unsentBytes) = (channels[index].remoteNumber, channels[index].unsentBytes)
            if let text = channels[index].nextErrors(atMost: packetSize) {
                try send(ChannelExtendedData(recipientChannel: number, standardError: text))
                nextToSend = index + 1
                return true
            }
            if unsentBytes > 0 {
                dataHead.clear()
                dataHead.writeMultipleIntegers(ChannelData.number, number, 0 as UInt32)
                if let (size, body) = channels[index].nextData(atMost: packetSize, head: &dataHead) {
                    dataHead.setInteger(UInt32(size), at: dataHead.readerIndex + ChannelData.overhead - 4)
                    outbound.reserve(min(limit - outbound.output.readableBytes, unsentBytes) + packetSize)
                    try outbound.send(head: dataHead, body: body)
                    nextToSend = index + 1
                    return true
                }
            }
            if try finish(index) { return true }
        }
        return false
    }

    /// Sends EOF, the exit status and CLOSE once all data before them has gone.
    private mutating func finish(_ index: Int) throws(ConnectionError) -> Bool {
        guard channels[index].mayEnd else { return false }
        let channel = channels[index]
        if channel.eofWanted && !channel.eofSent && !channel.closeReceived && channel.isDrained {
            channels[index].eofSent = true
            try send(ChannelEOF(recipientChannel: channel.remoteNumber))
            return true
        }
        if channel.closeWanted && (channel.isDrained || channel.closeReceived) {
            if let status = channel.exitStatus, !channel.closeReceived {
                try send(
                    ChannelRequest(
                        recipientChannel: channel.remoteNumber, kind: .exitStatus(status), wantReply: false))
            }
            channels[index].closeSent = true
            channels[index].dropUnsent()
            try send(ChannelClose(recipientChannel: channel.remoteNumber))
            if channel.closeReceived { try tell(.channelClosed(channel.id), of: channel.id) }
            return true
        }
        return false
    }
}
