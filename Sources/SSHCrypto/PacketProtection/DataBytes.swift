import Platform

extension Data {
    /// `withUnsafeBytes` with this layer's typed error.
    func withUnsafePlaintext<R>(
        _ body: (UnsafeRawBufferPointer) throws(CryptoError) -> R
    ) throws(CryptoError) -> R {
        let result = withUnsafeBytes { bytes -> Result<R, CryptoError> in
            do throws(CryptoError) {
                return .success(try body(bytes))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }
}
