/// What a user still has to do to be let in: several ways, each a list of methods that are all needed, in order
/// (`AuthenticationMethods` of sshd_config(5)).
struct LoginSteps: Equatable {
    private var ways: [[LoginMethod]]
    private(set) var done: [LoginMethod] = []

    /// A way without any method would let everybody in: it is none.
    init(_ ways: [[LoginMethod]]) { self.ways = ways.filter { !$0.isEmpty } }

    /// The methods that come next, each once.
    var next: [LoginMethod] {
        var methods: [LoginMethod] = []
        for way in ways {
            if let method = way.first, !methods.contains(method) { methods.append(method) }
        }
        return methods
    }

    /// One method is done; whether that was the last of a way.
    mutating func complete(_ method: LoginMethod) -> Bool {
        guard next.contains(method) else { return false }
        done.append(method)
        ways = ways.map { $0.first == method ? Array($0.dropFirst()) : $0 }
        return ways.contains { $0.isEmpty }
    }
}

extension LoginPermissions {
    /// What two steps leave together; nil where each forces a command of its own.
    func joined(with other: LoginPermissions) -> LoginPermissions? {
        if let mine = forcedCommand, let theirs = other.forcedCommand, mine != theirs { return nil }
        var both = self
        both.forcedCommand = forcedCommand ?? other.forcedCommand
        both.isReadOnly = isReadOnly || other.isReadOnly
        return both
    }
}
