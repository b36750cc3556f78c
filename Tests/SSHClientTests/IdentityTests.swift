import SSHKeys
import TestSupport
import Testing

@testable import SSHClient

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

@Suite("Key files of the user's")
struct IdentityTests {
    private func load(_ paths: [String], isNamed: Bool = true) async -> (keys: [String], told: [String]) {
        let told = Collected()
        var options = ClientOptions(
            host: "example.org", account: LocalAccount(name: "nobody", home: "/none"), environment: { _ in nil })
        if isNamed { options.identityFiles = paths }
        let list = IdentityList(
            options: options, interface: SilentInterface { told.add($0) }, log: ClientLog(verbosity: 0) { _ in })
        return (await list.load().map(\.name), told.all)
    }

    @Test("Files of every type are read, in order")
    func types() async throws {
        let keys = try await TestKeys.ofThisRun()
        let paths = TestSupport.KeyType.allCases.map { keys.clientKey($0) }
        let (found, told) = await load(paths)
        #expect(found == paths && told.isEmpty)
    }

    @Test("A file that is missing, empty, or readable by others is told about and passed over")
    func passedOver() async throws {
        let keys = try await TestKeys.ofThisRun()
        let directory = try TemporaryDirectory()
        let (open, empty, missing) = (directory.file("open"), directory.file("empty"), directory.file("missing"))
        try writeFile(open, readFile(keys.clientKey(.ed25519)), mode: 0o644)
        try writeFile(empty, text: "")
        let good = keys.clientKey(.rsa)
        let (found, told) = await load([open, empty, missing, directory.path, good])
        #expect(found == [good])
        #expect(told.count == 4)
        #expect(told[0].contains(open) && told[0].contains("0644"))
        #expect(told[1].contains(empty))
        #expect(told[2] == "identity file \(missing): No such file or directory")
        #expect(told[3] == "identity file \(directory.path): Is a directory")
    }

    @Test("The usual files are missed without a word")
    func usual() async { #expect(await load([], isNamed: false).told.isEmpty) }

    @Test("An encrypted file is offered by the public half it shows, before its passphrase is asked for")
    func encrypted() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("encrypted")
        let key = try PrivateKey.generate(.ed25519)
        try writeFile(path, text: try key.openSSHFile(passphrase: Array("secret".utf8), rounds: 1), mode: 0o600)
        var options = ClientOptions(host: "example.org", environment: { _ in nil })
        options.identityFiles = [path]
        let list = IdentityList(
            options: options, interface: SilentInterface(), log: ClientLog(verbosity: 0) { _ in })
        let found = await list.load()
        #expect(found.map(\.publicKey) == [key.publicKey])
        #expect(found.first?.signsUnasked == false)
    }
}
