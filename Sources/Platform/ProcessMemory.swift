import CSystemCalls

/// How this process keeps its memory.
package enum ProcessMemory {
    /// Lets the C library keep blocks that were freed, up to a bound, for the next block of a file. By default it gives
    /// large ones back to the system, which zeroes and maps pages for each block anew: a third of a copy's time.
    package static func keepFreedBlocks() { scp_keep_freed_blocks() }
}
