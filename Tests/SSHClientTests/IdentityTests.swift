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
    private func load(_ paths: [String], isNamed: Bool = true) -> (keys: [String], told: [String]) {
        let told = Collected()
        let interface = SilentInterface { told.add($0) }
        let identities = Identity.load(
            paths, isNamed: isNamed, interface: interface, log: ClientLog(verbosity: 0) { _ in })
        return (identities.map(\.path), told.all)
    }

    @Test("Files of every type are read, in order")
    func types() async throws {
        let keys = try await TestKeys.ofThisRun()
        let paths = TestSupport.KeyType.allCases.map { keys.clientKey($0) }
        let (found, told) = load(paths)
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
        let (found, told) = load([open, empty, missing, directory.path, good])
        #expect(found == [good])
        #expect(told.count == 4)
        #expect(told[0].contains(open) && told[0].contains("0644"))
        #expect(told[1].contains(empty))
        #expect(told[2] == "identity file \(missing): No such file or directory")
        #expect(told[3] == "identity file \(directory.path): Is a directory")
    }

    @Test("The usual files are missed without a word")
    func usual() { #expect(load(["/none/id_rsa"], isNamed: false).told.isEmpty) }
}
