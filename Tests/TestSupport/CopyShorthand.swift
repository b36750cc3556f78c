import CopyEngine
import Files
import NIOCore
import SSHWire
import Synchronization

// Copies over streams of the tests' own, in the words of the commands.

/// Opens a channel with a server's SFTP end behind it.
package typealias SFTPOpener = @Sendable () async throws -> any ByteStream

/// A host that is nothing but streams.
package struct StreamHost: CopyHost {
    package let name = "host"
    package var traits = CopyHostTraits()
    package var sftp: SFTPOpener?
    /// The same on one more connection.
    package var another: SFTPOpener?
    package var exec: (@Sendable (_ command: [UInt8]) async throws -> any ByteStream)?
    package var reconnect: (@Sendable (_ error: any Error, _ hasProgressed: Bool) async throws -> Void)?
    package var isLost: @Sendable (any Error) -> Bool = { _ in false }

    package init() {}

    private struct Refused: Error {}

    package func openSFTP() async throws -> any ByteStream {
        guard let sftp else { throw Refused() }
        return try await sftp()
    }

    package func connectAgain() async throws -> any CopyConnection {
        guard let another else { throw Refused() }
        return StreamConnection(open: another)
    }

    package func run(_ command: [UInt8]) async throws -> any RemoteCommand {
        guard let exec else { throw Refused() }
        return StreamCommand(stream: try await exec(command))
    }

    package func runQuietly(_ command: [UInt8]) async throws -> any RemoteCommand { try await run(command) }
    package func isLoss(_ error: any Error) -> Bool { isLost(error) }
    package func meansNoSFTP(_ error: any Error) -> Bool { false }
    package func settle() async {}

    package func recover(from error: any Error, hasProgressed: Bool) async throws {
        guard let reconnect else { throw error }
        try await reconnect(error, hasProgressed)
    }
}

private struct StreamConnection: CopyConnection {
    let open: SFTPOpener

    func openSFTP() async throws -> any ByteStream { try await open() }
    func close() async {}
}

private struct StreamCommand: RemoteCommand {
    let stream: any ByteStream

    nonisolated(nonsending) func read() async throws -> ByteBuffer? { try await stream.read() }
    nonisolated(nonsending) func write(_ bytes: ByteBuffer) async throws { try await stream.write(bytes) }
    nonisolated(nonsending) func finishWriting() async throws { try await stream.finishWriting() }
    func waitForEnd() async -> RemoteCommandEnd? { nil }
    func close() {}
}

/// What is wished of a copy.
package struct Wishes: Sendable {
    package var recursive: Bool
    package var preserve: Bool
    package var targetMustBeDirectory: Bool
    package var resume = false
    package var verify = false
    package var tuning = SFTPTuning()
    package var opensAhead = false
    /// How long a copy that is cancelled may take to close what is open at a server; nil for the usual.
    package var farewell: Duration?
    package var connections = ConnectionCount.exactly(1)
    package var filter = CopyFilter()
    package var update = UpdateRule.always
    package var writing = WritingRule()
    package var isDryRun = false

    package init(recursive: Bool = false, preserve: Bool = false, targetMustBeDirectory: Bool = false) {
        (self.recursive, self.preserve) = (recursive, preserve)
        self.targetMustBeDirectory = targetMustBeDirectory
    }

    package func run(
        _ source: CopySource, _ target: CopyTarget, _ observer: any CopyObserver, trustsNames: Bool = true
    ) async throws -> CopySummary {
        var request = CopyRequest(from: source, to: target)
        (request.recursive, request.preserve) = (recursive, preserve)
        request.targetMustBeDirectory = targetMustBeDirectory
        (request.resume, request.verify, request.tuning) = (resume, verify, tuning)
        (request.trustsNames, request.connections) = (trustsNames, connections)
        (request.filter, request.update, request.writing) = (filter, update, writing)
        request.isDryRun = isDryRun
        var copy = Copy(request, observer: observer)
        if let farewell { copy.farewell = farewell }
        return try await copy.run()
    }
}

