import CommandOptions
import SSHServer
import TestSupport
import Testing

@testable import SCPDCommand

@Suite("Options of scpd")
struct LongOptionTests {
    /// What is wrong with a command line; nil for nothing.
    private func fault(_ arguments: String...) -> String? {
        do throws(OptionFault) {
            _ = try DaemonOptions(arguments)
            return nil
        } catch {
            return error.text
        }
    }

    @Test("A value stands behind a space or an equals sign, and may hold one itself")
    func values() throws {
        #expect(try DaemonOptions(["--root", "/srv"]).root == "/srv")
        #expect(try DaemonOptions(["--root=/srv"]).root == "/srv")
        #expect(try DaemonOptions(["--root=a=b"]).root == "a=b")
        #expect(try DaemonOptions(["--root="]).root == "")
        #expect(try DaemonOptions(["--root", "--read-only"]).root == "--read-only")
        #expect(try DaemonOptions(["--root", "a", "--root", "b"]).root == "b")
        #expect(try DaemonOptions(["--host-key", "a", "--host-key=b"]).hostKeys == ["a", "b"])
        #expect(try DaemonOptions(["--hash-password", "me"]).task == .hashPassword(user: "me"))
        #expect(try DaemonOptions(["--macs", "a,b"]).macs == ["a", "b"])
    }

    @Test("Without options it serves on port 2222")
    func defaults() throws {
        let options = try DaemonOptions([])
        #expect(options.task == .serve)
        #expect(options.port == 2222)
        #expect(options.listen.isEmpty && options.root == nil && !options.isReadOnly && !options.allowsAnyUser)
        #expect(options.stopSeconds == 30)
    }

    @Test("What makes no sense is named")
    func faults() {
        #expect(fault("--wrong") == "unknown option --wrong")
        #expect(fault("--wrong=x") == "unknown option --wrong")
        #expect(fault("--rot", "x") == "unknown option --rot, did you mean --root?")
        #expect(fault("--readonly") == "unknown option --readonly, did you mean --read-only?")
        #expect(fault("--") == nil)
        #expect(fault("--=x") == "unknown option --")
        #expect(fault("-v") == "unknown option -- v")
        #expect(fault("dir") == "unexpected argument dir")
        #expect(fault("") == "unexpected argument ")
        #expect(fault("--root") == "--root needs a value: DIR")
        #expect(fault("--read-only", "--port") == "--port needs a value: PORT")
        #expect(fault("--read-only=yes") == "--read-only takes no value")
        #expect(fault("--ROOT", "x") == "unknown option --ROOT, did you mean --root?")
    }

    @Test(
        "Numbers keep to their ranges",
        arguments: [
            ("port", ["0", "65535"], ["-1", "65536", "", "x", "1 ", "99999999999999999999"]),
            ("umask", ["0", "027", "777"], ["8", "1000", "-1", ""]),
            ("max-connections", ["1", "1000000"], ["0", "1000001", ""]),
            (
                "max-startups", ["1", "10:30:100", "5:0:5", "5:100:5"],
                ["0", "10:30", "10:101:100", "10:30:9", ":", "a:b:c"]
            ),
            ("login-grace", ["1", "86400"], ["0", "86401"]),
            ("max-auth-tries", ["1", "1000"], ["0", "1001"]),
            ("max-sessions", ["1", "10000"], ["0", "10001"]),
            ("idle-timeout", ["1", "31536000"], ["0", "31536001"]),
            ("keepalive", ["0", "86400"], ["-1", "86401"]),
            ("congestion", ["bbr", "cubic", "bpf_cubic"], ["", "BBR", "sixteen_letters_"]),
            ("stop-timeout", ["0", "86400"], ["-1", "86401"]),
            (
                "rekey-limit", ["16", "1K", "1g", "1073741824G"],
                ["15", "0K", "K", "", "1073741825G", "18446744073709551616"]
            ),
        ])
    func ranges(name: String, good: [String], bad: [String]) {
        for value in good { #expect(fault("--\(name)", value) == nil) }
        for value in bad {
            #expect(fault("--\(name)", value)?.hasPrefix("--\(name) \(value): ") == true, "\(value)")
        }
    }

    @Test("Sizes have units")
    func sizes() throws {
        #expect(try DaemonOptions(["--rekey-limit", "100"]).rekeyBytes == 100)
        #expect(try DaemonOptions(["--rekey-limit", "4k"]).rekeyBytes == 4096)
        #expect(try DaemonOptions(["--rekey-limit", "2M"]).rekeyBytes == 2 << 20)
        #expect(try DaemonOptions(["--rekey-limit", "1G"]).rekeyBytes == 1 << 30)
    }

    @Test("The start of connections before log-in is one number or three")
    func startups() throws {
        #expect(try DaemonOptions(["--max-startups", "7"]).limits.startups == .init(begin: 7, percent: 100, full: 7))
        #expect(
            try DaemonOptions(["--max-startups", "3:40:9"]).limits.startups == .init(begin: 3, percent: 40, full: 9))
    }

    @Test(
        "An address is a name, IPv4 or IPv6, with or without a port",
        arguments: [
            ("192.0.2.1", "192.0.2.1", nil), ("192.0.2.1:22", "192.0.2.1", 22), ("host:0", "host", 0),
            ("::", "::", nil), ("::1", "::1", nil), ("[::1]", "::1", nil), ("[::1]:65535", "::1", 65535),
            ("fe80::1%lo", "fe80::1%lo", nil), ("[fe80::1%lo]:22", "fe80::1%lo", 22),
        ] as [(String, String, Int?)])
    func addresses(text: String, address: String, port: Int?) throws {
        let listen = try DaemonOptions(["--listen", text]).listen
        #expect(listen == [.init(address: address, port: port)])
    }

    @Test(
        "Other addresses are refused",
        arguments: ["", ":22", "[]", "[]:22", "[::1]22", "[::1]:", "[::1]:x", "[::1", "host:", "host:65536", "host:-1"])
    func wrongAddresses(text: String) {
        #expect(fault("--listen", text)?.contains("an address is wanted") == true)
    }

    @Test("The help has every option, and no line is wider than a terminal of 80 columns")
    func help() {
        let text = DaemonOptions.usage
        for option in DaemonOptions.table.options { #expect(text.contains("  \(option.names[0])"), "\(option.names)") }
        let names = DaemonOptions.table.options.flatMap(\.words)
        #expect(Set(names).count == names.count)
        for line in text.split(separator: "\n") { #expect(line.count <= 80, "\(line)") }
    }
}

@Suite("The guide to scpd")
struct GuideTests {
    @Test("It has every option, and none that does not exist")
    func options() throws {
        let place = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let text = try readText("/\(place)/docs/scpd.md")
        let table = text.split(separator: "\n").filter { $0.hasPrefix("| `--") }
        let names = table.flatMap { row in
            row.split(separator: "|")[0].split(separator: "`").filter { $0.hasPrefix("--") }
                .map { String($0.dropFirst(2).prefix { $0 != " " }) }
        }
        #expect(names.sorted() == DaemonOptions.table.options.flatMap(\.words).sorted())
    }
}
