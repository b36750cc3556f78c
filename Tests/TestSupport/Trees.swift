import Platform

/// A file or directory as a test wants it, or as it was found.
package indirect enum Tree: Equatable, Sendable {
    /// `modified` is in seconds since 1970.
    case file([UInt8], mode: UInt16 = 0o644, modified: Int = 1_000_000_000)
    case directory([[UInt8]: Tree], mode: UInt16 = 0o755, modified: Int = 1_000_000_001)

    /// A directory of names that are text.
    package static func named(_ entries: [String: Tree], mode: UInt16 = 0o755, modified: Int = 1_000_000_001) -> Tree {
        .directory(
            Dictionary(uniqueKeysWithValues: entries.map { (Array($0.key.utf8), $0.value) }), mode: mode,
            modified: modified)
    }
}

/// A path as the system sees it: bytes, which need not be UTF-8.
package protocol PathBytes {
    var bytes: [UInt8] { get }
}

extension String: PathBytes {
    package var bytes: [UInt8] { Array(utf8) }
}

extension [UInt8]: PathBytes {
    package var bytes: [UInt8] { self }
}

extension PathBytes {
    /// Calls with the path as a C string.
    package func withCString<T>(_ body: (UnsafePointer<CChar>) -> T) -> T {
        (bytes.map { CChar(bitPattern: $0) } + [0]).withUnsafeBufferPointer { buffer in
            buffer.baseAddress.map(body) ?? "".withCString(body)
        }
    }

    fileprivate func entry(_ name: [UInt8]) -> [UInt8] { bytes + [UInt8(ascii: "/")] + name }
    var text: String { String(decoding: bytes, as: UTF8.self) }
}

/// The names in a directory; none where there is no directory.
package func listDirectory(_ path: some PathBytes) -> [[UInt8]] {
    guard let stream = path.withCString({ opendir($0) }) else { return [] }
    defer { closedir(stream) }
    var names: [[UInt8]] = []
    while let entry = readdir(stream) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) { field in
            let text = UnsafeRawPointer(field).assumingMemoryBound(to: CChar.self)
            return Array(UnsafeRawBufferPointer(start: text, count: strlen(text)))
        }
        if name != Array(".".utf8), name != Array("..".utf8) { names.append(name) }
    }
    return names
}

/// Makes a tree at a path, modes and times included.
package func makeTree(_ tree: Tree, at path: some PathBytes) throws {
    let (mode, modified): (UInt16, Int)
    switch tree {
    case .file(let contents, let fileMode, let fileModified):
        (mode, modified) = (fileMode, fileModified)
        try writeFile(contents, at: path)
    case .directory(let entries, let directoryMode, let directoryModified):
        (mode, modified) = (directoryMode, directoryModified)
        guard path.withCString({ mkdir($0, 0o700) }) == 0 else { throw SystemError("mkdir \(path.text)") }
        for (name, entry) in entries { try makeTree(entry, at: path.entry(name)) }
    }
    guard path.withCString({ chmod($0, mode_t(mode)) }) == 0 else { throw SystemError("chmod \(path.text)") }
    let times = [timespec(tv_sec: modified, tv_nsec: 0), timespec(tv_sec: modified, tv_nsec: 0)]
    guard path.withCString({ utimensat(AT_FDCWD, $0, times, 0) }) == 0 else {
        throw SystemError("utimensat \(path.text)")
    }
}

/// The tree at a path, links followed.
package func readTree(at path: some PathBytes) throws -> Tree {
    var status = stat()
    guard path.withCString({ stat($0, &status) }) == 0 else { throw SystemError("stat \(path.text)") }
    let modified = status.modificationTime.tv_sec
    let mode = UInt16(status.st_mode & 0o7777)
    guard status.st_mode & S_IFMT == S_IFDIR else {
        return .file(try readFile(at: path), mode: mode, modified: modified)
    }
    var entries: [[UInt8]: Tree] = [:]
    for name in listDirectory(path) { entries[name] = try readTree(at: path.entry(name)) }
    return .directory(entries, mode: mode, modified: modified)
}

extension Tree {
    /// The tree as it is after a copy by SFTP, where files keep the nine bits of permissions of their modes, and
    /// directories the sticky bit too: no program runs as somebody else for having been copied.
    package var asCopiedBySFTP: Tree {
        switch self {
        case .file(let contents, let mode, let modified): .file(contents, mode: mode & 0o777, modified: modified)
        case .directory(let entries, let mode, let modified):
            .directory(entries.mapValues(\.asCopiedBySFTP), mode: mode & 0o1777, modified: modified)
        }
    }
}

