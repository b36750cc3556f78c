import NIOCore
import SSHCrypto
import SSHWire

/// The packets of one direction counted: sequence numbers and the volume since the last key exchange.
struct PacketCounter {
    /// The number of the next packet (RFC 4253 section 6.4); it wraps.
    private(set) var sequenceNumber: UInt32 = 0
    /// Bytes since the keys in use came into use.
    private(set) var bytesSinceKeys: UInt64 = 0
    private(set) var packetsSinceKeys: UInt64 = 0

    mutating func count(bytes: Int) {
        sequenceNumber &+= 1
        bytesSinceKeys += UInt64(bytes)
        packetsSinceKeys += 1
    }

    /// New keys came into use; strict key exchange starts the numbers anew.
    mutating func keysChanged(resettingSequence: Bool) {
        bytesSinceKeys = 0
        packetsSinceKeys = 0
        if resettingSequence { sequenceNumber = 0 }
    }
}

/// Payloads in, packets for the socket out.
struct OutboundPackets {
    private var sealer: any PacketSealer = PlaintextSealer()
    private var compression = DelayedCompression<PayloadCompressor>()
    /// The compressed form of a payload; kept to be written anew without an allocation.
    private var compressed = ByteBuffer()
    private(set) var counter = PacketCounter()
    /// Packets that wait to be written.
    var output = ByteBuffer()
    var observer: (any ConnectionObserver)?
    /// What the method-specific numbers mean now, for the observer.
    var trace = MessageTrace()

    mutating func send(head: ByteBuffer, body: ByteBuffer?) throws(ConnectionError) {
        let start = output.writerIndex
        let number = counter.sequenceNumber
        let sizes: PacketSizes
        do {
            if let compressor = compression.active {
                compressed.clear()
                try compressor.compress(head: head, body: body, into: &compressed)
                sizes = try sealer.seal(head: compressed, body: nil, sequenceNumber: number, into: &output)
            } else {
                sizes = try sealer.seal(head: head, body: body, sequenceNumber: number, into: &output)
            }
        } catch {
            throw .packetCorrupt("\(error)")
        }
        let size = output.writerIndex - start
        counter.count(bytes: size)
        if let observer {
            var payload = head
            if let body { payload.writeImmutableBuffer(body) }
            observer.packet(
                ObservedPacket(
                    direction: .sent, sequenceNumber: number, size: size, sizes: sizes, payload: payload, trace: trace))
        }
    }

    /// What was taken last: its memory serves again once it is written and let go. Blocks of this size would else go
    /// back to the system and be faulted in anew every time.
    private var taken = ByteBuffer()

    /// Makes room for `count` bytes more.
    mutating func reserve(_ count: Int) {
        guard output.writableBytes < count else { return }
        var larger = taken
        taken = ByteBuffer()
        larger.clear(minimumCapacity: output.readableBytes + count)
        larger.writeImmutableBuffer(output)
        output = larger
    }

    /// Takes the packets that wait to be written; nil when there are none.
    mutating func take() -> ByteBuffer? {
        guard output.readableBytes > 0 else { return nil }
        taken = output
        output = ByteBuffer()
        return taken
    }

    /// Uses new keys, and a new stream of compression, from the next packet on.
    mutating func use(
        _ sealer: any PacketSealer, compression algorithm: CompressionAlgorithm, resettingSequence: Bool
    ) throws(CryptoError) {
        self.sealer = sealer
        counter.keysChanged(resettingSequence: resettingSequence)
        compression.keysChanged(isDelayed: algorithm.isDelayed, try algorithm.makeCompressor())
    }

    /// Compression that waited for the end of authentication starts with the next packet.
    mutating func authenticated() { compression.authenticated() }
}

/// Bytes from the socket in, payloads out.
struct InboundPackets {
    private var opener: any PacketOpener = PlaintextOpener()
    private var compression = DelayedCompression<PayloadDecompressor>()
    private var compressed = ByteBuffer()
    private(set) var counter = PacketCounter()
    /// The payload of the packet taken last.
    private(set) var payload = ByteBuffer()
    var observer: (any ConnectionObserver)?
    /// What the method-specific numbers mean now, for the observer.
    var trace = MessageTrace()

    /// Takes one packet from `input` into ``payload``; false while there is none whole.
    mutating func next(_ input: inout ByteBuffer) throws(ConnectionError) -> Bool {
        let number = counter.sequenceNumber
        let before = input.readableBytes
        let sizes: PacketSizes
        do {
            if let decompressor = compression.active {
                guard let opened = try opener.open(&input, sequenceNumber: number, into: &compressed) else {
                    return false
                }
                sizes = opened
                try decompressor.decompress(compressed, into: &payload)
            } else {
                guard let opened = try opener.open(&input, sequenceNumber: number, into: &payload) else {
                    return false
                }
                sizes = opened
            }
        } catch {
            throw .packetCorrupt("\(error)")
        }
        let size = before - input.readableBytes
        counter.count(bytes: size)
        if let observer {
            observer.packet(
                ObservedPacket(
                    direction: .received, sequenceNumber: number, size: size, sizes: sizes, payload: payload,
                    trace: trace))
        }
        return true
    }

    /// Uses new keys, and a new stream of compression, from the next packet on.
    mutating func use(
        _ opener: any PacketOpener, compression algorithm: CompressionAlgorithm, resettingSequence: Bool
    ) throws(CryptoError) {
        self.opener = opener
        counter.keysChanged(resettingSequence: resettingSequence)
        compression.keysChanged(isDelayed: algorithm.isDelayed, try algorithm.makeDecompressor())
    }

    /// Compression that waited for the end of authentication starts with the next packet.
    mutating func authenticated() { compression.authenticated() }
}

/// The compression of one direction, which may have to wait for the end of authentication.
private struct DelayedCompression<Stream> {
    private(set) var active: Stream?
    private var waiting: Stream?
    private var isAuthenticated = false

    mutating func keysChanged(isDelayed: Bool, _ stream: Stream?) {
        let waits = isDelayed && !isAuthenticated
        active = waits ? nil : stream
        waiting = waits ? stream : nil
    }

    mutating func authenticated() {
        isAuthenticated = true
        active = active ?? waiting
        waiting = nil
    }
}
