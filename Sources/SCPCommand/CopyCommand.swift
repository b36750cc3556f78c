import CopyEngine
import Files
import NIOCore
import Platform
import SSHClient
import SSHConfig
import SSHWire

/// Carries out one command line: every source to the target, going on after what fails.
struct CopyCommand {
    let options: CopyOptions
    private let hosts: Hosts
    private let observer: CommandObserver
    private let report: EventReport?
    private let outcome = Outcome()

    init(_ options: CopyOptions, _ resolved: ResolvedHosts, _ report: EventReport?) {
        self.options = options
        self.report = report
        hosts = Hosts(options, resolved, report)
        observer = CommandObserver(options: options, report)
    }

    /// Whether the copies of this command can be cancelled.
    var isInterruptible: Bool { options.serverRole == nil }

    /// Says how to go on with what a signal has ended.
    func tellOfInterruption() {
        guard observer.hasBegun else { return }
        CommandObserver.tell("interrupted; the same command with --resume copies what is missing")
    }

    /// - Returns: the exit status: 0 when all was copied.
    func run() async -> CInt {
        let isComplete: Bool
        if let role = options.serverRole {
            isComplete = await RemoteEnd(options).run(role)
        } else if options.showsConfiguration {
            isComplete = await attempt { try await showConfiguration() }
        } else {
            isComplete = await copy()
        }
        // What was listed has to be written as well.
        let isWritten = !options.long.isDryRun || fflush(nil) == 0
        let status = await hosts.close() && isComplete && isWritten ? 0 : outcome.status.rawValue
        observer.finish()
        guard let failure = report?.finish(status) else { return status }
        CommandObserver.tell("\(failure)")
        return max(status, ExitStatus.incomplete.rawValue)
    }

    /// Prints the options of a host in the form of `ssh -G`.
    private func showConfiguration() async throws -> CopySummary {
        guard case .remote(let remote) = options.target else { throw CopyOptions.Fault.usage }
        let text = try options.resolve(remote).lines.joined(separator: "\n") + "\n"
        try await DescriptorStream(input: 0, output: 1, closesOutput: false).write(ByteBuffer(string: text))
        return CopySummary()
    }

    // MARK: Ends

    /// Sources in a row that are one copy, or the target.
    private enum End {
        case local([BytePath])
        case remote(Location.Remote, [BytePath], TransferProtocol)

        mutating func append(_ other: End) -> Bool {
            switch (self, other) {
            case (.local(let paths), .local(let more)): self = .local(paths + more)
            case (.remote(let host, let paths, let kind), .remote(let next, let more, _))
            where next.isSameHost(as: host):
                self = .remote(host, paths + more, kind)
            default: return false
            }
            return true
        }
    }

    /// What is spoken with a server.
    private enum TransferProtocol {
        case sftp
        case scp(SCPCommandLine.Rules)
    }

    private func remote(_ remote: Location.Remote) -> End {
        .remote(remote, [BytePath(remote.path)], options.transferProtocol == .scp ? .scp(.scp) : .sftp)
    }

    private func copy() async -> Bool {
        let target: End
        switch options.target {
        case .invalid(let reason): return refuse(CopyOptions.Fault.message(Printable.text(Array(reason.utf8))))
        case .remote(let host): target = remote(host)
        case .local(let path):
            target = .local([BytePath(path)])
            // Said once, and before anybody is asked for a password.
            if options.targetMustBeDirectory, !isDirectory(BytePath(path)) { return false }
        }
        var (sources, isComplete) = groupSources()
        if options.copiesDirectly, case .remote = target { sources = sources.flatMap(split) }
        for source in sources where !Task.isCancelled {
            if await !attempt({ try await copy(source, target) }) { isComplete = false }
        }
        return isComplete && !Task.isCancelled
    }

    /// The sources that make sense, in groups; the others are told of.
    private func groupSources() -> ([End], isComplete: Bool) {
        var groups: [End] = []
        var isComplete = true
        for source in options.sources {
            let end: End
            switch source {
            case .local(let path) where isThere(BytePath(path)): end = .local([BytePath(path)])
            case .remote(let host): end = remote(host)
            case .invalid(let reason):
                isComplete = refuse(CopyOptions.Fault.message(Printable.text(Array(reason.utf8))))
                continue
            case .local:
                isComplete = false
                continue
            }
            if groups.isEmpty || !groups[groups.count - 1].append(end) { groups.append(end) }
        }
        return (groups, isComplete)
    }

    /// One copy for each source.
    private func split(_ source: End) -> [End] {
        guard case .remote(let host, let paths, let kind) = source else { return [source] }
        return paths.map { .remote(host, [$0], kind) }
    }

    /// Looked at before anybody connects or is asked for a password.
    private func isThere(_ path: BytePath) -> Bool {
        do throws(FileError) {
            _ = try LocalFileSystem.status(of: path)
            return true
        } catch {
            return refuse(error)
        }
    }

    private func isDirectory(_ path: BytePath) -> Bool {
        do throws(FileError) {
            try LocalFileSystem.requireDirectory(path)
            return true
        } catch {
            return refuse(error)
        }
    }

    // MARK: Copies

