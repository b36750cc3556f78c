/// A packet as a TUN device with IFF_VNET_HDR gives and takes it: a virtio_net_hdr, then IPv4. TCP may hand over many
/// segments as one packet, to be cut by whoever sends it; so that loss, rate and queue act on each segment as on a wire, this
/// finds them and writes any run of them as a packet of its own.
///
/// Checksums of TCP are left unfinished (VIRTIO_NET_HDR_F_NEEDS_CSUM), as both ends are on this machine.
struct TunnelPacket {
    /// virtio_net_hdr: flags, gso_type, then hdr_len, gso_size, csum_start and csum_offset of two bytes in host order.
    static let prefixSize = 10
    private static let tcpv4: UInt8 = 1
    private static let ecn: UInt8 = 0x80

    private let bytes: UnsafeRawBufferPointer
    /// Of IP and TCP together, with the prefix; what follows is the payload.
    private var headerSize = 0
    private var segmentSize = 0
    private var tcpStart = 0
    private(set) var segmentCount = 1

    /// `bytes` have to stay valid as long as the packet. Returns nil for what is too short to be one.
    init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count > Self.prefixSize else { return nil }
        self.bytes = bytes
        guard bytes[1] & ~Self.ecn == Self.tcpv4, bytes.count >= Self.prefixSize + 40 else { return }
        let size = Int(bytes.loadUnaligned(fromByteOffset: 4, as: UInt16.self))
        let tcp = Self.prefixSize + Int(bytes[Self.prefixSize] & 0x0F) * 4
        guard size > 0, bytes.count >= tcp + 20 else { return }
        let header = tcp + Int(bytes[tcp + 12] >> 4) * 4
        guard bytes.count > header + size else { return }
        (headerSize, segmentSize, tcpStart) = (header, size, tcp)
        segmentCount = (bytes.count - header + size - 1) / size
    }

    /// How many bytes of IP a segment has.
    func size(ofSegment index: Int) -> Int {
        guard segmentCount > 1 else { return bytes.count - Self.prefixSize }
        let payload = min(segmentSize, bytes.count - headerSize - index * segmentSize)
        return headerSize - Self.prefixSize + payload
    }

    /// The segments as one packet.
    func packet(of segments: Range<Int>) -> [UInt8] {
        guard segmentCount > 1, segments != 0..<segmentCount, !segments.isEmpty else { return [UInt8](bytes) }
        let start = headerSize + segments.lowerBound * segmentSize
        let end = min(bytes.count, headerSize + segments.upperBound * segmentSize)
        var result = [UInt8](bytes[..<headerSize])
        result.reserveCapacity(headerSize + end - start)
        result.append(contentsOf: bytes[start..<end])
        if segments.count == 1 {
            result[1] = 0
            result[4] = 0
            result[5] = 0
        }
        adjustInternetHeader(&result, first: segments.lowerBound)
        adjustTCPHeader(&result, segments)
        return result
    }

    /// RFC 791, 3.1: total length, identification and checksum.
    private func adjustInternetHeader(_ packet: inout [UInt8], first: Int) {
        let ip = Self.prefixSize
        packet.put(UInt16(truncatingIfNeeded: packet.count - ip), at: ip + 2)
        packet.put(packet.word(at: ip + 4) &+ UInt16(truncatingIfNeeded: first), at: ip + 4)
        packet.put(0, at: ip + 10)
        var sum: UInt32 = 0
        for offset in stride(from: ip, to: tcpStart, by: 2) { sum += UInt32(packet.word(at: offset)) }
        while sum > 0xFFFF { sum = (sum & 0xFFFF) + sum >> 16 }
        packet.put(~UInt16(truncatingIfNeeded: sum), at: ip + 10)
    }

    /// RFC 9293, 3.1: the sequence number; FIN and PSH belong to the last segment, CWR to the first (RFC 3168, 6.1.2).
    private func adjustTCPHeader(_ packet: inout [UInt8], _ segments: Range<Int>) {
        let sequence = UInt32(packet.word(at: tcpStart + 4)) << 16 | UInt32(packet.word(at: tcpStart + 6))
        let moved = sequence &+ UInt32(truncatingIfNeeded: segments.lowerBound * segmentSize)
        packet.put(UInt16(truncatingIfNeeded: moved >> 16), at: tcpStart + 4)
        packet.put(UInt16(truncatingIfNeeded: moved), at: tcpStart + 6)
        if segments.upperBound < segmentCount { packet[tcpStart + 13] &= ~0x09 }
        if segments.lowerBound > 0 { packet[tcpStart + 13] &= ~0x80 }
    }
}

extension [UInt8] {
    fileprivate func word(at offset: Int) -> UInt16 { UInt16(self[offset]) << 8 | UInt16(self[offset + 1]) }

    fileprivate mutating func put(_ value: UInt16, at offset: Int) {
        self[offset] = UInt8(value >> 8)
        self[offset + 1] = UInt8(value & 0xFF)
    }
}
