import Platform

/// The operating system's words for its error numbers.
package enum SystemError {
    /// For example "Connection refused" for ECONNREFUSED.
    package static func text(_ number: CInt) -> String {
        guard let words = strerror(number) else { return "error \(number)" }
        return String(cString: words)
    }
}
