import FileServer
import Files
import Synchronization

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Holds threads until it is opened.
final class Gate: Sendable {
    private let state = Mutex((isOpen: false, waiting: 0))

    /// How many have come to it.
    var count: Int { state.withLock { $0.waiting } }

    func pass() {
        state.withLock { $0.waiting += 1 }
        while !state.withLock({ $0.isOpen }) { usleep(1000) }
    }

    func open() { state.withLock { $0.isOpen = true } }
}

/// Counts from several threads.
final class Count: Sendable {
    private let state = Mutex(0)
    var value: Int { state.withLock { $0 } }
    func add() { state.withLock { $0 += 1 } }
}

/// Files that tell of some calls before they are done, on the thread that does them. Directories have no end.
struct WatchedFiles: FileSystem {
    var base: any FileSystem = MemoryFileSystem(["a.txt": "hello"])
    var onOpen: @Sendable () -> Void = {}
    var onRealPath: @Sendable () -> Void = {}
    var onEntry: @Sendable () -> Void = {}

    private final class Endless: ServedDirectory {
        let onEntry: @Sendable () -> Void
        init(_ onEntry: @escaping @Sendable () -> Void) { self.onEntry = onEntry }
        func next() throws(ServedError) -> ServedEntry? {
            onEntry()
            return ServedEntry(name: Array("entry".utf8), status: nil)
        }
    }

    func open(_ path: [UInt8], _ options: ServedOpenOptions) throws(ServedError) -> any ServedFile {
        onOpen()
        return try base.open(path, options)
    }
    func openDirectory(_ path: [UInt8]) throws(ServedError) -> any ServedDirectory { Endless(onEntry) }
    func status(of path: [UInt8], followingLinks: Bool) throws(ServedError) -> ServedStatus {
        try base.status(of: path, followingLinks: followingLinks)
    }
    func change(_ path: [UInt8], _ changes: ServedChanges, followingLinks: Bool) throws(ServedError) {
        try base.change(path, changes, followingLinks: followingLinks)
    }
    func makeDirectory(_ path: [UInt8], mode: UInt16) throws(ServedError) { try base.makeDirectory(path, mode: mode) }
    func removeDirectory(_ path: [UInt8]) throws(ServedError) { try base.removeDirectory(path) }
    func remove(_ path: [UInt8]) throws(ServedError) { try base.remove(path) }
    func rename(_ old: [UInt8], to new: [UInt8], replacing: Bool) throws(ServedError) {
        try base.rename(old, to: new, replacing: replacing)
    }
    func readLink(_ path: [UInt8]) throws(ServedError) -> [UInt8] { try base.readLink(path) }
    func makeSymbolicLink(_ path: [UInt8], holding target: [UInt8]) throws(ServedError) {
        try base.makeSymbolicLink(path, holding: target)
    }
    func makeHardLink(_ path: [UInt8], to existing: [UInt8]) throws(ServedError) {
        try base.makeHardLink(path, to: existing)
    }
    func realPath(_ path: [UInt8]) throws(ServedError) -> [UInt8] {
        onRealPath()
        return try base.realPath(path)
    }
    func volume(of path: [UInt8]) throws(ServedError) -> ServedVolume { try base.volume(of: path) }
}
