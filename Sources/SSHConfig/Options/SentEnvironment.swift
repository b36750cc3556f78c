import Platform

extension ClientOptions {
    /// The variables a session is asked to set on the server (RFC 4254 section 6.4): those of ours that `SendEnv` names,
    /// then those of `SetEnv`.
    ///
    /// - Parameter environment: the variables of this process, as `NAME=value`.
    package func sentVariables(
        of environment: [String] = LocalAccount.allVariables
    ) -> [(name: String, value: String)] {
        guard !sendEnvironment.isEmpty else { return setEnvironment }
        let own = environment.compactMap { entry -> (name: String, value: String)? in
            guard let equals = entry.firstIndex(of: "=") else { return nil }
            let name = String(entry[..<equals])
            guard sendEnvironment.contains(where: { Wildcard.covers(name, pattern: $0) }) else { return nil }
            return (name, String(entry[entry.index(after: equals)...]))
        }
        return own + setEnvironment
    }
}

extension LocalAccount {
    /// Every variable of this process's environment, as `NAME=value`.
    package static var allVariables: [String] {
        var all: [String] = []
        var next = environ
        while let entry = next.pointee {
            all.append(String(cString: entry))
            next += 1
        }
        return all
    }
}
