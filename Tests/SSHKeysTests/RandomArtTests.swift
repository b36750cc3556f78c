import TestSupport
import Testing

@testable import SSHKeys

@Suite("Pictures of fingerprints")
struct RandomArtTests {
    @Test("are those of ssh-keygen -lv", arguments: signingTypes)
    func same(type: KeyType, arguments: [String]) async throws {
        let directory = try TemporaryDirectory()
        for index in 0..<3 {
            let path = directory.file("key\(index)")
            try await succeed("ssh-keygen", arguments + ["-q", "-N", "", "-f", path])
            let key = try PublicKey(openSSHLine: directory.read("key\(index).pub"))
            for hash in FingerprintHash.allCases {
                let theirs = try await succeed("ssh-keygen", ["-lv", "-E", hash.rawValue, "-f", path + ".pub"])
                #expect(theirs.hasSuffix("\n" + key.randomArt(hash) + "\n"), "\(theirs)\(key.randomArt(hash))")
            }
        }
    }
}
