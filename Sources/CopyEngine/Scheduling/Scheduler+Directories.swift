import Files

// Directories, from the moment they are met until all in them is done.
extension Scheduler {
    /// The source has a directory, whose entries come next.
    ///
    /// - Parameter isRoot: the copy begins with it.
    /// - Returns: nil if they are not wanted.
    func enter(
        _ name: [UInt8]?, _ path: BytePath, _ attributes: FileAttributes, in parent: DirectoryJob?, isRoot: Bool
    ) -> DirectoryJob? {
        if ledger.isSettled(path) { return nil }
        if !isRoot, leavesOut(name ?? [], path, isDirectory: true, in: parent) { return nil }
        guard (parent?.depth ?? 0) < Self.maximumDepth else {
            problem(CopyError(path, .source, .tooDeep(limit: Self.maximumDepth)))
            return nil
        }
        unfinished += 1
        let directory = DirectoryJob(name: name, source: path, attributes: attributes, parent: parent)
        if isFiltered, !isRoot { directory.place = place(of: name ?? [], in: parent) }
        return directory
    }

    /// The same for a source that goes through its directories one after another.
    ///
    /// - Parameter isUnnamed: at the top it is an entry of a source that has no name of its own.
    func enter(
        _ name: [UInt8]?, _ path: BytePath, _ attributes: FileAttributes, belowUnnamed isUnnamed: Bool = false
    ) -> DirectoryJob? {
        let parent = entered.last
        guard
            let directory = enter(name, path, attributes, in: parent, isRoot: parent == nil && !isUnnamed)
        else { return nil }
        entered.append(directory)
        target.make(directory, self)
        return directory
    }

    /// The source has told all of the directory that it entered last.
    func leave() {
        guard let directory = entered.popLast() else { return }
        target.leave(directory, self)
        childFinished(of: directory)
    }

    /// The directory is there.
    func isReady(_ directory: DirectoryJob, isNew: Bool) {
        directory.isNew = isNew || isOurs(directory)
        if isNew { ledger.note(made: directory.source) }
        directory.state = .ready
        let early = directory.early
        directory.early = []
        source.ready(directory, self)
        for job in early { target.open(job, self) }
        if directory.unfinished == 0 { target.finish(directory, self) }
    }

    /// Whether a directory that is there was made by this copy: over an earlier connection, or as an entry of one that was.
    private func isOurs(_ directory: DirectoryJob) -> Bool {
        ledger.hasMade(directory.source) || (ledger.isAgain && directory.parent?.isNew ?? false)
    }

    /// The directory is not there, and nothing below it can be copied.
    func lose(_ directory: DirectoryJob, _ error: CopyError) {
        // One word about the outermost is enough.
        if !directory.isLost { problem(error) }
        directory.state = .failed
        let early = directory.early
        directory.early = []
        source.lost(directory, error, self)
        // With files that are still to be refused, the last of them finishes it.
        if directory.unfinished == 0 { done(directory) }
        for job in early { refused(job, nil) }
    }

    func childFinished(of directory: DirectoryJob) {
        directory.unfinished -= 1
        guard directory.unfinished == 0 else { return }
        switch directory.state {
        case .asked: break
        case .ready: target.finish(directory, self)
        case .failed: done(directory)
        }
    }

    /// Nothing more is to be done of the directory.
    func done(_ directory: DirectoryJob) {
        unfinished -= 1
        if directory.state == .ready { summary.directories += 1 }
        ledger.settle(directory.source)
        source.left(directory, self)
        if let parent = directory.parent { childFinished(of: parent) }
    }

    /// An entry of a directory has to be looked at before it is known what it is.
    func look(at directory: DirectoryJob?) {
        unfinished += 1
        directory?.unfinished += 1
    }

    func looked(at directory: DirectoryJob?) {
        unfinished -= 1
        if let directory { childFinished(of: directory) }
    }
}
