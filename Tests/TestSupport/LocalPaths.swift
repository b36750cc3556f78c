import FileTransfer

extension LocalPath: BytePath {
    package static func / (path: LocalPath, name: String) -> LocalPath { path.appending(Array(name.utf8)) }
}

/// Runs a test in a directory of its own, which is removed afterwards with all it holds.
package func withTemporaryDirectory<T>(_ body: (LocalPath) async throws -> T) async throws -> T {
    let directory = try TemporaryDirectory()
    let result = try await body(LocalPath(directory.path))
    return withExtendedLifetime(directory) { result }
}
