import SSHWire

/// What went wrong in key exchange, negotiation, key derivation or packet protection.
///
/// After any of them the connection cannot go on.
package enum CryptoError: Error, Equatable, Sendable {
    /// A packet is longer than this side takes or makes (bytes after the length field).
    case packetTooLong(length: Int, limit: Int)
    /// A packet is too short to hold its padding (bytes after the length field).
    case packetTooShort(length: Int, minimum: Int)
    /// A packet's length is not a multiple of the cipher's block size.
    case packetNotWholeBlocks(length: Int, blockSize: Int)
    /// A packet's padding is shorter than 4 bytes or longer than the packet.
    case invalidPadding(paddingLength: Int, packetLength: Int)
    /// A packet is not what the peer sent: its authentication code, or its encrypted length, is wrong.
    case macMismatch
    /// A key or initial vector has another length than its algorithm asks for (bytes).
    case keyLength(algorithm: String, expected: Int, found: Int)
    /// A cipher that authenticates nothing itself was given no MAC.
    case macMissing(cipher: String)
    /// The two sides' offers have nothing in common.
    case noCommonAlgorithm(AlgorithmMismatch)
    /// The peer's public value of a key exchange has the wrong length, is not on the curve or gives a weak secret.
    case invalidPublicKey(algorithm: String)
    /// The peer's group for a Diffie-Hellman exchange is not one to be used.
    case invalidGroup(algorithm: String, reason: String)
    /// A message of the key exchange cannot be read.
    case malformedMessage(WireError)
    /// A message came that this point of the key exchange has no use for.
    case unexpectedMessage(algorithm: String, number: UInt8?)
    /// The cryptographic library refused an operation.
    case operationFailed(String)
    /// A payload could not be compressed or decompressed; zlib's error number.
    case compressionFailed(Int)
}

/// Two lists of names of which none is in both.
package struct AlgorithmMismatch: Equatable, Sendable {
    /// What was to be agreed, as a reader would say it: "key exchange method".
    package let kind: String
    /// What the client offered, best first.
    package let client: [String]
    /// What the server offered.
    package let server: [String]

    package init(kind: String, client: [String], server: [String]) {
        self.kind = kind
        self.client = client
        self.server = server
    }
}

extension AlgorithmMismatch: CustomStringConvertible {
    package var description: String {
        "no common \(kind): the client offers \(Self.list(client)), the server offers \(Self.list(server))"
    }

    private static func list(_ names: [String]) -> String {
        names.isEmpty ? "none" : PeerText(list: names, limit: 480).description
    }
}

extension CryptoError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .packetTooLong(let length, let limit):
            "a packet of \(length) bytes is over the limit of \(limit)"
        case .packetTooShort(let length, let minimum):
            "a packet of \(length) bytes is shorter than \(minimum)"
        case .packetNotWholeBlocks(let length, let blockSize):
            "a packet of \(length) bytes does not fill blocks of \(blockSize)"
        case .invalidPadding(let paddingLength, let packetLength):
            "\(paddingLength) bytes of padding in a packet of \(packetLength) bytes"
        case .macMismatch:
            "a packet was damaged on its way: its authentication code is wrong"
        case .keyLength(let algorithm, let expected, let found):
            "\(algorithm) takes a key of \(expected) bytes, \(found) given"
        case .macMissing(let cipher):
            "\(cipher) needs a MAC beside it"
        case .noCommonAlgorithm(let mismatch):
            mismatch.description
        case .invalidPublicKey(let algorithm):
            "\(algorithm): the peer's public key is not valid"
        case .invalidGroup(let algorithm, let reason):
            "\(algorithm): the peer's group is refused: \(reason)"
        case .malformedMessage(let error):
            "key exchange message: \(error)"
        case .unexpectedMessage(let algorithm, let number):
            "\(algorithm): \(number.map { "message \($0)" } ?? "an empty payload") came out of order"
        case .compressionFailed(let status):
            "compression failed (zlib error \(status))"
        case .operationFailed(let what):
            "\(what) failed"
        }
    }
}
