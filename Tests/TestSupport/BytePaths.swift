import Files

extension BytePath: PathBytes {
    package static func / (path: BytePath, name: String) -> BytePath { path.appending(Array(name.utf8)) }
}

/// Runs a test in a directory of its own, which is removed afterwards with all it holds.
package func withTemporaryDirectory<T>(_ body: (BytePath) async throws -> T) async throws -> T {
    let directory = try TemporaryDirectory()
    let result = try await body(BytePath(directory.path))
    return withExtendedLifetime(directory) { result }
}
