import Platform
import Synchronization

#if canImport(Darwin)
    private let newSession = Int32(POSIX_SPAWN_SETSID)
#else
    // POSIX_SPAWN_SETSID of <spawn.h>, which Swift's view of the C library lacks.
    private let newSession: Int32 = 0x80
#endif

/// How a child gets one of its descriptors.
enum ChildDescriptor {
    case duplicate(Int32, as: Int32)
    case open(String, as: Int32)
}

/// Held from the making of a descriptor until it is close-on-exec, and while a child starts: so no child inherits one by
/// accident and keeps a pipe open.
private let spawning = Mutex<Void>(())

/// Makes a pipe whose ends no child inherits unasked.
package func makePipe(_ ends: inout [Int32]) -> Bool {
    var made: [Int32] = [-1, -1]
    let succeeded = spawning.withLock { _ in
        guard pipe(&made) == 0 else { return false }
        for end in made { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        return true
    }
    ends = made
    return succeeded
}

/// Opens a descriptor that no child inherits unasked.
func openUninherited(_ open: () -> Int32) -> Int32 {
    spawning.withLock { _ in
        let descriptor = open()
        if descriptor >= 0 { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
        return descriptor
    }
}

/// The test process's environment with `changes` made to it; a nil value takes a variable out.
func mergedEnvironment(_ changes: [String: String?]) -> [String] {
    var result: [String] = []
    var next = environ
    while let entry = next.pointee {
        let text = String(cString: entry)
        let name = String(text.prefix { $0 != "=" })
        if !changes.keys.contains(name) { result.append(text) }
        next += 1
    }
    for (name, value) in changes {
        if let value { result.append("\(name)=\(value)") }
    }
    return result
}

/// Starts a program as the leader of a session of its own, with default signal handling and no descriptors but those
/// given. A terminal among them that is opened by name becomes its controlling terminal.
func spawn(
    _ program: String, _ arguments: [String], environment: [String]?, directory: String?,
    descriptors: [ChildDescriptor]
) throws -> pid_t {
    var actions = SystemCall.newFileActions()
    var attributes = SystemCall.newSpawnAttributes()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }

    for descriptor in descriptors {
        switch descriptor {
        case .duplicate(let source, let target): posix_spawn_file_actions_adddup2(&actions, source, target)
        case .open(let path, let target): posix_spawn_file_actions_addopen(&actions, target, path, O_RDWR, 0)
        }
    }

    var signals = sigset_t()
    sigfillset(&signals)
    posix_spawnattr_setsigdefault(&attributes, &signals)
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigmask(&attributes, &none)
    let flags = Int32(POSIX_SPAWN_SETSIGDEF) | Int32(POSIX_SPAWN_SETSIGMASK) | newSession | SystemCall.spawnFlags
    posix_spawnattr_setflags(&attributes, Int16(flags))

    var command = [program] + arguments
    if let directory {
        command = ["/bin/sh", "-c", #"cd "$0" && exec "$@""#, directory] + command
    }
    var argv: [UnsafeMutablePointer<CChar>?] = command.map { strdup($0) } + [nil]
    var envp: [UnsafeMutablePointer<CChar>?] = (environment ?? mergedEnvironment([:])).map { strdup($0) } + [nil]
    defer { for pointer in argv + envp { free(pointer) } }

    var pid = pid_t()
    let result = spawning.withLock { _ in posix_spawn(&pid, command[0], &actions, &attributes, &argv, &envp) }
    guard result == 0 else { throw SystemError("starting \(program)", code: result) }
    return pid
}
