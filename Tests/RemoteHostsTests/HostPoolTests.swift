import CopyEngine
import SSHWire
import Synchronization
import Testing

@testable import RemoteHosts

/// A host that cannot do anything.
private struct IdleHost: RemoteHost {
    struct Refusal: Error {}

    let name = "idle"
    let traits = CopyHostTraits()
    func openSFTP() async throws -> any ByteStream { throw Refusal() }
    func run(_ command: [UInt8]) async throws -> any RemoteCommand { throw Refusal() }
    func runQuietly(_ command: [UInt8]) async throws -> any RemoteCommand { throw Refusal() }
    func isLoss(_ error: any Error) -> Bool { false }
    func meansNoSFTP(_ error: any Error) -> Bool { false }
    func settle() async {}
    func recover(from error: any Error, hasProgressed: Bool) async throws { throw error }
    func close() async -> Bool { true }
}

@Suite("The hosts of a program", .timeLimit(.minutes(15)))
struct HostPoolTests {
    private let pool = HostPool<String>()

    @Test("Two that ask at once get one host, also when one of them is cancelled")
    func shared() async throws {
        let (begun, door) = (Waiter<Void>(), Waiter<Void>())
        let count = Mutex(0)
        let reach: @Sendable () async throws -> any RemoteHost = {
            count.withLock { $0 += 1 }
            begun.resume()
            try await door.wait()
            return IdleHost()
        }
        let first = Task { [pool] in try await pool.host(for: "a", reach: reach).name }
        try await begun.wait()
        let second = Task { [pool] in
            try await pool.host(for: "a") {
                Issue.record("reached twice")
                return IdleHost()
            }.name
        }
        // The second has asked once this is answered, as the pool is an actor.
        while await pool.callers(of: "a") < 2 { await Task.yield() }
        first.cancel()
        await #expect(throws: CancellationError.self) { try await first.value }
        door.resume()
        #expect(try await second.value == "idle")
        #expect(count.withLock { $0 } == 1)
        #expect(await pool.close())
    }

    @Test("A host that nobody waits for any more is given up, and reached again when it is asked for")
    func cancelled() async throws {
        let begun = Waiter<Void>()
        let task = Task { [pool] in
            try await pool.host(for: "a") {
                begun.resume()
                while true { try await Waiter<Void>().wait() }
            }.name
        }
        try await begun.wait()
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(try await pool.host(for: "a") { IdleHost() }.name == "idle")
        #expect(await pool.close())
    }

    @Test("One that could not be reached is not tried twice")
    func failed() async throws {
        for _ in 0..<2 {
            await #expect(throws: IdleHost.Refusal.self) {
                try await pool.host(for: "a") { throw IdleHost.Refusal() }.name
            }
        }
        await #expect(throws: IdleHost.Refusal.self) { try await pool.host(for: "a") { IdleHost() }.name }
    }
}
