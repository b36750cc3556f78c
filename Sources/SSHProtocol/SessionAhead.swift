import SSHWire

/// A session channel that was asked for before the user was let in, and what has happened on it since.
struct SessionAhead {
    /// A server has no reason to do more on a channel on which nothing was written.
    private static let mostEvents = 16
    /// What a server whose ways are known calls its first channel. Requests can so follow the channel's own without its answer.
    static let firstNumber: UInt32 = 0

    let id: ChannelID
    /// The number of the packet that asked for it.
    let packet: UInt32
    /// What was asked for on it.
    let requests: [ChannelRequestKind]
    /// Whether somebody has it now.
    private(set) var isClaimed = false
    private var events: [ConnectionEvent] = []
    /// What they take, in bytes.
    private var memory = 0

    init(id: ChannelID, packet: UInt32, requests: [ChannelRequestKind]) {
        self.id = id
        self.packet = packet
        self.requests = requests
    }

    /// Whether it was refused or closed before anybody wanted it.
    var isOver: Bool {
        events.contains { event in
            switch event {
            case .channelRefused, .channelClosed: true
            default: false
            }
        }
    }

    /// Keeps an event for whoever claims the channel; false where it is for somebody else, or for whom has it.
    mutating func keep(_ event: ConnectionEvent, of channel: ChannelID) throws(ConnectionError) -> Bool {
        guard !isClaimed, channel == id else { return false }
        let event = event.detached()
        memory += event.memory
        guard events.count < Self.mostEvents, memory <= MemoryLimits.unclaimedChannels else {
            throw .violation("too much on a channel on which nothing was written")
        }
        events.append(event)
        return true
    }

    /// Gives the channel out; returns what has happened on it.
    mutating func claim() -> [ConnectionEvent] {
        isClaimed = true
        defer { events = [] }
        return events
    }
}
