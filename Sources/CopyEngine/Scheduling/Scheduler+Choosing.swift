import Files

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
