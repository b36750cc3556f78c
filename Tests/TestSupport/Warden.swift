import Platform
import Synchronization

/// Ends the processes and removes the directories that a test process leaves behind, however that process ends: a trap,
/// SIGKILL and ^C included.
///
/// It is a shell that reads what to watch from a pipe. When the pipe closes, its writer is gone, and the shell cleans up.
final class Warden: Sendable {
    static let shared = Warden()

    private static let script = #"""
        trap '' HUP INT TERM
        pids=' '
        directories=' '
        end() {
            for child in $(cat "/proc/$2/task/$2/children" 2>/dev/null); do end "$1" "$child"; done
            kill "-$1" "$2" 2>/dev/null
        }
        while read -r what value; do
            case $what in
                +p) pids="$pids$value " ;;
                -p) pids="${pids%% "$value" *} ${pids#* "$value" }" ;;
                +d) directories="$directories$value " ;;
                -d) directories="${directories%% "$value" *} ${directories#* "$value" }" ;;
            esac
        done
        for pid in $pids; do end TERM "$pid"; done
        [ -z "${pids# }" ] || sleep 1
        for pid in $pids; do end KILL "$pid"; done
        for directory in $directories; do rm -rf "$directory"; done
        """#

    /// The pipe's end to write to; -1 where no shell could be started.
    private let pipe: Mutex<Int32>

    private init() {
        var ends: [Int32] = [-1, -1]
        guard makePipe(&ends) else {
            pipe = Mutex(-1)
            return
        }
        let started = try? spawn(
            "/bin/sh", ["-c", Self.script], environment: nil, directory: nil,
            descriptors: [.duplicate(ends[0], as: 0), .open("/dev/null", as: 1), .open("/dev/null", as: 2)])
        close(ends[0])
        if started == nil { close(ends[1]) }
        pipe = Mutex(started == nil ? -1 : ends[1])
    }

    func watch(pid: pid_t) { tell("+p \(pid)\n") }
    func forget(pid: pid_t) { tell("-p \(pid)\n") }
    func watch(directory: String) { tell("+d \(directory)\n") }
    func forget(directory: String) { tell("-d \(directory)\n") }

    private func tell(_ line: String) {
        pipe.withLock { descriptor in
            guard descriptor >= 0 else { return }
            try? writeAll(descriptor, Array(line.utf8)[...])
        }
    }
}
