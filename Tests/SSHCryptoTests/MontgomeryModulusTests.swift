import TestSupport
import Testing

@testable import SSHCrypto

@Suite("Modular exponentiation")
struct MontgomeryModulusTests {
    struct Vector: Sendable, CustomTestStringConvertible {
        let bits: Int
        let modulus: String
        let base: String
        let exponent: String
        let power: String
        var testDescription: String { "\(bits) bits" }
    }

    @Test("gives what Python's pow gives, for moduli of any width", arguments: vectors)
    func python(_ vector: Vector) throws {
        let modulus = try #require(MontgomeryModulus(bigEndian: hex(vector.modulus)))
        let power = modulus.power(hex(vector.base), hex(vector.exponent))
        #expect(Array(power.drop { $0 == 0 }) == Array(hex(vector.power).drop { $0 == 0 }))
        #expect(power.count == modulus.byteCount)
    }

    @Test("agrees with repeated multiplication for every small odd modulus")
    func small() throws {
        for modulus in stride(from: 3, to: 60, by: 2) {
            let montgomery = try #require(MontgomeryModulus(bigEndian: [UInt8(modulus)]))
            for base in 0..<modulus {
                var expected = 1 % modulus
                for exponent in 0..<20 {
                    #expect(montgomery.power([UInt8(base)], [UInt8(exponent)]) == [UInt8(expected)])
                    expected = expected * base % modulus
                }
            }
        }
    }

    @Test("moduli that are even, zero or one are refused")
    func refused() {
        for modulus in [[], [0], [1], [0, 1], [2], [0xff, 0xfe]] as [[UInt8]] {
            #expect(MontgomeryModulus(bigEndian: modulus) == nil)
        }
    }

