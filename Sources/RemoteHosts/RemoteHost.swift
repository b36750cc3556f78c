import CopyEngine

/// A host that a program has a way to, until it is closed.
public protocol RemoteHost: CopyHost {
    /// Ends what was begun there.
    ///
    /// - Returns: false if something there failed that nobody was told of.
    func close() async -> Bool
}

/// The hosts of a program, one for each key, reached when they are first needed. Two callers that ask for one at once get the same.
public actor HostPool<Key: Hashable & Sendable> {
    private var hosts: [Key: Task<any RemoteHost, any Error>] = [:]

    public init() {}

    /// The way to a host. One that could not be reached is not tried twice.
    ///
    /// - Parameter reach: connects to it.
    /// - Throws: what `reach` throws.
    public func host(
        for key: Key, reach: @escaping @Sendable () async throws -> any RemoteHost
    ) async throws -> any RemoteHost {
        let task = hosts[key] ?? Task { try await reach() }
        hosts[key] = task
        return try await withTaskCancellationHandler {
            try await task.value
        } onCancel: {
            task.cancel()
        }
    }

    /// Closes all.
    ///
    /// - Returns: false if something failed that nobody was told of.
    public func close() async -> Bool {
        var isComplete = true
        for task in hosts.values {
            if let host = try? await task.value, await !host.close() { isComplete = false }
        }
        hosts = [:]
        return isComplete
    }
}
