import Files
import NIOCore
import Platform

/// The ways to keep inside that this system has.
package let confinements: [DirectoryConfinement] = {
    #if os(Linux)
        return [.kernel, .walk]
    #else
        return [.walk]
    #endif
}()

/// A served directory `root`, and `outside` beside it with a file `secret`.
package struct Confined {
    package let place: TemporaryDirectory
    package let root: DirectoryRoot

    package init(_ confinement: DirectoryConfinement?, isReadOnly: Bool = false, mask: UInt16 = 0) throws {
        place = try TemporaryDirectory()
        try place.makeDirectory("root")
        try place.makeDirectory("outside")
        try writeFile(place.file("outside/secret"), text: "secret", mode: 0o640)
        root = try DirectoryRoot(
            path: bytes(place.file("root")), isReadOnly: isReadOnly, creationMask: mask, confinement: confinement)
    }

    package func write(_ path: String, _ text: String) throws(FileError.Cause) {
        var options = OpenOptions()
        options.writes = true
        options.creates = true
        options.truncates = true
        let file = try root.open(bytes(path), options)
        try file.write(ByteBuffer(string: text), at: 0)
        try file.close()
    }

    package func read(_ path: String) throws(FileError.Cause) -> String {
        var options = OpenOptions()
        options.reads = true
        var buffer = ByteBuffer()
        _ = try root.open(bytes(path), options).read(into: &buffer, count: 1000, at: 0)
        return String(buffer: buffer)
    }

    package func names(_ path: String) throws(FileError.Cause) -> [String] {
        let directory = try root.openDirectory(bytes(path))
        var names: [String] = []
        while let entry = try directory.next() { names.append(String(decoding: entry.name, as: UTF8.self)) }
        return names.filter { $0 != "." && $0 != ".." }.sorted()
    }

    package func link(_ name: String, to target: String) throws {
        guard symlink(target, place.file("root/\(name)")) == 0 else { throw SystemError("symlink") }
    }
}

/// The error a call throws; nil if it went well.
package func thrown(_ body: () throws -> Void) -> FileError.Cause? {
    do {
        try body()
        return nil
    } catch {
        return error as? FileError.Cause
    }
}
