import Files
import Platform

/// The files of a session and where relative paths start among them.
struct ServedPlaces: Sendable {
    let files: any FileSystem
    let observer: any ServedTransferObserver
    /// Absolute, from the root that is shown.
    let home: BytePath

    init(files: any FileSystem, home: [UInt8], observer: any ServedTransferObserver) {
        self.files = files
        self.observer = observer
        self.home = BytePath(home.first == UInt8(ascii: "/") ? home : [UInt8(ascii: "/")] + home).trimmed
    }

    /// A path from the root that is shown.
    func absolute(_ path: [UInt8]) -> [UInt8] {
        path.first == UInt8(ascii: "/") ? path : home.appending(path).bytes
    }

    func absolute(_ path: BytePath) -> [UInt8] { absolute(path.bytes) }

    /// What the client is told of something that could not be opened or made. The observer is told if it was refused.
    func failure(_ error: FileError.Cause, _ path: BytePath, _ operation: FileError.Operation) -> FileError {
        if error.isRefusal {
            let name = operation == .makeDirectory ? "mkdir" : "open"
            observer.refused(ServedRefusal(operation: name, path: path.bytes, reason: error.description))
        }
        return FileError(path: path, operation: operation, cause: error)
    }
}
