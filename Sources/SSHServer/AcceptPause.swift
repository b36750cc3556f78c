import NIOCore
import Platform

/// Accepts nothing for a while where the system has no descriptor or no memory left for another connection. Without it the
/// event loop would be told of the waiting connection again and again.
final class AcceptPause: ChannelInboundHandler {
    typealias InboundIn = any Channel

    /// Long enough to cost nothing, short enough for a client to wait.
    static let duration = TimeAmount.milliseconds(500)
    private static let shortages: Set<Int32> = [EMFILE, ENFILE, ENOBUFS, ENOMEM]

    private let tell: @Sendable (_ reason: Int32) -> Void
    private var isPausing = false

    /// - Parameter tell: told of each pause, with the value of errno.
    init(tell: @escaping @Sendable (_ reason: Int32) -> Void) { self.tell = tell }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let error = error as? IOError, Self.shortages.contains(error.errnoCode) else {
            return context.fireErrorCaught(error)
        }
        guard !isPausing else { return }
        isPausing = true
        tell(error.errnoCode)
        // A read that failed is still due, and asked for anew by no handler: only this has the channel look away.
        try? context.channel.syncOptions?.setOption(.autoRead, value: false)
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        context.eventLoop.scheduleTask(in: Self.duration) {
            let (handler, context) = bound.value
            handler.isPausing = false
            try? context.channel.syncOptions?.setOption(.autoRead, value: true)
        }
    }
}
