import NIOCore
import SSHCrypto
import SSHKeys
import SSHWire
import Testing

@testable import SSHProtocol

/// What a broken or hostile line can do to a connection: end it with a typed error, or leave it waiting. Never more.
@Suite("Survival on a bad line")
struct SurvivalTests {
    static let message = ByteBuffer(string: "The quick brown fox jumps over the lazy dog, twice each day.")

    /// Runs a whole session with a line that `tamper` spoils, and checks what was delivered.
    private func session(
        cipher: String = "aes128-gcm@openssh.com", mac: [String] = [], pieces: ClosedRange<Int>? = nil,
        _ tamper: @escaping (Role, Int, inout [UInt8]) -> Void
    ) -> JoinedPair {
        let pair = JoinedPair(
            client: .quick.with {
                ($0.algorithms.ciphersClientToServer, $0.algorithms.ciphersServerToClient) = ([cipher], [cipher])
                ($0.algorithms.macsClientToServer, $0.algorithms.macsServerToClient) = (mac, mac)
            },
            server: .server().with {
                $0.algorithms = ConnectionConfiguration.quick.algorithms
                ($0.algorithms.ciphersClientToServer, $0.algorithms.ciphersServerToClient) = ([cipher], [cipher])
                ($0.algorithms.macsClientToServer, $0.algorithms.macsServerToClient) = (mac, mac)
            })
        pair.pieces = pieces
        pair.tamper = tamper
        pair.start()
        pair.run(rounds: 200)
        for end in [pair.client, pair.server] where end.connection.isAuthenticated {
            if end.connection.role == .client { end.attempt { _ = try $0.openChannel() } }
        }
        pair.run(rounds: 200)
        for end in [pair.client, pair.server] {
            end.attempt { try $0.write(ChannelID(number: 0), Self.message) }
        }
        pair.run(rounds: 200)
        return pair
    }

    private func expectNothingAltered(_ pair: JoinedPair, _ comment: @autoclosure () -> Comment) {
        for end in [pair.client, pair.server] {
            for (_, data) in end.data where data != Self.message {
                Issue.record("\(comment()): altered data was delivered")
            }
            if case .violation(let text) = end.failure, text.description.hasPrefix("not a ConnectionError") {
                Issue.record("\(comment()): \(text)")
            }
        }
    }

    /// How long the streams of an undisturbed session are.
    private func lengths(_ cipher: String, _ mac: [String]) -> [Role: Int] {
        var ends: [Role: Int] = [:]
        let pair = session(cipher: cipher, mac: mac) { role, start, bytes in ends[role] = start + bytes.count }
        #expect(pair.server.data.values.first == Self.message)
        #expect(pair.client.data.values.first == Self.message)
        return ends
    }

    static let protections: [(String, [String])] = [
        ("aes128-gcm@openssh.com", []), ("chacha20-poly1305@openssh.com", []),
        ("aes128-ctr", ["hmac-sha2-256-etm@openssh.com"]), ("aes128-ctr", ["hmac-sha2-256"]),
    ]

    @Test("A flipped bit anywhere never alters what is delivered", arguments: 0..<protections.count)
    func flips(_ index: Int) {
        let (cipher, mac) = Self.protections[index]
        let ends = lengths(cipher, mac)
        for (role, bit) in sampled(ends, perByte: 8, runs: 400) {
            let pair = session(cipher: cipher, mac: mac) { from, start, bytes in
                let at = bit / 8 - start
                if from == role, bytes.indices.contains(at) { bytes[at] ^= 1 << UInt8(bit % 8) }
            }
            expectNothingAltered(pair, "bit \(bit) of the \(role)'s stream")
        }
    }

    @Test("A stream cut anywhere leaves the other end waiting, with nothing altered")
    func cuts() {
        let ends = lengths("aes128-gcm@openssh.com", [])
        for (role, cut) in sampled(ends, perByte: 1, runs: 500) {
            let pair = session { from, start, bytes in
                if from == role { bytes.removeSubrange(min(max(cut - start, 0), bytes.count)...) }
            }
            expectNothingAltered(pair, "cut at \(cut) of the \(role)'s stream")
            let cutOff = role == .client ? pair.server : pair.client
            #expect(cutOff.connection.failure == nil, "a cut alone is no fault")
        }
    }

