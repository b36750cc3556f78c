import Files

/// A file on its way between a client and the server.
struct SCPFileTransfer {
    let path: BytePath
    let start = ContinuousClock.now
    var bytes: UInt64 = 0
}

/// Tells a server's observer of the files that an SCP session sends or receives.
struct SCPFileLog: Sendable {
    let places: ServedPlaces
    let forWriting: Bool

    func opened(_ file: SCPFileTransfer) {
        places.observer.opened(places.absolute(file.path), forWriting: forWriting)
    }

    func closed(_ file: SCPFileTransfer, _ outcome: ServedTransfer.Outcome) {
        places.observer.closed(
            ServedTransfer(
                path: places.absolute(file.path), bytesRead: forWriting ? 0 : file.bytes,
                bytesWritten: forWriting ? file.bytes : 0, duration: ContinuousClock.now - file.start, outcome: outcome)
        )
    }
}
