import FileTransfer
import Files
import NIOCore
import SCP
import SFTP
import SSHClient
import SSHConfig
import SSHNIO
import SSHWire

/// Carries out one command line: every source to the target, going on after what fails.
struct CopyCommand {
    let options: CopyOptions
    private let connections: Connections
    private let observer: CommandObserver
    private let outcome = Outcome()
    /// The rate of all streams together (`-l`).
    private let limit: RateLimit?

    init(_ options: CopyOptions) {
        self.options = options
        connections = Connections(options)
        observer = CommandObserver(options: options)
        limit = options.bandwidth.map { RateLimit(kilobitsPerSecond: $0) }
    }

    /// - Returns: the exit status: 0 when all was copied.
    func run() async -> CInt {
        let isComplete: Bool
        if let role = options.serverRole {
            isComplete = await RemoteEnd(options).run(role)
        } else if options.showsConfiguration {
            isComplete = await attempt { try await showConfiguration() }
        } else {
            switch options.target {
            case .remote(let target): isComplete = await copy(to: target)
            case .local(let path): isComplete = await copy(toLocal: BytePath(path))
            case .invalid(let reason): isComplete = Self.refuse(reason)
            }
        }
        return await connections.close() && isComplete ? 0 : outcome.status.rawValue
    }

    /// Tells why a location is none.
    ///
    /// - Returns: false, for nothing was copied.
    private static func refuse(_ reason: String) -> Bool {
        CommandObserver.tell(Printable.text(Array(reason.utf8)))
        return false
    }

    /// Prints the options of a host in the form of `ssh -G`.
    private func showConfiguration() async throws -> TransferSummary {
        guard case .remote(let remote) = options.target else { throw CopyOptions.Fault.usage }
        let text = try options.resolve(remote).lines.joined(separator: "\n") + "\n"
        try await DescriptorStream(input: 0, output: 1, closesOutput: false).write(ByteBuffer(string: text))
        return TransferSummary()
    }

    // MARK: Directions

    private func copy(to target: Location.Remote) async -> Bool {
        var isComplete = true
        var files: [BytePath] = []
        for source in options.sources {
            switch source {
            case .local(let path): files.append(BytePath(path))
            case .remote(let remote):
                let isCopied = await attempt {
                    options.copiesDirectly ? try await direct(remote, target) : try await relay(remote, target)
                }
                if !isCopied { isComplete = false }
            case .invalid(let reason): isComplete = Self.refuse(reason)
            }
        }
        guard !files.isEmpty else { return isComplete }
        return await attempt { try await upload(files, to: target) } && isComplete
    }

    private func copy(toLocal target: BytePath) async -> Bool {
        if options.targetMustBeDirectory {
            // Said once, and before anybody is asked for a password.
            do throws(FileError) {
                try LocalFileSystem.requireDirectory(target)
            } catch {
                CommandObserver.tell("\(error)")
                return false
            }
        }
        var isComplete = true
        var sources = options.sources[...]
        while let source = sources.first {
            sources = sources.dropFirst()
            switch source {
            case .local(let path):
                if await !attempt({ try await copy(BytePath(path), to: target) }) { isComplete = false }
            case .remote(let remote):
                // Sources of one host in a row are one transfer.
                var paths = [remote.path]
                while case .remote(let next)? = sources.first, next.isSameHost(as: remote) {
                    paths.append(next.path)
                    sources = sources.dropFirst()
                }
                if await !attempt({ try await download(paths, from: remote, to: target) }) { isComplete = false }
            case .invalid(let reason):
                isComplete = Self.refuse(reason)
            }
        }
        return isComplete
    }

    private func copy(_ source: BytePath, to target: BytePath) async throws -> TransferSummary {
        try options.refuseLongOptions("on one machine")
        return try await LocalCopy(
            options: .init(
                recursive: options.recursive, preserve: options.preserve,
                targetMustBeDirectory: options.targetMustBeDirectory),
            observer: observer
        ).run([source], to: target)
    }

    private var sftpOptions: SFTPOptions {
        var result = SFTPOptions(
            recursive: options.recursive, preserve: options.preserve,
            targetMustBeDirectory: options.targetMustBeDirectory)
        result.tuning = tuning
        (result.resume, result.verify) = (options.long.resume, options.long.verify)
        return result
    }

