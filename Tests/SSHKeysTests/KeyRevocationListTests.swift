import NIOCore
import SSHWire
import TestSupport
import Testing

@testable import SSHKeys

@Suite("Revoked keys")
struct KeyRevocationListTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    /// Makes a key with `ssh-keygen`; its public half is `name.pub`.
    private func makeKey(_ name: String) async throws -> PublicKey {
        try await succeed("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", directory.file(name)])
        return try PublicKey(openSSHLine: directory.read("\(name).pub"))
    }

    /// Makes a host certificate for a key of that name.
    private func certify(_ name: String, by authority: String, serial: UInt64, id: String) async throws -> Certificate {
        try await succeed(
            "ssh-keygen",
            [
                "-q", "-s", directory.file(authority), "-h", "-I", id, "-n", "h", "-z", "\(serial)",
                directory.file("\(name).pub"),
            ])
        return try Certificate(openSSHLine: directory.read("\(name)-cert.pub"))
    }

    /// A list that `ssh-keygen -k` makes of its specification, or of key files.
    private func list(_ specification: String, authority: String? = nil) async throws -> KeyRevocationList {
        try await KeyRevocationList(bytes(specification, authority: authority))
    }

    private func bytes(_ specification: String, authority: String? = nil) async throws -> [UInt8] {
        try directory.write(specification, to: "spec")
        let options = authority.map { ["-s", directory.file("\($0).pub")] } ?? []
        try await succeed(
            "ssh-keygen", ["-q", "-k", "-f", directory.file("krl"), "-z", "7"] + options + [directory.file("spec")])
        return try directory.bytes("krl")
    }

    @Test("keys and their hashes are revoked, in each way ssh-keygen writes them, and no others")
    func keys() async throws {
        let (bad, good) = try await (makeKey("bad"), makeKey("good"))
        for keyword in ["key", "sha1", "sha256"] {
            let list = try await list("\(keyword): \(bad.openSSHLine)\n")
            #expect(list.revocation(of: bad) == .key, "\(keyword)")
            #expect(list.revocation(of: good) == nil)
            #expect(list.version == 7)
        }
        let hash = try await list("hash: \(bad.fingerprint())\n")
        #expect(hash.revocation(of: bad) == .key)
        #expect(hash.revocation(of: good) == nil)
    }

    @Test("certificates are revoked by serial, alone, in ranges, lists and bitmaps, as ssh-keygen -Q says")
    func serials() async throws {
        _ = try await (makeKey("ca"), makeKey("other"), makeKey("host"))
        // Far apart: a list. Close together: a bitmap. In a row: a range.
        let text =
            "serial: 5\nserial: 1000000\nserial: 70000000000\nserial: 100-4000\n"
            + stride(from: 10_000, to: 10_100, by: 3).map { "serial: \($0)\n" }.joined()
            + "serial: 18446744073709551615\n"
        let list = try await list(text, authority: "ca")
        #expect(list.certificates.contains { !$0.bitmaps.isEmpty } && list.certificates.contains { !$0.ranges.isEmpty })
        for serial: UInt64 in [
            0, 1, 4, 5, 6, 99, 100, 2000, 4000, 4001, 9999, 10_000, 10_001, 10_003, 10_099, 10_100, 999_999, 1_000_000,
            70_000_000_000, 70_000_000_001, .max - 1, .max,
        ] {
            let certificate = try await certify("host", by: "ca", serial: serial, id: "x")
            let theirs = try await run(
                "ssh-keygen", ["-Q", "-f", directory.file("krl"), directory.file("host-cert.pub")])
            let ours = list.revocation(of: certificate.key, certificate: certificate)
            #expect((ours != nil) == !theirs.succeeded, "\(serial)")
            if ours != nil { #expect(ours == .serial(serial)) }
            let strange = try await certify("host", by: "other", serial: serial, id: "x")
            #expect(list.revocation(of: strange.key, certificate: strange) == nil)
        }
    }

    @Test("certificates are revoked by key id, for one authority or all, and with their authority")
    func keyIDs() async throws {
        let authority = try await makeKey("ca")
        _ = try await (makeKey("other"), makeKey("host"))
        let mine = try await list("id: the bad one\n", authority: "ca")
        #expect(mine.revocation(of: authority) == nil)
        let bad = try await certify("host", by: "ca", serial: 0, id: "the bad one")
        #expect(mine.revocation(of: bad.key, certificate: bad) == .keyID("the bad one"))
        let foreign = try await certify("host", by: "other", serial: 0, id: "the bad one")
        #expect(mine.revocation(of: foreign.key, certificate: foreign) == nil)
        let good = try await certify("host", by: "ca", serial: 0, id: "the good one")
        #expect(mine.revocation(of: good.key, certificate: good) == nil)

        try directory.write("id: the bad one\n", to: "spec")
        try await succeed(
            "ssh-keygen", ["-q", "-k", "-s", "none", "-f", directory.file("all"), directory.file("spec")])
        let all = try KeyRevocationList(directory.bytes("all"))
        #expect(all.revocation(of: foreign.key, certificate: foreign) == .keyID("the bad one"))

        let whole = try await list("key: \(authority.openSSHLine)\n")
        #expect(whole.revocation(of: good.key, certificate: good) == .authority)
        #expect(whole.revocation(of: good.key) == nil)
        let certified = try await list("sha256: \(good.key.openSSHLine)\n")
        #expect(certified.revocation(of: good.key, certificate: good) == .key)
    }

    @Test("an empty list revokes nothing")
    func empty() async throws {
        let list = try await list("")
        #expect(try await list.revocation(of: makeKey("any")) == nil)
    }

    @Test("every truncation and byte left over is refused, and damage never traps")
    func damage() async throws {
        let (key, other) = try await (makeKey("ca"), makeKey("k"))
        let whole = try await bytes(
            "serial: 5\nserial: 100-4000\nserial: 10000\nserial: 10003\nserial: 10007\nid: a\nkey: \(other.openSSHLine)\n"
                + "sha1: \(other.openSSHLine)\nsha256: \(key.openSSHLine)\n", authority: "ca")
        let list = try KeyRevocationList(whole)
        #expect(list.revocation(of: other) == .key)
        // A list that ends between two sections is a list: its sections are not counted anywhere.
        var parsed = 0
        for count in whole.indices {
            do throws(KeyError) {
                let shorter = try KeyRevocationList(Array(whole.prefix(count)))
                parsed += 1
                #expect(shorter != list)
            } catch {}
        }
        #expect(parsed <= 4)
        #expect(throws: KeyError.self) { try KeyRevocationList(whole + [0]) }
        #expect(throws: KeyError.self) { try KeyRevocationList([]) }
        var random = SeededGenerator(seed: 11)
        for _ in 0..<2000 {
            var damaged = whole
            damaged[Int.random(in: damaged.indices, using: &random)] = UInt8.random(in: 0...255, using: &random)
            _ = try? KeyRevocationList(damaged).revocation(of: key)
        }
    }

    /// A list with these bytes as its sections.
    private func list(sections: ByteBuffer, format: UInt32 = 1) throws(KeyError) -> KeyRevocationList {
        var list = ByteBuffer(bytes: KeyRevocationList.magic)
        list.writeInteger(format)
        for number: UInt64 in [1, 2, 0] { list.writeInteger(number) }
        list.writeSSHString("")
        list.writeSSHString("a comment")
        list.writeImmutableBuffer(sections)
        return try KeyRevocationList(Array(list.readableBytesView))
    }

    private func section(_ type: UInt8, _ body: (inout ByteBuffer) -> Void) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.writeInteger(type)
        buffer.writeSSHString { body(&$0) }
        return buffer
    }

    private func certificates(_ type: UInt8, _ body: (inout ByteBuffer) -> Void) -> ByteBuffer {
        section(1) {
            $0.writeSSHString("")
            $0.writeSSHString("")
            $0.writeImmutableBuffer(section(type, body))
        }
    }

    @Test("extensions are passed over, unless they must be understood; other sections are refused")
    func sections() throws {
        func fields(_ isCritical: Bool) -> (inout ByteBuffer) -> Void {
            {
                $0.writeSSHString("x@example.org")
                $0.writeSSHBoolean(isCritical)
                $0.writeSSHString("contents")
            }
        }
        #expect(try list(sections: ByteBuffer()).comment == "a comment")
        _ = try list(sections: section(255, fields(false)))
        _ = try list(sections: certificates(0x39, fields(false)))
        let refused = KeyError.unsupported(what: "key revocation list extension", name: "x@example.org")
        #expect(throws: refused) { try list(sections: section(255, fields(true))) }
        #expect(throws: refused) { try list(sections: certificates(0x39, fields(true))) }
        for type: UInt8 in [0, 4, 6, 254] {
            #expect(throws: KeyError.self) { try list(sections: section(type) { _ in }) }
            #expect(throws: KeyError.self) { try list(sections: certificates(type) { _ in }) }
        }
        #expect(throws: KeyError.self) { try list(sections: ByteBuffer(), format: 2) }
    }

    @Test("hashes of another length, ranges backwards, bitmaps beyond the last serial and bytes left over are refused")
    func malformed() throws {
        let bad = [
            section(3) { $0.writeSSHString("short") }, section(5) { $0.writeSSHString("short") },
            certificates(0x20) { $0.writeInteger(UInt32(1)) },
            certificates(0x21) {
                $0.writeInteger(UInt64(2))
                $0.writeInteger(UInt64(1))
            },
            certificates(0x21) { for number: UInt64 in [1, 2, 3] { $0.writeInteger(number) } },
            certificates(0x22) {
                $0.writeInteger(UInt64.max)
                $0.writeMPInt(MPInt(bigEndian: [2]))
            },
            section(1) {
                $0.writeSSHString("no key")
                $0.writeSSHString("")
            },
        ]
        for sections in bad { #expect(throws: KeyError.self) { try list(sections: sections) } }
        let last = try list(
            sections: certificates(0x22) {
                $0.writeInteger(UInt64.max - 8)
                $0.writeMPInt(MPInt(bigEndian: [1, 2]))
            })
        let bitmap = try #require(last.certificates.first?.bitmaps.first)
        #expect(bitmap.holds(.max) && bitmap.holds(.max - 7) && !bitmap.holds(.max - 8) && !bitmap.holds(0))
    }

    @Test("a text file holds keys or certificates, one a line, with comments; anything else is named with its line")
    func text() async throws {
        let (bad, good, authority) = try await (makeKey("bad"), makeKey("good"), makeKey("ca"))
        let certificate = try await certify("good", by: "ca", serial: 1, id: "x")
        let revoked = try RevokedKeys(Array("# old\n\n  \(bad.openSSHLine) note\r\n\(authority.openSSHLine)".utf8))
        #expect(revoked.revocation(of: bad) == .key)
        #expect(revoked.revocation(of: good) == nil)
        #expect(revoked.revocation(of: good, certificate: certificate) == .authority)
        let certified = try RevokedKeys(Array(directory.read("good-cert.pub").utf8))
        #expect(certified.revocation(of: good) == .key)
        #expect(try RevokedKeys([]) == .keys([]))
        #expect {
            try RevokedKeys(Array("\(bad.openSSHLine)\nnonsense\n".utf8))
        } throws: { "\($0)".hasPrefix("line 2: ") }
        let binary = try await bytes("key: \(bad.openSSHLine)\n")
        #expect(try RevokedKeys(binary).revocation(of: bad) == .key)
        #expect(throws: KeyError.self) { try RevokedKeys(binary.dropLast()) }
    }
}
