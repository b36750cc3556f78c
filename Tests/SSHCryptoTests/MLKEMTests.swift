import Crypto
import NIOCore
import SSHWire
import TestSupport
import Testing

@testable import SSHCrypto

/// The cryptographic library does the work; these vectors see that it is FIPS 203's final form, and that the exchange puts
/// its pieces together as the draft says.
@Suite("ML-KEM-768")
struct MLKEMTests {
    struct Vector: Sendable {
        /// d and z
        let seed: [UInt8]
        /// SHA-256 of the encapsulation key
        let publicKeyDigest: [UInt8]
        let ciphertext: [UInt8]
        let secret: [UInt8]
    }

    /// Seeds, and SHA-256 of their published encapsulation keys: C2SP's Wycheproof, mlkem_768_keygen_seed_test.
    static let keys: [(seed: String, digest: String)] = [
        (
            """
            7c9935a0b07694aa0c6d10e4db6b1add2fd81a25ccb148032dcd739936737f2d8626ed79d451140800e03b59b956f821
            0e556067407d13dc90fa9e8b872bfb8f
            """,
            "86adbca81f4fee893e2fb58fb98aa2fe188f501fed268d7f4056f8c05c4e53c4"
        ),
        (
            """
            d60b93492a1d8c1c7ba6fc0b733137f3406cee8110a93f170e7a78658af326d9003271531cf27285b8721ed5cb468530
            43b346a66cba6cf765f1b0eaa40bf672
            """,
            "858915faa304fb5beed7d653189707b34a27504dd254ffb12ad47392a0c1ad4a"
        ),
        (
            """
            4b622de1350119c45a9f2e2ef3dc5df50a759d138cdfbd64c81cc7cc2f513345e82fcc97ca60ccb27bf6938c975658ae
            b8b4d37cffbde25d97e561f36c219ade
            """,
            "abdbf1e55c0f6132e2a7d4d5a765922004fce0aaa4ad71603203842aafab0750"
        ),
        (
            """
            050d58f9f757edc1e8180e3808b806f5bbb3586db3470b069826d1bb9a4efc2cde950541fd53a8a47aaa8cdfe80d9282
            62a5ef7f8129ec3ef92f78d7cc32ef60
            """,
            "761246e49267216d1c83749007708110ab03c7bc3bddea251c1a6679ca2c86e1"
        ),
        (
            """
            66b79b844e0c2adad694e0478661ac46fe6b6001f6a71ff8e2f034b1fd8833d3be2d3c64d38269a1ee8660b9a2beaeb9
            f5ac022e8f0a357feebfd13b06813854
            """,
            "baee6bf318b50eea75613d20366ee008eb5b8b7f5db559b0f660f4d6b44346bc"
        ),
    ]

    @Test("keys come out of their seeds", arguments: keys)
    func keyGeneration(seed: String, digest: String) throws {
        guard #available(macOS 26, *) else { return }
        let key = try MLKEM768.PrivateKey(seedRepresentation: hex(seed), publicKey: nil)
        #expect(Array(SHA256.hash(data: key.publicKey.rawRepresentation)) == hex(digest))
    }

    @Test("secrets come out of their ciphertexts", arguments: vectors)
    func decapsulation(_ vector: Vector) throws {
        guard #available(macOS 26, *) else { return }
        let key = try MLKEM768.PrivateKey(seedRepresentation: vector.seed, publicKey: nil)
        #expect(Array(SHA256.hash(data: key.publicKey.rawRepresentation)) == vector.publicKeyDigest)
        #expect(MLKEM768Encapsulation.decapsulate(vector.ciphertext, with: key) == vector.secret)
    }

    @Test("the hybrid hashes both secrets, ML-KEM's first", arguments: vectors)
    func hybrid(_ vector: Vector) throws {
        guard #available(macOS 26, *) else { return }
        let key = try MLKEM768.PrivateKey(seedRepresentation: vector.seed, publicKey: nil)
        // RFC 7748 section 6.1
        let curveKey = try Curve25519.KeyAgreement.PrivateKey(
            rawRepresentation: hex(alice))
        let agreement = HybridAgreement<MLKEM768Encapsulation>(name: "mlkem768x25519-sha256", hash: .sha256)
        let shared = try agreement.complete((key, Curve25519Keys(curveKey)), with: vector.ciphertext + hex(bob))
        var expected = ByteBuffer()
        expected.writeSSHString(Array(SHA256.hash(data: vector.secret + hex(both))))
        #expect(shared == expected)
    }

    private let alice = "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"
    private let bob = "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"
    private let both = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"

