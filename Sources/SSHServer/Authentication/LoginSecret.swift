import NIOConcurrencyHelpers
import NIOCore
import Platform
import SSHKeys
import SSHWire

/// A password or an answer, overwritten when nobody holds it any more.
public final class LoginSecret: Sendable {
    private let box: NIOLockedValueBox<[UInt8]>

    public init(_ bytes: some Collection<UInt8>) { box = NIOLockedValueBox(Array(bytes)) }

    public convenience init(_ text: String) { self.init(text.utf8) }

    /// Takes a secret out of a message, in which it is overwritten.
    convenience init(taking field: ByteBuffer) {
        self.init(field.readableBytesView)
        field.wipeForAll()
    }

    deinit { box.withLockedValue { wipe(&$0) } }

    /// A copy of the bytes, whose wiping is its holder's.
    public var bytes: [UInt8] { box.withLockedValue { $0 } }

    public var count: Int { box.withLockedValue { $0.count } }

    /// Whether both hold the same; the time tells nothing but the lengths.
    public func equals(_ other: LoginSecret) -> Bool { Self.equal(bytes, other.bytes) }

    /// Compares in a time that depends on the lengths alone.
    static func equal(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        guard left.count == right.count else { return false }
        var difference: UInt8 = 0
        for (a, b) in zip(left, right) { difference |= a ^ b }
        return difference == 0
    }
}

extension LoginSecret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Nothing of what it holds.
    public var description: String { "(secret)" }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: []) }
}