    /// How files are hashed on a host, over whichever connection to it there is then.
    private func hashing(on remote: Location.Remote) -> RemoteHashing {
        RemoteHashing { [connections, limit] in
            let stream = try await connections.host(for: remote, request: .subsystem("sftp")).sftp()()
            return limit?.limiting(stream) ?? stream
        } run: { [connections] command in
            guard let host = try await connections.host(for: remote, request: .subsystem("sftp")) as? ClientHost else {
                throw ClientError.requestRefused("to run a program")
            }
            return try await host.run(command)
        } isLoss: { error in
            (error as? TransportError)?.isLoss ?? false
        } note: { [options] text in
            if options.verbosity > 0 { StandardError.write("debug1: \(text)\n") }
        }
    }

    private var tuning: SFTPTuning {
        var tuning = options.tuning
        tuning.bytesUnderWay = limit?.bytesUnderWay
        return tuning
    }

    private func upload(_ files: [BytePath], to target: Location.Remote) async throws -> TransferSummary {
        try await throughSFTP(target) { open, reconnect in
            var uploadOptions = sftpOptions
            uploadOptions.opensAhead = try await connections.host(for: target, request: .subsystem("sftp"))
                .refusesToWriteDirectories
            return try await SFTPUpload(
                open: open, options: uploadOptions, observer: observer, hashing: hashing(on: target),
                reconnect: reconnect
            ).run(files, to: target.path)
        } otherwise: {
            // The entries of a directory without a name must go into something.
            let hasUnnamed = options.recursive && files.contains { !$0.hasName }
            let command = RemoteCommand.sink(
                target.path, options, targetMustBeDirectory: options.targetMustBeDirectory || hasUnnamed)
            return try await session(target, command) { channel in
                try await SCPUpload(
                    stream: channel, options: .init(recursive: options.recursive, preserve: options.preserve),
                    observer: observer
                ).run(files)
            }
        }
    }

    private func download(
        _ paths: [[UInt8]], from source: Location.Remote, to target: BytePath
    ) async throws -> TransferSummary {
        try await throughSFTP(source) { open, reconnect in
            try await SFTPDownload(
                open: open, options: sftpOptions, observer: observer, hashing: hashing(on: source),
                reconnect: reconnect
            ).run(paths, into: target)
        } otherwise: {
            var summary = TransferSummary()
            for path in paths {
                // One that fails does not keep the others.
                if await !attempt({ try await downloadThroughSCP(path, from: source, to: target) }) {
                    summary.errors += 1
                }
            }
            return summary
        }
    }

    private func downloadThroughSCP(
        _ path: [UInt8], from source: Location.Remote, to target: BytePath
    ) async throws -> TransferSummary {
        let request = options.trustsNames ? nil : try SCPRequest(path: path, recursive: options.recursive)
        return try await session(source, RemoteCommand.source(path, options)) { channel in
            try await SCPDownload(
                stream: channel,
                options: .init(
                    recursive: options.recursive, preserve: options.preserve,
                    targetMustBeDirectory: options.targetMustBeDirectory, request: request),
                observer: observer
            ).run(into: target)
        }
    }

    /// Copies by SFTP, or by the SCP protocol if the user says so or the server has no SFTP.
    private func throughSFTP(
        _ remote: Location.Remote, _ sftp: (@escaping SFTPOpener, SFTPReconnector?) async throws -> TransferSummary,
        otherwise scp: () async throws -> TransferSummary
    ) async throws -> TransferSummary {
        if options.transferProtocol == .scp {
            try options.refuseLongOptions("with the scp protocol")
            return try await scp()
        }
        let host = try await connections.host(for: remote, request: .subsystem("sftp"))
        if !(host is ClientHost) { try options.refuseLongOptions("over a connection that another program makes") }
        let watch = AnswerWatch()
        if options.verbosity > 0, host is ClientHost { StandardError.write("debug1: Sending subsystem: sftp\n") }
        do {
            let reconnect = reconnector(to: remote, host, watch)
            return try await sftp(watch.opener(host.sftp(), limit: limit), reconnect)
        } catch let error where Self.meansNoSFTP(error, hasAnswer: watch.hasAnswer) {
            guard options.transferProtocol == .sftpIfThere else {
                let (text, hint) = ("\(error)", "use -O for the scp protocol")
                throw CopyOptions.Fault.message("\(remote.host): \(text.contains(hint) ? text : "\(text) (\(hint))")")
            }
            if options.verbosity > 0 { StandardError.write("debug1: \(error): falling back to the scp protocol\n") }
            await watch.settle()
            try options.refuseLongOptions("with the scp protocol, and the server has no other")
            return try await scp()
        }
    }

