import SCPCommand
import SCPDCommand

/// One program for both commands, which share most of their code: what it is depends on the name it is started by.
@main
enum Commands {
    /// Not async: the commands give up rights before there is a second thread.
    static func main() {
        let name = CommandLine.arguments.first?.split(separator: "/").last ?? ""
        if name.hasSuffix("scpd") { SCPDMain.main() } else { SCPMain.main() }
    }
}
