/// Copies files and directory trees between this machine and others, or between others, by SFTP or by the SCP protocol.
///
/// ```swift
/// var request = CopyRequest(from: .local(["photos"]), to: .sftp(host, "backup"))
/// request.recursive = true
/// let summary = try await Copy(request).run()
/// ```
///
/// Hundreds of files are under way at once, so that a round trip is paid once for all of them. Files that exist are overwritten in
/// place, as OpenSSH does; runs of zeros become holes on this machine; symbolic links are followed. A connection that is lost is
/// made again by its ``CopyHost``, and the copy resumes with what had not arrived.
///
/// A copy that is cancelled ends within a second, whatever the other end does. What it leaves can be resumed from
/// (``CopyRequest/resume``): files end where their contents do.
public struct Copy: Sendable {
    private let request: CopyRequest
    private let observer: any CopyObserver
    /// How long a copy that is cancelled may take to close what is open at a server.
    package var farewell = Duration.milliseconds(500)

    public init(_ request: CopyRequest, observer: any CopyObserver = SilentObserver()) {
        self.request = request
        self.observer = observer
    }

    /// Copies the sources.
    ///
    /// - Returns: what was copied. What could not be is counted in ``CopySummary/errors`` and was a ``CopyEvent/problem(_:)``.
    /// - Throws: ``CopyError`` if the target is not as it must be; `SFTPError`, `SCPError` or what ended a stream before its time;
    ///   `CancellationError`.
    public func run() async throws -> CopySummary {
        if let refusal = request.refusal { throw refusal }
        let thread = CopyThread()
        defer { thread.stop() }
        let run = CopyRun(request.completed, observer, thread)
        let task = Task { try await run.run() }
        return try await withTaskCancellationHandler {
            try await task.value
        } onCancel: {
            run.cancel(task, within: farewell)
        }
    }
}
