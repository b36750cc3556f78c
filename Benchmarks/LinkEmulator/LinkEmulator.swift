#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Carries packets between two TUN devices as a link with delay, rate, queue and loss does, for the benchmarks:
///
///     LinkEmulator FIRST SECOND SEED THERE BACK
///
/// FIRST and SECOND are the devices' descriptors, which its parent has opened (IFF_TUN, IFF_NO_PI, IFF_VNET_HDR, not
/// blocking); THERE and BACK say what happens to packets read from the first and the second (`LinkSettings`). Unlike a
/// relay's, the two ends' TCP is one connection. When standard input ends it prints what passed, as JSON.
@main
enum LinkEmulator {
    static func main() {
        let words = CommandLine.arguments.dropFirst()
        let numbers = words.prefix(3).compactMap { UInt64($0) }
        let settings = words.dropFirst(3).compactMap { LinkSettings($0) }
        guard words.count == 5, numbers.count == 3, settings.count == 2, max(numbers[0], numbers[1]) < 64 else {
            print("usage: LinkEmulator FIRST SECOND SEED delay=MS,rate=MBIT,queue=KIB,loss=PERCENT delay=…")
            exit(2)
        }
        var link = EmulatedLink(
            ends: (CInt(numbers[0]), CInt(numbers[1])),
            queues: (LinkQueue(settings[0], seed: numbers[2]), LinkQueue(settings[1], seed: numbers[2] &+ 1)))
        sharpenTimers()
        link.run()
        link.report()
    }

    /// The system wakes a process up to 50 µs late unless it asks otherwise (proc_pid_timerslack_ns(5)).
    private static func sharpenTimers() {
        let file = open("/proc/self/timerslack_ns", O_WRONLY)
        guard file >= 0 else { return }
        _ = write(file, "1", 1)
        close(file)
    }
}

/// The two devices and what is on its way between them.
struct EmulatedLink {
    /// How many packets are read from one end before the other is looked at.
    private static let batch = 64
    /// Packets due within so many nanoseconds are delivered together, as network cards coalesce their interrupts.
    private static let coalescing: UInt64 = 100_000
    private static let largestPacket = TunnelPacket.prefixSize + 65_536

    private let ends: (CInt, CInt)
    private var there: LinkQueue
    private var back: LinkQueue
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.largestPacket, alignment: 16)
    private let begin = now()

    init(ends: (CInt, CInt), queues: (LinkQueue, LinkQueue)) {
        self.ends = ends
        (there, back) = queues
    }

    /// Carries packets until standard input ends.
    mutating func run() {
        while wait() {
            receive(from: ends.0, into: &there)
            receive(from: ends.1, into: &back)
            deliver(&there, to: ends.1)
            deliver(&back, to: ends.0)
        }
    }

    /// Waits until a packet came or one is due. Returns whether standard input goes on.
    private func wait() -> Bool {
        var limit = timespec(tv_sec: 3600, tv_nsec: 0)
        if let due = earliest {
            let current = now()
            let rest = max(due > current ? due - current : 0, Self.coalescing)
            limit = timespec(tv_sec: Int(rest / 1_000_000_000), tv_nsec: Int(rest % 1_000_000_000))
        }
        var readable = fd_set()
        readable.insert(0)
        readable.insert(ends.0)
        readable.insert(ends.1)
        guard pselect(max(ends.0, ends.1) + 1, &readable, nil, nil, &limit, nil) >= 0 else { return errno == EINTR }
        guard readable.contains(0) else { return true }
        return read(0, buffer.baseAddress, buffer.count) > 0
    }

    private var earliest: UInt64? {
        guard let first = there.due, let second = back.due else { return there.due ?? back.due }
        return min(first, second)
    }

    private func receive(from end: CInt, into queue: inout LinkQueue) {
        for _ in 0..<Self.batch {
            let count = read(end, buffer.baseAddress, buffer.count)
            guard count > 0 else { return }
            if let packet = TunnelPacket(UnsafeRawBufferPointer(rebasing: buffer[..<count])) {
                queue.put(packet, at: now())
            }
        }
    }

    private func deliver(_ queue: inout LinkQueue, to end: CInt) {
        while let packet = queue.next(at: now()) {
            // A device that takes no more loses the packet, as a network card does.
            _ = packet.withUnsafeBytes { write(end, $0.baseAddress, $0.count) }
        }
    }

    /// Prints what passed: bytes and counts of each direction, the processor's seconds, and how late packets were.
    func report() {
        var usage = rusage()
        getrusage(CInt(0), &usage)
        let processor =
            Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
            + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
        let directions = [("there", there.counts), ("back", back.counts)].map { name, counts in
            """
            "\(name)": {"segments": \(counts.segments), "bytes": \(counts.bytes), "lost": \(counts.lost), \
            "dropped": \(counts.dropped), "deepest": \(counts.deepest), \
            "late": \(Double(counts.late) / Double(max(1, counts.packets)) / 1e9), "latest": \(Double(counts.latest) / 1e9)}
            """
        }
        print(
            """
            {\(directions.joined(separator: ", ")), "processor": \(processor), \
            "wall": \(Double(now() - begin) / 1e9)}
            """)
    }
}

private func now() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}

extension fd_set {
    /// The bits of FD_SET(3), which Swift does not import; descriptors below 64.
    fileprivate mutating func insert(_ descriptor: CInt) {
        withUnsafeMutableBytes(of: &self) { $0[Int(descriptor) / 8] |= 1 << (descriptor % 8) }
    }

    fileprivate func contains(_ descriptor: CInt) -> Bool {
        withUnsafeBytes(of: self) { $0[Int(descriptor) / 8] & 1 << (descriptor % 8) != 0 }
    }
}
