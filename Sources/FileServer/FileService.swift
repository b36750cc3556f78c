import Files
import Logging
import Metrics
import NIOCore
import SSHNIO
import SSHServer
import SSHWire

/// Serves files to the sessions of an ``SSHServer``: the `sftp` subsystem, `scp -t` and `scp -f`. It runs no program.
public struct FileService: SessionHandler {
    /// What one user is shown.
    public struct Share: Sendable {
        public var files: any FileSystem
        /// Where relative paths start: a path from the root that is shown.
        public var home: [UInt8]
        public var isReadOnly: Bool

        public init(files: any FileSystem, home: [UInt8] = [UInt8(ascii: "/")], isReadOnly: Bool = false) {
            self.files = files
            self.home = home
            self.isReadOnly = isReadOnly
        }
    }

    /// Why a user is shown nothing, for the log and in words the user may see.
    public struct NoShare: Error, CustomStringConvertible {
        public let description: String
        public init(_ description: String) { self.description = description }
    }

    private let share: @Sendable (Login) throws -> Share
    private let logger: Logger?
    private let counters: FileCounters

    /// - Parameters:
    ///   - logger: receives a line for each file and each refusal.
    ///   - metrics: receives the counters; without it the backend that the program has set up by now.
    ///   - share: what a user is shown. It is asked at the start of each session, on a thread that may block.
    public init(
        logger: Logger? = nil, metrics: any MetricsFactory = MetricsSystem.factory,
        share: @escaping @Sendable (Login) throws -> Share
    ) {
        self.logger = logger
        counters = FileCounters(metrics)
        self.share = share
    }

    /// The same for everybody.
    public init(
        _ files: any FileSystem, isReadOnly: Bool = false, logger: Logger? = nil,
        metrics: any MetricsFactory = MetricsSystem.factory
    ) {
        let share = Share(files: files, isReadOnly: isReadOnly)
        self.init(logger: logger, metrics: metrics) { _ in share }
    }

    public func accepts(_ request: SessionRequest, from login: Login) -> Bool {
        guard case .subsystem(let name) = request else {
            // What is wrong with a command is told in the session, where the user sees it.
            return true
        }
        guard let forced = login.permissions.forcedCommand else { return name == "sftp" }
        // A client that speaks SFTP to scp waits for ever, and so does scp for the client.
        let command = try? RemoteCommandLine.parse(Array(forced.readableBytesView))
        return name != "sftp" || command == nil || command?.kind == .sftp
    }

    /// The threads of all sessions, which may block on the disk.
    private static let disk = DiskExecutor(threads: 16)

    public func serve(_ session: ServedSession) async -> UInt32 {
        await withTaskExecutorPreference(Self.disk) { await serveOnDisk(session) }
    }

    private func serveOnDisk(_ session: ServedSession) async -> UInt32 {
        let log = FileLog(logger: logger, counters: counters, login: session.login)
        do {
            let command = try Self.command(of: session)
            var share = try share(session.login)
            if session.login.permissions.isReadOnly { share.isReadOnly = true }
            return try await serve(command, share, session)
        } catch  where error is RemoteCommandError || error is NoShare {
            log.refused("\(error)")
            session.writeError(ByteBuffer(string: "scpd: \(error)\r\n"))
            return 1
        } catch let error as TransportError where error.isGoodbye {
            // What was not complete by then has its own line.
            return 1
        } catch {
            log.ended(error)
            return 1
        }
    }

    /// What is to be served. Another of the protocols than the client asked for is not, as the two would wait for each other.
    private static func command(of session: ServedSession) throws(RemoteCommandError) -> RemoteCommand {
        let served = try command(session.request)
        if session.asked != session.request, let asked = try? command(session.asked), asked.kind != served.kind {
            throw .notForced(served.kind, asked: asked.kind)
        }
        return served
    }

    private static func command(_ request: SessionRequest) throws(RemoteCommandError) -> RemoteCommand {
        switch request {
        case .subsystem: .sftp(SFTPServerRequest())
        case .exec(let line): try RemoteCommandLine.parse(Array(line.readableBytesView))
        case .shell: throw .empty
        }
    }

    private func serve(
        _ command: RemoteCommand, _ share: Share, _ session: ServedSession
    ) async throws -> UInt32 {
        func log(home: [UInt8]) -> FileLog {
            FileLog(logger: logger, counters: counters, login: session.login, home: home)
        }
        let scp = SCPServer(
            files: share.files, home: share.home, isReadOnly: share.isReadOnly, observer: log(home: share.home))
        switch command {
        case .scpSource(let request): return try await scp.serve(request, stream: session.stream)
        case .scpSink(let request): return try await scp.serve(request, stream: session.stream)
        case .sftp(let request):
            var home = share.home
            if let word = request.startDirectory { home = try await scp.place(of: word, session.stream) }
            let options = SFTPServer.Options(isReadOnly: share.isReadOnly || request.isReadOnly)
            try await SFTPServer(files: share.files, home: home, options: options, observer: log(home: home))
                .serve(session.stream)
            return 0
        }
    }
}