    static let vectors: [Vector] = [
        Vector(
            bits: 64,
            modulus: "c164d8399f767c45",
            base: "5bc8fbbcbde5c099",
            exponent: "b0c11fdecb91ce37",
            power: "03fee3325dd5bc1a"),
        Vector(
            bits: 65,
            modulus: "01d76d4330f1446beb",
            base: "14b03a6fb5a720b3",
            exponent: "d7210dff076ce2ef",
            power: "e447b3195044c279"),
        Vector(
            bits: 127,
            modulus: "5311992a3fc1ea36f17fd374c6a53877",
            base: "0e7d887b2827688de6a16a3b0d464138",
            exponent: "1f8fb2d4de5271007814e8a25f2dd97f",
            power: "0c2f9b211619ace968ba3d2e1f54f4ec"),
        Vector(
            bits: 192,
            modulus: "835b73993fd4235992edcf451a1afe878b33e968617959cf",
            base: "673a2887eec85f57b49e58d84e6197e4ac47b13a59b58151",
            exponent: "cc11d357c30d8b7628dbd25e63b229f1c4069545de11cc9d",
            power: "6eb3437f703d64086dfbbb8b1b60f5cb7335b0559d6e2466"),
        Vector(
            bits: 1000,
            modulus: """
                b0f7f35634f0e3cd972e81d66d346c6e2ba02fdaa1ad864c44e049548e8a0a8c9632ea6928f6236bf2504b74
                ba4a0fe75d2a9eba0cdf561d802a759159fb7ff337f5cae3bf3729c619c60a3cab359eeefb015c33b2df1461
                aaf8eb18b90074513021da8978206f5c6671e0c07e9e115e4b9e30691c238642ea126a1e49
                """,
            base: """
                50b24891917b121dc54e5a3a26d18a669a5af84e6b4f59672710e6d8e6568068b9b52a43abad8d194a989213
                9600ddb74d960d5a8f9a656aafd14125844d25deb354f46a6910acff0043892dfc254cb864ef901b932a7c18
                806a3753915c76f18a0585a01c4c7d6df0621aef57e4cc4132f7108e96f770c2263266aa3b
                """,
            exponent: """
                04a012e8677fd139d84a1d3a5b8e8fb2bff29101f3001cee05da8467f06313fff9a01fe8419521fe0e979cf3
                2d1634b4b465325278f845f57b3120df2f4d4c86
                """,
            power: """
                3b92fce68766144d5e5e35075cd6fbae48522ab662b3cc824e69bf2b4edd4662d263b2172c82b091d9d1df7d
                62b29d5062cf07ae8e63e607fd058977012f05b4ec961f884db995fa2c6960fb60b39aea63481bfe7277b507
                f5ad43bd6c78ab662a97ccda41bb766c682c361e5f9dcd5af1501bb01fc1b43a780f3e408b
                """),
        Vector(
            bits: 1024,
            modulus: """
                9ba95a54767d5274c68deb5d403a960a8652dbd0e488b6c85ad3ba328332f05a5829681876531737f129c8c6
                d1ca4dc4edfde4163eff8b3fc177f1131e782196324f3e81f453324ef486ab739faba8272e50bd4eb52fa53c
                0bf64ef773ec28d00252f615d75b1e249419cf4d60597bdc5dbe44096b384309c9a937a68c8f95ef
                """,
            base: """
                1404ab1ecc7c6d812d6f2efc4e613a365119cdccaf9b74f84ffcbf4217921e6c8b8e8f4eb3de08f9ec983704
                4692ba035707967025f02628eb07c30d5cd5061c9c5f319e834c1b69573ac59a355f2af41757905efa749692
                f21ff5eb6ed78f5d0960afe94bbdbb01dc14ed575e0730b3cc170c31c7eec61bbf9703c096fabb7b
                """,
            exponent: """
                67e84707ec717f158895787f99c4258bfc98500014b9adb50c6dea3db85a5cd22959fea37bd9e8a1ff297d0e
                4f2e84fcb06dbee0b89c4e56261c374ba07657d6
                """,
            power: """
                6d01f25d6b512b1a48b785b41c113df7939723ac0f83c549b93cb6482b4cae79002189bdc39ed2ed267e306b
                30f23de11a2905116d763bc6d732170da38fbcfd8313721a51f8662f8aa4569ce5524e3c5d8a0f529b10441e
                9b03b42955686d2e4349d6a77f8c9d015d7a6419326ba264a688b9828dbb7db461129a5a74ef0c37
                """),
        Vector(
            bits: 2048,
            modulus: """
                e0831ef21cd0c151258170f9e6e053f7675ebe3b785737974a807546462731417aa286ac5154ef5fbac0d757
                b057c1627cf7fcf6f5cb2afc741b324d85ae8770f9dba1db2b56955dda2d3b3d9ed2aa0cffd21f09ec08693c
                7401f5ce2425d75a4b78dc3d6baf71d7d8407b1a0f0b97522634f16f5f7cc5d86f3f02402b37d8171b4c24c2
                69f0441ec9bafe62e580c35ea161d90921fdac3af325ffbe90656c8fbb4e5c11fb368220216d27a23501e088
                d6a34d3e558d2adb7e5a3930cd39e15808606af8a36939efea83854afaa30fac0e42d43c2547f19c6bf84914
                a6a5bc9974a677c6400db00dd3881a5058056ed0980dc6ffbd953dc23cc217790825c7cd
                """,
            base: """
                a5be6d6b8016e14dd111eb3749f088d476832b6246103a2babf0ca69536e816b402d5ebbc61251908c07985b
                796bfa0002f6f33dda1101aa94a6300c2dbbf762a6523995570f0cbef20f678df4f6717c4b39e336b74acffb
                b0ddb48bfb1ff91ac50e2b9943cdc3567c55dde1d5d1cbd047e5eb8dab163406b4581e378f2f39495d09dd29
                4e424b92c277af3208c9196da9fd1ce996655f23b1d117b75b0f13b0c65fb8a2cb8f1137c938c68d1027e5d3
                5c7fe05880b91b2ede0d0fc58c5050eac832652e83e2c32845b61df27deaab6416d1b5ac2e1c5d3a56a68b41
                de28123c7fd39898efe8b3b5a080c6a52dece95af5b67e6e8820e3bdfd06f9f6d2723248
                """,
            exponent: """
                deb280e62c273105d7c6f4e2ec1e07d7599c8f1c68916d08d4042c36f000feb0bce240c658780d0aa4e15158
                461cb6e0590ef5945b48368ecc3136d8ac738c8c
                """,
            power: """
                589b5ac191f08671efc586e7f7cdac6ebbda54d30a6d24c7943fde2f3b7a50158726c4c438243d64d3c1fe66
                195ad3f621c6dc5f36156abc934b7aaaf0e02025637bc67606d0fe22e50b91bf647005a375c8163bfeb29c84
                416141f9ce1925b09ee43fa08ac0015793ff6cc35638936f4287a62378fcff433c03d9323ae6f702d1f36c17
                631fd866dca3236a8710428eddafac019372a057389c3636c196b7462c4b07a695cd7562d752f3221d3f8f1b
                6a96d82fd7db2839388116cb07029a3319a2b828c25ec27c2d48c6a95028e76fed6feda5da513256a36ddf61
                a6c7b2b08a3eaf523ce1be83ca865c4413f6b059a52f616c4184e45a65f7f990e3b94708
                """),
        Vector(
            bits: 3071,
            modulus: """
                4ebac256ddcc78de68f8886fdb194b90474d9d8ef3bd423e67c6b46259bbb436002b4b4c5fbf2e16e736f4fc
                b7cfd8913ce3808e345158db971503bd126d15699c9e8752a99b2c28615b43f359e1adc4771fe0ac6a5d89bd
                0920da718c5ebf8731800c217b8fba722e79e0d7f7cd9231513de7811c5f4755222ed171e44da6a60ddc50fb
                2a6e4bd639eb08e4fad18c6a78b9d3d6fc8931500ab772dcb7ed25daa18061082e376b8baf9ae4aac24da336
                3812e2992e45282aa66e12779fc32bb570e9dc059621787d28f745873212c44f07123c8dfefaf558b86d152d
                454cfe2ba309b1a6ddfc1c08c6530cc38d9f07119fad3bf44d7b86616bb906c9efb9f2c6aa61e48884366826
                94b24700efac6de6c7c66f539de552dd2bfcd6866aa87c09baf87131abbd5e94b83d5f7b142ea4cdb101446a
                4869650e7a2c54a0da963a45eff83f045caded41d62cbf2532daef9f2a8a49f0faeeb40c8782d4d52450d1c3
                84a4c93f559741e7f4de438f5d411b0df9e324de73250c60b036d9ddddf1d79f
                """,
            base: """
                0f99f5f706161d017a18755f24aebf1649516704edf6a1997de3a31c4eb78fc5fbf98bb8f1f70efb51b3fb36
                05092dfd6a5daa44404602d07f0de0a14d0167e9fb218ac1bdb3e4fa4283de5c980d23d2988700ad28b604bf
                e9eb5755dadef4e7f60d36266246b75961394c10b5530d8ef8f2c9447ac569924a9f63967e50219339f125a5
                fa07ba826e82d4256de01c196037983b907599c8e42b0ae6e06248b4a1240c23535005d32404f2668a17aa7b
                9d7ba71eea9e2de890d90e5a53777fec1ba0895d61c12c05003e181aa962740fe4ba40d5d23c694059e2be57
                1740b6ae9bcddba3220b2d2df7cea56e32fbfa70f50be2717a1eb92d9059129e61fbaa7b988f5e8828226f9c
                24617bfa77ac435f5e93cc5789d3a4b7a46d8bd9905d11ddd0201a4168c422a76b4a439921109d0dd18aa866
                5a03a612f5532e9c4b0e9e7f94b59db0f37b7afb56e12b56833ce1378b93983c4b978eaf18463b8a4d27667d
                9d1289458cc8678b093b5dd5f6e0ff055fb693a68c181ea8d4d4ab0bb058d2ee
                """,
            exponent: """
                4616f2038f70d465885628277af4b7ac03614a8b64739895d3a9833022edbf31c81de77b0a3be6624b08ce11
                3ed91bb971871853f5f904149f26dab2a8f99dd1
                """,
            power: """
                3da85a9cd668b503984c0eeb8186bfd2789e52e6909376d8263a1f0eb5d59b2658db298e5697d0f9e70a443a
                9a39de8897e767c0cf42827fd09fcc467d5c1074b1af88aaf17520fb8ddad72a69df27cc0547d00bd5765e6f
                8d229c414bae8ec37fb42c56b4381abb08c04798d765c0e45ce2d1990da4c272d8cb8e4b568860e02518a733
                db2a561c31f45ceb5fdf0319c991e1a53f24bce199893065e250459b33bb1c61f1f0d94f5b87df28a07ed632
                9ede16688ce83881821e00e76cf72d21be34b8e2a6da9b5037ed0cb4184d6cde8e00124ee9e51373d8428e07
                a00a4b8e4e17b61c8825a4b3d6a4d98071d629fbd812399f737fe905ffd57fa3004d2eab406e0f64582f6dd2
                efa56eb9a9e26942333d47c3f87904d152ade65c52dc4dc5a7e2ddf4534235ffcf51d3cdffd400223b42c08e
                84a8b8ef5a67290e6910e966d005d9ceb5c6bf65d3e9e4c3491701718a21db04ed04f97862cc8cf4790d9852
                21595471abf26a44320d4e9ca084b792c8ed48d4e8ce0bec3560529a8e12ed6e
                """),
    ]
}
