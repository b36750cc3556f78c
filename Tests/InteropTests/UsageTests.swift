import TestSupport
import Testing

@Suite("Command lines that make no sense", .timeLimit(.minutes(hangMinutes)))
struct UsageTests {
    private func scp(_ arguments: String...) async throws -> Finished { try await run(scpBinary(), arguments) }

    @Test(
        "Too few operands show how to call it", arguments: [[], ["a"], ["-r", "a"], ["-r", "--", "a"], ["-P", "22"]])
    func tooFew(arguments: [String]) async throws {
        let finished = try await run(scpBinary(), arguments)
        #expect(finished.status == .exited(1))
        #expect(finished.errorText.hasPrefix("usage: scp "))
        #expect(finished.output.isEmpty)
    }

    @Test("An unknown option is named, and how to call it shown")
    func unknownOption() async throws {
        let finished = try await scp("-Z", "a", "b")
        #expect(finished.status == .exited(1))
        #expect(finished.errorText.contains("unknown option -- Z\nusage: scp "), "\(finished)")
    }

    @Test(
        "What is asked for comes on standard output, with status 0",
        arguments: [
            (["--help"], "usage: scp "), (["--version"], "scp (swift-scp) "), (["-V"], "scp (swift-scp) "),
            (["-Q", "kex"], "mlkem768x25519-sha256\n"), (["-Qmac"], "hmac-sha2-512\n"),
            (["-Q", "help"], "cipher-auth\n"),
            (["-Q", "key"], "ssh-ed25519-cert-v01@openssh.com\n"),
            (["-Q", "key-sig"], "rsa-sha2-512-cert-v01@openssh.com\n"),
            (["-Q", "HostKeyAlgorithms"], "rsa-sha2-256\n"), (["-Q", "protocol-version"], "2\n"),
        ])
    func answers(arguments: [String], text: String) async throws {
        let finished = try await run(scpBinary(), arguments)
        #expect(finished.status == .exited(0) && finished.errorText.isEmpty)
        #expect(finished.outputText.contains(text), "\(finished)")
    }

    @Test("The server answers alike", arguments: [("--help", "usage: scpd "), ("--version", "scpd (swift-scp) ")])
    func serverAnswers(argument: String, text: String) async throws {
        let finished = try await run(scpdBinary(), [argument])
        #expect(finished.status == .exited(0) && finished.errorText.isEmpty)
        #expect(finished.outputText.hasPrefix(text), "\(finished)")
    }

    @Test("An unknown long option is named whole, with the nearest that there is")
    func unknownLongOption() async throws {
        let finished = try await scp("--resum", "a", "b")
        #expect(finished.status == .exited(1))
        #expect(finished.errorText.contains("unknown option --resum, did you mean --resume?\nusage: scp "))
    }

    @Test("A private key given as the configuration is not shown")
    func keyAsConfiguration() async throws {
        let directory = try TemporaryDirectory()
        let key = directory.file("key")
        let made = try await run("/usr/bin/ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", key])
        #expect(made.status == .exited(0))
        let finished = try await scp("-F", key, "/etc/hostname", "127.0.0.1:x")
        #expect(finished.errorText.contains("it holds a private key, not a configuration"))
        for line in try readText(key).split(separator: "\n") where !line.hasPrefix("-") {
            #expect(!finished.errorText.contains(line))
        }
    }

    @Test("An option without its value is named", arguments: ["P", "o", "i", "c"])
    func missingValue(letter: String) async throws {
        let finished = try await scp("-r\(letter)")
        #expect(finished.status == .exited(1))
        #expect(finished.errorText.contains("option requires an argument -- \(letter)\nusage: scp "), "\(finished)")
    }

    @Test("An unknown -o name is named before anything is done")
    func unknownSetting() async throws {
        expectFailure(try await scp("-oNoSuchThing=yes", "/etc/hostname", "127.0.0.1:x"), "NoSuchThing")
    }

    @Test(
        "A value that an -o setting cannot have is named",
        arguments: [
            "Port=0", "Port=65536", "Port=x", "BatchMode=perhaps", "ConnectTimeout=soon", "AddressFamily=inet5",
            "StrictHostKeyChecking=sometimes", "Ciphers=rot13", "RekeyLimit=lots", "Port",
        ])
    func badSetting(setting: String) async throws {
        let name = setting.split(separator: "=")[0]
        expectFailure(try await scp("-o", setting, "/etc/hostname", "127.0.0.1:x"), String(name))
    }

    @Test("A bad port is named", arguments: ["0", "65536", "-1", "x", "22x", ""])
    func badPort(port: String) async throws {
        let finished = try await scp("-P", port, "/etc/hostname", "127.0.0.1:x")
        #expect(finished.status == .exited(255) && finished.errorText == "scp: bad port \"\(port)\"\n")
    }
}