    /// What makes the connection to a host again; nil where that is not to be done, or not by us.
    private func reconnector(
        to remote: Location.Remote, _ host: any RemoteHost, _ watch: AnswerWatch
    ) -> SFTPReconnector? {
        guard host is ClientHost else { return nil }
        let reconnection = Reconnection(to: remote, options, connections, watch)
        return { [limit] loss, hasProgressed in
            let host = try await reconnection.host(after: loss, hasProgressed: hasProgressed)
            return watch.opener(host.sftp(), limit: limit)
        }
    }

    private static func meansNoSFTP(_ error: any Error, hasAnswer: Bool) -> Bool {
        switch error {
        case ClientError.requestRefused, SFTPError.notSFTP: true
        case TransportError.channelClosed: !hasAnswer
        default: false
        }
    }

    /// Remote to remote, through this machine: what one server sends, the other receives.
    private func relay(_ source: Location.Remote, _ target: Location.Remote) async throws -> TransferSummary {
        try options.refuseLongOptions("between two servers")
        return try await throughSFTP(source) { from, _ in
            try await throughSFTP(target) { to, _ in
                try await SFTPRelay(from: from, to: to, options: sftpOptions, observer: observer)
                    .run([source.path], to: target.path)
            } otherwise: {
                throw ClientError.requestRefused("the subsystem \"sftp\"")
            }
        } otherwise: {
            try await relayThroughSCP(source, target)
        }
    }

    /// Remote to remote, by an scp that runs on the first host.
    private func direct(_ source: Location.Remote, _ target: Location.Remote) async throws -> TransferSummary {
        try options.refuseLongOptions("between two servers")
        if target.port != nil {
            throw CopyOptions.Fault.message("target port not supported with two remote hosts and the -R option")
        }
        return try await session(source, RemoteCommand.copy(source.path, to: target, options)) { channel in
            try await channel.finishWriting()
            while let bytes = try await channel.read() {
                StandardError.write(Printable.text(bytes.readableBytesView, keepingNewlines: true))
            }
            return TransferSummary()
        }
    }

    private func relayThroughSCP(
        _ source: Location.Remote, _ target: Location.Remote
    ) async throws -> TransferSummary {
        let sending = RemoteCommand.source(source.path, options)
        let receiving = RemoteCommand.sink(target.path, options, targetMustBeDirectory: options.targetMustBeDirectory)
        return try await session(source, sending) { from in
            try await session(target, receiving) { to in
                try await Relay.run(from: from, to: to) { CommandObserver.tell(peerMessage($0)) }
                return TransferSummary()
            }
        }
    }

    /// Runs the remote end of a copy on its server, and this end beside it.
    private func session(
        _ remote: Location.Remote, _ command: [UInt8],
        _ body: (any ByteStream) async throws -> TransferSummary
    ) async throws -> TransferSummary {
        let host = try await connections.host(
            for: remote, request: .command(String(decoding: command, as: UTF8.self)))
        if options.verbosity > 0 { StandardError.write("Sending command: \(Printable.text(command))\n") }
        let session = try await host.exec(command)
        defer { session.close() }
        let channel = limit?.limiting(session) ?? session
        var summary: TransferSummary
        do {
            summary = try await body(channel)
        } catch TransportError.channelClosed {
            // A server that will not run commands says so where the protocol was expected.
            var words = ByteBuffer()
            while let bytes = try await channel.read(), words.readableBytes < 4096 { words.writeImmutableBuffer(bytes) }
            let text = Printable.text(words.readableBytesView, keepingNewlines: true)
            throw CopyOptions.Fault.message(
                text.isEmpty ? "\(remote.host): the remote scp ended at once" : "\(remote.host): \(text)")
        }
        try await channel.finishWriting()
        while try await channel.read() != nil {}
        // A remote end that failed without a word in the protocol failed all the same.
        if await !session.waitForEnd(), summary.errors == 0 { summary.errors += 1 }
        return summary
    }

    /// Runs one copy; what it could not do is told, and the next goes on.
    ///
    /// - Returns: whether all of it was copied.
    private func attempt(_ body: () async throws -> TransferSummary) async -> Bool {
        do {
            return try await body().errors == 0
        } catch {
            outcome.add(.after(error, byProtocol: options.transferProtocol))
            if case CopyOptions.Fault.message(let text) = error {
                CommandObserver.tell(text)
            } else {
                CommandObserver.tell("\(error)")
            }
            return false
        }
    }
}
