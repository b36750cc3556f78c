import Crypto
import NIOCore
import SSHCrypto
import SSHWire

extension FuzzTarget {
    static let wire: [FuzzTarget] = [
        FuzzTarget(name: "packets", seeds: Packets.seeds, run: Packets.run),
        FuzzTarget(name: "messages", seeds: Messages.seeds, run: Messages.run),
        FuzzTarget(name: "compression", seeds: Compression.seeds, run: Compression.run),
        FuzzTarget(name: "printable", seeds: { [Array("a\u{1b}[2J\u{202e}é".utf8), [0xff, 0xc3, 0x28]] }) { bytes in
            for scalar in Printable.text(bytes).unicodeScalars {
                precondition(scalar.value >= 0x20 && !(0x7f...0x9f).contains(scalar.value), "not printable: \(scalar)")
            }
        },
    ]
}

/// Packets under each protection: the stream of a peer, and a sealed packet that was changed.
private enum Packets {
    static let protections: [(CipherAlgorithm, MACAlgorithm?)] = CipherAlgorithm.all.flatMap { cipher in
        cipher.isAEAD ? [(cipher, nil)] : MACAlgorithm.all.map { (cipher, $0) }
    }

    /// Of each cipher's own: a MAC over the ciphertext does not tell with which it was made.
    private static func keys(_ cipher: CipherAlgorithm, _ mac: MACAlgorithm?) -> DirectionKeys {
        let own = cipher.name.utf8.reduce(0, &+)
        return DirectionKeys(
            iv: [UInt8](repeating: 1, count: cipher.ivLength),
            encryptionKey: SymmetricKey(data: [UInt8](repeating: 2, count: cipher.keyLength)),
            integrityKey: SymmetricKey(data: [UInt8](repeating: own, count: mac?.keyLength ?? 0)))
    }

    private static let payload = Array("The quick brown fox".utf8)

    private static func sealed(_ cipher: CipherAlgorithm, _ mac: MACAlgorithm?) -> [UInt8]? {
        var output = ByteBuffer()
        guard var sealer = try? PacketProtection.makeSealer(cipher: cipher, mac: mac, keys: keys(cipher, mac)),
            (try? sealer.seal(head: ByteBuffer(bytes: payload), body: nil, sequenceNumber: 0, into: &output)) != nil
        else { return nil }
        return output.bytes
    }

    @Sendable static func seeds() -> [[UInt8]] {
        protections.indices.compactMap { index in
            sealed(protections[index].0, protections[index].1).map { [UInt8(index), 0] + $0 }
        }
    }

    /// The input: protection, how much of it arrives at first, the bytes.
    @Sendable static func run(_ bytes: [UInt8]) {
        var input = FuzzInput(bytes)
        let (cipher, mac) = protections[input.choice(protections.count)]
        let first = input.choice(256)
        let stream = input.rest
        guard var opener = try? PacketProtection.makeOpener(cipher: cipher, mac: mac, keys: keys(cipher, mac)) else {
            preconditionFailure("no opener for \(cipher.name)")
        }
        var arrived = ByteBuffer(bytes: stream.prefix(first))
        var late = stream.dropFirst(first)
        var payload = ByteBuffer()
        var number: UInt32 = 0
        do {
            while true {
                if try opener.open(&arrived, sequenceNumber: number, into: &payload) != nil {
                    // Nobody guesses a MAC: only what was sealed is taken.
                    precondition(number == 0 && payload.bytes == Self.payload, "a forged packet is taken")
                    number += 1
                } else if late.isEmpty {
                    return
                } else {
                    arrived.writeBytes(late)
                    late = []
                }
            }
        } catch {}
    }
}

/// Every message, under each meaning of the numbers 30 to 49 and 60 to 79.
private enum Messages {
    private static let exchanges: [MessageTrace.KeyExchangeFamily] = [.ecdh, .dh, .groupExchange]
    private static let methods: [MessageTrace.AuthenticationFamily] = [.publicKey, .password, .keyboardInteractive]

    @Sendable static func seeds() -> [[UInt8]] {
        let text = ByteBuffer(string: "text")
        let messages: [any Message] = [
            Disconnect(reason: .byApplication, text: "bye"),
            KexECDHInit(clientKey: text),
            KexECDHReply(hostKey: text, serverKey: text, signature: text),
            UserAuthRequest(user: "me", method: .password(text, new: text)),
            UserAuthRequest(user: "me", method: .publicKey(algorithm: "ssh-rsa", key: text, signature: text)),
            UserAuthRequest(user: "me", method: .keyboardInteractive(submethods: "")),
            UserAuthFailure(methods: ["password"], partialSuccess: true), UserAuthInfoResponse(answers: [text, text]),
        ]
        let numbers = (1...100).map { [0, UInt8($0)] + [UInt8](repeating: 0, count: 24) }
        return numbers + messages.compactMap { message in (try? message.encoded()).map { [0] + $0.bytes } }
    }

    @Sendable static func run(_ bytes: [UInt8]) {
        var input = FuzzInput(bytes)
        let choice = input.choice(9)
        var trace = MessageTrace()
        trace.keyExchange = exchanges[choice % 3]
        trace.authentication = methods[choice / 3]
        for line in trace.describe(ByteBuffer(bytes: input.rest)) {
            precondition(
                line.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7f }, "not printable: \(line)")
        }
    }
}

/// The stream of a compressing peer.
private enum Compression {
    @Sendable static func seeds() -> [[UInt8]] {
        var output = ByteBuffer()
        guard let method = CompressionAlgorithm.named("zlib@openssh.com"), let compressor = try? method.makeCompressor()
        else { return [] }
        try? compressor.compress(head: ByteBuffer(repeating: 7, count: 5000), body: nil, into: &output)
        return [FuzzInput.joined([], [output.bytes])]
    }

    @Sendable static func run(_ bytes: [UInt8]) {
        guard let method = CompressionAlgorithm.named("zlib@openssh.com"),
            let decompressor = try? method.makeDecompressor()
        else { preconditionFailure("no zlib") }
        var input = FuzzInput(bytes)
        while let piece = input.piece() {
            var output = ByteBuffer()
            guard (try? decompressor.decompress(ByteBuffer(bytes: piece), into: &output)) != nil else { return }
            precondition(output.readableBytes <= PacketProtection.maximumPacketLength, "\(output.readableBytes) bytes")
        }
    }
}