    @Test("Bytes removed, doubled or put in between never alter what is delivered")
    func shifted() {
        let ends = lengths("chacha20-poly1305@openssh.com", [])
        for kind in 0..<3 {
            for (role, place) in sampled(ends, perByte: 1, runs: 150) {
                let pair = session(cipher: "chacha20-poly1305@openssh.com") { from, start, bytes in
                    let at = place - start
                    guard from == role, bytes.indices.contains(at) else { return }
                    switch kind {
                    case 0: bytes.remove(at: at)
                    case 1: bytes.insert(bytes[at], at: at)
                    default: bytes.insert(contentsOf: [0, 0, 0, 12, 10, 2, 0, 0], at: at)
                    }
                }
                expectNothingAltered(pair, "place \(place) of the \(role)'s stream")
            }
        }
    }

    @Test("Whatever arrives behind a flip in the encrypted part, the flip is noticed")
    func noticed() {
        let (cipher, mac) = Self.protections[0]
        let ends = lengths(cipher, mac)
        // The last packet of the server's stream is the channel data.
        let last = (ends[.server] ?? 0) - 40
        for bit in stride(from: last * 8, to: (last + 40) * 8, by: 3) {
            let pair = session(cipher: cipher, mac: mac) { from, start, bytes in
                let at = bit / 8 - start
                if from == .server, bytes.indices.contains(at) { bytes[at] ^= 1 << UInt8(bit % 8) }
            }
            guard case .packetCorrupt = pair.client.failure else {
                Issue.record("bit \(bit): \(String(describing: pair.client.failure))")
                continue
            }
            #expect(pair.client.data.isEmpty)
        }
    }

    /// Places spread over both streams: every one of a short prefix, then a stride.
    private func sampled(_ ends: [Role: Int], perByte: Int, runs: Int) -> [(Role, Int)] {
        var places: [(Role, Int)] = []
        for role in [Role.client, .server] {
            let total = (ends[role] ?? 0) * perByte
            // A step that is odd meets every bit of a byte.
            let step = max(1, total / (runs / 2)) | 1
            places += stride(from: 0, to: total, by: step).map { (role, $0) }
        }
        return places
    }

    /// The plaintext part of a session: versions, KEXINITs, and the messages of the key exchange.
    private func recordedPlaintext() -> [Role: [UInt8]] {
        let pair = JoinedPair(server: .server().with { $0.algorithms = ConnectionConfiguration.quick.algorithms })
        pair.records = true
        pair.client.acts = { _, event in if case .hostKey = event { true } else { false } }
        pair.start()
        pair.run()
        return pair.sent
    }

    @Test(
        "Every cut and every flipped bit of a recorded plaintext phase ends in a typed error or in waiting",
        arguments: [Role.client, .server])
    func replayed(to role: Role) {
        let stream = recordedPlaintext()[role == .client ? .server : .client] ?? []
        #expect(stream.count > 200)
        for length in 0..<stream.count { feed(Array(stream.prefix(length)), role) }
        for bit in 0..<(stream.count * 8) {
            var copy = stream
            copy[bit / 8] ^= 1 << UInt8(bit % 8)
            feed(copy, role)
        }
    }

    @Test(
        "Every flipped bit from the last of the plaintext phase to the channel's data is noticed or changes nothing",
        arguments: [Role.client, .server])
    func everyEncryptedBit(from role: Role) {
        let (cipher, mac) = Self.protections[0]
        let total = lengths(cipher, mac)[role] ?? 0
        // NEWKEYS, and all the encrypted packets of the log-in and the channel behind it.
        for bit in (max(0, total - 600) * 8)..<(total * 8) {
            let pair = session(cipher: cipher, mac: mac) { from, start, bytes in
                let at = bit / 8 - start
                if from == role, bytes.indices.contains(at) { bytes[at] ^= 1 << UInt8(bit % 8) }
            }
            expectNothingAltered(pair, "bit \(bit) of the \(role)'s stream")
        }
    }

    /// Feeds a recorded stream to a fresh connection, which cannot take it for its own.
    private func feed(_ bytes: [UInt8], _ role: Role) {
        let end = Endpoint(
            role, role == .client ? .quick : .server().with { $0.algorithms = ConnectionConfiguration.quick.algorithms }
        )
        end.attempt { try $0.start() }
        end.attempt { try $0.receive(ByteBuffer(bytes: bytes)) }
        _ = end.handleEvents()
        _ = end.output()
        #expect(!end.connection.isAuthenticated)
        if role == .client, case .some = end.connection.sessionID { Issue.record("another session's host key passed") }
    }
}
