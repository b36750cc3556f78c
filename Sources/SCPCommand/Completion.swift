import CopyEngine
import NIOCore
import Platform
import SFTP
import SSHConfig
import SSHKeys
import SSHWire

/// What the shells' completions ask the command for: `scp [options] --complete KIND -- WORD`. Each candidate is a line.
///
/// Whatever fails, there are no candidates then: nobody who presses the tab key wants to read why.
struct Completion {
    enum Kind: String {
        /// Hosts that configuration and known hosts name.
        case hosts
        /// Paths on a server, behind the host as it was typed.
        case paths
    }

    /// Nobody waits longer for a tab key.
    static let seconds: UInt32 = 2
    /// More candidates than this help nobody.
    private static let most = 2000

    let kind: Kind
    let word: [UInt8]

    /// Writes the candidates, and ends after a while whatever has come of it.
    func answer(_ options: CopyOptions) async {
        signal(SIGALRM, SIG_DFL)
        alarm(Self.seconds)
        for candidate in await candidates(options) { print(String(decoding: candidate, as: UTF8.self)) }
        fflush(nil)
    }

    func candidates(_ options: CopyOptions) async -> [[UInt8]] {
        switch kind {
        case .hosts: hosts(options).filter { $0.starts(with: word) }
        case .paths: (try? await paths(options)) ?? []
        }
    }

    // MARK: Hosts

    private func hosts(_ options: CopyOptions) -> [[UInt8]] {
        var hosts = Set(options.configuredHosts())
        let files =
            (try? options.client(for: Location.Remote(host: "localhost", path: [])))
            .map { $0.userKnownHostsFiles + $0.globalKnownHostsFiles } ?? []
        for file in files {
            guard let content = try? TextFile.read(file) else { continue }
            let known = KnownHosts(file: file, text: content.text)
            for entry in known.entries { hosts.formUnion(entry.hosts.split(separator: ",").compactMap(Self.host)) }
        }
        return hosts.sorted().prefix(Self.most).map { Array($0.utf8) }
    }

    /// The name in a pattern of known hosts; nil for one that stands for many, and for what is hashed.
    private static func host(_ pattern: Substring) -> String? {
        let name = pattern.hasPrefix("[") ? pattern.dropFirst().prefix { $0 != "]" } : pattern
        guard !name.isEmpty, !name.contains(where: { "*?!|".contains($0) }), isShown(Array(name.utf8)) else {
            return nil
        }
        return name.contains(":") ? "[\(name)]" : String(name)
    }

    // MARK: Paths

    private func paths(_ options: CopyOptions) async throws -> [[UInt8]] {
        guard case .remote(let remote) = Location(word), let colon = Location.colon(word) else { return [] }
        var options = options
        options.letters["BatchMode"] = "yes"
        options.letters["ConnectTimeout"] = String(Self.seconds)
        options.letters["LogLevel"] = "QUIET"
        let typed = word[(colon + 1)...]
        let name = typed.lastIndex(of: UInt8(ascii: "/")).map { typed[($0 + 1)...] } ?? typed
        let directory = Array(typed[..<name.startIndex])
        let hosts = Hosts(options, ResolvedHosts(options), nil)
        let host = try await hosts.host(for: remote, request: .subsystem("sftp"))
        let client = try await SFTPClient(stream: try await host.openSFTP())
        // Paths that SFTP is given begin at home.
        let place = directory.starts(with: "~/".utf8) ? Array(directory.dropFirst(2)) : directory
        let entries = try await client.list(place.isEmpty ? Array(".".utf8) : place)
        await client.close()
        _ = await hosts.close()
        return entries.compactMap { entry in
            let found = Array(entry.name.readableBytesView)
            guard found.starts(with: name), Self.isShown(found), !found.elementsEqual(".".utf8),
                !found.elementsEqual("..".utf8), name.first == UInt8(ascii: ".") || found.first != UInt8(ascii: ".")
            else { return nil }
            let end = entry.attributes.kind == .directory ? [UInt8(ascii: "/")] : []
            return word[...colon] + directory + found + end
        }.sorted { $0.lexicographicallyPrecedes($1) }.prefix(Self.most).map { $0 }
    }

    /// A name that a terminal could act on is no candidate.
    private static func isShown(_ name: [UInt8]) -> Bool { Printable.text(name).utf8.elementsEqual(name) }
}

extension CopyOptions {
    /// The hosts that the files of the configuration have blocks for.
    fileprivate func configuredHosts() -> [String] {
        let home = LocalAccount.current.home
        let files =
            switch configurationFiles {
            case .usual: ["\(home)/.ssh/config", "/etc/ssh/ssh_config"]
            case .only(let path): [path]
            case .none: [String]()
            }
        return files.flatMap { ConfiguredHosts.read($0, home: home) }
    }
}
