import NIOCore
import SSHKeys
import SSHNIO
import SSHWire
import TestSupport
import Testing

@testable import SSHServer

@Suite("The door: certificates of users", .timeLimit(.minutes(hangMinutes)))
struct AuthenticationCertificateTests {
    private let key: PrivateKey
    private let authority: PrivateKey
    /// The time that every check is made at.
    private static let now: UInt64 = 1_000_000

    init() throws {
        key = try PrivateKey.generate(.ed25519)
        authority = try PrivateKey.generate(.ed25519)
    }

    private func certificate(_ change: (inout CertificateContent) -> Void = { _ in }) throws -> Certificate {
        var content = CertificateContent()
        change(&content)
        return try content.certificate(for: key.publicKey, by: authority)
    }

    private func entries(_ text: String) throws -> [AuthorizedKeys.Entry] {
        let keys = AuthorizedKeys(Array(text.utf8))
        #expect(keys.faults.isEmpty, "\(keys.faults)")
        return keys.entries
    }

    /// A line with the authority behind some options.
    private func line(_ options: String = "cert-authority") throws -> [AuthorizedKeys.Entry] {
        try entries("\(options) \(authority.publicKey.openSSHLine)")
    }

    private func verdict(
        _ certificate: Certificate, _ rules: KeyRules, user: String = "me", address: String = "192.0.2.1"
    ) -> KeyVerdict {
        rules.verdict(
            on: OfferedKey(key: certificate.key, certificate: certificate, isProved: true),
            of: LoginAttempt(user: user, address: address, port: 1))
    }

    private func isRefused(_ verdict: KeyVerdict, _ word: String) -> Bool {
        guard case .refused(let reason) = verdict else { return false }
        return reason.contains(word)
    }

    @Test("A trusted authority's certificate lets in the users it names")
    func trusted() throws {
        let rules = KeyRules(authorities: [authority.publicKey], now: Self.now)
        let certificate = try certificate { $0.principals = ["you", "me"] }
        #expect(verdict(certificate, rules) == .accepted())
        #expect(verdict(certificate, rules, user: "you") == .accepted())
        #expect(isRefused(verdict(certificate, rules, user: "root"), "not for root"))
        #expect(isRefused(verdict(certificate, rules, user: "ME"), "not for ME"))
    }

