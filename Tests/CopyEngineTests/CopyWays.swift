import CopyEngine
import Files
import NIOCore
import SSHWire
import TestSupport
import Testing

/// What the two ends of a copy are: this machine, OpenSSH's sftp-server or OpenSSH's scp.
struct CopyWay: Sendable, CustomTestStringConvertible {
    enum End: CaseIterable {
        case local, sftp, scp
    }

    let source: End
    let target: End

    static let all = End.allCases.flatMap { source in End.allCases.map { CopyWay(source: source, target: $0) } }
    /// Those that are told what is at the target.
    static let seeing = all.filter { $0.target != .scp }

    var testDescription: String { "\(source) to \(target)" }

    /// Copies names in a directory to another name there.
    func copy(
        _ sources: [String], to target: String, in base: BytePath, _ wishes: Wishes,
        observer: any CopyObserver = Recorder()
    ) async throws -> CopySummary {
        let host = Self.host(in: base)
        // A remote scp sends one source at a time.
        var sum = CopySummary()
        for group in source == .scp ? sources.map({ [$0] }) : [sources] {
            let from: CopySource =
                switch source {
                case .local: .local(group.map { base / $0 })
                case .sftp: .sftp(host, group.map { BytePath($0) })
                case .scp: .scp(host, BytePath(group[0]), .scp)
                }
            let to: CopyTarget =
                switch self.target {
                case .local: .local(base / target)
                case .sftp: .sftp(host, BytePath(target))
                case .scp: .scp(host, BytePath(target), .scp)
                }
            let summary = try await wishes.run(from, to, observer)
            sum.files += summary.files
            sum.leftOut += summary.leftOut
            sum.skipped += summary.skipped
            sum.verified += summary.verified
            sum.errors += summary.errors
        }
        return sum
    }

    private static func host(in base: BytePath) -> StreamHost {
        let directory = String(decoding: base.bytes, as: UTF8.self)
        var host = StreamHost()
        host.sftp = { try ProgramStream([sftpServer, "-d", directory]) }
        host.exec = { command in
            try ProgramStream(["/bin/sh", "-c", "cd \(directory) && " + String(decoding: command, as: UTF8.self)])
        }
        return host
    }
}

extension Tree {
    /// The paths of all files, and of directories with nothing in them, those with a slash behind.
    var leaves: Set<String> {
        guard case .directory(let entries, _, _) = self else { return [] }
        var found: Set<String> = []
        for (name, tree) in entries {
            let name = String(decoding: name, as: UTF8.self)
            guard case .directory(let below, _, _) = tree else {
                found.insert(name)
                continue
            }
            if below.isEmpty { found.insert(name + "/") }
            found.formUnion(tree.leaves.map { "\(name)/\($0)" })
        }
        return found
    }

    /// A tree of files with these paths.
    static func files(_ paths: [String], _ file: (String) -> Tree = { .file(Array($0.utf8)) }) -> Tree {
        var entries: [String: Tree] = [:]
        let groups = Dictionary(grouping: paths.map { $0.split(separator: "/", maxSplits: 1).map(String.init) }) {
            $0[0]
        }
        for (name, group) in groups {
            let below = group.compactMap { $0.count > 1 ? $0[1] : nil }
            entries[name] = below.isEmpty ? file(name) : .files(below, file)
        }
        return .named(entries)
    }
}
