import Files
import NIOCore
import SFTP

/// What is at a server before a copy overwrites it, for rules about that: the directories of the target are listed, many at a time
/// and ahead of their files, so that a file costs no round trip of its own.
final class SFTPTargetListing {
    /// Directories listed at a time, and READDIRs unanswered for each.
    private static let directoriesAtOnce = 64
    private static let readsAhead = 2
    /// Bytes of names that are held at a time; what lies in a directory that has more is asked for file by file.
    private static let bytesLimit = 64 << 20
    /// About what an entry takes besides its name, in bytes.
    private static let entryBytes = 100

    private let lane: SFTPLane
    /// Makes a directory that is not there.
    private let make: (DirectoryJob, Scheduler) -> Void
    /// Directories that are to be listed.
    private var queue = CircularBuffer<DirectoryJob>()
    private var underWay = 0
    private var held = 0

    init(_ lane: SFTPLane, make: @escaping (DirectoryJob, Scheduler) -> Void) {
        self.lane = lane
        self.make = make
    }

    /// Has a directory listed, or made where it is not there.
    func find(_ directory: DirectoryJob, _ scheduler: Scheduler) {
        if let parent = directory.parent, parent.state == .ready, parent.isNew || !mayHold(directory, parent) {
            return make(directory, scheduler)
        }
        directory.present = PresentFiles()
        queue.append(directory)
    }

    /// Whether the listing of its parent leaves it open that a directory is there.
    private func mayHold(_ directory: DirectoryJob, _ parent: DirectoryJob) -> Bool {
        guard let name = directory.name, let present = parent.present, present.state == .whole else { return true }
        return present.files[name] != nil
    }

    /// - Returns: false if nothing more can be listed before something is answered.
    func advance(_ scheduler: Scheduler, openLimit: Int) -> Bool {
        guard !queue.isEmpty, underWay < min(Self.directoriesAtOnce, max(1, openLimit / 2)), !lane.isFull,
            lane.mayOpen(atMost: openLimit), let directory = queue.popFirst()
        else { return false }
        underWay += 1
        lane.open(.opendir(path: directory.path.buffer), for: directory.source) {
            [unowned self, unowned scheduler] opened in
            switch opened {
            case .handle(let handle):
                scheduler.isReady(directory, isNew: false)
                for _ in 0..<Self.readsAhead { read(directory, handle, scheduler) }
            case .later:
                underWay -= 1
                queue.prepend(directory)
            case .refused:
                underWay -= 1
                make(directory, scheduler)
            }
        }
        return true
    }

    private func read(_ directory: DirectoryJob, _ handle: ByteBuffer, _ scheduler: Scheduler) {
        guard let present = directory.present else { return }
        present.reads += 1
        lane.submit(.readdir(handle: handle)) { [unowned self, unowned scheduler] (reply: SFTPReply) in
            present.reads -= 1
            if present.state == .unknown { take(reply, present) }
            if present.state == .unknown { return read(directory, handle, scheduler) }
            guard present.reads == 0 else { return }
            underWay -= 1
            lane.close(handle)
            settle(directory, scheduler)
        }
    }

    private func take(_ reply: SFTPReply, _ present: PresentFiles) {
        switch reply {
        case .names(let names) where !names.isEmpty:
            for name in names {
                let bytes = Array(name.name.readableBytesView)
                let added = bytes.count + Self.entryBytes
                (present.bytes, held) = (present.bytes + added, held + added)
                present.files[bytes] = Existing(listed: name.attributes)
            }
            if held > Self.bytesLimit { forget(present) }
        case .status(let status) where status.code == .endOfFile: present.state = .whole
        default: forget(present)
        }
    }

    private func forget(_ present: PresentFiles) {
        held -= present.bytes
        (present.files, present.bytes, present.state) = ([:], 0, .askedOneByOne)
    }

    /// All in a directory is done.
    func forget(_ directory: DirectoryJob) {
        if let present = directory.present { forget(present) }
    }

    /// Nothing more will be known of a directory: its files are told of.
    func settle(_ directory: DirectoryJob, _ scheduler: Scheduler) {
        guard let present = directory.present else { return }
        if present.state == .unknown { present.state = .askedOneByOne }
        let waiting = present.waiting
        present.waiting = []
        for job in waiting { look(for: job, scheduler) }
    }

    /// Tells what is at the target of a file: ``Scheduler/found(_:_:)``.
    func look(for job: FileJob, _ scheduler: Scheduler) {
        guard let directory = job.directory else { return ask(job, scheduler) }
        if directory.isLost || (directory.state == .ready && directory.isNew) { return scheduler.found(job, nil) }
        guard let present = directory.present else { return ask(job, scheduler) }
        switch present.state {
        case .unknown: present.waiting.append(job)
        case .askedOneByOne: ask(job, scheduler)
        case .whole:
            guard let existing = present.files[job.name] else { return scheduler.found(job, nil) }
            if existing.isConclusive { scheduler.found(job, existing) } else { ask(job, scheduler) }
        }
    }

    /// Asks for one file alone.
    private func ask(_ job: FileJob, _ scheduler: Scheduler) {
        lane.submit(.stat(path: job.path.buffer)) { [unowned self, unowned scheduler] (reply: SFTPReply) in
            if case .attributes(let attributes) = reply { return scheduler.found(job, Existing(attributes)) }
            // A link that leads nowhere is there all the same.
            lane.submit(.lstat(path: job.path.buffer)) { [unowned scheduler] (reply: SFTPReply) in
                guard case .attributes(let attributes) = reply else { return scheduler.found(job, nil) }
                scheduler.found(job, Existing(attributes))
            }
        }
    }
}

/// What is in a directory of the target.
final class PresentFiles {
    var files: [[UInt8]: Existing] = [:]
    /// About what they take, in bytes.
    var bytes = 0
    /// READDIRs that are unanswered.
    var reads = 0
    var state = State.unknown
    enum State {
        case unknown
        case whole
        /// The directory cannot be listed, or holds too much.
        case askedOneByOne
    }
    /// Files that wait to be told of.
    var waiting: [FileJob] = []
}

extension Existing {
    init(_ attributes: SFTPAttributes) {
        self.init(
            size: attributes.size.map { Int64(clamping: $0) } ?? -1,
            modified: attributes.times.map { Int64($0.modified) }, mark: nil,
            isRegular: attributes.kind == .regular || attributes.kind == nil)
    }

    /// What a listing says of an entry, which is not followed if it is a link.
    init(listed attributes: SFTPAttributes) {
        self.init(attributes)
        isConclusive =
            attributes.kind != nil && attributes.kind != .symbolicLink && attributes.size != nil
            && attributes.times != nil
    }
}
