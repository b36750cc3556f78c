/// One direction of the link: packets go in with the time at which they came, and out at the time at which a link of these
/// settings would have delivered them. It has no clock of its own; times are nanoseconds.
struct LinkQueue {
    /// What passed.
    struct Counts: Equatable {
        var segments = 0
        var bytes = 0
        /// Segments that `loss` took.
        var lost = 0
        /// Segments for which the queue had no room.
        var dropped = 0
        /// The most bytes that waited.
        var deepest = 0
        /// How many packets came out, and how much later than due: together, and the latest, in nanoseconds.
        var packets = 0
        var late: UInt64 = 0
        var latest: UInt64 = 0
    }

    private(set) var counts = Counts()
    private let settings: LinkSettings
    private var random: SplitMix64
    private var entries = Ring()
    /// When the link will have sent all that it took.
    private var idleAt: UInt64 = 0

    init(_ settings: LinkSettings, seed: UInt64) {
        self.settings = settings
        random = SplitMix64(state: seed)
    }

    /// When the next packet is due; nil if there is none.
    var due: UInt64? { entries.firstDue }

    mutating func put(_ packet: TunnelPacket, at now: UInt64) {
        var run = 0..<0
        for index in 0..<packet.segmentCount {
            guard admit(packet.size(ofSegment: index), at: now) else {
                flush(packet, run)
                run = index + 1..<index + 1
                continue
            }
            run = run.lowerBound..<index + 1
            if run.count == settings.bundle {
                flush(packet, run)
                run = index + 1..<index + 1
            }
        }
        flush(packet, run)
    }

    /// The next packet that is due.
    mutating func next(at now: UInt64) -> [UInt8]? {
        guard let due, due <= now, let packet = entries.removeFirst() else { return nil }
        counts.packets += 1
        counts.late += now - due
        counts.latest = max(counts.latest, now - due)
        return packet
    }

    private mutating func admit(_ size: Int, at now: UInt64) -> Bool {
        counts.segments += 1
        if settings.loss > 0, Double.random(in: 0..<1, using: &random) < settings.loss {
            counts.lost += 1
            return false
        }
        let start = max(idleAt, now)
        if settings.nanosecondsPerByte > 0 {
            let waiting = Int(Double(start - now) / settings.nanosecondsPerByte)
            if let limit = settings.queue, waiting + size > limit {
                counts.dropped += 1
                return false
            }
            counts.deepest = max(counts.deepest, waiting + size)
        }
        idleAt = start + UInt64(Double(size) * settings.nanosecondsPerByte)
        counts.bytes += size
        return true
    }

    private mutating func flush(_ packet: TunnelPacket, _ run: Range<Int>) {
        guard !run.isEmpty else { return }
        entries.append(.init(due: idleAt + settings.delay, packet: packet.packet(of: run)))
    }
}

/// A first-in, first-out queue in an array that grows by doubling.
private struct Ring {
    struct Entry {
        var due: UInt64 = 0
        var packet: [UInt8] = []
    }

    private var entries = [Entry](repeating: Entry(), count: 1024)
    private var head = 0
    private var count = 0

    var firstDue: UInt64? { count > 0 ? entries[head].due : nil }

    mutating func append(_ entry: Entry) {
        if count == entries.count {
            let larger = entries[head...] + entries[..<head] + [Entry](repeating: Entry(), count: count)
            entries = [Entry](larger)
            head = 0
        }
        entries[(head + count) & (entries.count - 1)] = entry
        count += 1
    }

    mutating func removeFirst() -> [UInt8]? {
        guard count > 0 else { return nil }
        let packet = entries[head].packet
        entries[head].packet = []
        head = (head + 1) & (entries.count - 1)
        count -= 1
        return packet
    }
}

/// Steele, Lea and Flood's generator: small, and repeatable from its seed.
struct SplitMix64: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
