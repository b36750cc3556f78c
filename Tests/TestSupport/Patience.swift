/// How long a test waits for what has to come before it gives up. A machine that runs many tests at a time lets any of
/// them, and any program they started, stand still for a minute now and then; only what hangs takes longer than this.
package let patience: Duration = .seconds(300)

/// The minutes after which a test that still runs is taken to hang, for the trait `timeLimit`.
package let hangMinutes = 15

/// Waits until something is so.
///
/// - Parameter what: what is waited for, in the words of an error.
/// - Throws: `TestSupportError` if it does not come.
package func eventually(
    _ what: @autoclosure () -> String, _ isSo: () async throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + patience
    while true {
        // Read before the look: the last one comes after the time is over, however long the machine stood still.
        let isLast = ContinuousClock.now >= deadline
        if try await isSo() { return }
        guard !isLast else { throw TestSupportError("in vain waited for: \(what())") }
        try await Task.sleep(for: .milliseconds(10))
    }
}

/// Uses something again and again for some time.
///
/// - Returns: nil if all went well. Else how long before its failure the last use that went well had begun: whoever ends
///   what is not used for a time has done wrong if that is less, and is not to blame for a machine that stood still.
package func use(for time: Duration, _ body: () async throws -> Void) async throws -> Duration? {
    var last = ContinuousClock.now
    let end = last + time
    while ContinuousClock.now < end {
        let begun = ContinuousClock.now
        do { try await body() } catch { return ContinuousClock.now - last }
        last = begun
        try await Task.sleep(for: .milliseconds(50))
    }
    return nil
}
