import Platform
import SSHKeys
import TestSupport
import Testing

@testable import SSHClient
@testable import SSHConfig

@Suite("Key files of the user's")
struct IdentityTests {
    private func load(_ paths: [String]?, home: String = "/none") async -> (keys: [String], told: [String]) {
        let told = Collected()
        var options = ClientOptions(host: "h", account: LocalAccount(name: "me", home: home))
        options.identityFiles = paths
        options.agentSocket = nil
        let list = IdentityList(
            options: options, interface: SilentInterface { told.add($0) }, log: ClientLog(verbosity: 0) { _ in })
        return (await list.load().map(\.name), told.all)
    }

    @Test("Files of every type are read, in order")
    func types() async throws {
        let keys = try await TestKeys.ofThisRun()
        let paths = TestKeyType.allCases.map { keys.clientKey($0) }
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

    @Test("An encrypted file is offered by its public key; nobody is asked for the passphrase yet")
    func encrypted() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("key")
        try await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "open sesame", "-f", path]).success()
        let (found, told) = await load([path])
        #expect(found == [path] && told.isEmpty)
    }

    @Test("The usual files are taken where they are there, and missed without a word")
    func usual() async throws {
        #expect(await load(nil).told.isEmpty)
        let keys = try await TestKeys.ofThisRun()
        let home = try TemporaryDirectory()
        try home.makeDirectory(".ssh")
        try writeFile(home.file(".ssh/id_ed25519"), readFile(keys.clientKey(.ed25519)))
        let (found, told) = await load(nil, home: home.path)
        #expect(found == [home.file(".ssh/id_ed25519")] && told.isEmpty)
    }
}
