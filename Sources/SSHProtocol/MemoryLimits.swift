/// The bounds of this layer: how much a connection keeps for its peer at most, in bytes. Whoever causes more is cut off.
///
/// Channel data is not among it: that is bounded by the windows.
package enum MemoryLimits {
    /// Before the user is let in: packets that are not whole, input that waits for a decision, messages that wait to be
    /// sent, and events that nobody has looked at, all together.
    package static let beforeLogin = 64 << 10
    /// The same once the user is let in. Packets alone may be of 256 KiB then.
    package static let afterLogin = 1 << 20
    /// Requests made on channels that nobody has accepted or claimed yet, of all channels together.
    static let unclaimedChannels = 64 << 10
    /// What an event or a message takes in memory beside its texts.
    static let overhead = 128
}
