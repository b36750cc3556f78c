import Platform

/// Ports as ssh takes them: a number, or a service's name.
package enum ServicePort {
    /// - Returns: nil for what is neither a number from 1 to 65535 nor a service that the system knows.
    package static func find(_ text: String) -> Int? {
        guard let first = text.utf8.first else { return nil }
        if (0x30...0x39).contains(first) {
            guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(text) else { return nil }
            return (1...65535).contains(number) ? number : nil
        }
        // Neither a sign nor a blank belongs to a service's name.
        guard first != UInt8(ascii: "-"), text.utf8.allSatisfy({ $0 > 0x20 && $0 != UInt8(ascii: "+") }) else {
            return nil
        }
        return SystemCall.port(ofService: text)
    }

    static func number(_ text: String) throws(Keyword.Fault) -> Int {
        guard let port = find(text) else { throw Keyword.Fault(reason: "bad port \"\(text)\"") }
        return port
    }
}
