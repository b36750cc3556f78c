import Testing

@testable import SSHKeys

@Suite("Text files from Windows")
struct ByteOrderMarkTests {
    private static let mark: [UInt8] = [0xef, 0xbb, 0xbf]

    /// As an editor there writes it: with a mark, and CR LF at the ends of lines.
    private func windows(_ text: String) -> [UInt8] {
        Self.mark + text.utf8.flatMap { $0 == 0x0a ? [0x0d, 0x0a] : [$0] }
    }

    @Test("A private key is read, and so is its public half")
    func privateKey() async throws {
        let key = try PrivateKey.generate(.ed25519)
        let file = windows(try key.openSSHFile())
        #expect(try PrivateKey(file: file).publicKey == key.publicKey)
        #expect(try PublicKey(privateKeyFile: file) == key.publicKey)
    }

    @Test("A public key, known hosts, authorized keys and revoked keys are read")
    func lines() throws {
        let key = try PrivateKey.generate(.ed25519).publicKey
        let line = windows(key.openSSHLine + "\n")
        #expect(try PublicKey(openSSHLine: String(decoding: line, as: UTF8.self)) == key)
        let keys = AuthorizedKeys(line)
        #expect(keys.entries.map(\.key) == [key] && keys.faults.isEmpty)
        #expect(try RevokedKeys(line) == .keys([key]))
        let hosts = KnownHosts(file: "f", text: String(decoding: windows("h \(key.openSSHLine)\n"), as: UTF8.self))
        #expect(hosts.entries.map(\.hosts) == ["h"] && hosts.warnings.isEmpty)
    }

    @Test("A comment behind the mark is one, and the mark alone is nothing")
    func comment() throws {
        #expect(AuthorizedKeys(windows("# x\n")).faults.isEmpty && AuthorizedKeys(Self.mark).faults.isEmpty)
        #expect(try RevokedKeys(windows("# x\n")) == .keys([]))
        #expect(KnownHosts(file: "f", text: "\u{feff}# x\n").warnings.isEmpty)
    }
}
