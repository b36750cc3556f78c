import Files
import NIOCore
import Platform
import Synchronization

/// What goes wrong with the contents of files, as on a disk that is full or breaks. Places are bytes of a file.
package struct FileFaults: Sendable {
    /// How many bytes may be written to all files together. What fits is written, and ENOSPC met behind it.
    package var room: Int64?
    /// Where reading fails with ``error``.
    package var unreadable: Int64?
    /// Where writing fails with ``error``; what comes before is written.
    package var unwritable: Int64?
    package var error = EIO
    /// Where files end for who reads them, as if they had shrunk since their status was asked for.
    package var end: Int64?
    /// Where one bit is turned over in what is read, the first time.
    package var flippedRead: Int64?
    /// Where one bit is turned over in what is written.
    package var flippedWrite: Int64?
    /// What a delayed write has met, when a file is closed.
    package var closing: Int32?
    package var synchronizing: Int32?

    package init() {}

    package init(_ set: (inout FileFaults) -> Void) { set(&self) }
}

/// A file with faults.
final class FaultyFile: OpenFile {
    /// What all files of a file system have in common.
    final class State: Sendable {
        fileprivate let written = Mutex<Int64>(0)
        fileprivate let hasFlipped = Mutex(false)
    }

    private let base: any OpenFile
    private let faults: FileFaults
    private let state: State

    init(_ base: any OpenFile, _ faults: FileFaults, _ state: State) {
        (self.base, self.faults, self.state) = (base, faults, state)
    }

    func read(into buffer: inout ByteBuffer, count: Int, at offset: Int64) throws(FileError.Cause) -> Int {
        if let place = faults.unreadable, place >= offset, place < offset + Int64(count) {
            throw .system(faults.error)
        }
        let limit = faults.end.map { max(0, $0 - offset) } ?? .max
        let start = buffer.writerIndex
        let got = try base.read(into: &buffer, count: Int(min(Int64(count), limit)), at: offset)
        if let place = faults.flippedRead, place >= offset, place < offset + Int64(got),
            !state.hasFlipped.withLock({ hasFlipped in
                defer { hasFlipped = true }
                return hasFlipped
            })
        {
            Self.flip(&buffer, at: start + Int(place - offset))
        }
        return got
    }

    func write(_ bytes: ByteBuffer, at offset: Int64) throws(FileError.Cause) {
        var bytes = bytes
        let count = Int64(bytes.readableBytes)
        if let place = faults.flippedWrite, place >= offset, place < offset + count {
            Self.flip(&bytes, at: bytes.readerIndex + Int(place - offset))
        }
        let (written, failure) = granted(count, at: offset)
        if let part = bytes.getSlice(at: bytes.readerIndex, length: Int(written)) { try base.write(part, at: offset) }
        if let failure { throw failure }
    }

    /// How many bytes of a write are done, and what meets the rest.
    private func granted(_ count: Int64, at offset: Int64) -> (Int64, FileError.Cause?) {
        var (granted, failure) = (count, FileError.Cause?.none)
        if let place = faults.unwritable, place >= offset, place < offset + count {
            (granted, failure) = (place - offset, .system(faults.error))
        }
        guard let room = faults.room else { return (granted, failure) }
        return state.written.withLock { written in
            if granted > room - written { (granted, failure) = (max(0, room - written), .system(ENOSPC)) }
            written += granted
            return (granted, failure)
        }
    }

    private static func flip(_ buffer: inout ByteBuffer, at index: Int) {
        guard let byte = buffer.getInteger(at: index, as: UInt8.self) else { return }
        buffer.setInteger(byte ^ 1, at: index)
    }

    func status() throws(FileError.Cause) -> FileStatus { try base.status() }
    func change(_ changes: FileChanges) throws(FileError.Cause) { try base.change(changes) }
    func volume() throws(FileError.Cause) -> VolumeStatus { try base.volume() }

    func synchronize() throws(FileError.Cause) {
        if let number = faults.synchronizing { throw .system(number) }
        try base.synchronize()
    }

    func isSameFile(as other: any OpenFile) -> Bool {
        (other as? FaultyFile).map { base.isSameFile(as: $0.base) } ?? false
    }

    func close() throws(FileError.Cause) {
        try base.close()
        if let number = faults.closing { throw .system(number) }
    }
}
