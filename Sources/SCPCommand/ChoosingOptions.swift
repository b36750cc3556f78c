import CommandOptions
import CopyEngine
import Files
import SSHConfig
import SSHKeys

extension CopyOptions {
    /// Which files are copied.
    static let choosing: [CommandOption<CopyOptions>] = [
        .init(
            "exclude", value: .init("PATTERN"),
            help: "leave out what matches, by the rules of gitignore; may be repeated",
            manual: """
                Leaves out what matches PATTERN, by the rules of
                .Xr gitignore 5 :
                the last pattern that matches decides, a slash at the beginning or in the middle makes it one for the path below
                the source, a slash at the end one for directories alone.
                A directory that is left out is not entered.
                Where a source is a directory, the patterns are about what is in it.
                """,
            synonyms: ["ignore", "filter", "skip"]
        ) { (options, value) in options.long.filter.rules.add(Array(value.utf8)) },
        .init(
            "include", value: .init("PATTERN"), help: "copy what matches although a pattern before leaves it out",
            synonyms: ["only"]
        ) { (options, value) in options.long.filter.rules.add(Array(value.utf8), takesIn: true) },
        .init(
            "exclude-from", value: .init("FILE", .file),
            help: "leave out what the patterns in a file match, one a line",
            synonyms: ["ignore-file", "filter-from", "exclude-file"]
        ) { (options, value) throws(OptionFault) in
            do throws(TextFile.Failure) {
                options.long.filter.rules.add(linesOf: try TextFile.read(value).bytes)
            } catch {
                throw OptionFault("\(FileError.Cause.system(error.number))", .meaning)
            }
        },
        .init(
            "max-depth", value: .init("N"),
            help: "go N levels deep; 1 for the files directly in the source alone", synonyms: ["depth", "maxdepth"]
        ) { (options, value) throws(OptionFault) in
            guard let depth = number(value), (1...1_000_000).contains(depth) else {
                throw OptionFault("a number from 1 to 1000000 is wanted", .meaning)
            }
            options.long.filter.maximumDepth = depth
        },
        .init("min-size", value: .init("SIZE"), help: "leave out smaller files; 10K, 1.5M, 2G are understood") {
            (options, value) throws(OptionFault) in options.long.filter.minimumSize = try size(value)
        },
        .init("max-size", value: .init("SIZE"), help: "leave out larger files") {
            (options, value) throws(OptionFault) in options.long.filter.maximumSize = try size(value)
        },
        .init(
            "newer-than", value: .init("AGE"),
            help: "leave out what was modified before; 90s, 10m, 2h, 3d, 1w ago, or a date",
            manual: """
                Leaves out files that were not modified within AGE, such as 90s, 10m, 2h, 3d or 1w, or after a date, such as
                2026-01-31, 2026-01-31T12:00:00 or, where it is one of UTC, 2026-01-31T12:00:00Z.
                """,
            synonyms: ["max-age", "since", "newer"]
        ) { (options, value) throws(OptionFault) in options.long.filter.newerThan = try moment(value) },
        .init(
            "older-than", value: .init("AGE"), help: "leave out what was modified since",
            synonyms: ["min-age", "before", "older"]
        ) { (options, value) throws(OptionFault) in options.long.filter.olderThan = try moment(value) },
        .init(
            "no-clobber", help: "leave alone what is at the target already",
            synonyms: ["ignore-existing", "noclobber", "no-overwrite"]
        ) { (options, _) throws(OptionFault) in try options.long.set(.ifMissing) },
        .init(
            "update", help: "overwrite a file only where the source was modified later", synonyms: ["newer-only"]
        ) { (options, _) throws(OptionFault) in try options.long.set(.ifNewer) },
        .init(
            "skip-unchanged", help: "skip files with the same size and time, as -p leaves them",
            manual: """
                Skips files that have the same size and time of modification at the target, in seconds, as
                .Fl p
                leaves them.
                With
                .Fl Fl verify
                the size and the SHA-256 decide.
                """,
            synonyms: ["unchanged", "size-only", "sync"]
        ) { (options, _) throws(OptionFault) in try options.long.set(.unlessSame) },
        .init(
            "dry-run", help: "copy nothing: list what would be copied, size and path",
            manual: """
                Copies nothing and changes nothing at the target.
                Each file that would be copied is a line on standard output: its size in bytes, a tab and where it comes from.
                """,
            synonyms: ["list-only", "simulate", "just-print", "plan"]
        ) { (options, _) in options.long.isDryRun = true },
    ]

