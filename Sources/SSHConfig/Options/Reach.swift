extension ClientOptions {
    /// How far the default offer of algorithms goes.
    ///
    /// Audits find nothing weak in the usual one. A server that has nothing of it is connected to again with the wide one,
    /// which ends with what such servers have. So nothing sound gives way to something weak: in both offers it comes first,
    /// and both are in the hash that the host key signs.
    package enum Reach: Sendable {
        case usual
        case wide
    }

    /// Whether there is an offer left to make where one had nothing for the server.
    package var canReachFurther: Bool {
        reach == .usual && [keyExchanges, macs, hostKeyAlgorithms].contains(nil)
    }

    /// The defaults, with the fallbacks behind them where they are due.
    package func offer<Algorithm>(_ defaults: [Algorithm], _ fallbacks: [Algorithm]) -> [Algorithm] {
        reach == .usual ? defaults : defaults + fallbacks
    }
}
