import NIOCore
import TestSupport
import Testing

@testable import FileServer
@testable import Files

@Suite("What a session of an SFTP server may take")
struct SFTPServerShareTests {
    @Test("one connection leaves handles for others, whatever it opens", arguments: [500, 1000, 20_000, 1_000_000])
    func handles(descriptors: Int) throws {
        let total = SFTPServerHandles.Total()
        let directory = try MemoryFileSystem([:]).openDirectory(bytes("/"))
        func opened(by session: inout SFTPServerHandles) -> [ByteBuffer] {
            var all: [ByteBuffer] = []
            while session.hasRoom { all.append(session.add(.directory(directory))) }
            return all
        }
        func session() -> SFTPServerHandles { SFTPServerHandles(limit: 1000, total: total, descriptors: descriptors) }
        // As many sessions as a connection may have.
        var greedy = (0..<16).map { _ in session() }
        var taken: [[ByteBuffer]] = []
        for index in greedy.indices { taken.append(opened(by: &greedy[index])) }
        #expect(taken[0].count == min(1000, descriptors / 4))
        var other = session()
        #expect(opened(by: &other).count >= 4)
        other.closeAll(SilentServedTransferObserver())
        // Who gives back may take again.
        for handle in taken[0].dropLast(2) { _ = greedy[0].remove(handle) }
        #expect(greedy[0].hasRoom)
        for index in greedy.indices { greedy[index].closeAll(SilentServedTransferObserver()) }
        var last = session()
        #expect(opened(by: &last).count == min(1000, descriptors / 4))
    }

    @Test("names of users and groups are forgotten before they are too many")
    func names() {
        var names = AccountNames()
        let own = names.user(0)
        var most = (0, 0)
        for number in 0..<UInt32(2 * AccountNames.limit + 10) {
            _ = names.user(3_000_000_000 + number)
            _ = names.group(3_000_000_000 + number)
            most = (max(most.0, names.users.count), max(most.1, names.groups.count))
        }
        #expect(most == (AccountNames.limit, AccountNames.limit))
        #expect(names.user(0) == own)
    }
}
