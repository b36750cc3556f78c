/// What the packets of a connection ask of the network (`IPQoS`): values of the IPv4 type of service and IPv6 traffic
/// class bytes; nil for what the system does by itself.
public struct ServiceClass: Equatable, Sendable {
    /// For sessions with a person at them; a copy has none.
    public var interactive: UInt8? = 0xb8
    /// For copies.
    public var bulk: UInt8? = 0

    public init() {}

    /// Reads one or two values as ssh_config(5) writes them; one is for both.
    ///
    /// Nil for a word that is no value.
    init?(_ text: String) {
        let words = text.split(whereSeparator: { $0 == " " || $0 == "\t" })
        guard (1...2).contains(words.count), let first = words.first, let interactive = Self.value(first),
            let last = words.last, let bulk = Self.value(last)
        else { return nil }
        self.interactive = interactive
        self.bulk = bulk
    }

    /// A value of the byte, inside nil for the system's own; nil for a word that is none.
    private static func value(_ word: Substring) -> UInt8?? {
        let name = word.lowercased()
        // Names from before there were code points; OpenSSH leaves them to the system.
        if ["none", "lowdelay", "throughput", "reliability"].contains(name) { return .some(nil) }
        if let codePoint = codePoints[name] { return codePoint << 2 }
        let isHexadecimal = name.hasPrefix("0x")
        return UInt8(isHexadecimal ? name.dropFirst(2) : name[...], radix: isHexadecimal ? 16 : 10).map { .some($0) }
    }

    /// How ssh_config(5) writes a value of the byte.
    static func text(_ byte: UInt8?) -> String {
        guard let byte else { return "none" }
        let name = byte & 3 == 0 ? codePoints.first { $0.value == byte >> 2 }?.key : nil
        return name ?? "0x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }

    /// The code points of RFC 2474, 2597, 3246, 5865 and 8622.
    private static let codePoints: [String: UInt8] = {
        var points: [String: UInt8] = ["ef": 46, "le": 1, "va": 44]
        for level in 0...7 as ClosedRange<UInt8> { points["cs\(level)"] = level * 8 }
        for level in 1...4 as ClosedRange<UInt8> {
            for drop in 1...3 as ClosedRange<UInt8> { points["af\(level)\(drop)"] = level * 8 + drop * 2 }
        }
        return points
    }()
}
