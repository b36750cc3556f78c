import Platform

/// The value of an environment variable of the test process.
package func environmentValue(_ name: String) -> String? {
    getenv(name).map { String(cString: $0) }
}

/// The path of an installed program, or nil: looked for in `PATH` and in the places for daemons, which `PATH` often lacks.
package func findProgram(_ name: String) -> String? {
    let path = environmentValue("PATH") ?? "/usr/local/bin:/usr/bin:/bin"
    let places = path.split(separator: ":").map(String.init) + ["/usr/local/sbin", "/usr/sbin", "/sbin"]
    return places.map { "\($0)/\(name)" }.first { access($0, X_OK) == 0 }
}

/// The path of an installed program; throws and names it where there is none.
package func requireProgram(_ name: String) throws -> String {
    guard let path = findProgram(name) else {
        throw TestSupportError("\(name) is not installed: Scripts/setup.sh installs what the tests need")
    }
    return path
}

/// Our own `scp`: `$SCP_BINARY`, else the one built beside the tests.
package func scpBinary() throws -> String { try builtProgram("scp", namedBy: "SCP_BINARY") }

/// Our own `scpd`: `$SCPD_BINARY`, else the one built beside the tests.
package func scpdBinary() throws -> String { try builtProgram("scpd", namedBy: "SCPD_BINARY") }

private func builtProgram(_ name: String, namedBy variable: String) throws -> String {
    let path: String
    if let given = environmentValue(variable), !given.isEmpty {
        path = given
    } else {
        path = try testProductDirectory() + "/" + name
    }
    guard access(path, X_OK) == 0 else {
        throw TestSupportError("no \(name) at \(path): `swift build` makes it, \(variable) names another")
    }
    return path
}

private func testProductDirectory() throws -> String {
    #if os(Linux)
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &buffer, buffer.count - 1)
        guard count > 0 else { throw SystemError("readlink /proc/self/exe") }
        let image = String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    #else
        var info = Dl_info()
        guard dladdr(#dsohandle, &info) != 0, let name = info.dli_fname else {
            throw TestSupportError("where the tests are is not known")
        }
        let image = String(cString: name)
    #endif
    // Inside a bundle (macOS), the products lie beside the bundle.
    var parts = image.split(separator: "/", omittingEmptySubsequences: false).dropLast()
    if let bundle = parts.firstIndex(where: { $0.hasSuffix(".xctest") }) { parts = parts[..<bundle] }
    return parts.joined(separator: "/")
}

/// All bytes of a file.
package func readFile(_ path: String) throws -> [UInt8] { try readFile(at: path) }

/// All bytes of a file.
package func readFile(at path: some PathBytes) throws -> [UInt8] {
    let descriptor = path.withCString { open($0, O_RDONLY | O_CLOEXEC) }
    guard descriptor >= 0 else { throw SystemError("open \(path.text)") }
    defer { close(descriptor) }
    var contents: [UInt8] = []
    var part = [UInt8](repeating: 0, count: 1 << 16)
    while true {
        let count = read(descriptor, &part, part.count)
        if count < 0 {
            if errno == EINTR { continue }
            throw SystemError("read \(path.text)")
        }
        if count == 0 { return contents }
        contents += part[..<count]
    }
}

/// A file's bytes as text; what is no UTF-8 is replaced.
package func readText(_ path: String) throws -> String {
    String(decoding: try readFile(path), as: UTF8.self)
}

/// Makes or overwrites a file.
package func writeFile(_ path: String, _ bytes: some Sequence<UInt8>, mode: mode_t = 0o600) throws {
    try writeFile(Array(bytes), at: path, mode: mode)
}

/// Makes or overwrites a file.
///
/// - Parameter mode: nil leaves one that is there as it is.
package func writeFile(_ contents: [UInt8], at path: some PathBytes, mode: mode_t? = nil) throws {
    let descriptor = path.withCString { open($0, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode ?? 0o600) }
    guard descriptor >= 0 else { throw SystemError("open \(path.text)") }
    defer { close(descriptor) }
    try writeAll(descriptor, contents[...])
    // The mode given to open is cut by the umask.
    if let mode, fchmod(descriptor, mode) != 0 { throw SystemError("fchmod \(path.text)") }
}

/// Makes or overwrites a file that holds `text`.
package func writeFile(_ path: String, text: String, mode: mode_t = 0o600) throws {
    try writeFile(path, text.utf8, mode: mode)
}

func writeAll(_ descriptor: Int32, _ bytes: ArraySlice<UInt8>) throws {
    var rest = bytes
    while !rest.isEmpty {
        let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        if count < 0 {
            if errno == EINTR { continue }
            throw SystemError("write")
        }
        rest = rest.dropFirst(count)
    }
}

/// An empty directory, removed with all it holds when the last reference goes, and in any case after the tests.
package final class TemporaryDirectory: Sendable {
    /// Its absolute path, without a slash at the end.
    package let path: String

    package init(_ label: String = "scp-test") throws {
        let base = environmentValue("TMPDIR").flatMap { $0.isEmpty ? nil : $0 } ?? "/tmp"
        var template = Array("\(base)/\(label).XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw SystemError("mkdtemp in \(base)") }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        Warden.shared.watch(directory: path)
    }

    /// The path of a name in it.
    package func file(_ name: String) -> String { "\(path)/\(name)" }

    /// Makes or overwrites a file in it and returns its path.
    @discardableResult
    package func write(_ text: String, to name: String, mode: mode_t = 0o600) throws -> String {
        try writeFile(file(name), text: text, mode: mode)
        return file(name)
    }

    /// All bytes of a file in it.
    package func bytes(_ name: String) throws -> [UInt8] { try readFile(file(name)) }

    /// The text of a file in it.
    package func read(_ name: String) throws -> String { try readText(file(name)) }

    /// Makes a directory in it and returns its path.
    @discardableResult
    package func makeDirectory(_ name: String, mode: mode_t = 0o755) throws -> String {
        let path = file(name)
        guard mkdir(path, mode) == 0 else { throw SystemError("mkdir \(path)") }
        return path
    }

    deinit {
        // Directories without a write bit resist rm where the tests do not run as root.
        let script = #"rm -rf "$0" 2>/dev/null || { chmod -R u+rwX "$0"; rm -rf "$0"; }"#
        let child = try? ChildProcess("/bin/sh", ["-c", script, path])
        _ = child?.wait()
        Warden.shared.forget(directory: path)
    }
}

/// The files and directories below a directory that this process has open, by Linux' list of them.
package func openFiles(below directory: some PathBytes) -> [String] {
    let place = String(decoding: directory.bytes, as: UTF8.self) + "/"
    return listDirectory("/proc/self/fd").compactMap { name in
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = readlink("/proc/self/fd/" + String(decoding: name, as: UTF8.self), &buffer, buffer.count)
        let path = String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
        return path.hasPrefix(place) ? path : nil
    }
}