    /// Copies by SFTP, or by the SCP protocol if the user says so or a server has no SFTP.
    private func copy(_ source: End, _ target: End) async throws -> CopySummary {
        var (source, target) = (source, target)
        while true {
            do {
                return try await copyOnce(source, target)
            } catch let missing as SFTPUnavailable {
                switch missing.end {
                case .source: source = try withoutSFTP(source, missing)
                case .target: target = try withoutSFTP(target, missing)
                }
            }
        }
    }

    private func withoutSFTP(_ end: End, _ missing: SFTPUnavailable) throws -> End {
        guard case .remote(let host, let paths, .sftp) = end, options.transferProtocol == .sftpIfThere else {
            let (text, hint) = ("\(missing)", "use -O for the scp protocol")
            throw CopyOptions.Fault.message(text.contains(hint) ? text : "\(text) (\(hint))")
        }
        if !options.quiet {
            CommandObserver.tell("\(missing.host): no SFTP (\(missing.reason)): falling back to the scp protocol")
        }
        return .remote(host, paths, .scp(.sftp))
    }

    private func copyOnce(_ source: End, _ target: End) async throws -> CopySummary {
        // Before anybody is asked for a password.
        if case .remote(let host, let paths, .scp) = target {
            let (path, host) = (paths.first ?? ".", host.host)
            if let refusal = options.long.update.refusal(bySCPTo: path, on: host) { throw refusal }
            if let refusal = options.long.writing.refusal(bySCPTo: path, on: host) { throw refusal }
        }
        guard case .remote(let host, let paths, let kind) = source else {
            guard case .local(let paths) = source else { return CopySummary() }
            return try await run(.local(paths), to: target)
        }
        if options.copiesDirectly, case .remote(let other, _, _) = target {
            return try await direct(host, paths.first ?? ".", other)
        }
        guard case .scp(let rules) = kind else {
            return try await run(.sftp(try await reach(host, kind, paths), paths), to: target)
        }
        // Each path is a command of its own there. One that fails does not keep the others.
        func copy(_ path: BytePath) async throws -> CopySummary {
            try await run(.scp(try await reach(host, kind, [path]), path, rules), to: target)
        }
        if paths.count == 1, let path = paths.first { return try await copy(path) }
        var summary = CopySummary()
        for path in paths where await !attempt({ try await copy(path) }) { summary.errors += 1 }
        return summary
    }

    private func run(_ source: CopySource, to target: End) async throws -> CopySummary {
        let place: CopyTarget
        switch target {
        case .local(let paths): place = .local(paths.first ?? ".")
        case .remote(let host, let paths, .sftp):
            place = .sftp(try await reach(host, .sftp, paths), paths.first ?? ".")
        case .remote(let host, let paths, .scp(let rules)):
            place = .scp(try await reach(host, .scp(rules), paths), paths.first ?? ".", rules)
        }
        var request = options.request(from: source, to: place)
        if let limit = hosts.bytesUnderWay { request.tuning.flow = 1...limit }
        return try await Copy(request, observer: observer).run()
    }

    private func reach(
        _ remote: Location.Remote, _ kind: TransferProtocol, _ paths: [BytePath]
    ) async throws -> any CopyHost {
        switch kind {
        case .sftp:
            if options.verbosity > 0 { StandardError.write("debug1: Sending subsystem: sftp\n") }
            return try await hosts.host(for: remote, request: .subsystem("sftp"))
        case .scp: return try await hosts.host(for: remote, request: .command("scp"))
        }
    }

    /// Remote to remote, by an scp that runs on the first host.
    private func direct(
        _ source: Location.Remote, _ path: BytePath, _ target: Location.Remote
    ) async throws -> CopySummary {
        if let wish = options.long.wishOfOurs {
            let reason = "\(source.host): with -R its own scp copies, which does not know of it"
            throw CopyError(path, .source, .wishRefused(wish, reason: reason))
        }
        if target.port != nil {
            throw CopyOptions.Fault.message("target port not supported with two remote hosts and the -R option")
        }
        let command = try await reach(source, .scp(.scp), [path]).run(DirectCommand.line(path, to: target, options))
        try await command.finishWriting()
        while let bytes = try await command.read() {
            StandardError.write(Printable.text(bytes.readableBytesView, keepingNewlines: true))
        }
        var summary = CopySummary()
        if let end = await command.waitForEnd(), end != .status(0) { summary.errors += 1 }
        return summary
    }

    // MARK: What goes wrong

    /// Tells what keeps something from being copied.
    ///
    /// - Returns: false, for nothing was copied.
    private func refuse(_ error: any Error) -> Bool {
        report?.tell(error)
        observer.countFailure()
        switch error {
        case CopyOptions.Fault.message(let text), CopyOptions.Fault.fatal(let text): CommandObserver.tell(text)
        default: CommandObserver.tell("\(error)")
        }
        return false
    }

    /// Runs one copy; what it could not do is told, and the next goes on.
    ///
    /// - Returns: whether all of it was copied.
    private func attempt(_ body: () async throws -> CopySummary) async -> Bool {
        do {
            let summary = try await body()
            observer.tell(summary)
            return summary.errors == 0
        } catch {
            // Whoever cancelled it says so.
            if Task.isCancelled { return false }
            outcome.add(.after(error, byProtocol: options.transferProtocol))
            return refuse(error)
        }
    }
}
