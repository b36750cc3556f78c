/// What one direction of the link does to packets, written `delay=10,rate=100,queue=512,loss=0.01`: milliseconds, Mbit/s,
/// KiB and percent. What is left out is 0, and a rate or queue of 0 is none.
struct LinkSettings: Equatable {
    /// How long a packet travels after it has left the queue, in nanoseconds.
    var delay: UInt64 = 0
    /// Nanoseconds that the link takes to send a byte.
    var nanosecondsPerByte = 0.0
    /// How many bytes may wait to be sent; nil for any number.
    var queue: Int?
    /// The probability that a segment is lost.
    var loss = 0.0
    /// How many segments of one packet may stay together. At 1 Gbit/s the link takes 120 µs for ten of 1500 bytes: receivers
    /// of such a rate see batches of that size from their network cards too.
    var bundle = 1

    init() {}

    /// Returns nil for what is not written so.
    init?(_ text: String) {
        for part in text.split(separator: ",") {
            let words = part.split(separator: "=", maxSplits: 1)
            guard words.count == 2, let value = Double(words[1]), value >= 0, value < 1e6 else { return nil }
            switch words[0] {
            case "delay": delay = UInt64(value * 1e6)
            case "rate" where value > 0:
                nanosecondsPerByte = 8000 / value
                bundle = max(1, Int(value / 100))
            case "rate": break
            case "queue": queue = value > 0 ? Int(value * 1024) : nil
            case "loss" where value <= 100: loss = value / 100
            default: return nil
            }
        }
        if nanosecondsPerByte == 0 { bundle = 64 }
    }
}
