/// The hosts that a configuration names, for completion: what stands after `Host`, patterns aside.
package enum ConfiguredHosts {
    private static let deepest = 4

    /// Reads a file and those it includes.
    package static func read(_ path: String, home: String) -> [String] { read(path, home: home, depth: 0) }

    private static func read(_ path: String, home: String, depth: Int) -> [String] {
        guard depth < deepest, let content = try? TextFile.read(path) else { return [] }
        return ConfigurationFile(path: path, bytes: content.bytes).lines.flatMap { line -> [String] in
            switch line.keyword {
            case "host":
                return (line.arguments ?? []).filter { name in
                    !name.contains { "*?!".contains($0) }
                }
            case "include":
                let directory = path.hasPrefix("/etc/") ? "/etc/ssh" : "\(home)/.ssh"
                return (line.arguments ?? []).flatMap { files($0, directory: directory, home: home) }
                    .flatMap { read($0, home: home, depth: depth + 1) }
            default: return []
            }
        }
    }

    private static func files(_ pattern: String, directory: String, home: String) -> [String] {
        var pattern = pattern
        if pattern.hasPrefix("~/") { pattern = home + pattern.dropFirst() }
        if !pattern.hasPrefix("/") { pattern = "\(directory)/\(pattern)" }
        return SystemEnvironment().files(matching: pattern)
    }
}
