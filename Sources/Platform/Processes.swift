// What systems have in different ways for signals and for starting programs.

extension SystemCall {
    #if canImport(Darwin)
        package typealias FileActions = posix_spawn_file_actions_t?
        package typealias SpawnAttributes = posix_spawnattr_t?
        /// To be given to `posix_spawn_file_actions_init`.
        package static func newFileActions() -> FileActions { nil }
        package static func newSpawnAttributes() -> SpawnAttributes { nil }
        /// Flags of posix_spawn(2) that keep descriptors from a program.
        package static let spawnFlags = Int32(POSIX_SPAWN_CLOEXEC_DEFAULT)
        /// Lets a program have a descriptor in spite of ``spawnFlags``.
        package static func inherit(_ descriptor: Int32, _ actions: inout FileActions) {
            posix_spawn_file_actions_addinherit_np(&actions, descriptor)
        }
    #else
        package typealias FileActions = posix_spawn_file_actions_t
        package typealias SpawnAttributes = posix_spawnattr_t
        /// To be given to `posix_spawn_file_actions_init`.
        package static func newFileActions() -> FileActions { FileActions() }
        package static func newSpawnAttributes() -> SpawnAttributes { SpawnAttributes() }
        /// Flags of posix_spawn(2) that keep descriptors from a program; here each descriptor is marked by itself.
        package static let spawnFlags: Int32 = 0
        /// Lets a program have a descriptor in spite of ``spawnFlags``.
        package static func inherit(_ descriptor: Int32, _ actions: inout FileActions) {}
    #endif

    /// Ends this process as a signal does that nobody handles, so that whoever started it learns of that.
    package static func end(by number: Int32) -> Never {
        signal(number, SIG_DFL)
        var set = sigset_t()
        sigemptyset(&set)
        sigaddset(&set, number)
        pthread_sigmask(SIG_UNBLOCK, &set, nil)
        kill(getpid(), number)
        // It may come by way of another thread; where it does not, the number says what a shell would.
        sleep(1)
        exit(128 + number)
    }

    /// Whether a signal is ignored, as it may be from the start (nohup(1)).
    package static func isIgnored(_ signal: Int32) -> Bool {
        var action = sigaction()
        guard sigaction(signal, nil, &action) == 0 else { return false }
        #if canImport(Darwin)
            let handler = action.__sigaction_u.__sa_handler
        #else
            let handler = action.__sigaction_handler.sa_handler
        #endif
        return unsafeBitCast(handler, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
    }
}