    @Test("A line with cert-authority lets in by the user's name, or by the principals it lists")
    func line() throws {
        let certificate = try certificate { $0.principals = ["team", "me"] }
        #expect(verdict(certificate, KeyRules(entries: try line(), now: Self.now)) == .accepted())
        let plain = KeyRules(entries: try line(), now: Self.now)
        #expect(isRefused(verdict(certificate, plain, user: "root"), "not for root"))
        let team = KeyRules(entries: try line(#"cert-authority,principals="x,team""#), now: Self.now)
        #expect(verdict(certificate, team, user: "root") == .accepted())
        let others = KeyRules(entries: try line(#"cert-authority,principals="x,y""#), now: Self.now)
        #expect(isRefused(verdict(certificate, others), "not for x"))
    }

    @Test("What is not an authority's, not a user's, out of its time or names nobody is refused")
    func refused() throws {
        let rules = KeyRules(entries: try line(), authorities: [authority.publicKey], now: Self.now)
        let nobody = KeyRules(entries: try entries(authority.publicKey.openSSHLine), now: Self.now)
        #expect(isRefused(verdict(try certificate(), nobody), "no trusted authority"))
        let keyAlone = KeyRules(entries: try entries(key.publicKey.openSSHLine), now: Self.now)
        #expect(isRefused(verdict(try certificate(), keyAlone), "no trusted authority"))
        #expect(isRefused(verdict(try certificate { $0.role = 2 }, rules), "for a host"))
        #expect(isRefused(verdict(try certificate { $0.validBefore = Self.now }, rules), "expired"))
        #expect(isRefused(verdict(try certificate { $0.validAfter = Self.now + 1 }, rules), "not yet valid"))
        #expect(isRefused(verdict(try certificate { $0.principals = [] }, rules), "no principal"))
        #expect(verdict(try certificate { $0.validBefore = Self.now + 1 }, rules) == .accepted())
        #expect(verdict(try certificate { $0.validAfter = Self.now }, rules) == .accepted())
    }

    @Test("A certified key is no authority: the plain key is not let in by the authority's line")
    func authorityKey() throws {
        let rules = KeyRules(entries: try line(), authorities: [authority.publicKey], now: Self.now)
        let verdict = rules.verdict(
            on: OfferedKey(key: authority.publicKey, isProved: true),
            of: LoginAttempt(user: "me", address: "::1", port: 1))
        #expect(isRefused(verdict, "not among the authorized"))
    }

    @Test("Critical options are kept to; unknown and malformed ones refuse")
    func criticalOptions() throws {
        let rules = KeyRules(authorities: [authority.publicKey], now: Self.now)
        let forced = try certificate { $0.critical = [("force-command", "internal-sftp -R")] }
        let command = ByteBuffer(string: "internal-sftp -R")
        #expect(verdict(forced, rules) == .accepted(LoginPermissions(forcedCommand: command)))
        let local = try certificate { $0.critical = [("source-address", "192.0.2.0/24,::1")] }
        #expect(verdict(local, rules) == .accepted())
        #expect(verdict(local, rules, address: "::ffff:192.0.2.9") == .accepted())
        #expect(isRefused(verdict(local, rules, address: "192.0.3.1"), "does not let in from"))
        let bad: [[(String, String?)]] = [
            [("source-address", "*")], [("source-address", nil)], [("force-command", nil)],
            [("verify-required", "x")],
        ]
        for critical in bad {
            #expect(isRefused(verdict(try certificate { $0.critical = critical }, rules), "malformed"))
        }
        let unknown = try certificate { $0.critical = [("frobnicate", "x")] }
        #expect(isRefused(verdict(unknown, rules), "frobnicate"))
        let verified = try certificate { $0.critical = [("verify-required", nil)] }
        #expect(isRefused(verdict(verified, rules), "security key"))
    }

    @Test("A line's options and a certificate's hold both, and two different commands refuse")
    func together() throws {
        let forced = try certificate { $0.critical = [("force-command", "a")] }
        let same = KeyRules(entries: try line(#"cert-authority,command="a""#), now: Self.now)
        #expect(verdict(forced, same) == .accepted(LoginPermissions(forcedCommand: ByteBuffer(string: "a"))))
        let other = KeyRules(entries: try line(#"cert-authority,command="b""#), now: Self.now)
        #expect(isRefused(verdict(forced, other), "forced command"))
        #expect(
            verdict(try certificate(), other) == .accepted(LoginPermissions(forcedCommand: ByteBuffer(string: "b"))))
        let from = KeyRules(entries: try line(#"cert-authority,from="10.0.0.0/8""#), now: Self.now)
        #expect(isRefused(verdict(try certificate(), from), "line 1"))
        let old = KeyRules(entries: try line(#"cert-authority,expiry-time="19700102Z""#), now: Self.now)
        #expect(isRefused(verdict(try certificate(), old), "expired"))
        // Not to be touched only where both say so.
        let untouched = try certificate { $0.extensions = ["no-touch-required"] }
        let lax = KeyRules(entries: try line("cert-authority,no-touch-required"), now: Self.now)
        #expect(verdict(untouched, lax) == .accepted(presence: .notNeeded))
        #expect(verdict(try certificate(), lax) == .accepted())
        #expect(verdict(untouched, KeyRules(entries: try line(), now: Self.now)) == .accepted())
    }

    @Test("The key, its certificate's serial number or authority may be revoked")
    func revoked() throws {
        let certificate = try certificate()
        for revoked in [key.publicKey, authority.publicKey] {
            let rules = KeyRules(
                authorities: [authority.publicKey], revoked: [.keys([]), .keys([revoked])], now: Self.now)
            #expect(isRefused(verdict(certificate, rules), "revoked"))
        }
        let other = try PrivateKey.generate(.ed25519).publicKey
        let rules = KeyRules(authorities: [authority.publicKey], revoked: [.keys([other])], now: Self.now)
        #expect(verdict(certificate, rules) == .accepted())
    }

    /// A policy of fixed rules.
    private struct Rules: LoginPolicy {
        let rules: KeyRules
        func check(key: OfferedKey, of attempt: LoginAttempt) async -> KeyVerdict {
            rules.verdict(on: key, of: attempt)
        }
    }

    @Test(
        "Certificates over keys of every type are offered and let in, on a connection",
        arguments: [KeyType.ed25519, .ecdsaP256, .ecdsaP384, .ecdsaP521, .rsa], [false, true])
    func everyType(_ type: KeyType, _ bound: Bool) async throws {
        let key = try PrivateKey.generate(type, bits: 2048)
        let rules = KeyRules(authorities: [authority.publicKey], now: Self.now)
        for plain in key.signatureAlgorithms {
            let certificate = try CertificateContent().certificate(for: key.publicKey, by: authority)
            let server = try await DoorServer(Rules(rules: rules))
            var client = try await RawClient(server)
            #expect(try await client.offer(key.publicKey).isFailure)
            #expect(try await client.offer(key.publicKey, certificate) == .keyAcceptable)
            let algorithm = Certificate.name(certifying: plain)
            #expect(try await client.sign(key, certificate, algorithm: algorithm, bound: bound) == .success)
            let text = try #require(try await server.outcome().key)
            #expect(text.contains("\"an id\" serial 7 of ED25519 \(authority.publicKey.fingerprint())"))
            await client.transport.close()
            await server.stop()
        }
    }

    @Test(
        "A certificate under a plain algorithm's name, a key under a certificate's, a false one and SHA-1 prove nothing"
    )
    func mismatched() async throws {
        let rsa = try PrivateKey.generate(.rsa, bits: 2048)
        let rules = KeyRules(authorities: [authority.publicKey], now: Self.now)
        let server = try await DoorServer(Rules(rules: rules)) { $0.maxAttempts = 10 }
        var client = try await RawClient(server)
        let certificate = try certificate()
        let certified = try CertificateContent().certificate(for: rsa.publicKey, by: authority)
        let name = Certificate.name(certifying: "ssh-ed25519")
        var damaged = certificate.blobBytes
        damaged[damaged.count - 1] ^= 1
        let other = try PrivateKey.generate(.ed25519)
        let requests: [(ByteBuffer, String, PrivateKey)] = [
            (certificate.blob, "ssh-ed25519", key), (key.publicKey.blob, name, key),
            (ByteBuffer(bytes: damaged), name, key), (certificate.blob, name, other),
            (certified.blob, Certificate.name(certifying: "ssh-rsa"), rsa),
        ]
        for (blob, algorithm, signer) in requests {
            let answer = try await client.prove(blob, algorithm) {
                try signer.sign($0.readableBytesView, algorithm: Certificate.plainName(of: algorithm) ?? algorithm)
            }
            #expect(answer.isFailure, "\(algorithm)")
        }
        #expect(server.events.count == requests.count)
        #expect(server.reasons.last == "signatures by ssh-rsa-cert-v01@openssh.com are not taken")
        #expect(try await client.sign(key, certificate) == .success)
        await client.transport.close()
        await server.stop()
    }
}
