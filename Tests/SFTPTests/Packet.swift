import NIOCore
import SSHWire

/// A packet as either end sends it.
func packet(_ type: UInt8, id: UInt32, _ fields: (inout ByteBuffer) -> Void = { _ in }) -> ByteBuffer {
    var body = ByteBuffer()
    body.writeInteger(type)
    body.writeInteger(id)
    fields(&body)
    var result = ByteBuffer()
    result.writeSSHString(body)
    return result
}