/// What differs between two trees, a line for each difference; none if they are the same.
///
/// - Parameter attributes: compares modes and times too.
package func differences(_ a: Tree, _ b: Tree, attributes: Bool, at path: [UInt8] = [UInt8(ascii: ".")]) -> [String] {
    var lines: [String] = []
    func compare(_ modeA: UInt16, _ modeB: UInt16, _ timeA: Int, _ timeB: Int) {
        guard attributes else { return }
        if modeA != modeB { lines.append("\(path.text): mode \(String(modeA, radix: 8)), \(String(modeB, radix: 8))") }
        if timeA != timeB { lines.append("\(path.text): modified \(timeA), \(timeB)") }
    }
    switch (a, b) {
    case (.file(let contentsA, let modeA, let timeA), .file(let contentsB, let modeB, let timeB)):
        if contentsA != contentsB {
            let at = zip(contentsA, contentsB).enumerated().first { $1.0 != $1.1 }?.offset
            lines.append("\(path.text): \(contentsA.count), \(contentsB.count) bytes, first difference \(at ?? -1)")
        }
        compare(modeA, modeB, timeA, timeB)
    case (.directory(let entriesA, let modeA, let timeA), .directory(let entriesB, let modeB, let timeB)):
        compare(modeA, modeB, timeA, timeB)
        for name in Set(entriesA.keys).union(entriesB.keys) {
            let child = path.entry(name)
            switch (entriesA[name], entriesB[name]) {
            case (let a?, let b?): lines += differences(a, b, attributes: attributes, at: child)
            case (nil, _): lines.append("\(child.text): only in the second")
            case (_, nil): lines.append("\(child.text): only in the first")
            }
        }
    default: lines.append("\(path.text): one is a file, the other a directory")
    }
    return lines
}

/// A tree with what copying gets wrong: sizes around a block, odd names, odd modes, old and late times.
///
/// - Parameters:
///   - newlines: has newlines in names, which an SCP record cannot hold as they are.
///   - oddDirectoryNames: has a newline in the name of a directory, which OpenSSH's scp cannot send at all.
package func sampleTree(newlines: Bool = true, oddDirectoryNames: Bool = true) -> Tree {
    let oddNames: [[UInt8]] =
        ["a b", "'quoted\"", "-dash", "new\nline", "back\\slash", "tab\there", "*", "\u{e9}", "...", "\\\n\u{e9}"]
        .map { Array($0.utf8) } + [[0xff, 0xfe, 0x80], [1, 27, 127], [UInt8](repeating: 120, count: 255)]
    var odd: [[UInt8]: Tree] = [:]
    for (index, name) in oddNames.enumerated() where newlines || !name.contains(10) {
        odd[name] = .file([UInt8(index)])
    }
    let block = 256 * 1024
    var sizes: [String: Tree] = [:]
    for size in [0, 1, 4_096, block - 1_024, block - 1, block, block + 1, block + 1_024, 3 * 1_024 * 1_024 + 7] {
        sizes["\(size)"] = .file(noise(size))
    }
    sizes["holes"] = .file([7] + [UInt8](repeating: 0, count: 2 * block) + [8] + [UInt8](repeating: 0, count: block))
    var modes: [String: Tree] = [
        "0400": .file([1], mode: 0o400), "0755": .file([2], mode: 0o755), "2755": .file([4], mode: 0o2755),
        "1970": .file([5], modified: 0), "2040": .file([6], modified: 2_208_988_800),
    ]
    // Only root reads what nobody may read.
    if getuid() == 0 { modes["0000"] = .file([3], mode: 0) }
    var top: [[UInt8]: Tree] = [
        Array("sizes".utf8): .named(sizes, mode: 0o700), Array("modes".utf8): .named(modes, modified: 86_400),
        Array("read only".utf8): .named(["x": .file([9]), "sub": .named([:])], mode: 0o555),
        Array("odd".utf8): .directory(odd, modified: 1_234_567_890), Array("empty".utf8): .named([:], modified: 0),
    ]
    if newlines, oddDirectoryNames { top[Array("dir\nectory".utf8)] = .named(["x": .file([1])]) }
    return .directory(top)
}

/// A tree of `count` small files in directories of a hundred.
package func treeOfSmallFiles(_ count: Int) -> Tree {
    var directories: [String: Tree] = [:]
    for first in stride(from: 0, to: count, by: 100) {
        var files: [String: Tree] = [:]
        for number in first..<min(first + 100, count) {
            files["file \(number)"] = .file(Array("\(number)".utf8) + [UInt8](repeating: 10, count: number % 300))
        }
        directories["from \(first)"] = .named(files)
    }
    return .named(directories)
}
