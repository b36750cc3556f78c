import NIOCore
import NIOPosix
import Synchronization
import TestSupport
import Testing

@testable import SSHServer

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

@Suite("Where a server listens", .timeLimit(.minutes(hangMinutes)))
struct ListenAddressTests {
    private let bootstrap = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
    /// The same twice: what is free for the first is taken for the second.
    private let addresses = [ListenAddress.address("127.0.0.1", port: 0), .address("127.0.0.1", port: 0)]

    @Test("another port is tried where one is taken on another address, and what was bound is closed")
    func retry() async throws {
        var all: [any Channel] = []
        var refused = 0
        let bound = try await ListenAddress.bindAll(addresses) { address in
            do {
                let place = refused < 3 ? address : .address("127.0.0.1", port: 0)
                let channel = try await place.bind(bootstrap)
                all.append(channel)
                return channel
            } catch {
                refused += 1
                throw error
            }
        }
        #expect(refused == 3 && all.count == 5)
        #expect(all.map(\.isActive) == [false, false, false, true, true])
        #expect(bound.map { $0.localAddress?.port } == all.suffix(2).map { $0.localAddress?.port })
        for channel in bound { try await channel.close() }
    }

    @Test("it ends after a few ports")
    func end() async throws {
        var tries = 0
        await #expect(throws: ServerError.self) {
            _ = try await ListenAddress.bindAll(addresses) { address in
                tries += 1
                return try await address.bind(bootstrap)
            }
        }
        #expect(tries == 2 * ListenAddress.attempts)
    }

    @Test("a port that was asked for, and any other error, is tried once", arguments: [EADDRINUSE, EACCES])
    func once(number: Int32) async throws {
        let port = number == EADDRINUSE ? 1 : 0
        var tries = 0
        await #expect(throws: ServerError.self) {
            _ = try await ListenAddress.bindAll([addresses[0], .address("127.0.0.1", port: port)]) { address in
                tries += 1
                if tries == 2 { throw IOError(errnoCode: number, reason: "bind") }
                return try await address.bind(bootstrap)
            }
        }
        #expect(tries == 2)
    }
}
