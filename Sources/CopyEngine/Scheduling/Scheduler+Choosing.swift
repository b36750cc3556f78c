import Files
import NIOCore

// What of the sources is copied. What is left out is settled, and no error.
extension Scheduler {
    /// Whether a name is left out, which can be asked before anything else is known of it.
    ///
    /// - Parameters:
    ///   - isDirectory: nil if that is not known yet.
    ///   - parent: the directory it was met in; nil for a file that the user named.
    func leavesOut(_ name: [UInt8], _ path: BytePath, isDirectory: Bool?, in parent: DirectoryJob?) -> Bool {
        guard isFiltered, request.filter.leavesOut(place(of: name, in: parent), isDirectory: isDirectory) else {
            return false
        }
        leaveOut(path)
        return true
    }

    /// Whether a file is left out, of which all is known.
    func leavesOut(
        _ name: [UInt8], _ path: BytePath, _ attributes: FileAttributes, size: Int64, in parent: DirectoryJob?
    ) -> Bool {
        if leavesOut(name, path, isDirectory: false, in: parent) { return true }
        guard request.filter.asksForStatus else { return false }
        if request.filter.leavesOut(size: size, modified: attributes.modified) {
            leaveOut(path)
            return true
        }
        guard request.filter.asksForTimes, attributes.modified == nil else { return false }
        problem(CopyError(path, .source, .timeUnknown))
        return true
    }

    func place(of name: [UInt8], in parent: DirectoryJob?) -> [[UInt8]] { (parent?.place ?? []) + [name] }

    private func leaveOut(_ path: BytePath) {
        guard ledger.leaveOut(path) else { return }
        summary.leftOut += 1
        note(.leftOut(path))
    }
}

// Whether a file is copied over what is at the target. It is decided once, before anything is opened: over a later connection, what
// is there may be this copy's own.
extension Scheduler {
    /// The source has a file: it is opened in its turn, if the rule has it so.
    func decide(_ job: FileJob) {
        guard request.update != .always, !ledger.hasDecided(for: job.source) else { return waiting.append(job) }
        undecided += 1
        target.look(for: job, self)
    }

    /// What is at the target of a file is known; nil if nothing is.
    func found(_ job: FileJob, _ existing: Existing?) {
        undecided -= 1
        if let existing {
            if existing.isRegular, isTimeUnknown(job, existing) {
                job.fail(CopyError(job.source, .source, .timeUnknown))
            }
            if job.failure != nil { return refuse(job) }
            if stays(existing, job) { return pass(job) }
        }
        job.isExclusive = request.update == .ifMissing
        job.mayBeSame = request.update == .unlessSame && request.verify && existing?.size == job.size
        ledger.decide(for: job.source)
        waiting.append(job)
    }

    private func isTimeUnknown(_ job: FileJob, _ existing: Existing) -> Bool {
        request.update.asksForTimes(verifies: request.verify)
            && (job.attributes.modified == nil || existing.modified == nil)
    }

    private func stays(_ existing: Existing, _ job: FileJob) -> Bool {
        let modified = job.attributes.modified?.seconds ?? 0
        // As far as the target can tell it: version 3 of SFTP has 32 bits for it.
        let shown = request.target.sftpHost == nil ? modified : Int64(UInt32(clamping: modified))
        return switch request.update {
        case .always: false
        case .ifMissing: true
        case .ifNewer: existing.isRegular && (existing.modified ?? 0) >= shown
        case .unlessSame:
            existing.isRegular && !request.verify && existing.size == job.size && existing.modified == shown
        }
    }

    /// What is at the target of a file that is open at its source stays.
    func skip(_ job: FileJob) {
        openFiles.remove(job)
        pass(job)
    }

    private func pass(_ job: FileJob) {
        job.isSkipped = true
        note(.skipped(job.source))
        refuse(job)
    }

    /// A file that is not copied.
    private func refuse(_ job: FileJob) {
        source.close(job, self)
        done(job)
    }
}

extension Scheduler {
    /// All is known of a file that a dry run would have copied.
    func plan(_ job: FileJob) {
        openFiles.remove(job)
        summary.bytes += job.size
        observer.receive(.planned(CopyFile(number: job.number, path: job.source, size: job.size)))
        source.close(job, self)
        done(job)
    }
}
