import SSHWire
import TestSupport
import Testing

@testable import SSHKeys

@Suite("Authorized keys")
struct AuthorizedKeysTests {
    private static let key = (try? PrivateKey.generate(.ed25519))?.publicKey
    private static var keyLine: String { key?.openSSHLine ?? "" }

    private func parse(_ text: String) -> AuthorizedKeys { AuthorizedKeys(Array(text.utf8)) }

    /// The options of one line that must be right.
    private func options(_ text: String) throws -> AuthorizedKeyOptions {
        let keys = parse(text + " " + Self.keyLine)
        #expect(keys.faults.isEmpty, "\(keys.faults)")
        return try #require(keys.entries.first).options
    }

    @Test("Keys stand one a line, with comments, empty lines and lines that begin with # between them")
    func plain() throws {
        let text = "# a file\n\n  \t\(Self.keyLine) me@here \r\n\t# more\n\(Self.keyLine)"
        let keys = parse(text)
        #expect(keys.faults.isEmpty)
        #expect(keys.entries.map(\.line) == [3, 5])
        #expect(keys.entries.map(\.comment) == ["me@here", ""])
        #expect(keys.entries.allSatisfy { $0.key == Self.key && $0.options == AuthorizedKeyOptions() })
    }

    @Test("Options mean what the manual says, in any case of their letters")
    func meaning() throws {
        #expect(try options(#"command="a \"b\" \c, d""#).command == Array(#"a "b" \c, d"#.utf8))
        #expect(try options(#"COMMAND="x",Restrict"#).command == Array("x".utf8))
        #expect(try options(#"command="""#).command == [])
        #expect(try options(#"expiry-time="20300102Z""#).expiry == 1_893_542_400)
        #expect(try options(#"expiry-time="203001020304Z",expiry-time="20300102Z""#).expiry == 1_893_542_400)
        let authority = try options(#"cert-authority,principals="a,b c""#)
        #expect(authority.isCertificateAuthority)
        #expect(authority.principals == ["a", "b c"])
        #expect(try options(#"principals="a",cert-authority"#).principals == ["a"])
        #expect(!(try options("no-touch-required").requiresTouch))
        #expect(try options("no-touch-required,touch-required").requiresTouch)
        #expect(try options("verify-required").requiresVerification)
        let from = try #require(try options(#"from="10.0.0.0/8,!10.1.2.3""#).from)
        #expect(from.admits("10.1.2.4") && !from.admits("10.1.2.3"))
    }

    @Test(
        "Options about what is not offered are read and change nothing",
        arguments: [
            "restrict", "pty", "no-pty", "port-forwarding", "no-port-forwarding", "agent-forwarding",
            "no-agent-forwarding", "X11-forwarding", "no-X11-forwarding", "user-rc", "no-user-rc",
            #"environment="A=b",environment="C=""#, #"permitopen="host:22",permitopen="*:*""#,
            #"permitlisten="8080""#, #"tunnel="0""#, "restrict,pty,no-pty",
        ])
    func withoutEffect(_ text: String) throws {
        #expect(try options(text) == AuthorizedKeyOptions())
    }

    static let bad: [(String, AuthorizedKeys.Reason)] = [
        ("unheard-of", .unknownOption("unheard-of")),
        (#"restrict,unheard-of="x""#, .unknownOption("unheard-of")),
        ("no-restrict", .unknownOption("no-restrict")),
        (",restrict", .unknownOption("")),
        ("restrict,", .unknownOption("")),
        (#"="x""#, .unknownOption("")),
        ("command=ls", .unquotedValue(option: "command")),
        (#"command="ls"#, .unquotedValue(option: "command")),
        (#"command="ls\""#, .unquotedValue(option: "command")),
        ("command", .missingValue(option: "command")),
        (#"restrict="x""#, .unexpectedValue(option: "restrict")),
        (#"command="a"b"#, .strayCharacter(behind: "command")),
        (#"command="a",Command="b""#, .repeated(option: "command")),
        (#"from="*",from="*""#, .repeated(option: "from")),
        (#"tunnel="1",tunnel="1""#, .repeated(option: "tunnel")),
        (#"from="10.0.0.0/33""#, .badValue(option: "from", value: "10.0.0.0/33")),
        (#"from="10.0.0.1/8""#, .badValue(option: "from", value: "10.0.0.1/8")),
        (#"from="""#, .badValue(option: "from", value: "")),
        (#"from="a,,b""#, .badValue(option: "from", value: "a,,b")),
        (#"expiry-time="2030""#, .badValue(option: "expiry-time", value: "2030")),
        (#"expiry-time="20300230Z""#, .badValue(option: "expiry-time", value: "20300230Z")),
        (#"tunnel="x""#, .badValue(option: "tunnel", value: "x")),
        (#"environment="x""#, .badValue(option: "environment", value: "x")),
        (#"environment="=x""#, .badValue(option: "environment", value: "=x")),
        (#"permitopen="""#, .badValue(option: "permitopen", value: "")),
        (#"principals="a""#, .principalsWithoutAuthority),
        (#"cert-authority,principals="a,,b""#, .badValue(option: "principals", value: "a,,b")),
    ]

    @Test("A line with an option that is not understood lets nobody in, and the log learns why", arguments: bad)
    func badOptions(_ text: String, _ reason: AuthorizedKeys.Reason) {
        let keys = parse("\n\(text) \(Self.keyLine)\n\(Self.keyLine)")
        #expect(keys.faults == [.init(line: 2, reason: reason)])
        #expect(keys.entries.map(\.line) == [3])
    }

    @Test("A line without a key, with half of one or with one of an unknown type is told of")
    func badKeys() {
        #expect(parse("restrict").faults == [.init(line: 1, reason: .noKey)])
        #expect(parse("ssh-ed25519").faults == [.init(line: 1, reason: .noKey)])
        #expect(parse("ssh-dss AAAA").faults == [.init(line: 1, reason: .key(.unsupportedKeyType("ssh-dss")))])
        #expect(parse("restrict ssh-dss A").faults == [.init(line: 1, reason: .key(.unsupportedKeyType("ssh-dss")))])
        for text in ["ssh-ed25519 AAAA", "ssh-ed25519 !!", "ssh-rsa " + Self.keyLine.dropFirst(12)] {
            let keys = parse(text)
            #expect(keys.entries.isEmpty)
            #expect(keys.faults.count == 1)
        }
    }

    @Test("No piece of a line, and no damage to one, lets another key in or traps")
    func damage() throws {
        let line = Array(
            (#"from="10.0.0.0/8,!*.b",command="a \" b",expiry-time="20300102Z",restrict "# + Self.keyLine).utf8)
        for count in line.indices {
            #expect(AuthorizedKeys(Array(line.prefix(count))).entries.isEmpty)
        }
        var random = SeededGenerator(seed: 7)
        for _ in 0..<3000 {
            var damaged = line
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let place = Int.random(in: line.indices, using: &random)
                damaged[place] = UInt8.random(in: 0...255, using: &random)
            }
            for entry in AuthorizedKeys(damaged).entries { #expect(entry.key.type == .ed25519) }
        }
    }

    static let times: [(String, UInt64?)] = [
        ("19700101Z", 0), ("20000229Z", 951_782_400), ("20240229235959Z", 1_709_251_199),
        ("210002281200Z", 4_107_499_200),
        ("21000229Z", nil), ("20301301Z", nil), ("20300001Z", nil), ("20300100Z", nil), ("203001012400Z", nil),
        ("203001010060Z", nil), ("20300101000060Z", nil), ("19691231Z", nil), ("", nil), ("Z", nil), ("2030010Z", nil),
        ("2030010102Z", nil), ("+0300101Z", nil), ("20300101 Z", nil), ("20300101ZZ", nil),
    ]

    @Test("Times are moments of the calendar, or none", arguments: times)
    func time(_ text: String, _ expected: UInt64?) {
        #expect(ExpiryTime.parse(text.utf8) == expected)
    }

    @Test("Times without Z are local, by date(1)", arguments: ["20300102", "203007020304", "20300702030405"])
    func localTime(_ text: String) async throws {
        let padded = Array(text) + Array(repeating: "0", count: 14 - text.count)
        let clock = "\(String(padded[8...9])):\(String(padded[10...11])):\(String(padded[12...13]))"
        let theirs = try await succeed("date", ["-d", "\(String(padded[..<8])) \(clock)", "+%s"])
        #expect(ExpiryTime.parse(text.utf8).map { "\($0)\n" } == theirs)
    }

    static let addresses: [(list: String, admitted: [String], refused: [String])] = [
        ("192.0.2.1", ["192.0.2.1", "::ffff:192.0.2.1"], ["192.0.2.10", "192.0.2", "", "x"]),
        ("192.0.2.0/24", ["192.0.2.0", "192.0.2.255", "::ffff:192.0.2.7"], ["192.0.3.0", "::1"]),
        ("192.0.2.128/25", ["192.0.2.128"], ["192.0.2.127"]),
        ("0.0.0.0/0", ["1.2.3.4"], ["::1"]),
        ("::/0", ["::1", "2001:db8::1"], ["1.2.3.4"]),
        ("2001:db8::/32", ["2001:db8::1", "2001:DB8:ffff::"], ["2001:db9::1"]),
        ("fe80::1", ["fe80::1", "fe80::1%eth0"], ["fe80::2"]),
        ("192.0.2.*", ["192.0.2.1", "::ffff:192.0.2.1"], ["192.0.20.1"]),
        ("192.0.2.?", ["192.0.2.1"], ["192.0.2.10"]),
        ("*", ["192.0.2.1", "::1"], ["not an address"]),
        ("*,!192.0.2.0/24", ["192.0.3.1"], ["192.0.2.1"]),
        ("!192.0.2.0/24,*", ["192.0.3.1"], ["192.0.2.1"]),
        ("!192.0.2.1", [], ["192.0.2.1", "192.0.2.2"]),
        ("host.example,*.example", [], ["192.0.2.1"]),
    ]

    @Test("Lists of addresses admit whom they cover and no negated pattern does", arguments: addresses)
    func addressLists(_ list: String, _ admitted: [String], _ refused: [String]) throws {
        let list = try #require(AddressList(patterns: list))
        for address in admitted { #expect(list.admits(address), "\(address)") }
        for address in refused { #expect(!list.admits(address), "\(address)") }
    }

    @Test(
        "A certificate's list knows addresses and networks alone",
        arguments: [
            "", "*", "192.0.2.*", "!192.0.2.1", "a.example", "192.0.2.1,", "192.0.2.1/24", "192.0.2.0/", "::/129",
        ])
    func networks(_ text: String) {
        #expect(AddressList(networks: text) == nil)
        #expect(AddressList(networks: "192.0.2.0/24,::1") != nil)
    }
}