    private static func size(_ text: String) throws(OptionFault) -> Int64 {
        guard let size = scaled(text) else {
            throw OptionFault("a size such as 4096, 10K, 1.5M or 2G is wanted", .meaning)
        }
        return Int64(size)
    }

    /// An age, counted from now, or a date.
    private static func moment(_ text: String) throws(OptionFault) -> FileTime {
        if let time = age(text) ?? date(text) { return time }
        throw OptionFault("an age such as 90s, 10m, 2h, 3d or 1w, or a date such as 2026-01-31 is wanted", .meaning)
    }

    private static func age(_ text: String) -> FileTime? {
        let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800]
        guard let unit = text.last.flatMap({ units[$0] }), let count = number(String(text.dropLast())),
            count <= 1_000_000_000
        else { return nil }
        var time = FileTime.now()
        time.seconds -= Int64(count) * unit
        return time
    }

    /// `2026-01-31`, with `T12:00:00` behind it perhaps; local time, unless it ends with `Z`.
    private static func date(_ text: String) -> FileTime? {
        let form = text.map { $0.isWholeNumber ? "0" : String($0) }.joined()
        guard
            ["", "T00:00", "T00:00Z", "T00:00:00", "T00:00:00Z"].contains(where: { form == "0000-00-00" + $0 }),
            let seconds = ExpiryTime.parse(text.utf8.filter { !Array("-:T".utf8).contains($0) })
        else { return nil }
        return FileTime(seconds: Int64(clamping: seconds))
    }

    /// A number, a fraction perhaps, that K, M or G may follow, as scan_scaled(3) reads it.
    static func scaled(_ text: String) -> Int? {
        let units: [Character: Int] = ["b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30]
        var digits = text[...]
        var unit = 1
        if let last = digits.last.flatMap({ units[Character($0.lowercased())] }) {
            unit = last
            digits = digits.dropLast()
        }
        let parts = digits.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard parts.count <= 2, !parts[0].isEmpty, let whole = number(parts[0]), whole <= (1 << 62) / unit else {
            return nil
        }
        guard parts.count == 2 else { return whole * unit }
        guard (1...9).contains(parts[1].count), let fraction = number(parts[1]) else { return nil }
        let divisor = (0..<parts[1].count).reduce(1) { product, _ in product * 10 }
        return whole * unit + fraction * unit / divisor
    }
}

extension LongOptions {
    /// One of the wishes that an scp on another machine knows nothing of.
    var wishOfOurs: String? {
        if !filter.isEmpty { return "choosing files" }
        if update != .always { return update.wish }
        if let wish = writing.wish { return wish }
        if isDryRun { return "--dry-run" }
        if resume { return "--resume" }
        return verify ? "--verify" : nil
    }

    /// - Throws: ``OptionFault`` if another rule was given before.
    mutating func set(_ rule: UpdateRule) throws(OptionFault) {
        guard update == .always || update == rule else {
            throw OptionFault("\(rule.wish) contradicts \(update.wish)", .meaning)
        }
        update = rule
    }

    /// What of these wishes contradicts another; nil if all go together.
    var contradiction: String? {
        if resume, isDryRun { return "--dry-run contradicts --resume: what is missing shows only in the copy" }
        if resume, !update.allowsResuming { return "\(update.wish) contradicts --resume" }
        if let least = filter.minimumSize, let most = filter.maximumSize, least > most {
            return "--min-size \(least) contradicts --max-size \(most): no file has such a size"
        }
        if let after = filter.newerThan, let before = filter.olderThan, after >= before {
            return "--newer-than contradicts --older-than: no file is of such an age"
        }
        return nil
    }
}
