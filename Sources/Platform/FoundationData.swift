// `Data`, which swift-crypto's interfaces take and give: Foundation's smallest part that has it.
#if canImport(FoundationEssentials)
    @_exported import struct FoundationEssentials.Data
#else
    @_exported import struct Foundation.Data
#endif
