/// How many descriptors this process may have (RLIMIT_NOFILE of getrlimit(2)).
package enum OpenFilesLimit {
    #if canImport(Glibc)
        private static let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    #else
        private static let resource = RLIMIT_NOFILE
    #endif

    /// The limit, with `reserve` of them left for all else, and never less than 8.
    package static func current(leaving reserve: Int) -> Int {
        var limit = rlimit()
        guard getrlimit(resource, &limit) == 0 else { return 64 }
        return max(8, Int(clamping: limit.rlim_cur) - reserve)
    }

    /// Takes as many as the system allows, and no more than there is use for: each connection of a server takes one, each
    /// open file too.
    package static func raise() {
        var limit = rlimit()
        guard getrlimit(resource, &limit) == 0 else { return }
        let wanted = min(limit.rlim_max, 1 << 20)
        guard limit.rlim_cur < wanted else { return }
        limit.rlim_cur = wanted
        // Where that fails the lower limit is kept to.
        _ = setrlimit(resource, &limit)
    }
}
