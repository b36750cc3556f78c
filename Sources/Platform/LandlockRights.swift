#if os(Linux)
    /// The rights that a version of Landlock knows (linux/landlock.h).
    struct LandlockRights {
        /// Bits of LANDLOCK_ACCESS_FS_*.
        private enum File {
            static let execute: UInt64 = 1 << 0
            static let write: UInt64 = 1 << 1
            static let read: UInt64 = 1 << 2
            static let list: UInt64 = 1 << 3
            static let removeDirectory: UInt64 = 1 << 4
            static let removeFile: UInt64 = 1 << 5
            static let makeDirectory: UInt64 = 1 << 7
            static let makeRegular: UInt64 = 1 << 8
            static let makeLink: UInt64 = 1 << 12
            static let refer: UInt64 = 1 << 13
            static let truncate: UInt64 = 1 << 14
            static let controlDevice: UInt64 = 1 << 15
        }

        /// What a version is the first to know, and what cannot be forbidden without it.
        private struct Step {
            let version: Int
            let files: UInt64
            let gap: String
        }
        private static let steps = [
            Step(version: 1, files: (1 << 13) - 1, gap: "files"),
            Step(version: 2, files: File.refer, gap: "renames between directories"),
            Step(version: 3, files: File.truncate, gap: "truncation"),
            Step(version: 4, files: 0, gap: "TCP"),
            Step(version: 5, files: File.controlDevice, gap: "control of devices"),
            Step(version: 6, files: 0, gap: "signals"),
        ]

        private let version: Int

        init(version: Int) { self.version = version }

        /// All rights of files and directories that can be forbidden.
        var files: UInt64 { Self.steps.filter { $0.version <= version }.reduce(0) { $0 | $1.files } }
        /// LANDLOCK_ACCESS_NET_BIND_TCP and _CONNECT_TCP.
        var network: UInt64 { version >= 4 ? 0b11 : 0 }
        /// LANDLOCK_SCOPE_SIGNAL.
        var signals: UInt64 { version >= 6 ? 0b10 : 0 }
        var gaps: [String] { Self.steps.filter { $0.version > version }.map(\.gap) }

        var reading: UInt64 { files & (File.read | File.list) }
        var writing: UInt64 {
            files
                & (File.read | File.list | File.write | File.removeDirectory | File.removeFile | File.makeDirectory
                    | File.makeRegular | File.makeLink | File.refer | File.truncate | File.controlDevice)
        }
        var running: UInt64 { files & (File.read | File.list | File.execute) }
        /// Those that a rule for a file, and not a directory, may have.
        var ofFiles: UInt64 {
            files & (File.execute | File.write | File.read | File.truncate | File.controlDevice)
        }
    }
#endif
