import Platform
import SSHServer

/// Makes lines for a password file: asks on the terminal where there is one, else takes the first line of standard input.
enum PasswordHashing {
    static func run(user: String) throws {
        let isTerminal = isatty(STDIN_FILENO) == 1
        let password = try ask("Password for \(user): ", isTerminal)
        guard let password, !password.isEmpty else { throw StartFailure("no password was given") }
        // What nobody sees is easily mistyped.
        if isTerminal, try ask("Once more: ", isTerminal) != password {
            throw StartFailure("the two are not the same")
        }
        do { print(try PasswordFile.line(user: user, password: LoginSecret(password))) } catch {
            throw StartFailure("\(error)")
        }
    }

    private static func ask(_ question: String, _ isTerminal: Bool) throws -> String? {
        try withoutEcho(isTerminal) {
            // Asked once nothing is shown any more, as what was typed before that is thrown away.
            if isTerminal { SCPDMain.write(question) }
            return readLine(strippingNewline: true)
        }
    }

    private static func withoutEcho<T>(_ isTerminal: Bool, _ body: () throws -> T) throws -> T {
        var before = termios()
        guard isTerminal, tcgetattr(STDIN_FILENO, &before) == 0 else { return try body() }
        var silent = before
        silent.c_lflag &= ~tcflag_t(ECHO)
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent)
        defer {
            tcsetattr(STDIN_FILENO, TCSAFLUSH, &before)
            SCPDMain.write("\n")
        }
        return try body()
    }
}