package struct LocalCopy: Sendable {
    private let options: Wishes
    private let observer: any CopyObserver

    package init(options: Wishes = Wishes(), observer: any CopyObserver = SilentObserver()) {
        (self.options, self.observer) = (options, observer)
    }

    package func run(_ sources: [BytePath], to target: BytePath) async throws -> CopySummary {
        try await options.run(.local(sources), .local(target), observer)
    }
}

package struct SFTPUpload: Sendable {
    private var host: StreamHost
    private let options: Wishes
    private let observer: any CopyObserver

    package init(host: StreamHost, options: Wishes = Wishes(), observer: any CopyObserver = SilentObserver()) {
        (self.host, self.options, self.observer) = (host, options, observer)
        self.host.traits.refusesToWriteDirectories = options.opensAhead
    }

    package init(
        open: @escaping SFTPOpener, options: Wishes = Wishes(), observer: any CopyObserver = SilentObserver()
    ) {
        var host = StreamHost()
        host.sftp = open
        self.init(host: host, options: options, observer: observer)
    }

    package func run(_ sources: [BytePath], to target: [UInt8]) async throws -> CopySummary {
        try await options.run(.local(sources), .sftp(host, BytePath(target)), observer)
    }
}

package struct SFTPDownload: Sendable {
    private let host: StreamHost
    private let options: Wishes
    private let observer: any CopyObserver

    package init(host: StreamHost, options: Wishes = Wishes(), observer: any CopyObserver = SilentObserver()) {
        (self.host, self.options, self.observer) = (host, options, observer)
    }

    package init(
        open: @escaping SFTPOpener, options: Wishes = Wishes(), observer: any CopyObserver = SilentObserver()
    ) {
        var host = StreamHost()
        host.sftp = open
        self.init(host: host, options: options, observer: observer)
    }

    package func run(_ sources: [[UInt8]], into target: BytePath) async throws -> CopySummary {
        try await options.run(.sftp(host, sources.map { BytePath($0) }), .local(target), observer)
    }
}

/// The client of `scp -t`, whose end the stream leads to.
package struct SCPUpload: Sendable {
    private let host: StreamHost
    private let options: Wishes
    private let observer: any CopyObserver

    package init(
        stream: any ByteStream, options: Wishes = Wishes(), observer: any CopyObserver = SilentObserver()
    ) {
        var host = StreamHost()
        host.exec = { _ in stream }
        (self.host, self.options, self.observer) = (host, options, observer)
    }

    package func run(_ sources: [BytePath]) async throws -> CopySummary {
        try await options.run(.local(sources), .scp(host, ".", .scp), observer)
    }
}

/// The client of `scp -f`, whose end the stream leads to.
package struct SCPDownload: Sendable {
    package typealias Options = Wishes

    private let host: StreamHost
    /// What was asked for; nil takes any name.
    private let path: BytePath?
    private let options: Wishes
    private let observer: any CopyObserver

    package init(
        stream: any ByteStream, of path: BytePath? = nil, options: Wishes = Wishes(),
        observer: any CopyObserver = SilentObserver()
    ) {
        var host = StreamHost()
        host.exec = { _ in stream }
        (self.host, self.path, self.options, self.observer) = (host, path, options, observer)
    }

    package func run(into target: BytePath) async throws -> CopySummary {
        try await options.run(.scp(host, path ?? ".", .scp), .local(target), observer, trustsNames: path == nil)
    }
}

/// A copy between two servers.
package struct SFTPRelay: Sendable {
    private let (source, target): (StreamHost, StreamHost)
    private let options: Wishes
    private let observer: any CopyObserver

    package init(
        from source: @escaping SFTPOpener, to target: @escaping SFTPOpener, options: Wishes = Wishes(),
        observer: any CopyObserver = SilentObserver()
    ) {
        var (near, far) = (StreamHost(), StreamHost())
        (near.sftp, far.sftp) = (source, target)
        (self.source, self.target) = (near, far)
        (self.options, self.observer) = (options, observer)
    }

    package func run(_ sources: [[UInt8]], to target: [UInt8]) async throws -> CopySummary {
        try await options.run(
            .sftp(source, sources.map { BytePath($0) }), .sftp(self.target, BytePath(target)), observer)
    }
}
