import Platform

/// Overwrites memory that held a secret.
func wipe(_ memory: UnsafeMutableRawBufferPointer) { ProcessMemory.wipe(memory) }

/// Overwrites an array that held a secret. Copies made of it elsewhere are not reached.
package func wipe(_ bytes: inout [UInt8]) {
    bytes.withUnsafeMutableBytes { wipe($0) }
}
