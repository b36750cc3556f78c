import Files
import NIOCore
import SCP
import SFTP
import SSHWire

/// The two ends of a copy: opened for each connection anew, from what the request says of them.
final class CopyEnds {
    private let request: CopyRequest
    private let observer: any CopyObserver
    private let hashing = HashThreads()
    private var hashers: [RemoteHasher] = []
    private var servers: [SFTPEnd] = []

    init(_ request: CopyRequest, _ observer: any CopyObserver) {
        self.request = request
        self.observer = observer
    }

    // MARK: Opening

    func open(_ traits: ServerTraits) async throws -> (any SourceEndpoint, any TargetEndpoint) {
        (hashers, servers) = ([], [])
        let target = try await proving(.target) { try await openTarget(traits) }
        let source = try await proving(.source) { try await openSource(traits, isOrdered: target.isSequential) }
        (source as? SCPStreamSource)?.target = target
        return (source, target)
    }

    private func openSource(_ traits: ServerTraits, isOrdered: Bool) async throws -> any SourceEndpoint {
        switch request.source {
        case .local(let paths):
            return LocalSource(paths, request, unnamed: isOrdered ? .replacedByEntries : .entered, hashing)
        case .sftp(let host, let paths):
            let end = try await openSFTP(host, traits)
            return SFTPSource(end, paths, request, isOrdered: isOrdered, hasher(host))
        case .scp(let host, let path, let rules):
            let command = try await run(SCPCommandLine(request, rules).source(path), on: host)
            return try SCPStreamSource(command, path, request, rules, hasher(host), trace: scpTrace)
        }
    }

    private func openTarget(_ traits: ServerTraits) async throws -> any TargetEndpoint {
        switch request.target {
        case .local(let path): return LocalTarget(path, request, hashing)
        case .sftp(let host, let path):
            let end = try await openSFTP(host, traits)
            return SFTPTarget(
                end, path, request, opensAhead: await host.traits.refusesToWriteDirectories, hasher(host))
        case .scp where request.isDryRun: return UnseenTarget()
        case .scp(let host, let path, let rules):
            let command = try await run(
                SCPCommandLine(request, rules).sink(path, targetMustBeDirectory: targetMustBeDirectory), on: host)
            return SCPStreamTarget(
                command, path, request, rules, hasher(host), waitsForAnswers: await host.traits.readsOneRecordAtATime,
                trace: scpTrace)
        }
    }

    private func run(_ line: [UInt8], on host: any CopyHost) async throws -> any RemoteCommand {
        if observer.wantsNotes { observer.receive(.note(.command(line))) }
        return try await host.run(line)
    }

    /// The entries of a directory without a name must go into something.
    private var targetMustBeDirectory: Bool {
        guard case .local(let paths) = request.source, request.recursive else { return request.targetMustBeDirectory }
        return request.targetMustBeDirectory || paths.contains { !$0.hasName }
    }

    private func openSFTP(_ host: any CopyHost, _ traits: ServerTraits) async throws -> SFTPEnd {
        let stream = try await host.openSFTP()
        let holdsOneHandle = await host.traits.repeatsHandles || traits.repeatsHandles
        let connection = SFTPConnection(request.tuning.flow)
        var policy = ConnectionPolicy(request.connections)
        // What goes one after another at the other end, more connections do not make faster.
        let isOneEnough = request.isDryRun || request.isOrdered
        if holdsOneHandle || traits.lostConnections > 1 || isOneEnough { policy.settle() }
        let end = SFTPEnd(
            host, SFTPLane(stream: stream, on: connection, holdsOneHandle: holdsOneHandle, trace: trace), policy)
        servers.append(end)
        return end
    }

    private var trace: ((String) -> Void)? {
        guard observer.wantsTrace else { return nil }
        return { [observer] in observer.receive(.trace($0)) }
    }

    private var scpTrace: SCPTrace? {
        guard observer.wantsTrace else { return nil }
        return { [observer] direction, record in
            observer.receive(.trace("\(direction == .sent ? "send" : "received") \(record)"))
        }
    }

    private func hasher(_ host: any CopyHost) -> RemoteHasher? {
        guard request.resume || request.verify else { return nil }
        let hasher = RemoteHasher(host) { [observer] note in
            if observer.wantsNotes { observer.receive(.note(note)) }
        }
        hashers.append(hasher)
        return hasher
    }

    // MARK: Further lanes

    var wantsLanes: Bool { servers.contains { $0.hasWish } }

    /// Looks whether more lanes are worth it.
    func review(_ scheduler: Scheduler) { for end in servers { end.review(scheduler, at: .now) } }

