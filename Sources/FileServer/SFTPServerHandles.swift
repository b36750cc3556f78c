import Files
import NIOCore
import Platform
import SFTP
import SSHWire
import Synchronization

/// A file that a client has open, and what it did with it.
final class SFTPOpenFile {
    let file: any OpenFile
    let path: [UInt8]
    private let opened = ContinuousClock.now
    private var bytesRead: UInt64 = 0
    private var bytesWritten: UInt64 = 0
    private var bytesHashed: UInt64 = 0
    private var attributes = FileChanges()
    private var failure: FileError.Cause?

    init(_ file: any OpenFile, path: [UInt8]) {
        self.file = file
        self.path = path
    }

    func read(into buffer: inout ByteBuffer, count: Int, at offset: Int64) throws(FileError.Cause) -> Int {
        do throws(FileError.Cause) {
            let got = try file.read(into: &buffer, count: count, at: offset)
            bytesRead += UInt64(clamping: got)
            return got
        } catch {
            failure = failure ?? error
            throw error
        }
    }

    func write(_ bytes: ByteBuffer, at offset: Int64) throws(FileError.Cause) {
        do throws(FileError.Cause) {
            try file.write(bytes, at: offset)
            bytesWritten += UInt64(bytes.readableBytes)
        } catch {
            failure = failure ?? error
            throw error
        }
    }

    /// Reads for a hash of it.
    func readToHash(into buffer: inout ByteBuffer, count: Int, at offset: Int64) throws(FileError.Cause) -> Int {
        let got = try file.read(into: &buffer, count: count, at: offset)
        bytesHashed += UInt64(clamping: got)
        return got
    }

    func change(_ changes: FileChanges) throws(FileError.Cause) {
        try file.change(changes)
        attributes.merge(changes)
    }

    func close() throws(FileError.Cause) {
        do throws(FileError.Cause) {
            try file.close()
        } catch {
            failure = failure ?? error
            throw error
        }
    }

    func transfer(isInterrupted: Bool) -> ServedTransfer {
        let outcome: ServedTransfer.Outcome =
            if let failure { .failed(failure.description) } else { isInterrupted ? .interrupted : .complete }
        var transfer = ServedTransfer(
            path: path, bytesRead: bytesRead, bytesWritten: bytesWritten, duration: .now - opened, outcome: outcome)
        transfer.bytesHashed = bytesHashed
        transfer.attributes = attributes
        return transfer
    }
}

/// The files and directories a session has open, by handles of eight bytes: a place in a table, and how often the place
/// was given out, so that a handle that was closed does not mean another file later.
struct SFTPServerHandles {
    enum Opened {
        case file(SFTPOpenFile)
        case directory(any OpenDirectory)
    }

    private struct Slot {
        var generation: UInt32 = 0
        var opened: Opened?
    }

    /// How many handles all sessions together have.
    final class Total: Sendable {
        static let ofProcess = Total()
        fileprivate let count = Atomic<Int>(0)
    }

    let limit: Int
    private let total: Total
    /// How many handles there may be in all sessions together.
    private let mostOfAll: Int
    /// Below this a session gets handles as long as there are any, and from here on only out of the first half of
    /// `mostOfAll`: the other is left to sessions with few. The 16 sessions that a connection usually may have take half
    /// of that at most.
    private let few: Int
    private var slots: [Slot] = []
    private var free: [Int] = []

    /// - Parameters:
    ///   - limit: what the process may open counts too.
    ///   - descriptors: how many there are for files and connections; some are left for all else.
    init(
        limit: Int, total: Total = .ofProcess, descriptors: Int = OpenFilesLimit.current(leaving: 64)
    ) {
        self.limit = max(1, min(limit, descriptors))
        self.total = total
        // The connections themselves take some as well.
        mostOfAll = max(8, descriptors / 2)
        few = max(4, min(64, mostOfAll / 64))
    }

    /// To be asked before anything is opened.
    var hasRoom: Bool {
        let own = slots.count - free.count
        return own < limit && total.count.load(ordering: .relaxed) < (own < few ? mostOfAll : mostOfAll / 2)
    }

    mutating func add(_ opened: Opened) -> ByteBuffer {
        let place: Int
        if let known = free.popLast() {
            place = known
        } else {
            place = slots.count
            slots.append(Slot())
        }
        slots[place].opened = opened
        total.count.add(1, ordering: .relaxed)
        return ByteBuffer(integer: UInt64(slots[place].generation) << 32 | UInt64(place))
    }

    private func place(_ handle: ByteBuffer) -> Int? {
        guard handle.readableBytes == 8, let number = handle.getInteger(at: handle.readerIndex, as: UInt64.self) else {
            return nil
        }
        let place = Int(number & 0xffff_ffff)
        guard place < slots.count, slots[place].opened != nil, slots[place].generation == UInt32(number >> 32) else {
            return nil
        }
        return place
    }

    func file(_ handle: ByteBuffer) -> SFTPOpenFile? {
        guard let place = place(handle), case .file(let file)? = slots[place].opened else { return nil }
        return file
    }

    func directory(_ handle: ByteBuffer) -> (any OpenDirectory)? {
        guard let place = place(handle), case .directory(let directory)? = slots[place].opened else { return nil }
        return directory
    }

    /// Takes a handle out of use.
    mutating func remove(_ handle: ByteBuffer) -> Opened? {
        guard let place = place(handle) else { return nil }
        let opened = slots[place].opened
        slots[place].opened = nil
        slots[place].generation &+= 1
        free.append(place)
        total.count.subtract(1, ordering: .relaxed)
        return opened
    }

    /// Closes what a session has left open.
    mutating func closeAll(_ observer: any ServedTransferObserver) {
        for slot in slots {
            guard case .file(let file)? = slot.opened else { continue }
            try? file.close()
            observer.closed(file.transfer(isInterrupted: true))
        }
        total.count.subtract(slots.count - free.count, ordering: .relaxed)
        slots = []
        free = []
    }
}
