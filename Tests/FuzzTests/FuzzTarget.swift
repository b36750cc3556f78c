import NIOCore

/// A parser or a state machine that takes bytes from a peer or a file.
struct FuzzTarget: Sendable {
    let name: String
    /// Input to begin with, most of it valid.
    let seeds: @Sendable () -> [[UInt8]]
    /// Takes any input. It may refuse it; it traps where a promise is broken.
    let run: @Sendable ([UInt8]) -> Void
    /// How many changed inputs the ordinary tests try: fewer where each takes long.
    var tries = 200

    static let all = wire + keys + connections + files

    static func named(_ name: String) -> FuzzTarget? { all.first { $0.name == name } }
}

/// Input that is taken apart: choices first, then pieces with a length of two bytes before each.
struct FuzzInput {
    private var bytes: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) { self.bytes = bytes[...] }

    var isEmpty: Bool { bytes.isEmpty }

    /// All that is left.
    var rest: [UInt8] { Array(bytes) }

    /// A number from 0; 0 behind the end.
    mutating func choice(_ count: Int) -> Int { Int(bytes.popFirst() ?? 0) % max(count, 1) }

    /// The next piece; nil at the end.
    mutating func piece() -> [UInt8]? {
        guard let high = bytes.popFirst() else { return nil }
        let length = Int(high) << 8 | Int(bytes.popFirst() ?? 0)
        defer { bytes = bytes.dropFirst(length) }
        return Array(bytes.prefix(length))
    }

    /// The input that is taken apart into these.
    static func joined(_ choices: [UInt8], _ pieces: [[UInt8]]) -> [UInt8] {
        pieces.reduce(into: choices) { bytes, piece in
            bytes += [UInt8(truncatingIfNeeded: piece.count >> 8), UInt8(truncatingIfNeeded: piece.count)] + piece
        }
    }
}

extension ByteBuffer {
    var bytes: [UInt8] { Array(readableBytesView) }
}
