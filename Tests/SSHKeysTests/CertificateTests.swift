import NIOCore
import SSHWire
import TestSupport
import Testing

@testable import SSHKeys

@Suite("Certificates")
struct CertificateTests {
    /// A certificate over a new key of those arguments, signed by a new authority.
    private func make(
        _ key: [String], authority: [String] = ["-t", "ed25519"], options: [String]
    ) async throws -> (line: String, key: String, authority: String) {
        let directory = try TemporaryDirectory()
        try await succeed("ssh-keygen", authority + ["-q", "-N", "", "-f", directory.file("ca")])
        try await succeed("ssh-keygen", key + ["-q", "-N", "", "-f", directory.file("key")])
        try await succeed(
            "ssh-keygen", ["-q", "-s", directory.file("ca"), "-I", "an id"] + options + [directory.file("key.pub")])
        return (
            try directory.read("key-cert.pub"), try directory.read("key.pub"), try directory.read("ca.pub")
        )
    }

    @Test("host certificates of ssh-keygen are read and verified, for every type of key", arguments: signingTypes)
    func host(type: KeyType, arguments: [String]) async throws {
        let made = try await make(arguments, authority: arguments, options: ["-h", "-n", "a.example,*.b", "-z", "7"])
        let certificate = try Certificate(openSSHLine: made.line)
        #expect(certificate.key == (try PublicKey(openSSHLine: made.key)))
        #expect(certificate.authority == (try PublicKey(openSSHLine: made.authority)))
        #expect(certificate.role == .host)
        #expect(certificate.serial == 7)
        #expect(certificate.keyID == "an id")
        #expect(certificate.principals == ["a.example", "*.b"])
        #expect(certificate.criticalOptions.isEmpty)
        #expect(made.line.hasPrefix(certificate.typeName + " "))
        for name in ["a.example", "A.EXAMPLE", "x.b"] {
            try certificate.check(role: .host, principal: name, at: 1_000_000_000)
        }
        #expect(throws: CertificateError.wrongPrincipal(wanted: "c", principals: ["a.example", "*.b"])) {
            try certificate.check(role: .host, principal: "c", at: 1)
        }
        #expect(throws: CertificateError.wrongRole(.host)) {
            try certificate.check(role: .user, principal: "a.example", at: 1)
        }
    }

    @Test("a user certificate's options, extensions, principals and time are read and kept to")
    func user() async throws {
        let made = try await make(
            ["-t", "ed25519"],
            options: [
                "-n", "alice", "-V", "20200101000000Z:20210101000000Z", "-O", "force-command=true", "-O",
                "source-address=10.0.0.0/8",
            ])
        let certificate = try Certificate(openSSHLine: made.line)
        #expect(certificate.criticalOptions.map(\.name) == ["force-command", "source-address"])
        #expect(certificate.extensions.map(\.name).contains("permit-pty"))
        let known = Certificate.userCriticalOptions
        try certificate.check(role: .user, principal: "alice", at: 1_600_000_000, knownOptions: known)
        #expect(throws: CertificateError.unknownCriticalOption("force-command")) {
            try certificate.check(role: .user, principal: "alice", at: 1_600_000_000)
        }
        #expect(throws: CertificateError.self) {
            try certificate.check(role: .user, principal: "ALICE", at: 1_600_000_000, knownOptions: known)
        }
        #expect(throws: CertificateError.notYetValid(from: certificate.validAfter, now: 1)) {
            try certificate.check(role: .user, principal: "alice", at: 1, knownOptions: known)
        }
        let end = certificate.validBefore
        #expect(throws: CertificateError.expired(since: end, now: end)) {
            try certificate.check(role: .user, principal: "alice", at: end, knownOptions: known)
        }
    }

    @Test("a certificate without principals is good for nobody, a host's as little as a user's")
    func noPrincipals() async throws {
        let host = try await Certificate(openSSHLine: make(["-t", "ed25519"], options: ["-h"]).line)
        #expect(throws: CertificateError.noPrincipals) { try host.check(role: .host, principal: "any", at: 1) }
        let user = try await Certificate(openSSHLine: make(["-t", "ed25519"], options: []).line)
        #expect(throws: CertificateError.noPrincipals) { try user.check(role: .user, principal: "any", at: 1) }
    }

    @Test("an authority that signs with SHA-1 is refused, unless that is allowed")
    func sha1() async throws {
        let made = try await make(
            ["-t", "ed25519"], authority: ["-t", "rsa", "-b", "2048"], options: ["-h", "-t", "ssh-rsa", "-n", "a"])
        let certificate = try Certificate(openSSHLine: made.line)
        #expect(throws: CertificateError.disallowedSignature(algorithm: "ssh-rsa")) {
            try certificate.check(role: .host, principal: "a", at: 1)
        }
        try certificate.check(role: .host, principal: "a", at: 1, signatureAlgorithms: ["ssh-rsa"])
    }

    @Test("times are told as dates of the Gregorian calendar, by date(1)")
    func timestamps() async throws {
        for seconds: UInt64 in [
            0, 951_782_399, 951_782_400, 951_868_800, 1_709_164_800, 4_107_542_399, 253_402_300_799,
        ] {
            let theirs = try await succeed("date", ["-u", "-d", "@\(seconds)", "+%Y-%m-%dT%H:%M:%SZ"])
            #expect("\(Timestamp(seconds))\n" == theirs)
        }
        #expect("\(Timestamp(.max))" == "forever")
    }

    @Test("every truncation, every flipped bit and bytes left over are refused, without a trap")
    func damage() async throws {
        let made = try await make(["-t", "ed25519"], options: ["-n", "alice", "-O", "force-command=true"])
        let blob = try Certificate(openSSHLine: made.line).blobBytes
        for count in blob.indices {
            #expect(throws: KeyError.self) { try Certificate(blob: ByteBuffer(bytes: blob.prefix(count))) }
        }
        #expect(throws: KeyError.self) { try Certificate(blob: ByteBuffer(bytes: blob + [0])) }
        for place in blob.indices {
            for bit in 0..<8 {
                var damaged = blob
                damaged[place] ^= 1 << UInt8(bit)
                #expect(throws: KeyError.self) { try Certificate(blob: ByteBuffer(bytes: damaged)) }
            }
        }
    }

    @Test("options out of order or twice, a type that is none, and an authority that is a certificate are refused")
    func malformedThoughSigned() throws {
        let authority = try PrivateKey.generate(.ed25519)
        let key = try PrivateKey.generate(.ed25519).publicKey
        func certificate(options: [String] = [], role: UInt32 = 1, authorityBlob: ByteBuffer? = nil) throws
            -> ByteBuffer
        {
            var blob = ByteBuffer()
            blob.writeSSHString("ssh-ed25519-cert-v01@openssh.com")
            blob.writeSSHString([1, 2, 3])
            var half = key.blob
            _ = try half.readSSHString("type")
            blob.writeImmutableBuffer(half)
            blob.writeInteger(UInt64(0))
            blob.writeInteger(role)
            blob.writeSSHString("id")
            blob.writeSSHString("")
            blob.writeInteger(UInt64(0))
            blob.writeInteger(UInt64.max)
            blob.writeSSHString { list in
                for name in options {
                    list.writeSSHString(name)
                    list.writeSSHString("")
                }
            }
            blob.writeSSHString("")
            blob.writeSSHString("")
            blob.writeSSHString(authorityBlob ?? authority.publicKey.blob)
            blob.writeSSHString(try authority.sign(blob.readableBytesView, algorithm: "ssh-ed25519"))
            return blob
        }
        let good = try certificate(options: ["a", "b"])
        #expect(try Certificate(blob: good).criticalOptions.map(\.name) == ["a", "b"])
        for bad in [
            try certificate(options: ["b", "a"]), try certificate(options: ["a", "a"]), try certificate(role: 3),
            try certificate(authorityBlob: good),
        ] {
            #expect(throws: KeyError.self) { try Certificate(blob: bad) }
        }
    }

    @Test("names of certificate types and algorithms turn into plain ones and back")
    func names() {
        for algorithm in SignatureAlgorithm.defaults {
            let name = Certificate.name(certifying: algorithm.name)
            #expect(name.hasSuffix("-cert-v01@openssh.com"))
            #expect(Certificate.plainName(of: name) == algorithm.name)
        }
        #expect(Certificate.name(certifying: "sk-ssh-ed25519@openssh.com") == "sk-ssh-ed25519-cert-v01@openssh.com")
        #expect(Certificate.plainName(of: "ssh-ed25519") == nil)
    }
}
