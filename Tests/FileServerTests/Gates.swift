import Files
import Platform
import Synchronization
import TestSupport

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

/// Files whose directories have no end; `onEntry` is told of each entry before it is given.
func endlessFiles(_ onEntry: @escaping @Sendable () -> Void) -> InterposedFiles {
    var files = InterposedFiles()
    files.nextEntry = { () throws(FileError.Cause) in
        onEntry()
        return DirectoryEntry(name: bytes("entry"), status: nil)
    }
    return files
}
