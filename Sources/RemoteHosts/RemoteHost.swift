import CopyEngine
import SSHWire

/// A host that a program has a way to, until it is closed.
public protocol RemoteHost: CopyHost {
    /// Ends what was begun there.
    ///
    /// - Returns: false if something there failed that nobody was told of.
    func close() async -> Bool
}

/// The hosts of a program, one for each key, reached when they are first needed. Two callers that ask for one at once get the same.
public actor HostPool<Key: Hashable & Sendable> {
    private struct Entry {
        let task: Task<any RemoteHost, any Error>
        /// Who waits for it.
        var callers = 0
        var isOver = false
    }

    private var hosts: [Key: Entry] = [:]
    /// Those that nobody waited for any more.
    private var abandoned: [Task<any RemoteHost, any Error>] = []

    public init() {}

    /// The way to a host. One that could not be reached is not tried twice, unless nobody waited for that.
    ///
    /// - Parameter reach: connects to it. It is cancelled when all who wait for the host are.
    /// - Throws: what `reach` throws; `CancellationError` at once when the task is cancelled.
    public func host(
        for key: Key, reach: @escaping @Sendable () async throws -> any RemoteHost
    ) async throws -> any RemoteHost {
        let task = hosts[key]?.task ?? Task { try await reach() }
        hosts[key, default: Entry(task: task)].callers += 1
        do {
            let host = try await task.valueUnlessCancelled()
            leave(key, isOver: true)
            return host
        } catch {
            leave(key, isOver: !Task.isCancelled)
            throw error
        }
    }

    /// How many wait for a host.
    func callers(of key: Key) -> Int { hosts[key]?.callers ?? 0 }

    private func leave(_ key: Key, isOver: Bool) {
        guard var entry = hosts[key] else { return }
        entry.callers -= 1
        entry.isOver = entry.isOver || isOver
        hosts[key] = entry
        guard entry.callers == 0, !entry.isOver else { return }
        entry.task.cancel()
        abandoned.append(entry.task)
        hosts[key] = nil
    }

    /// Closes all.
    ///
    /// - Returns: false if something failed that nobody was told of.
    public func close() async -> Bool {
        var isComplete = true
        for task in hosts.values.map(\.task) + abandoned {
            if let host = try? await task.value, await !host.close() { isComplete = false }
        }
        (hosts, abandoned) = ([:], [])
        return isComplete
    }
}
