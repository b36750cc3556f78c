import CopyEngine
import NIOCore
import SFTP
import SSHClient
import SSHNIO
import SSHWire
import Synchronization

/// A host at the other end of a connection of ours, which is made again when it is lost.
public final class ClientHost: RemoteHost {
    public let name: String
    private let policy: RetryPolicy
    private let connect: @Sendable () async throws -> SSHClient
    private let tell: @Sendable (HostEvent) -> Void
    private let state: Mutex<State>

    private struct State {
        var client: SSHClient
        /// Attempts in a row that led to nothing.
        var failures = 0
        /// Whether the server has said anything on a channel.
        var hasAnswered = false
        /// Channels that have said nothing yet.
        var silent: [SSHChannel] = []
    }

    /// Connects to a host.
    ///
    /// - Parameters:
    ///   - name: what it is called in messages.
    ///   - connect: makes the connection, the first and each further one.
    ///   - tell: told what happens to the connection, from any thread.
    /// - Throws: what `connect` throws.
    public static func reach(
        _ name: String, policy: RetryPolicy = .usual, tell: @escaping @Sendable (HostEvent) -> Void = { _ in },
        connect: @escaping @Sendable () async throws -> SSHClient
    ) async throws -> ClientHost {
        ClientHost(name, try await connect(), policy, tell, connect)
    }

    private init(
        _ name: String, _ client: SSHClient, _ policy: RetryPolicy, _ tell: @escaping @Sendable (HostEvent) -> Void,
        _ connect: @escaping @Sendable () async throws -> SSHClient
    ) {
        self.name = name
        self.policy = policy
        self.tell = tell
        self.connect = connect
        state = Mutex(State(client: client))
    }

    private var client: SSHClient { state.withLock { $0.client } }

    public var traits: CopyHostTraits {
        var traits = CopyHostTraits()
        traits.refusesToWriteDirectories = client.isServerKnown
        traits.repeatsHandles = client.serverSoftware.hasPrefix("Erlang/")
        traits.readsOneRecordAtATime = client.serverSoftware.hasPrefix("mod_sftp")
        return traits
    }

    // MARK: Channels

    public func openSFTP() async throws -> any ByteStream { watched(try await client.subsystem("sftp")) }

    public func connectAgain() async throws -> any CopyConnection {
        FurtherConnection(client: try await client.connectAgain())
    }

    public func run(_ command: [UInt8]) async throws -> any RemoteCommand {
        ClientCommand(
            stream: watched(
                try await client.exec(command) { [tell] bytes in tell(.errorOutput(Array(bytes.readableBytesView))) }))
    }

    public func runQuietly(_ command: [UInt8]) async throws -> any RemoteCommand {
        ClientCommand(stream: watched(try await client.exec(command)))
    }

    private func watched(_ channel: SSHChannel) -> WatchedChannel {
        state.withLock { if !$0.hasAnswered { $0.silent.append(channel) } }
        return WatchedChannel(channel: channel, host: self)
    }

    fileprivate func answered() {
        state.withLock { state in
            state.hasAnswered = true
            state.silent = []
        }
    }

    public func meansNoSFTP(_ error: any Error) -> Bool {
        switch error {
        case ClientError.requestRefused, SFTPError.notSFTP: true
        // One that closes a channel before its first word has nothing behind it; one that closes it later has failed.
        case TransportError.channelClosed: state.withLock { !$0.hasAnswered }
        default: false
        }
    }

    /// Waits until channels on which nothing was said are closed at both ends: Dropbear closes a channel that is opened before.
    public func settle() async {
        for channel in state.withLock({ $0.silent }) {
            channel.close()
            await channel.waitForClose()
        }
        state.withLock { $0.silent = [] }
    }

    // MARK: Lost connections

    public func isLoss(_ error: any Error) -> Bool { (error as? TransportError)?.isLoss ?? false }

    public func recover(from error: any Error, hasProgressed: Bool) async throws {
        guard state.withLock({ $0.hasAnswered }), var reason = RetryPolicy.loss(error, hasProgressed) else {
            throw error
        }
        await client.close()
        if hasProgressed { state.withLock { $0.failures = 0 } }
        while let pause = nextPause() {
            tell(.retrying(host: name, reason: reason, pause: pause))
            try await Task.sleep(for: .seconds(pause))
            do {
                let client = try await connect()
                return state.withLock { $0.client = client }
            } catch let error as ClientError where RetryPolicy.mayPass(error) {
                reason = "\(error)"
            }
        }
        throw ConnectionLost(host: name, reason: reason)
    }

    /// In seconds; nil when there have been as many attempts as there may be.
    private func nextPause() -> Int? {
        state.withLock { state in
            guard state.failures < policy.retries else { return nil }
            defer { state.failures += 1 }
            return RetryPolicy.pause(after: state.failures)
        }
    }

    public func close() async -> Bool {
        await client.close()
        return true
    }
}

private struct FurtherConnection: CopyConnection {
    let client: SSHClient

    func openSFTP() async throws -> any ByteStream { try await client.subsystem("sftp") }
    func close() async { await client.close() }
}

/// Sees whether a server says anything.
private struct WatchedChannel: ByteStream {
    let channel: SSHChannel
    let host: ClientHost

    nonisolated(nonsending) func read() async throws -> ByteBuffer? {
        let bytes = try await channel.read()
        if bytes != nil { host.answered() }
        return bytes
    }

    nonisolated(nonsending) func write(_ bytes: ByteBuffer) async throws { try await channel.write(bytes) }
    nonisolated(nonsending) func finishWriting() async throws { try await channel.finishWriting() }
    func checkOpen() throws { try channel.checkOpen() }
}

private struct ClientCommand: RemoteCommand {
    let stream: WatchedChannel

    nonisolated(nonsending) func read() async throws -> ByteBuffer? { try await stream.read() }
    nonisolated(nonsending) func write(_ bytes: ByteBuffer) async throws { try await stream.write(bytes) }
    nonisolated(nonsending) func finishWriting() async throws { try await stream.finishWriting() }

    func waitForEnd() async -> RemoteCommandEnd? {
        await stream.channel.waitForClose()
        return switch try? await stream.channel.exitStatus {
        case .status(let status): .status(status)
        case .signal(let name): .signal(name)
        case nil: nil
        }
    }

    func close() { stream.channel.close() }
}
