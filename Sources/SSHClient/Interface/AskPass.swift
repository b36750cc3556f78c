#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A program that asks in place of a terminal (ssh(1): `SSH_ASKPASS`, `SSH_ASKPASS_REQUIRE`).
struct AskPass {
    let program: String
    /// Whether it is to be used even where there is a terminal.
    let isPreferred: Bool

    /// The program the environment names; nil where there is none or it is not to be used.
    init?(environment: (String) -> String?) {
        func isSet(_ name: String) -> Bool { !(environment(name) ?? "").isEmpty }
        var isAllowed = isSet("DISPLAY") || isSet("WAYLAND_DISPLAY")
        var isPreferred = false
        switch environment("SSH_ASKPASS_REQUIRE") {
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
    func ask(_ prompt: String) -> [UInt8]? {
        var ends: (CInt, CInt) = (-1, -1)
        let made = withUnsafeMutableBytes(of: &ends) { pipe($0.assumingMemoryBound(to: CInt.self).baseAddress) }
        guard made == 0 else { return nil }
        defer { close(ends.0) }
        var child: pid_t = 0
        let isStarted = spawn(prompt, output: ends.1, unused: ends.0, child: &child)
        close(ends.1)
        guard isStarted else { return nil }
        var answer: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 1024)
        while true {
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

    private func spawn(_ prompt: String, output: CInt, unused: CInt, child: inout pid_t) -> Bool {
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
        return posix_spawnp(&child, program, &actions, nil, &arguments, environ) == 0
    }
}
