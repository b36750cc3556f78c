import Testing

@testable import SSHKeys

@Suite("Pictures of fingerprints")
struct RandomArtTests {
    @Test("are those of ssh-keygen -lv", arguments: signingTypes)
    func same(type: KeyType, arguments: [String]) throws {
        let directory = try TemporaryDirectory()
        for index in 0..<3 {
            let path = directory.path("key\(index)")
            try succeed("ssh-keygen", arguments + ["-q", "-N", "", "-f", path])
            let key = try PublicKey(openSSHLine: directory.read("key\(index).pub"))
            for hash in FingerprintHash.allCases {
                let theirs = try succeed("ssh-keygen", ["-lv", "-E", hash.rawValue, "-f", path + ".pub"])
                #expect(theirs.hasSuffix("\n" + key.randomArt(hash) + "\n"), "\(theirs)\(key.randomArt(hash))")
            }
        }
    }
}