    /// What is to be opened, each by a task of its own.
    func takeWishes() -> [(SFTPEnd, LaneWish)] {
        servers.flatMap { end in end.takeWishes().map { (end, $0) } }
    }

    /// One more lane to a server that wants one; nil if it gives none.
    func openLane(_ end: SFTPEnd, _ wish: LaneWish, _ scheduler: Scheduler) async -> SFTPLane? {
        var lane: SFTPLane?
        switch wish {
        case .channel:
            if let stream = try? await end.host.openSFTP() {
                lane = SFTPLane(stream: stream, on: end.main.connection, holdsOneHandle: false, trace: trace)
            }
            end.add(channel: lane, scheduler)
        case .connection:
            note(.connecting(host: end.host.name, reason: reason(end)))
            do {
                lane = try await connect(end.host)
            } catch {
                if !(error is CancellationError) {
                    note(.noFurtherConnection(host: end.host.name, reason: "\(error)"))
                }
            }
            end.add(connection: lane, scheduler)
            if lane != nil { observer.receive(.connections(end.mains.count, host: end.host.name)) }
        }
        return lane
    }

    private func connect(_ host: any CopyHost) async throws -> SFTPLane {
        let connection = try await host.connectAgain()
        do {
            let stream = try await connection.openSFTP()
            return SFTPLane(
                stream: stream, on: SFTPConnection(request.tuning.flow, further: connection), holdsOneHandle: false,
                trace: trace)
        } catch {
            await connection.close()
            throw error
        }
    }

    private func reason(_ end: SFTPEnd) -> String {
        if case .exactly(let count) = request.connections { return "of \(count) that are wished for" }
        return end.mains.count == 1
            ? "as the server is far and there is much to copy" : "as the last one made it faster"
    }

    private func note(_ note: CopyNote) { if observer.wantsNotes { observer.receive(.note(note)) } }

    // MARK: Errors

    /// Runs what shows whether there is SFTP at an end.
    func proving<Result>(_ end: CopyError.End, _ body: () async throws -> Result) async throws -> Result {
        do {
            return try await body()
        } catch {
            let host = end == .source ? request.source.sftpHost : request.target.sftpHost
            guard let host, host.meansNoSFTP(error) else { throw error }
            await host.settle()
            throw SFTPUnavailable(host: host.name, end: end, reason: error)
        }
    }

    /// What an error on a lane means for the copy: a further lane that fails is done without.
    func cause(_ error: any Error, of lane: any CopyLane) -> any Error {
        if error is CancellationError || error is ServerFault { return error }
        for end in servers {
            if end.mains.dropFirst().contains(where: { $0 === lane }) {
                return FurtherConnectionLost(host: end.host.name, reason: error)
            }
            if end.channels.contains(where: { $0 === lane }), !end.host.isLoss(error) {
                return ServerFault.writesInOrder
            }
        }
        return error
    }

    /// Has the host whose connection was lost make it again.
    ///
    /// - Throws: `error` if it was no loss.
    func recover(from error: any Error, hasProgressed: Bool) async throws {
        let hosts = [request.source.host, request.target.host].compactMap { $0 }
        guard let host = hosts.first(where: { $0.isLoss(error) }) ?? hosts.first else { throw error }
        try await host.recover(from: error, hasProgressed: hasProgressed)
    }

    // MARK: The end

    /// Compares the hashes of files that no server could be asked about while the copy had its one channel.
    func verifyRest(_ scheduler: Scheduler) async throws {
        let jobs = scheduler.takePostponed()
        guard !jobs.isEmpty else { return }
        for hasher in hashers { await hasher.beginAgain() }
        for job in jobs { try await scheduler.verifyAtLast(job) }
    }

    func close() async {
        for hasher in hashers { await hasher.close() }
        for end in servers { await end.closeFurther() }
    }
}

extension CopySource {
    var host: (any CopyHost)? {
        switch self {
        case .local: nil
        case .sftp(let host, _), .scp(let host, _, _): host
        }
    }
}

extension CopySource {
    var sftpHost: (any CopyHost)? {
        if case .sftp(let host, _) = self { return host }
        return nil
    }
}

extension CopyTarget {
    var sftpHost: (any CopyHost)? {
        if case .sftp(let host, _) = self { return host }
        return nil
    }

    var host: (any CopyHost)? {
        switch self {
        case .local: nil
        case .sftp(let host, _), .scp(let host, _, _): host
        }
    }

    /// The path as the user gave it.
    var path: BytePath {
        switch self {
        case .local(let path), .sftp(_, let path), .scp(_, let path, _): path
        }
    }
}
