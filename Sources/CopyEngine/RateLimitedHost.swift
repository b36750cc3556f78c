import NIOCore
import SSHWire

/// The same host, its streams held to a rate.
public struct RateLimitedHost: CopyHost {
    private let base: any CopyHost
    private let limit: RateLimit

    public init(_ base: any CopyHost, _ limit: RateLimit) {
        self.base = base
        self.limit = limit
    }

    public var name: String { base.name }
    public var traits: CopyHostTraits { get async { await base.traits } }

    public func openSFTP() async throws -> any ByteStream { limit.limiting(try await base.openSFTP()) }

    public func connectAgain() async throws -> any CopyConnection {
        LimitedConnection(base: try await base.connectAgain(), limit: limit)
    }

    public func run(_ command: [UInt8]) async throws -> any RemoteCommand {
        let command = try await base.run(command)
        return LimitedCommand(base: command, stream: limit.limiting(command))
    }

    public func runQuietly(_ command: [UInt8]) async throws -> any RemoteCommand { try await base.runQuietly(command) }
    public func isLoss(_ error: any Error) -> Bool { base.isLoss(error) }
    public func meansNoSFTP(_ error: any Error) -> Bool { base.meansNoSFTP(error) }
    public func settle() async { await base.settle() }
    public func recover(from error: any Error, hasProgressed: Bool) async throws {
        try await base.recover(from: error, hasProgressed: hasProgressed)
    }
}

private struct LimitedConnection: CopyConnection {
    let base: any CopyConnection
    let limit: RateLimit

    func openSFTP() async throws -> any ByteStream { limit.limiting(try await base.openSFTP()) }
    func close() async { await base.close() }
}

private struct LimitedCommand: RemoteCommand {
    let base: any RemoteCommand
    let stream: any ByteStream

    nonisolated(nonsending) func read() async throws -> ByteBuffer? { try await stream.read() }
    nonisolated(nonsending) func write(_ bytes: ByteBuffer) async throws { try await stream.write(bytes) }
    nonisolated(nonsending) func finishWriting() async throws { try await stream.finishWriting() }
    func waitForEnd() async -> RemoteCommandEnd? { await base.waitForEnd() }
    func close() { base.close() }
}
