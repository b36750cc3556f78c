import Dispatch

/// The signals that ask for an end in good order, and SIGHUP, which asks a server for its files to be read again.
package final class Signals {
    /// What arrives, from the making of this object on; they end nothing by themselves any more.
    package let numbers: AsyncStream<Int32>
    private let sources: [any DispatchSourceSignal]

    package init() {
        let (stream, continuation) = AsyncStream.makeStream(of: Int32.self)
        numbers = stream
        // What whoever started this process had it ignore, as nohup does, it goes on to ignore.
        sources = [SIGTERM, SIGINT, SIGHUP].filter { !SystemCall.isIgnored($0) }.map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number)
            source.setEventHandler { continuation.yield(number) }
            source.resume()
            return source
        }
    }
}
