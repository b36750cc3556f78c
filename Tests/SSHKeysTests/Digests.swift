import Crypto

/// The digest of bytes by the name ssh-keygen gives it.
func digest(_ name: String, _ bytes: [UInt8]) -> [UInt8] {
    name == "sha256" ? Array(SHA256.hash(data: bytes)) : Array(SHA512.hash(data: bytes))
}