    @Test("a damaged ciphertext gives another secret, not an error")
    func implicitRejection() throws {
        guard #available(macOS 26, *) else { return }
        let vector = Self.vectors[1]
        let key = try MLKEM768.PrivateKey(seedRepresentation: vector.seed, publicKey: nil)
        var damaged = vector.ciphertext
        damaged[500] ^= 1
        let secret = try #require(MLKEM768Encapsulation.decapsulate(damaged, with: key))
        #expect(secret.count == 32)
        #expect(secret != vector.secret)
    }

    /// C2SP's Wycheproof, mlkem_768_test; the first of them is a ciphertext that must be rejected implicitly (CCTV, strcmp).
    static let vectors: [Vector] = [
        Vector(
            seed: hex(
                """
                cbfc4405d1b2a3a386c94c25e0f2d5f5ee92cb0388ff4d6aa04223086d51c3fd24752da14c9fc3b8ae0d9e4a8b1016b8
                d8fc69e229c03ea2ef08a4ae0cffc37f
                """),
            publicKeyDigest: hex("67fe2cb60768d55758c67bfd5842692dedb14513d581c48db2cd3adf94568106"),
            ciphertext: hex(
                """
                00e96c44eb5f5380d80b4cb05d608971a28fbe838b912b558bf9676c6c67c9692ed6ea063fc47b70d5d6004825c269b9
                cb8e68b5728d67f44844d97686a11154e3cbd4a6f9e47524d93d851bdce480d7762ded09be53d17cce3ee28dc5a06911
                c062b99b218355dd5822108c55e2c67f7ea0b74b6189b33b4589d8ff9d0c867d13edaaf1c5f724675320beda3e6acc67
                3c048fa04a1b30f899227d5a555e08a412a47b7db75eb118a8844a71b186880426f6bb6e77186d18e753cbcce93c9fb7
                6c729875b4d473eeca8dab9941969faef04df9ce3178e7341eab416d28bb7aee12bfb8f4c3df814eff45a0187329079a
                cfc41a8e8dba7b08d111f02e37a1d2b69e57eef808fcc6ae23385534a420a93dfb6a95c73e2f1016177c4fe9d3ced769
                e277293aaceded6d07efc7890eaa885bd1e73f9e5da2b9cfda0d44cbc9090705ac2ce3e7bcd7775b593c706e45ddc97d
                3a65d9b7e73673f9473df5bfec689671f73e7f6ee77c730a8ebda1f0b2c112a71904d6f28a51d8d479f8323fb485e722
                f5c4d5857e95989a9cbaf273efd04fc3cbde98baa9969e095e88accecfbd12ef2155497a5b15fe91a70d1106b91a5683
                63bfc2d6736cc8138cbc41ddf1e54fd40511e27d89e2c26c027b63c156e2bbb998faaed3d72186f0cc626dad39a782dc
                da2087fd13a9498e10b41b685646a227ea1166a5632c195983f4aba2b718b4074030d57126d34c38349892007acbea9e
                393b967dc3146b270f080a1f0bee90d65a095a6352a7718ed1717a8025a2bd38c66d120baf4247676a1fe044a57ce268
                c078f8ff46cc26fe4f9c7a03d6467adacb8418d26273662bce1f7bc00b906e0088e95dc0fb419e2232e85aac77b9e7cd
                563e604de5e1d3e9693dcd3b19865cf4250773691e7e0af9c2755cd31f49d1f96708f3ba2f0b98184525abb869e12d5c
                ea0ac1740181a875035300b05a54b8d42ee3b4ae92b06e43cd807e2b096c977f23c61ef8c989c52ed83754076dea1323
                f639250bef61bdf903bf7961cec89ba6942d9d0647ac9c8195d93ed8abcedf25754644035719a5a0a1c8c0798912726a
                9a8258e4c10ae7485322ed9ba331f6f090c4b492a4fcf53d753cd34f28ec0443fce0724f43c89a3942169d5099a8f743
                0f38691ebce2e3fe4f600d82c7ccedf60673f8e5d4c1a9f84b8b5b23f5ed63defb6a7205e0a8b105bdc6ff4568fc78cb
                4456b02fedb7f4c48f6fd6b69216a3319821039db40e19a31a0b0c9d471d5a7a73865d26f8be3595525b1ec4a8579efd
                07ea98e2602e2bffdfd8febc5c7b4c736d326b5030ccc6faf9420a9c156a8f4516b9fff675459dfdcd4ef85d7adbdffd
                60f4a39628e399cc752c2e99ab2f431dc765e7c9d206bfe32649fbef4ef48b1d7936fc74766d724350ee2245a8d5f23f
                bc6c7ed8b57168ce1e864e49d7f8c475dcda140bd42473825b3c72eb8c54780188813011e1962a503f9b516e13226de6
                375b204733b0192183c8f55e870e61cf8947c3191790bc0b657bc43aebc9d86c
                """),
            secret: hex("76c10bb1d86d96d7eb18e298363e51f7728e113f455df7d15017940ed3541451")),
        Vector(
            seed: hex(
                """
                7c9935a0b07694aa0c6d10e4db6b1add2fd81a25ccb148032dcd739936737f2d8626ed79d451140800e03b59b956f821
                0e556067407d13dc90fa9e8b872bfb8f
                """),
            publicKeyDigest: hex("86adbca81f4fee893e2fb58fb98aa2fe188f501fed268d7f4056f8c05c4e53c4"),
            ciphertext: hex(
                """
                c8391085b8d3ea9794212541b2914f08964d33521d3f67ad66096ebfb1f706424b49558f755b5625bae236f2e0079601
                c766f7d960808f7e2bb0c7a5e066ed346de628f8c57eebabbb0c22d911548463693ef3ce52a53f7ff415f00e657ae1c5
                a48fa5ec6e4be5cf462daffc84d2f6d5ff55dc9bbe8bb0d725ec64fd4cd4bd8dba0a844e8b5ce4b6a28934d7f7a05099
                1fe185b506b451dabfad52d52cb2114ca7d9a5cf986c8fdc1bc10ec0c1869e50c03c55a76192a1049aca636ba9020bda
                a8d0f58c763b0b89845ca06d4c4ddc21433e16b9c62e44871fdbc05ba218af871fdd7dcfa464e60faa5265264ce1391b
                d9a8c5faa7626d5f159b9805b975710a3503a0b858a11c6a647cc0e19ac88b1be9056c95b4d2087d0951d1d2f4992491
                117e6347794ba54571ec49bba71af3413d38a30bf5872248d1f6d07c86baf782e73d2637f043d341a00921857d8b21dd
                f3e1d6310036ed27af49e5de1b900fe4de79808ff29f9570859612b15adc01fbb265b305b1e3a12ae419da5b74261fa2
                84c101da3d8dca8b2e4521aca571ef44a058e844ff32b16d5aaea05f7f3af8e2ab16222e347662eddfb891d0ecc2a55c
                5638f9dde92d9a3d544a5f901ac501acd1ea6a010201fcb10ad702c425a94bdf5890d500a2a147eee1d1fcba8c3abe7c
                2dfe70f346f033d816a0b2791b4f0b2d956d9ee5971715399a5688302495e2e07c1c8c01527184bcd0c208bc159f2e13
                318c0bb3dd24a6a7fc849f83385ed4dba07fe1d7bd5640cc9ed5ccfdd68763cb0d0edf61b292177fc1d2d3c11dd04950
                56bcb12558aebcfddef9feb4aebc57afd9023c65cfe65a24e33f1b00111e92e63e011eaf0b212cf95743cd07f5189ece
                1f205b7f6fcb2e6b1961b5404cebe47c8cd13b8599d5b49e6d87eeda36e9b8fc4c00635896aa2b75896e336d1b612ee1
                3db811e1f07e61748d920f4865f3f11741399dc6162c91ca168a02329dff821d58198712dd558abb099b3a0baf9da1b7
                30b2aa73bcf58d74f357b06f7211c804b6c8af16ff3509fad1d35b14bfdced7db8a6a25c48e5956480724daa057cd660
                b67ee3e472574182679d485838a6476eac02141075c812af7967ba7c9185cc2abd2a4545b80f3d3104d58d654a57792d
                cfabbe9c0715e8de2ef81ef404c8168fd7a43efab3d448e686a088efd26a26159948926723d7eccc39e3c1b719cf8bec
                b7be7e964f22cd8cb1b7e25e800ea97d60a64cc0bbd9cb407a3ab9f88f5e29169eeafd4e0322fde6590ae093ce8feeae
                98b622caa7556ff426c9e7a404ce69355830a7a67767a76c7d9a97b84bfcf50a02f75c235d2f9c671138049ffc7c8055
                926c03eb3fb87f9695185a42eca9a41655873d30a6b3bf428b246223484a8ff61ee3eeafff10e99c2c13a76284d063e5
                6ab711a35a85b5383df81da23490f66e8ea3fcba067f5530c6541c2b8f74717c35023e7b9b3956c3ee2ff84ba03ccf4b
                4b5321b9240895481bc6d63c1693c1847852f8e97f50a133532ac3ee1e52d464
                """),
            secret: hex("e7184a0975ee3470878d2d159ec83129c8aec253d4ee17b4810311d198cd0368")),
    ]
}
