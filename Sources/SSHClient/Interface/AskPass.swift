#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A program that asks in place of a terminal (ssh(1): `SSH_ASKPASS`, `SSH_ASKPASS_REQUIRE`,
/// `SSH_ASKPASS_PROMPT`).
struct AskPass {
    let program: String
    /// Whether it is to be used even where there is a terminal.
    let isPreferred: Bool

    /// What is read of an answer, in bytes.
    private static let longestAnswer = 64 * 1024

    /// The program the environment names; nil where there is none or it is not to be used.
    init?(environment: (String) -> String?) {
        func isSet(_ name: String) -> Bool { !(environment(name) ?? "").isEmpty }
        var isAllowed = isSet("DISPLAY") || isSet("WAYLAND_DISPLAY")
        var isPreferred = false
        switch environment("SSH_ASKPASS_REQUIRE")?.lowercased() {
        case "force": (isAllowed, isPreferred) = (true, true)
        case "prefer": isPreferred = isAllowed
        case "never": isAllowed = false
        default: break
        }
        guard isAllowed, let program = environment("SSH_ASKPASS"), !program.isEmpty else { return nil }
        self.program = program
        self.isPreferred = isPreferred
    }

    /// Runs the program with a prompt; nil when it fails, as when its user cancels.
    ///
    /// Blocks the calling thread until the program has ended.
    ///
    /// - Parameter hint: what kind of question it is; nil for one that wants a secret.
    func ask(_ prompt: String, hint: String? = nil) -> [UInt8]? {
        var ends: (CInt, CInt) = (-1, -1)
        let made = withUnsafeMutableBytes(of: &ends) { pipe($0.assumingMemoryBound(to: CInt.self).baseAddress) }
        guard made == 0 else { return nil }
        defer { close(ends.0) }
        var child: pid_t = 0
        let isStarted = spawn(prompt, hint, output: ends.1, unused: ends.0, child: &child)
        close(ends.1)
        guard isStarted else { return nil }
        var answer: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 1024)
        while answer.count < Self.longestAnswer {
            let count = read(ends.0, &block, block.count)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { break }
            answer += block[..<count]
        }
        var status: CInt = 0
        while waitpid(child, &status, 0) < 0 && errno == EINTR {}
        guard status == 0 else { return nil }
        return Array(answer.prefix { $0 != 0x0a && $0 != 0x0d })
    }

    private func spawn(_ prompt: String, _ hint: String?, output: CInt, unused: CInt, child: inout pid_t) -> Bool {
        #if canImport(Darwin)
            var actions: posix_spawn_file_actions_t?
        #else
            var actions = posix_spawn_file_actions_t()
        #endif
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, output, 1)
        posix_spawn_file_actions_addclose(&actions, output)
        posix_spawn_file_actions_addclose(&actions, unused)
        var arguments: [UnsafeMutablePointer<CChar>?] = [strdup(program), strdup(prompt), nil]
        defer { for argument in arguments { free(argument) } }
        var variables: [UnsafeMutablePointer<CChar>?] = Self.environment(hint: hint).map { strdup($0) } + [nil]
        defer { for variable in variables { free(variable) } }
        #if canImport(Darwin)
            var attributes: posix_spawnattr_t?
        #else
            var attributes = posix_spawnattr_t()
        #endif
        // This thread and process keep signals away that the program is to have, ^C above all.
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        var usual = sigset_t()
        sigemptyset(&usual)
        for number in [SIGPIPE, SIGCHLD] { sigaddset(&usual, number) }
        posix_spawnattr_setsigdefault(&attributes, &usual)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK) | Int16(POSIX_SPAWN_SETSIGDEF))
        return posix_spawnp(&child, program, &actions, &attributes, &arguments, &variables) == 0
    }

    /// This process's environment, with the hint where there is one.
    private static func environment(hint: String?) -> [String] {
        let name = "SSH_ASKPASS_PROMPT="
        var entries: [String] = []
        var next = environ
        while let entry = next.pointee {
            let text = String(cString: entry)
            if hint == nil || !text.hasPrefix(name) { entries.append(text) }
            next += 1
        }
        if let hint { entries.append(name + hint) }
        return entries
    }
}
