import Crypto
import NIOCore
import SSHCrypto
import TestSupport
import Testing

/// Whole packets made with another implementation (Python's `cryptography`, that is OpenSSL) and put together from the
/// text of the specifications: two packets each, with sequence numbers 2^32 - 1 and 0 and counters that overflow.
@Suite("Whole packets of another implementation")
struct WholePacketTests {
    struct Vector: Sendable, CustomTestStringConvertible {
        let cipher: String
        let mac: String?
        let packets: [UInt8]
        var testDescription: String { cipher + (mac.map { " " + $0 } ?? "") }
    }

    private static let payload =
        "\u{5e}The quick brown fox jumps over the lazy dog, twice over: it must fill more than one block."

    @Test("open", arguments: vectors)
    func open(_ vector: Vector) throws {
        let cipher = try #require(CipherAlgorithm.named(vector.cipher))
        let mac = try vector.mac.map { try #require(MACAlgorithm.named($0)) }
        let iv: [UInt8] =
            switch cipher.mode {
            case .gcm: [UInt8](repeating: 0xf0, count: 4) + [UInt8](repeating: 0xff, count: 8)
            case .ctr, .cbc, .tripleDESCBC: [UInt8](repeating: 0xff, count: cipher.ivLength - 1) + [0xfe]
            case .chacha20Poly1305: []
            }
        let keys = DirectionKeys(
            iv: iv, encryptionKey: SymmetricKey(data: (0..<cipher.keyLength).map { UInt8($0) }),
            integrityKey: SymmetricKey(data: (0..<(mac?.keyLength ?? 0)).map { UInt8(100 + $0) }))
        var opener = try PacketProtection.makeOpener(cipher: cipher, mac: mac, keys: keys)
        var input = ByteBuffer(bytes: vector.packets)
        for sequenceNumber in [UInt32.max, 0] {
            var payload = ByteBuffer()
            #expect(try opener.open(&input, sequenceNumber: sequenceNumber, into: &payload) != nil)
            #expect(String(buffer: payload) == Self.payload)
        }
        #expect(input.readableBytes == 0)
    }

    static let vectors: [Vector] = [
        Vector(
            cipher: "aes128-gcm@openssh.com", mac: nil,
            packets: hex(
                """
                00000060501a20d77d581eeb11f7eff08f4d8e7f042dfa0e48619c328ae41057ebd3b50b14607a98a83a20afc22d8681
                8c8f45914306367678c4982753da73ee56842dbe862ab5c8d8621db5792ef40963e985691539a86b1201df6c7ccbdfa3
                0db81d2b21d5841a699f0fa543b5790cf28c75820000006005bf1d227096834dc154a43bd559afe14d9fa6fae0c3ce18
                045d43f329feb7609a73f57219b913ece279e3bd561d23d488af4a5126560f3d6bd1f280ab767cdf55962bb9ab3c191a
                4dd2bf4d4c16330d3e59730780a62a18153dbfefe7ea62dd61ea1ee2ae69eecff8d02336b5c058d7
                """)),
        Vector(
            cipher: "aes256-gcm@openssh.com", mac: nil,
            packets: hex(
                """
                00000060732e9ef729b9b0ac670906f1ea192c7c8c27071c3ad8ff14b362caa628fa0947f3a4b635be37abff67a0883c
                6f7933ed28c8a5f8f3823808b85a61fcf7d1a42b2e8557ff06d8049804896268206487ebd7fc6e3cf9d5380cbf68907d
                f42fc98ef7d316e82d1f7f092f012897c51d9b51000000603f56c2ed84207c751ce654b0ac1a8ecfca1a09524a606f4f
                9c6b8d0296e21357ccbe0bbd63d3ef935b091e74b23e293a2326cb0b3078f59a094b34310bc2178dbaa2c55717e3568c
                056c86587fd4cbee714a5c0fd17e6e3581be234d00090770680a948b3b8fc21362e1f9ba2713a526
                """)),
        Vector(
            cipher: "chacha20-poly1305@openssh.com", mac: nil,
            packets: hex(
                """
                b90ee4d00dcc58f3cb24a597ff55c09210f46dd9789a5f79b70fb10d3f54956041917349e02eb1e8db392cc29b60469d
                7133d1ecf5b83ef74228493961359f02117e35cf28648676ca32cdaeb68b6e6d8d137b7bd132a445834c76cdb4ef4ca6
                44efab02f5d32f02c20ace84108eb261d33a9ad994450e391ce61659c8c6d7a47a023741cd3121509691959a998d3129
                81888f324543102e527c6008f1825d27e4a13c4b03222048ecc9953bfe322fab7f106a1645b537b831860dbace26fef5
                01c8f88a09fa1a5a0e03105822cadcdb9c83f71e642a4948289716f0247e5c7be648731548bc3bb3
                """)),
        Vector(
            cipher: "aes256-ctr", mac: "hmac-sha2-256-etm@openssh.com",
            packets: hex(
                """
                0000006067bbe06ad03e39a8938e92fefbbe483387b9827234871aaf3ef7625b32f9329cd2e468d30a25feaad0d3fe05
                ba0257f4873415cb6ad6e980d4ccbb583ce25b487dc895b8dc40ef9d65c7db503858f9f8bc63393d4da10243effdd8ad
                6f55f7fc58ca9906d66e30d4c1b30844d706631e4acf166d6df6da7567ac00c23f816d3b000000604a01b2d44fd2c973
                5aa01ad5a3bc0639c727278901512cd03dc64c0625162b96c91b566fb1bd3198aaa9b7a8710868ed2a7c55fc00c73324
                469c342a8a7fbcc5a4256e614533808974161451a350d23c429d3d058d5c73f0bf714cd4ce8e9128d25e2e741b44593c
                8269020ec093df9f61fa3a3fbfd50517936a08748e1d26dc
                """)),
        Vector(
            cipher: "aes128-ctr", mac: "hmac-sha2-512",
            packets: hex(
                """
                b6b5c2b43dd58067aa6ea981c70dfcce5e367045a027e44c1cf7c8ec6320c833a9d75e45a7fb33e74f23e018d8e8bc16
                146a33e1e2a9d77b6914cb8617ce0d633df6ea26eaef86ea8ae516480deec2f899d9434f5a4aad56357d5432f3d49778
                9ac91c75a086711a2fb8fb786cc37b15cbd3fa1e340ba20fd735b3a38d326378d1a09a16597eacabba3744ad44480648
                8cdc480fdebf24c4d41439e449fa8288c56c2aef34963a454f2c0f169a35ffdc9b8299e5742cd529257e52a8f67ebb3b
                b62c93250689c985b9f24392cc326542d6444a6be65f508c9eb44aa99f5b7776c208e7198e26befdd7b92368a2836afa
                1562092f6c4703381e8063db875b646d4c3de655edbc2c4295dc3c50c0f79f0318b13c6a4d3fa830c6813c593bf63b7a
                4e88ec49aef04c26b9d2be72f4583d6d4ee29fa08190c0e592a92e13bfacc342041a2dba5914a74ee4cb5a38b0ae3a23
                2011342b6915d877adc45ad8181fd444
                """)),
        Vector(
            cipher: "aes192-ctr", mac: "hmac-sha1",
            packets: hex(
                """
                235b17528d05ee639ad8430321ccd73f63aa96ed778bf79f5426bd4e9f54fba8fe1434f03c07cd47e3fab75d4121f268
                2e62182e3c56ccd233859acd7a58477eaf237ffec439044aea2e2e069aa557a3bb06f6c41f3ec5387e2df1b3eaa0c8a8
                2565f4801cc1c558c8044853ec0805883a886ce44c5efc6eab18e549bef6aada8f53197348336de3b9d322065fffe7d0
                3ba9ce4dd5c0f3da327032f3c8c42b8b8c497463ebe01e06fc4d0b02e8c75c1e6a49c4659349ae1785e9c74f60440486
                51358a3b117b7a2a55ae49223d9083cfbcf67cd91c7bf728c5e1d09fb4b0f0b4725244fe5194a454bdb0a5df16c1ed79
                e3cc4f65e12a3df30b27a471083c11d2fb3e03a511a32b6a
                """)),
        Vector(
            cipher: "aes256-cbc", mac: "hmac-sha2-256",
            packets: hex(
                """
                80305ec9be37c4f855523b3ae3757e0cc8844001f8497bd634890c3b5523f40670085a2553ba34761d0a9bd69d28021e
                625a986b73c28b3430255fdbaea9453aa081c8c12fbb72f1d4d707c26be58253c9dd5ae72ba0a0ef28f74ab1947da08c
                28b920b412bbb307c9859ecb3a72ec45875104f0e0d3212cbcf51bedf5006986abfcadc1c67b9e0125ca641877376cb6
                f65a56c1f99b2e28ecaabd3b6c27f8eee5f938835315fb3d598396e66b79b55d8fd1b90f0e43bfcdbf4422529d130911
                cfd143167eec374dcbdd22c0a09cc5d70cc0552c4df089325f0f36494069c5d4a5523ffe1dce23cf5be60de3c36a3dc9
                2df4b8e6e50e08a2aae28e71f6ac31a38c2057615227990d5761e884b2ce233b006f0ac27e78fd97fc74a00c084bde46
                """)),
        Vector(
            cipher: "aes128-cbc", mac: "hmac-sha2-512-etm@openssh.com",
            packets: hex(
                """
                00000060d83cb38b6545c6ceb70dc3d5ebc097069f8f33f868d028e7e8f21979ce5e1351e69043bcf8cb6d3ead9e6465
                afeed8daead5c27da077e5658d504d35622dd0bac96e2e953b7895eb27639f193e54830a8e50d9b8dcb35792ed4767e3
                f8d61be99ef21a18d1a243c6717b2e43c18e4f5e288392c4668380cfde1a4886a57cc8287119750b5a2e397e9d568c74
                1d226366989e36f385189e4f50321a8b141c6a5b00000060f7b4a8124d5af18fc5676c3c52db815dbe8e685435675ca1
                dfba1d4750f201a196132b57b2bfb25d525fb193714efe353624018e2a08068a72d7dfb1eea7472a7612898419ab1de7
                8155aedc1265004d858da63a65333177cf7653a1d4d4291d078930c5e6ae150ff3d9d452e64ffd4b89d5061a7f9ba9c0
                9e7817b2fb4e522f9ba82ea696c4c34cad2c89cfe246e7b7d74c00eb0083a07af8a450b8ef698833
                """)),
        Vector(
            cipher: "3des-cbc", mac: "hmac-sha1",
            packets: hex(
                """
                e66e56527af7f3f2554fc95c956f80c467d3982e574b5aefb3ad6081aef6477a2e6eb8c9849541173e7355d8c11722e2
                04396915a34352b0ae7c307e76648cdc5f23e8ade374c5e99b617976040c53b16afe495943e9219925a57f8846848631
                e1d950ebecbb796dc1d6faa8b948148debe9b3ce099e82dff1339ef505469608194d27148df364ae1a9dbadcb551a7a2
                ac9677e41492a9a87efcb7a0f91b5af64b4158e45b288474ad0d2c034c7ee1ff5326cd5cfa99826b12c7cb88301f1ef6
                cf537841fd14957c65798c29533d3427f0319acb949524636e75f821f5479cd54109294f686bf19971c762a33a4042b7
                42669a8e0274021d
                """)),
    ]
}
