import TestSupport

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Passes TCP connections on to a port of this machine as if over a long link, for the benchmarks:
///
///     LinkEmulator PORT ROUND_TRIP_MILLISECONDS MEGABITS_PER_SECOND
///
/// prints the port to connect to and, when its standard input ends, how many bytes and flights passed each way. A flight
/// is what one side sends before it hears from the other.
@main
enum LinkEmulator {
    static func main() throws {
        let numbers = CommandLine.arguments.dropFirst().compactMap { Int($0) }
        guard numbers.count == 3 else {
            print("usage: LinkEmulator PORT ROUND_TRIP_MILLISECONDS MEGABITS_PER_SECOND")
            return
        }
        let bandwidth = numbers[2] * 1_000_000 / 8
        let delay = Duration.milliseconds(numbers[1]) / 2
        // As much as the link holds may wait for it, as in a router that is set up well.
        let inFlight = bandwidth * numbers[1] / 1000
        let relay = try Relay(
            to: numbers[0], link: Link(delay: delay, bandwidth: bandwidth, buffer: max(512 * 1024, inFlight)))
        print(relay.port)
        fflush(nil)
        while readLine() != nil {}
        for direction in Direction.allCases {
            print("\(direction): \(relay.byteCount(direction)) bytes, \(relay.flightCount(direction)) flights")
        }
        relay.stop()
    }
}
