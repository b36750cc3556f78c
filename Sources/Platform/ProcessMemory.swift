import CSystemCalls

/// How this process keeps its memory.
package enum ProcessMemory {
    /// Lets the C library keep blocks that were freed, up to a bound, for the next block of a file. By default it gives
    /// large ones back to the system, which zeroes and maps pages for each block anew: a third of a copy's time.
    package static func keepFreedBlocks() { scp_keep_freed_blocks() }

    /// Overwrites memory that held a secret, in a way that the compiler may not leave out.
    package static func wipe(_ memory: UnsafeMutableRawBufferPointer) {
        guard let start = memory.baseAddress, !memory.isEmpty else { return }
        #if canImport(Darwin)
            memset_s(start, memory.count, 0, memory.count)
        #else
            explicit_bzero(start, memory.count)
        #endif
    }
}
