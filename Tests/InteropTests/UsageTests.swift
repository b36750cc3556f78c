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
        expectFailure(try await scp("-P", port, "/etc/hostname", "127.0.0.1:x"), "\(port)")
    }
}
