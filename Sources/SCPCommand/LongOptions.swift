import CopyEngine
import Files
import RemoteHosts

/// What the options that are this command's alone say: OpenSSH's scp has no long ones.
struct LongOptions {
    /// How often in a row a lost connection is made again to no avail (`--retries`); nil where the user did not say.
    var retries: Int?
    /// Goes on from what an earlier copy left at the target (`--resume`).
    var resume = false
    /// Which files are copied (`--exclude` and others).
    var filter = CopyFilter()
    /// What becomes of files that are at the target already (`--no-clobber`, `--update`, `--skip-unchanged`).
    var update = UpdateRule.always
    /// Tells what would be copied, and copies nothing (`--dry-run`).
    var isDryRun = false
    /// Tells at the end what was done (`--stats`).
    var showsStatistics = false
    /// How many connections to a server are used (`--connections`).
    var connections = ConnectionCount.auto
    /// How carefully files are written (`--atomic`, `--fsync`).
    var writing = WritingRule()
    /// Compares hashes of every file at both ends once it is copied (`--verify`).
    var verify = false
    /// The congestion control of the connections (`--congestion`); nil for the system's choice.
    var congestionControl: String?
    /// Events go to standard output, one line of JSON each (`--json`).
    var json = false
    /// The file that a line for each event is added to (`--log`).
    var log: BytePath?
}

extension CopyOptions {
    /// How often in a row a lost connection is made again to no avail.
    var retries: Int { long.retries ?? RetryPolicy.usual.retries }
}
