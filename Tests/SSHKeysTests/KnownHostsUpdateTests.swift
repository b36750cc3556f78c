import Testing

@testable import SSHKeys

@Suite("Updating known hosts")
struct KnownHostsUpdateTests {
    private let old: PublicKey
    private let kept: PublicKey
    private let new: PublicKey

    init() throws {
        old = try PrivateKey.generate(.ed25519).publicKey
        kept = try PrivateKey.generate(.ecdsaP256).publicKey
        new = try PrivateKey.generate(.ecdsaP384).publicKey
    }

    private func change(_ text: String, _ offered: [PublicKey], address: String? = nil) -> KnownHosts.HostKeyChange {
        KnownHosts(file: "kh", text: text).change(offered: offered, name: "host", address: address)
    }

    @Test("keys that are not known are new, known ones that are not there are gone")
    func difference() {
        let text = "host \(old.openSSHLine)\nhost,10.0.0.1 \(kept.openSSHLine)\nelse \(old.openSSHLine) x\n"
        let plain = change("host \(old.openSSHLine)\nhost,10.0.0.1 \(kept.openSSHLine)\n", [kept, new])
        #expect(plain.new == [new] && plain.deprecated == [old] && plain.obstacle == nil)
        #expect(change(text, [kept, old]).isEmpty)
        #expect(change(text, [kept, new]).obstacle != nil, "the old key has another name")
        #expect(change(text, [old, kept]).obstacle != nil, "an offered key has another name")
    }

    @Test(
        "lines written by hand are left alone",
        arguments: ["host*", "h?st", "host,a,b", "@revoked host", "@cert-authority *"])
    func obstacles(hosts: String) {
        let change = change("host \(old.openSSHLine)\n\(hosts) \(kept.openSSHLine)\n", [old, new])
        #expect(change.obstacle != nil)
    }

    @Test("an address that goes with another name is in the way")
    func addresses() {
        #expect(change("host,10.0.0.1 \(old.openSSHLine)\n", [old, new], address: "10.0.0.1").obstacle == nil)
        #expect(change("host,10.0.0.2 \(old.openSSHLine)\n", [old, new], address: "10.0.0.1").obstacle != nil)
        #expect(change("else,10.0.0.1 \(kept.openSSHLine)\n", [old, new], address: "10.0.0.1").obstacle != nil)
    }

    @Test("lines of the host are replaced, and all others stay byte by byte", arguments: [false, true])
    func replacing(hashed: Bool) throws {
        let others = "# note\n\n broken line\n@revoked host \(old.openSSHLine)\nelse \(old.openSSHLine) c\r\n"
        let text = others + "host \(old.openSSHLine)\nhost \(kept.openSSHLine) comment"
        let result = String(
            decoding: try KnownHosts.replacing(
                in: Array(text.utf8), name: "host", address: nil, keys: [kept, new], hashed: hashed), as: UTF8.self)
        #expect(result.hasPrefix(others + "host \(kept.openSSHLine) comment\n"))
        let hosts = KnownHosts(file: "kh", text: result)
        #expect(hosts.entries.filter { $0.marker == nil && $0.covers("host") }.map(\.key) == [kept, new])
        #expect((hosts.entries.last?.hosts.hasPrefix("|1|") ?? false) == hashed)
        let again = try KnownHosts.replacing(
            in: Array(result.utf8), name: "host", address: nil, keys: [kept, new], hashed: hashed)
        #expect(again == Array(result.utf8))
    }

    @Test("hashed lines of the host are found and removed")
    func hashed() throws {
        let line = try KnownHosts.line(names: ["host"], key: old, hashed: true) + "\n"
        let result = try KnownHosts.replacing(
            in: Array(line.utf8), name: "host", address: nil, keys: [new], hashed: false)
        #expect(String(decoding: result, as: UTF8.self) == "host \(new.openSSHLine)\n")
        #expect(
            try KnownHosts.replacing(in: Array(line.utf8), name: "host", address: nil, keys: [], hashed: false) == [])
    }

    @Test("the address gets its lines where it is looked up too")
    func address() throws {
        func replaced(_ text: String, hashed: Bool = false) throws -> String {
            String(
                decoding: try KnownHosts.replacing(
                    in: Array(text.utf8), name: "host", address: "10.0.0.1", keys: [old], hashed: hashed),
                as: UTF8.self)
        }
        #expect(try replaced("") == "host,10.0.0.1 \(old.openSSHLine)\n")
        #expect(try replaced("host \(old.openSSHLine)\n") == "host \(old.openSSHLine)\n10.0.0.1 \(old.openSSHLine)\n")
        #expect(try replaced("", hashed: true).split(separator: "\n").count == 2)
    }
}
