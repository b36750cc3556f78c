import Platform

/// What a progress meter draws on.
protocol ProgressScreen: Sendable {
    /// Columns, as of now: a window may be resized at any time.
    var width: Int { get }
    /// Whether this process may write: one in the background must leave the terminal alone.
    var isForeground: Bool { get }
    func write(_ text: String)
}

/// A terminal.
struct TerminalScreen: ProgressScreen {
    private let descriptor: Int32

    /// Nil if the descriptor is no terminal.
    init?(_ descriptor: Int32) {
        guard isatty(descriptor) == 1 else { return nil }
        self.descriptor = descriptor
    }

    var width: Int {
        var size = winsize()
        guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return Int(size.ws_col)
    }

    var isForeground: Bool { tcgetpgrp(descriptor) == getpgrp() }

    func write(_ text: String) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { sendBytes(descriptor, $0.baseAddress, $0.count) }
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if count == 0 || errno != EINTR {
                // A terminal that is gone ends the drawing, not the copy.
                return
            }
        }
    }
}

/// `write(2)`, which a method of the same name hides.
private func sendBytes(_ descriptor: Int32, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int {
    write(descriptor, bytes, count)
}
